// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMs that come and go, with L2s and learnt fields, leave nothing in the kernel's
 * memory.
 *
 *   vm_cycles [--cycles N]
 *
 * Every fourth VM is closed while its vCPU is in L2. 24 of them, or N.
 */
#include <getopt.h>

#include "counter.h"
#include "learnt.h"
#include "memory.h"
#include "shadow.h"

#define NR_TURNS	6
#define WARM_UP		8	/* VMs after which caches have filled */

/* What else the kernel does meanwhile, and partly used slabs. */
#define NOISE		384	/* KiB */

enum {
	STAGE_LEARNT = 1,
	STAGE_L2,
};

static volatile uint64_t turn;

static void l2_guest_code(void)
{
	while (turn < NR_TURNS) {
		kn_learnt_expect_in_l2(KN_SITE("L2's state is right in every VM"), turn);
		asm volatile("vmcall" : : : "memory");
	}
	GUEST_SYNC(STAGE_L2);
	asm volatile("vmcall" : : : "memory");
}

static void run_l2(void)
{
	struct kn_check *check = KN_SITE("L2 runs in every VM");
	static struct gpr64_regs gprs;

	kn_l2_expect_vmcall(check, &gprs, !turn, turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_learnt_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (; turn < NR_TURNS; turn++) {
		kn_learnt_write(turn);
		run_l2();
		kn_learnt_expect(KN_SITE("L1 reads the right values in every VM"), turn);
	}
	GUEST_SYNC(STAGE_LEARNT);
	run_l2();
	GUEST_DONE();
}

static void cycle(unsigned int nr)
{
	struct kn_check *stages = KN_SITE("every guest comes to its stages");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, nr);
	KN_SHADOW_COUNTED(vm, "shadow.joined", KN_LEARNT_NR);
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_L2, nr);
	if (nr % 4)
		kn_run(vcpu);
	kn_collect(vm);
	kvm_vm_free(vm);
	/* The library leaves one open for each VM. */
	syscall(__NR_close_range, STDERR_FILENO + 1, ~0u, 0);
}

static unsigned long parse_options(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "cycles", required_argument, NULL, 'c' },
		{ }
	};
	unsigned long cycles = 24;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'c')
			exit(KSFT_FAIL);
		cycles = strtoul(optarg, NULL, 0);
	}
	return cycles;
}

int main(int argc, char *argv[])
{
	unsigned long cycles = parse_options(argc, argv);
	int64_t before, grown;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	for (unsigned int i = 0; i < WARM_UP; i++)
		cycle(i);

	before = kn_kernel_memory();
	for (unsigned int i = 0; i < cycles; i++)
		cycle(i);
	grown = kn_kernel_memory() - before;
	ksft_print_msg("%lu VMs: the kernel's memory grew by %ld KiB from %ld\n", cycles, grown,
		       before);
	kn_expect_at(KN_SITE("the kernel's memory does not grow with them"), "KiB",
		     grown <= NOISE ? 0 : grown, 0, cycles);
	kn_report();
}
