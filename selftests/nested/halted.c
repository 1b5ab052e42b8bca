// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that the module can be switched off while a vCPU sleeps in HLT and its VMCS is active on
 * no CPU, since the one where it was is gone; and that L1 finds its values when it wakes up.
 */
#define _GNU_SOURCE /* sched_setaffinity() */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "learnt.h"
#include "shadow.h"

#define CPU1_ONLINE	"/sys/devices/system/cpu/cpu1/online"
#define NR_ROUNDS	4
#define NR_WARM_UP	4

enum {
	STAGE_LEARNT = 1,
};

static volatile uint64_t turn;
static volatile pid_t tid;

static void l2_guest_code(void)
{
	for (;;) {
		kn_learnt_expect_in_l2(KN_SITE("L2 has what L1 wrote before it slept"), turn);
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(void)
{
	struct kn_check *check = KN_SITE("L2 runs in each round");
	static struct gpr64_regs gprs;

	kn_l2_expect_vmcall(check, &gprs, !turn, turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_learnt_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		for (unsigned int j = 0; j < NR_WARM_UP; j++, turn++) {
			kn_learnt_write(turn);
			run_l2();
		}
		GUEST_SYNC(STAGE_LEARNT);
		kn_learnt_write(turn);
		asm volatile("hlt" : : : "memory");
		kn_learnt_expect(KN_SITE("L1 reads what it wrote before it slept"), turn);
		run_l2();
		turn++;
	}
	GUEST_DONE();
}

static void on_signal(int signal)
{
}

/* Until the signal. */
static void *sleep_in_hlt(void *vcpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	tid = syscall(SYS_gettid);
	kn_expect(KN_SITE("the vCPU sleeps until it is woken up"), __vcpu_run(vcpu), -1);
	return NULL;
}

static bool is_asleep(void)
{
	char path[64], line[256] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	kn_read_line(path, line, sizeof(line));
	return strstr(line, ") S ");
}

static int set_online(const char *value)
{
	int fd = open(CPU1_ONLINE, O_WRONLY);
	int r = fd < 0 || write(fd, value, 1) != 1;

	if (fd >= 0)
		close(fd);
	return r;
}

static void make_round(struct kvm_vcpu *vcpu, unsigned int round)
{
	struct kn_check *cpu = KN_SITE("the CPU goes and comes");
	struct kn_check *check = KN_SITE("the module can be switched while a vCPU sleeps");
	const char *name = round % 2 ? "enable" : "shadow";
	pthread_t thread;

	tid = 0;
	pthread_create(&thread, NULL, sleep_in_hlt, vcpu);
	for (unsigned int i = 0; i < 200 && !(tid && is_asleep()); i++)
		usleep(5000);
	/* In KVM_RUN, and not just about to call it. */
	usleep(50000);

	kn_expect_at(cpu, "offline", set_online("0"), 0, round);
	kn_expect_at(check, name, kn_parameter_set(name, "0"), 0, round);
	kn_expect_at(cpu, "online", set_online("1"), 0, round);
	kn_expect_at(check, name, kn_parameter_set(name, "1"), 0, round);

	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	vcpu_mp_state_set(vcpu, &(struct kvm_mp_state){ KVM_MP_STATE_RUNNABLE });
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	TEST_REQUIRE(sysconf(_SC_NPROCESSORS_ONLN) > 1);
	TEST_REQUIRE(!access(CPU1_ONLINE, W_OK));
	signal(SIGUSR1, on_signal);
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");

	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		kn_expect_at(KN_SITE("L1 comes to each round"), "stage", kn_run(vcpu), STAGE_LEARNT,
			     i);
		make_round(vcpu, i);
	}
	kn_run(vcpu);
	KN_SHADOW_COUNTED(vm, "shadow.joined", KN_LEARNT_NR);
	kn_finish(vm);
}
