// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L1 that changes its habits gets the fields that it uses now, when there is no room
 * for those that it used before as well; that one which keeps its habits traps ever more rarely,
 * however often they are reviewed; and that all values are right meanwhile.
 */
#include "field.h"
#include "l2.h"
#include "shadow.h"

/* A habit in use for long is given up late. */
static const unsigned int nr_rounds[] = { 40, 400, 1000 };

#define NR_HABITS	ARRAY_SIZE(nr_rounds)
#define NR_LAST		25	/* rounds with a habit */

enum {
	STAGE_MOST = 1,	/* of the rounds with one habit */
	STAGE_ALL,
};

/*
 * The room there is: for one habit's fields, HOST_RSP, HOST_RIP, GUEST_RIP and VM_EXIT_REASON. All
 * are used after each exit of L2.
 */
#define SHADOW_FIELDS	"10"
#define NR_FIELDS	6

/* Fields without an effect on this L2. */
static const uint32_t fields[2][NR_FIELDS] = {
	{ TSC_OFFSET, IO_BITMAP_A, VM_EXIT_MSR_LOAD_ADDR, GUEST_FS_BASE, GUEST_SYSENTER_EIP,
	  GUEST_LDTR_LIMIT },
	{ IO_BITMAP_B, VM_ENTRY_MSR_LOAD_ADDR, VIRTUAL_APIC_PAGE_ADDR, GUEST_GS_BASE,
	  GUEST_SYSENTER_ESP, GUEST_GDTR_LIMIT },
};

static uint64_t model[2][NR_FIELDS];
static struct gpr64_regs gprs;

/* Small enough for every one of the fields, and canonical. */
static uint64_t pattern(unsigned int i, uint64_t round)
{
	return (0x9e37 * (i + 1) + round * 0x21) & 0xffff;
}

static void l2_guest_code(void)
{
	for (;;) {
		kn_expect(KN_SITE("L2 gets what either habit wrote"), rdmsr(MSR_FS_BASE),
			  model[0][3]);
		kn_expect(KN_SITE("L2 gets what the other habit wrote"), rdmsr(MSR_GS_BASE),
			  model[1][3]);
		asm volatile("vmcall" : : : "memory");
	}
}

static void write_fields(unsigned int habit, uint64_t round)
{
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		model[habit][i] = pattern(i + NR_FIELDS * habit, round);
		vmwrite(fields[habit][i], model[habit][i]);
	}
}

static void expect_fields(struct kn_check *check, unsigned int habit, uint64_t round)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[habit][i], &value), VM_SUCCEED,
			     fields[habit][i]);
		kn_expect_at(check, "value", value, model[habit][i],
			     round << 16 | fields[habit][i]);
	}
}

static void make_round(unsigned int habit, uint64_t round, bool launch)
{
	write_fields(habit, round);
	expect_fields(KN_SITE("L1 reads what it wrote"), habit, round);
	GUEST_ASSERT(kn_l2_enter(&gprs, launch) == VM_SUCCEED);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL);
	expect_fields(KN_SITE("L1 reads it after L2's exit"), habit, round);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	uint64_t round = 0;

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	write_fields(0, 0);
	write_fields(1, 0);

	for (unsigned int i = 0; i < NR_HABITS; i++) {
		unsigned int habit = i & 1;

		for (unsigned int j = 0; j < nr_rounds[i]; j++) {
			if (j == nr_rounds[i] - NR_LAST)
				GUEST_SYNC(STAGE_MOST);
			make_round(habit, round, !round);
			round++;
		}
		GUEST_SYNC(STAGE_ALL);
		expect_fields(KN_SITE("fields of the old habit keep their values"), !habit, round);
	}
	GUEST_DONE();
}

/* Returns how many fields have left so far. */
static uint64_t run_habit(struct kvm_vm *vm, struct kvm_vcpu *vcpu, unsigned int i,
			  uint64_t left_before)
{
	struct kn_check *stages = KN_SITE("L1 comes to each stage");
	struct kn_check *rare = KN_SITE("traps become rare with each habit");
	struct kn_check *left = KN_SITE("fields leave with each habit");
	const uint32_t *used = fields[i & 1];
	uint64_t traps;

	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_MOST, i);
	traps = kn_traps(vm, used, NR_FIELDS);
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_ALL, i);
	traps = kn_traps(vm, used, NR_FIELDS) - traps;

	if (!kn_shadowing()) {
		kn_skip(rare, "the module shadows nothing");
		kn_skip(left, "the module shadows nothing");
		return 0;
	}

	/* Of 18 accesses in each round. */
	kn_expect_at(rare, "at most one in two rounds", traps <= NR_LAST / 2, true, traps);
	kn_expect_at(left, "some", kn_counter(vm, "shadow.left") > left_before, true, i);
	return kn_counter(vm, "shadow.left");
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	uint64_t left = 0;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("2", SHADOW_FIELDS, "4");
	vm = kn_vm_create(&vcpu, l1_guest_code);

	for (unsigned int i = 0; i < NR_HABITS; i++)
		left = run_habit(vm, vcpu, i, left);

	KN_SHADOW_COUNTED(vm, "shadow.joined", NR_HABITS * NR_FIELDS);
	KN_SHADOW_COUNTED(vm, "shadow.full", NR_FIELDS);
	kn_run(vcpu);
	kn_finish(vm);
}
