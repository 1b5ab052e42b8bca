// SPDX-License-Identifier: GPL-2.0-only
/* How much faster four vCPUs fault in L2's memory than one does. */
#define _GNU_SOURCE /* for sched_setaffinity() */
#include <pthread.h>
#include <sched.h>

#include "knbench.h"
#include "ept.h"
#include "l2.h"

#define MAX_VCPUS	4

static struct l2 l2s[MAX_VCPUS];
static uint8_t l2_stacks[MAX_VCPUS][4096];

/* Vcpus of the guest that have reached the next barrier, since the start. */
static uint32_t nr_arrived;
static uint32_t nr_vcpus;

static void wait_for_all(uint32_t nr_barrier)
{
	__atomic_add_fetch(&nr_arrived, 1, __ATOMIC_SEQ_CST);
	/* Without PAUSE, many of which exit. */
	while (__atomic_load_n(&nr_arrived, __ATOMIC_SEQ_CST) < nr_barrier * nr_vcpus)
		;
}

/* Each vCPU's L2 touches pages of its own; vCPU 0 times how long it takes until all are done. */
static void l2_touch_new_pages(uint64_t vcpu)
{
	uint64_t page = REGION + vcpu * (plan.batches + 1) * plan.units * 4096;
	uint32_t b, u, nr_barrier = 0;
	uint64_t start;

	for (u = 0; u < plan.units; u++, page += 4096)
		touch(page);

	wait_for_all(++nr_barrier);
	if (!vcpu)
		GUEST_SYNC(STAGE_START);
	for (b = 0; b < plan.batches; b++) {
		wait_for_all(++nr_barrier);
		start = rdtsc();
		for (u = 0; u < plan.units; u++, page += 4096)
			touch(page);
		wait_for_all(++nr_barrier);
		if (!vcpu)
			plan.ticks[b] = rdtsc() - start;
	}
	if (!vcpu)
		GUEST_SYNC(STAGE_END);
	wait_for_all(++nr_barrier);
	vmcall();
}

static void l1_guest_code(struct vmx_pages *vmx, uint64_t vcpu)
{
	struct l2 *l2 = &l2s[vcpu];

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	/* As if called: the stack is one slot off the 16-byte boundary. */
	l2_init(l2, vmx, l2_touch_new_pages, l2_stacks[vcpu] + sizeof(l2_stacks[vcpu]) - 8);
	ept12_disable_ad();
	l2->gprs[RDI] = vcpu;
	l2_enter(l2);
	GUEST_ASSERT_1(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL, vmreadz(VM_EXIT_REASON));
	GUEST_DONE();
}

struct runner {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	struct exit_meter *meter;
	int cpu;
};

static void *runner_main(void *arg)
{
	struct runner *runner = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "cannot run on CPU %d",
		    runner->cpu);
	run_vcpu(runner->vcpu, runner->meter);
	return NULL;
}

static double time_faults(const struct metric *metric, uint32_t nr, double *exits)
{
	uint64_t nr_pages = (uint64_t)nr * metric->units * (metric->batches + 1);
	struct runner runners[MAX_VCPUS];
	struct vmx_pages *vmx[MAX_VCPUS];
	struct kvm_vcpu *vcpus[MAX_VCPUS];
	struct exit_meter meter;
	struct kvm_vm *vm;
	vm_vaddr_t gva;
	uint32_t i;

	vm = __vm_create_with_vcpus(VM_MODE_DEFAULT, nr, EXTRA_PAGES, l1_guest_code, vcpus);
	plan = (struct plan){ .units = metric->units, .batches = metric->batches };
	sync_global_to_guest(vm, plan);
	nr_vcpus = nr;
	sync_global_to_guest(vm, nr_vcpus);

	for (i = 0; i < nr; i++) {
		vmx[i] = vcpu_alloc_vmx(vm, &gva);
		vcpu_args_set(vcpus[i], 2, gva, i);
	}
	/* One EPT serves all of them. */
	region_create(vm, vmx[0], nr_pages, true);
	for (i = 1; i < nr; i++)
		vmx[i]->eptp_gpa = vmx[0]->eptp_gpa;

	exit_meter_init(&meter, vcpus, nr);
	for (i = 0; i < nr; i++) {
		runners[i] = (struct runner){
			.vcpu = vcpus[i], .meter = i ? NULL : &meter, .cpu = i,
		};
		pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]);
	}
	for (i = 0; i < nr; i++)
		pthread_join(runners[i].thread, NULL);
	sync_global_from_guest(vm, plan);

	*exits = (double)(meter.at_end - meter.at_start) / (nr * metric->units * metric->batches);
	exit_meter_uninit(&meter);
	kvm_vm_free(vm);
	return undisturbed(plan.ticks, plan.batches);
}

static void run_parallel(const struct metric *metric)
{
	double one, four, exits;

	one = time_faults(metric, 1, &exits);
	four = time_faults(metric, MAX_VCPUS, &exits);
	report(metric, MAX_VCPUS * one / four, exits, MAX_VCPUS * one / four);
}

const struct metric parallel_metrics[] = {
	{ "ept-parallel-4", .run = run_parallel, .units = 256, .batches = 3 },
	{ }
};
