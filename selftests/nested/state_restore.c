// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that a VM saved in L1, with and without a current VMCS, and in L2, and restored into a new
 * one or into itself, has all its VMCS fields, goes on with VMREAD and VMWRITE, and runs L1 and L2.
 */
#include "counter.h"
#include "field.h"
#include "l2.h"

enum {
	STAGE_NO_VMCS = 1,
	STAGE_ALL_FIELDS,
	STAGE_CLEARED,
	STAGE_BEFORE_LAUNCH,
	STAGE_L2,
	STAGE_L2_AGAIN,
	STAGE_AFTER_EXIT,
	STAGE_DIRTY,
	STAGE_L2_LAST,
	STAGE_LAST,
	NR_STAGES,
};

#define PATTERN		0x0123456789abcdefull

/* Fields without an effect on this L2. */
static const uint32_t inert[] = {
	TSC_OFFSET, EOI_EXIT_BITMAP0, EOI_EXIT_BITMAP3, IO_BITMAP_A, POSTED_INTR_DESC_ADDR,
	VM_EXIT_MSR_STORE_ADDR, XSS_EXIT_BITMAP, PML_ADDRESS, VIRTUAL_APIC_PAGE_ADDR,
	APIC_ACCESS_ADDR,
};

static struct gpr64_regs gprs;

static uint64_t inert_value(unsigned int i, unsigned int seed)
{
	return PATTERN * (2 * i + 1) + seed;
}

static void write_inert(unsigned int seed)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(inert); i++)
		GUEST_ASSERT(kn_vmwrite(inert[i], inert_value(i, seed)) == VM_SUCCEED);
}

static void expect_inert(struct kn_check *check, unsigned int seed)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(inert); i++) {
		kn_expect_at(check, "outcome", kn_vmread(inert[i], &value), VM_SUCCEED, inert[i]);
		kn_expect_at(check, "value", value, inert_value(i, seed), inert[i]);
	}
}

static void l2_guest_code(void)
{
	uint64_t before = PATTERN;

	GUEST_SYNC(STAGE_L2);
	GUEST_SYNC(STAGE_L2_AGAIN);
	asm volatile("vmcall" : "+a" (before));
	KN_CHECK_EQ("L2's registers survive", before, ~PATTERN);
	GUEST_SYNC(STAGE_L2_LAST);
	asm volatile("cpuid" : : "a" (0x1234), "c" (0) : "rbx", "rdx");
	asm volatile("ud2");
}

static void check_no_vmcs(struct vmx_pages *vmx)
{
	uint64_t value = PATTERN;

	GUEST_SYNC(STAGE_NO_VMCS);
	KN_CHECK_EQ("saved without a current VMCS: VMREAD", kn_vmread(TSC_OFFSET, &value),
		    VM_FAIL_INVALID);
	KN_CHECK_EQ("saved without a current VMCS: VMWRITE", kn_vmwrite(TSC_OFFSET, value),
		    VM_FAIL_INVALID);
	KN_CHECK_EQ("saved without a current VMCS: VMPTRST", vmptrstz(), -1ull);
	KN_CHECK_EQ("saved in VMX operation: VMXON", kn_vmxon(vmx->vmxon_gpa), VM_FAIL_INVALID);
}

/* The library's shadow VMCS serves as another ordinary one. */
static void check_all_fields(struct vmx_pages *vmx)
{
	struct kn_check *read = KN_SITE("all fields of the current VMCS survive");
	struct kn_check *write = KN_SITE("all fields can be written afterwards");
	struct kn_check *cleared = KN_SITE("all fields of a cleared VMCS survive");
	uint64_t value = 0;

	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		kn_vmwrite(kn_fields[i].encoding, kn_field_pattern(&kn_fields[i], 1));
	GUEST_SYNC(STAGE_ALL_FIELDS);

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint64_t mask = kn_field_mask(field);

		/* The upper half of a 64-bit field was written by the row behind. */
		if (field->encoding >> 13 == 1 && !kn_field_is_high(field))
			mask = 0xffffffff;
		kn_expect_at(read, "outcome", kn_vmread(field->encoding, &value), VM_SUCCEED,
			     field->encoding);
		kn_expect_at(read, "value", value & mask, kn_field_pattern(field, 1) & mask,
			     field->encoding);
	}
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];

		value = kn_field_pattern(field, 2);
		kn_expect_at(write, "outcome", kn_vmwrite(field->encoding, value), VM_SUCCEED,
			     field->encoding);
	}

	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_SYNC(STAGE_CLEARED);
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint64_t mask = kn_field_mask(field) & 0xffffffff;

		kn_vmread(field->encoding, &value);
		kn_expect_at(cleared, "value", value & mask, kn_field_pattern(field, 2) & mask,
			     field->encoding);
	}
}

static void check_l2(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	write_inert(1);
	GUEST_SYNC(STAGE_BEFORE_LAUNCH);
	KN_CHECK_EQ("a VMCS saved before VMLAUNCH is current", vmptrstz(), vmx->vmcs_gpa);

	/* Saved twice while L2 runs. */
	KN_CHECK_EXIT("L2 saved and restored exits", kn_l2_launch(&gprs), EXIT_REASON_VMCALL, 0, 3);
	KN_CHECK_EQ("L2's registers are L1's to see", gprs.rax, PATTERN);
	gprs.rax = ~PATTERN;
	expect_inert(KN_SITE("fields written before survive L2's restore"), 1);

	GUEST_SYNC(STAGE_AFTER_EXIT);
	KN_CHECK_EQ("the exit reason survives", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL);
	KN_CHECK_EQ("the instruction length survives", vmreadz(VM_EXIT_INSTRUCTION_LEN), 3);
	expect_inert(KN_SITE("fields survive a restore after L2's exit"), 1);
	KN_CHECK_ERROR("the launch state survives", kn_l2_launch(&gprs), ERR_VMLAUNCH_NONCLEAR);

	/* Written, saved, and not entered yet. */
	write_inert(2);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	GUEST_SYNC(STAGE_DIRTY);
	expect_inert(KN_SITE("fields written just before survive"), 2);
	KN_CHECK_EXIT("L2 goes on where L1 wrote before the restore", kn_l2_resume(&gprs),
		      EXIT_REASON_CPUID, 0, 2);
	KN_CHECK_EQ("L2's CPUID leaf", (uint32_t)gprs.rax, 0x1234);
	expect_inert(KN_SITE("fields survive all of it"), 2);
	KN_CHECK_EQ("VM_INSTRUCTION_ERROR survives", vmreadz(VM_INSTRUCTION_ERROR),
		    ERR_VMLAUNCH_NONCLEAR);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	check_no_vmcs(vmx);
	check_all_fields(vmx);
	check_l2(vmx);
	GUEST_SYNC(STAGE_LAST);
	KN_CHECK_EQ("VMXOFF after the last restore", kn_vmxoff(), VM_SUCCEED);
	GUEST_DONE();
}

/* Restores the saved state of @vcpu, in a new VM or in itself, and returns the vCPU to use then. */
static struct kvm_vcpu *restore(struct kvm_vm *vm, struct kvm_vcpu *vcpu, uint64_t stage,
				bool in_place)
{
	struct kn_check *same = KN_SITE("registers survive each restore");
	struct kvm_regs before = {}, after = {};
	struct kvm_x86_state *state;

	state = vcpu_save_state(vcpu);
	vcpu_regs_get(vcpu, &before);
	if (in_place) {
		/* The VMX capabilities among the MSRs are fixed in VMX operation. */
		vcpu_nested_state_set(vcpu, &state->nested);
		vcpu_sregs_set(vcpu, &state->sregs);
		vcpu_regs_set(vcpu, &state->regs);
	} else {
		kvm_vm_release(vm);
		vcpu = vm_recreate_with_one_vcpu(vm);
		vcpu_load_state(vcpu, state);
	}
	kvm_x86_state_cleanup(state);
	vcpu_regs_get(vcpu, &after);
	kn_expect_at(same, "difference", memcmp(&before, &after, sizeof(before)), 0, stage);
	return vcpu;
}

static void run_stages(bool in_place)
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (uint64_t stage = STAGE_NO_VMCS; stage < NR_STAGES; stage++) {
		uint64_t reached = kn_run(vcpu);

		kn_expect_at(stages, "stage", reached, stage, stage);
		if (reached != stage)
			break;
		if (stage == STAGE_LAST) {
			KN_COUNTED(vm, "vmread.TSC_OFFSET", 1);
			KN_COUNTED(vm, "exit.VMREAD.module", 1);
		}
		vcpu = restore(vm, vcpu, stage, in_place);
	}
	kn_run(vcpu);
	if (in_place) {
		KN_COUNTED(vm, "state.saved", 1);
		KN_COUNTED(vm, "state.restored", 1);
	}
	kn_collect(vm);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	kn_begin();
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_NESTED_STATE));

	run_stages(false);
	run_stages(true);
	kn_report();
}
