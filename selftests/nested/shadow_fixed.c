// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that the fields named in shadow_fixed never trap and no other field is learnt, that a list
 * with a bad name is refused and leaves the old one, and that an empty list is learning again.
 */
#include "l2.h"
#include "shadow.h"

#define NR_ROUNDS	30
#define FIXED		"GUEST_ES_LIMIT,GUEST_FS_BASE,HOST_RSP,HOST_RIP"

enum {
	STAGE_FIXED = 1,
	STAGE_CHANGED,
	STAGE_LEARNING,
	STAGE_LEARNT,
};

static const uint32_t fixed[] = { HOST_RSP, HOST_RIP, GUEST_ES_LIMIT, GUEST_FS_BASE };
static const uint32_t others[] = { IO_BITMAP_A, GUEST_GDTR_LIMIT };

static struct gpr64_regs gprs;
static volatile uint64_t turn;

static uint64_t pattern(unsigned int i)
{
	return (0x123456789abcull * (i + 1) + turn * 0x10001) & 0x7fffffff000ull;
}

static void l2_guest_code(void)
{
	for (;;) {
		kn_expect_at(KN_SITE("L2 gets the FS base that L1 wrote"), "FS base",
			     rdmsr(MSR_FS_BASE), pattern(0), turn);
		wrmsr(MSR_FS_BASE, pattern(1));
		asm volatile("vmcall" : : : "memory");
	}
}

static void expect_field(uint32_t field, uint64_t want)
{
	struct kn_check *check = KN_SITE("L1 reads the right values in each round");
	uint64_t value = ~want;

	kn_expect_at(check, "outcome", kn_vmread(field, &value), VM_SUCCEED, field);
	kn_expect_at(check, "value", value, want, turn << 16 | field);
}

/* Writes three fields but HOST_RSP and HOST_RIP, and reads four, each of them once. */
static void make_rounds(uint16_t gdt_limit)
{
	for (uint64_t end = turn + NR_ROUNDS; turn < end; turn++) {
		vmwrite(GUEST_FS_BASE, pattern(0));
		vmwrite(GUEST_ES_LIMIT, 0xffffffff);
		vmwrite(IO_BITMAP_A, pattern(2));
		GUEST_ASSERT(kn_l2_enter(&gprs, !turn) == VM_SUCCEED);
		GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL);
		expect_field(GUEST_FS_BASE, pattern(1));
		expect_field(GUEST_ES_LIMIT, 0xffffffff);
		expect_field(GUEST_GDTR_LIMIT, gdt_limit);
		expect_field(IO_BITMAP_A, pattern(2));
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	uint16_t gdt_limit;

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	gdt_limit = vmreadz(GUEST_GDTR_LIMIT);
	vmwrite(IO_BITMAP_A, 0);

	for (uint64_t stage = STAGE_FIXED; stage <= STAGE_LEARNT; stage++) {
		make_rounds(gdt_limit);
		GUEST_SYNC(stage);
	}
	GUEST_DONE();
}

static void check_refused(const char *value)
{
	struct kn_check *error = KN_SITE("a list with a bad name is refused");
	struct kn_check *kept = KN_SITE("a list that is refused leaves the old one");
	char now[128];

	if (!kn_shadowing()) {
		kn_skip(error, "the module shadows nothing");
		kn_skip(kept, "the module shadows nothing");
		return;
	}

	kn_expect(error, kn_parameter_set("shadow_fixed", value), EINVAL);
	kn_parameter_get("shadow_fixed", now, sizeof(now));
	kn_expect(kept, strcmp(now, FIXED), 0);
}

static void check_list(struct kn_check *check, const char *value, const char *want)
{
	char now[128];

	if (!kn_shadowing()) {
		kn_skip(check, "the module shadows nothing");
		return;
	}

	kn_expect(check, kn_parameter_set("shadow_fixed", value), 0);
	kn_parameter_get("shadow_fixed", now, sizeof(now));
	kn_expect(check, strcmp(now, want), 0);
}

int main(int argc, char *argv[])
{
	uint64_t before, others_before;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	check_list(KN_SITE("a list is shown in the order of the fields"),
		   "HOST_RIP,HOST_RSP,GUEST_FS_BASE,GUEST_ES_LIMIT", FIXED);
	check_refused("HOST_RSP,NO_SUCH_FIELD");
	check_refused("host_rsp");
	check_refused("HOST_RSP HOST_RIP");
	check_refused("HOST_RS");
	check_refused("HOST_RSPP");
	check_refused(",");

	vm = kn_vm_create(&vcpu, l1_guest_code);
	KN_CHECK_EQ("L1 runs with a fixed set", kn_run(vcpu), STAGE_FIXED);
	KN_SHADOW_CHECK_EQ("fields of the fixed set never trap",
			   kn_traps(vm, fixed, ARRAY_SIZE(fixed)), 0);
	KN_SHADOW_CHECK_EQ("nothing is learnt besides", kn_counter(vm, "shadow.joined"), 0);
	KN_SHADOW_CHECK_EQ("a field outside goes on trapping when it is read",
			   kn_counter(vm, "vmread.IO_BITMAP_A"), NR_ROUNDS);
	KN_SHADOW_CHECK_EQ("a field outside goes on trapping when it is written",
			   kn_counter(vm, "vmwrite.IO_BITMAP_A"), NR_ROUNDS + 1);

	/* Any name is accepted: also of a field that is never shadowed, or for VMREAD only. */
	check_list(KN_SITE("a high half stands for its field, any field may be named"),
		   "IO_BITMAP_A_HIGH,VM_INSTRUCTION_ERROR,XSS_EXIT_BITMAP,GUEST_GDTR_LIMIT",
		   "IO_BITMAP_A,XSS_EXIT_BITMAP,VM_INSTRUCTION_ERROR,GUEST_GDTR_LIMIT");
	before = kn_traps(vm, fixed, ARRAY_SIZE(fixed));
	others_before = kn_traps(vm, others, ARRAY_SIZE(others));
	KN_CHECK_EQ("L1 runs with another fixed set", kn_run(vcpu), STAGE_CHANGED);
	/* Written once before the set changes, at L2's first exit. */
	KN_SHADOW_CHECK_EQ("fields of the new set trap no more",
			   kn_traps(vm, others, ARRAY_SIZE(others)) - others_before, 1);
	KN_SHADOW_CHECK_EQ("fields of the old set trap again",
			   kn_traps(vm, fixed, ARRAY_SIZE(fixed)) - before > 4 * NR_ROUNDS, true);

	check_list(KN_SITE("an empty list is learning"), "", "");
	KN_CHECK_EQ("L1 runs without a fixed set", kn_run(vcpu), STAGE_LEARNING);
	before = kn_traps(vm, fixed, ARRAY_SIZE(fixed)) + kn_traps(vm, others, ARRAY_SIZE(others));
	KN_CHECK_EQ("L1 runs on", kn_run(vcpu), STAGE_LEARNT);
	KN_SHADOW_CHECK_EQ("fields that were learnt then trap no more",
			   kn_traps(vm, fixed, ARRAY_SIZE(fixed)) +
			   kn_traps(vm, others, ARRAY_SIZE(others)) - before, 0);
	KN_SHADOW_COUNTED(vm, "shadow.joined", ARRAY_SIZE(fixed) + ARRAY_SIZE(others));
	kn_run(vcpu);
	kn_finish(vm);
}
