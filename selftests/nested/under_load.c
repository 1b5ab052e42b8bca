// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L1s and L2s go on with the right results whatever an operator or the kernel does to
 * them meanwhile: parameters set at random, signals, stops, vCPU threads that move between CPUs,
 * CPUs that go and come, memory that is paged out and moved; while shadowing is switched off and on
 * again and again.
 *
 *   under_load [--times N] [PHASE]...
 *
 * Each phase disturbs 10 times, or N.
 */
#define _GNU_SOURCE /* sched_setaffinity() */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "field.h"
#include "round.h"
#include "shadow.h"

#define NR_VCPUS	2
#define PROGRESS	2	/* rounds that each vCPU has to make in each phase, at least */
#define PATIENCE	60	/* seconds for them */

#define CPU1_ONLINE	"/sys/devices/system/cpu/cpu1/online"
#define COMPACT		"/proc/sys/vm/compact_memory"
#define MAX_FIXED	6

static struct vcpu {
	struct kvm_vcpu *vcpu;
	struct kn_rounds *rounds;
	pthread_t thread;
	pid_t tid;
} vcpus[NR_VCPUS];

static struct kvm_vm *vm;
static unsigned int times = 10;
static bool stop;
static uint64_t seed = 88172645463325252ull;

/* Marsaglia's xorshift. */
static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;

	__atomic_store_n(&vcpu->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	kn_run(vcpu->vcpu);
	return NULL;
}

static int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY), r = 0;

	if (fd < 0)
		return errno;
	if (write(fd, value, strlen(value)) < 0)
		r = errno;
	close(fd);
	return r;
}

/* Switched off and on while the phase lasts. A vCPU that is on the move may not be found. */

static void expect_switched(struct kn_check *check, const char *name, const char *value)
{
	int r = kn_parameter_set(name, value);

	if (r != EBUSY)
		kn_expect_at(check, name, r, 0, value[0]);
}

static void *switch_all_the_time(void *unused)
{
	struct kn_check *check = KN_SITE("shadowing can be switched meanwhile");
	unsigned int nr = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		static const char * const names[] = { "enable", "shadow", "shadow_l2" };
		const char *name = names[nr++ % ARRAY_SIZE(names)];

		expect_switched(check, name, "0");
		usleep(500);
		expect_switched(check, name, "1");
		/* Long enough to learn something. */
		usleep(20000);
	}
	ksft_print_msg("switched %u times\n", nr);
	return NULL;
}

/* Parameters at random. */

static void expect_parameter(struct kn_check *check, const char *name, const char *value, int want,
			     const char *shown)
{
	char now[4096];

	kn_expect_at(check, name, kn_parameter_set(name, value), want, value[0]);
	kn_parameter_get(name, now, sizeof(now));
	if (shown && now[0])
		kn_expect_at(check, name, strcmp(now, shown), 0, now[0]);
}

static void set_number(struct kn_check *check, const char *name, uint64_t min, uint64_t max,
		       uint64_t bound)
{
	char value[32], before[32];

	snprintf(value, sizeof(value), "%lu", min + random_number() % (max - min + 1));
	expect_parameter(check, name, value, 0, value);

	/* Out of bounds: it stays as it is. */
	kn_parameter_get(name, before, sizeof(before));
	if (before[0] && bound < ~0u) {
		snprintf(value, sizeof(value), "%lu", bound + 1 + random_number() % 1000);
		expect_parameter(check, name, value, EINVAL, before);
	}
}

static void set_fixed(struct kn_check *check)
{
	char names[MAX_FIXED * 40] = "", before[4096];
	unsigned int i = random_number() % 20;

	/* In the order of the table, as the parameter shows them. */
	for (unsigned int nr = random_number() % MAX_FIXED; nr && i < KN_NR_FIELDS; nr--) {
		if (kn_field_is_high(&kn_fields[i]))
			i++;
		sprintf(names + strlen(names), "%s%s", names[0] ? "," : "", kn_fields[i].name);
		i += 1 + random_number() % 30;
	}
	expect_parameter(check, "shadow_fixed", names, 0, names);

	kn_parameter_get("shadow_fixed", before, sizeof(before));
	if (!access(KN_PARAMETERS, F_OK))
		expect_parameter(check, "shadow_fixed", "HOST_RSP,HOST_NOTHING", EINVAL, before);
}

static void set_bool(struct kn_check *check, const char *name)
{
	bool on = random_number() % 2;

	expect_parameter(check, name, on ? "1" : "0", 0, on ? "Y" : "N");
}

static void disturb_parameters(struct kn_check *check)
{
	switch (random_number() % 14) {
	case 7:
		return set_bool(check, "shadow_l2");
	case 8:
		return set_bool(check, "vmptr");
	case 9:
		return set_bool(check, "pages");
	case 10:
		return set_bool(check, "walk");
	case 12:
		return set_bool(check, "vept");
	case 13:
		return set_number(check, "vept_tables", 1, 1000, ~0u);
	case 11:
		return set_bool(check, "transition");
	case 0:
		return set_bool(check, "enable");
	case 1:
		return set_bool(check, "shadow");
	case 2:
		return set_bool(check, "vmaccess");
	case 3:
		return set_number(check, "shadow_fields", 0, KN_NR_FIELDS, KN_NR_FIELDS);
	case 4:
		return set_number(check, "shadow_learn", 1, 63, 63);
	case 5:
		return set_number(check, "shadow_review", 1, random_number() % 2 ? ~0u : 3, ~0u);
	default:
		return set_fixed(check);
	}
}

/* Much is learnt, little stays. */
static void settle_parameters(void)
{
	kn_parameter_set("shadow_fixed", "");
	kn_parameter_set("vmaccess", "1");
	kn_parameter_set("shadow_l2", "1");
	kn_parameter_set("vmptr", "1");
	kn_parameter_set("pages", "1");
	kn_parameter_set("walk", "1");
	kn_parameter_set("vept", "1");
	kn_parameter_set("vept_tables", "16384");
	kn_parameter_set("transition", "1");
	kn_set_learning("1", "150", "20");
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");
}

/* Signals. */

static void on_signal(int signal)
{
}

static void disturb_signals(struct kn_check *check)
{
	struct vcpu *vcpu = &vcpus[random_number() % NR_VCPUS];
	bool immediately = random_number() % 2;

	vcpu->vcpu->run->immediate_exit = immediately;
	kn_expect(check, pthread_kill(vcpu->thread, SIGUSR1), 0);
	if (immediately)
		usleep(random_number() % 500);
	vcpu->vcpu->run->immediate_exit = 0;
}

/* The whole process is stopped, and what it has on the CPUs is taken from it. */
static void disturb_stops(struct kn_check *check)
{
	pid_t child, parent = getpid();
	int status = -1;

	child = fork();
	TEST_ASSERT(child >= 0, "fork()");
	if (!child) {
		int r;

		kill(parent, SIGSTOP);
		usleep(random_number() % 2000);
		r = kn_parameter_set("shadow", "0") | kn_parameter_set("enable", "0");
		r |= kn_parameter_set("enable", "1") | kn_parameter_set("shadow", "1");
		kill(parent, SIGCONT);
		_exit(!!r);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	kn_expect(check, WIFEXITED(status) && !WEXITSTATUS(status), true);
}

/* CPUs. */

static void set_cpus(pid_t tid, unsigned int first, unsigned int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, &set);
	/* One that is offline may be among them. */
	sched_setaffinity(tid, sizeof(set), &set);
}

static void disturb_moves(struct kn_check *check)
{
	unsigned int nr = sysconf(_SC_NPROCESSORS_ONLN);

	for (unsigned int i = 0; i < 20; i++) {
		unsigned int cpu = random_number() % nr;

		set_cpus(vcpus[i % NR_VCPUS].tid, cpu, cpu);
		usleep(random_number() % 100);
	}
	kn_expect(check, nr > 1, true);
}

static void disturb_hotplug(struct kn_check *check)
{
	/* It is from where both run that the CPU goes. */
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		set_cpus(vcpus[i].tid, 1, 1);
	usleep(random_number() % 10000);
	kn_expect(check, write_file(CPU1_ONLINE, "0"), 0);
	usleep(random_number() % 10000);
	kn_expect(check, write_file(CPU1_ONLINE, "1"), 0);
}

/* Memory. */

static uint64_t swapped(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmSwap: %lu", &kib);
	if (file)
		fclose(file);
	return kib;
}

static uint64_t most_swapped;

static void disturb_memory(struct kn_check *check)
{
	static const int advices[] = { MADV_PAGEOUT, MADV_COLD, MADV_MERGEABLE, MADV_PAGEOUT };
	struct userspace_mem_region *region = memslot2region(vm, 0);
	int r, advice = advices[random_number() % ARRAY_SIZE(advices)];

	r = madvise(region->host_mem, region->region.memory_size, advice);
	/* Merging is something that a kernel may lack. */
	kn_expect_at(check, "madvise()", r && errno != EINVAL, 0, advice);
	most_swapped = max(most_swapped, swapped());
	if (random_number() % 4 == 0)
		write_file(COMPACT, "1");
	usleep(random_number() % 5000);
}

static bool has_two_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static bool has_hotplug(void)
{
	return has_two_cpus() && !access(CPU1_ONLINE, W_OK);
}

static const struct phase {
	const char *name;
	void (*disturb)(struct kn_check *check);
	bool (*possible)(void);
	bool switching;		/* shadowing is switched meanwhile */
} phases[] = {
	{ "parameters", disturb_parameters, NULL, false },
	{ "signals", disturb_signals, NULL, true },
	{ "stops", disturb_stops, NULL, false },
	{ "moves", disturb_moves, has_two_cpus, true },
	{ "hotplug", disturb_hotplug, has_hotplug, true },
	{ "memory", disturb_memory, NULL, true },
	{ "quiet", NULL, NULL, false },
};

static struct kn_check checks[ARRAY_SIZE(phases)];
KN_GROUP(checks, ARRAY_SIZE(phases));

/* Both vCPUs made rounds, and what they could learn they did. */
static void expect_progress(struct kn_check *check, const uint64_t *before, uint64_t joined)
{
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		for (unsigned int t = 0; t < 100 * PATIENCE; t++) {
			if (vcpus[i].rounds->done >= before[i] + PROGRESS)
				break;
			usleep(10000);
		}
		kn_expect_at(check, "rounds", vcpus[i].rounds->done >= before[i] + PROGRESS, true,
			     i);
	}
	if (kn_shadowing())
		kn_expect(check, kn_counter(vm, "shadow.joined") >= joined, true);
}

static void run_phase(struct kn_check *check, const struct phase *phase)
{
	uint64_t before[NR_VCPUS], joined;
	pthread_t switcher;

	settle_parameters();
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		before[i] = vcpus[i].rounds->done;
		set_cpus(vcpus[i].tid, 0, sysconf(_SC_NPROCESSORS_CONF) - 1);
	}
	joined = kn_counter(vm, "shadow.joined");
	stop = false;
	if (phase->switching)
		pthread_create(&switcher, NULL, switch_all_the_time, NULL);
	for (unsigned int i = 0; phase->disturb && i < times; i++) {
		phase->disturb(check);
		usleep(random_number() % 3000);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	if (phase->switching)
		pthread_join(switcher, NULL);
	settle_parameters();
	expect_progress(check, before, joined);
	ksft_print_msg("%s: %lu and %lu rounds\n", phase->name, vcpus[0].rounds->done - before[0],
		       vcpus[1].rounds->done - before[1]);
}

static bool is_wanted(const char *name, char *wanted[])
{
	for (unsigned int i = 0; wanted[i]; i++)
		if (!strcmp(wanted[i], name))
			return true;
	return !wanted[0];
}

static char **parse_options(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "times", required_argument, NULL, 't' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 't')
			exit(KSFT_FAIL);
		times = strtoul(optarg, NULL, 0);
	}
	return argv + optind;
}

int main(int argc, char *argv[])
{
	char **wanted = parse_options(argc, argv);
	struct kvm_vcpu *list[NR_VCPUS];
	struct kn_check *swap = KN_SITE("memory of L1 and L2 was paged out");

	kn_begin();
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	signal(SIGUSR1, on_signal);
	settle_parameters();

	vm = vm_create_with_vcpus(NR_VCPUS, kn_rounds_guest_code, list);
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		vcpus[i].vcpu = list[i];
		vcpus[i].rounds = kn_rounds_alloc(vm, list[i], ~0ull);
		pthread_create(&vcpus[i].thread, NULL, run_vcpu, &vcpus[i]);
		while (!__atomic_load_n(&vcpus[i].tid, __ATOMIC_ACQUIRE))
			usleep(1000);
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(phases); i++) {
		checks[i].name = phases[i].name;
		if (!is_wanted(phases[i].name, wanted))
			kn_skip(&checks[i], "not asked for");
		else if (phases[i].possible && !phases[i].possible())
			kn_skip(&checks[i], "this takes a second CPU that can be taken offline");
		else
			run_phase(&checks[i], &phases[i]);
	}

	for (unsigned int i = 0; i < NR_VCPUS; i++)
		vcpus[i].rounds->stop = true;
	for (unsigned int i = 0; i < NR_VCPUS; i++)
		pthread_join(vcpus[i].thread, NULL);
	if (most_swapped)
		kn_expect(swap, most_swapped > 0, true);
	else
		kn_skip(swap, "there is no swap space");
	KN_SHADOW_COUNTED(vm, "shadow.joined", NR_VCPUS * 6);
	KN_SHADOW_COUNTED(vm, "shadow.copied_in", NR_VCPUS * PROGRESS);
	KN_SHADOW_COUNTED(vm, "shadow_l2.copied_in", NR_VCPUS * PROGRESS);
	KN_SHADOW_COUNTED(vm, "vmptr.kept", NR_VCPUS * PROGRESS / 4);
	kn_finish(vm);
}
