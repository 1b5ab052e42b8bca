// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that a VMCS has what L1 has written to it although an L2 ran before the last VMXOFF, whose
 * guest state KVM had not asked the processor for by then.
 */
#include "counter.h"
#include "l2.h"

#define NR_ROUNDS	3

/* Fields that KVM leaves in its own VMCS for as long as nobody asks. */
static const uint32_t fields[] = {
	GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_GDTR_BASE, GUEST_PENDING_DBG_EXCEPTIONS,
};

static void l2_guest_code(void)
{
	for (;;)
		vmcall();
}

static uint64_t pattern(unsigned int i, unsigned int turn)
{
	return 0x1230 + 0x10 * i + turn;
}

static void expect_fields(struct kn_check *check, unsigned int turn)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED, fields[i]);
		kn_expect_at(check, "value", value, pattern(i, turn), fields[i]);
	}
}

static void run_l2(struct kn_check *check, struct vmx_pages *vmx, uint64_t *stack)
{
	struct gpr64_regs gprs = {};

	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, stack);
	kn_expect(check, kn_l2_launch(&gprs), VM_SUCCEED);
	kn_expect(check, vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL);
}

/* L1 writes all of them first: which is what lets KVM look for them, and what it must not lose. */
static void check_round(struct vmx_pages *vmx, uint64_t *stack, unsigned int turn)
{
	run_l2(KN_SITE("L2 runs"), vmx, stack);
	KN_CHECK_EQ("VMXOFF while the VMCS is current", kn_vmxoff(), VM_SUCCEED);
	KN_CHECK_EQ("VMXON after it", kn_vmxon(vmx->vmxon_gpa), VM_SUCCEED);

	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
		GUEST_ASSERT(kn_vmwrite(fields[i], pattern(i, turn)) == VM_SUCCEED);
	expect_fields(KN_SITE("L1 reads what it has written"), turn);

	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	expect_fields(KN_SITE("... also after VMCLEAR"), turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	for (unsigned int turn = 0; turn < NR_ROUNDS; turn++)
		check_round(vmx, &l2_stack[KN_L2_STACK_SIZE], turn);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_run(vcpu);
	KN_COUNTED(vm, "exit.VMOFF.stock", NR_ROUNDS);
	kn_finish(vm);
}
