// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMREAD and VMWRITE of an L2 with VMCS shadowing go to its shadow VMCS where L1's
 * bitmaps let them and exit to L1 where they don't, and how they fail.
 */
#include "counter.h"
#include "field.h"
#include "l2.h"

#define PATTERN		0x0123456789abcdefull
#define BAD_FIELD	0x7ffeull	/* clear in the bitmaps, too */

static uint64_t kept_rip;

/* Fields that L1's bitmaps make exit. */
static const uint32_t exiting[] = { GUEST_RIP, TSC_OFFSET, VM_EXIT_REASON };

static bool exits(uint16_t encoding)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(exiting); i++)
		if (encoding == exiting[i])
			return true;
	return false;
}

static void l2_all_fields(void)
{
	struct kn_check *read = KN_SITE("L2 reads each field of its shadow VMCS");
	struct kn_check *write = KN_SITE("L2 writes each field of its shadow VMCS");
	uint64_t value = 0;

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];

		/* Each half of a 64-bit field for itself. */
		if (exits(field->encoding) || kn_field_is_high(field))
			continue;
		kn_expect_at(read, "outcome", kn_vmread(field->encoding, &value), VM_SUCCEED,
			     field->encoding);
		kn_expect_at(read, "value", value,
			     kn_field_pattern(field, 1) & kn_field_mask(field), field->encoding);
		kn_expect_at(read, "memory form", kn_vmread_at(field->encoding, &value),
			     VM_SUCCEED, field->encoding);
		value = kn_field_pattern(field, 2);
		kn_expect_at(write, "outcome", kn_vmwrite_at(field->encoding, &value), VM_SUCCEED,
			     field->encoding);
		kn_vmread(field->encoding, &value);
		kn_expect_at(write, "value", value,
			     kn_field_pattern(field, 2) & kn_field_mask(field), field->encoding);
	}
}

static void l2_failures(void)
{
	uint64_t value = PATTERN;

	/* L1 learns the error number of a VMfailValid from its own VMCS: so it is in stock KVM. */
	KN_CHECK_EQ("L2's VMREAD of no field: VMfailValid", kn_vmread(BAD_FIELD, &value),
		    VM_FAIL_VALID);
	KN_CHECK_EQ("L2's VMWRITE to no field: VMfailValid", kn_vmwrite(BAD_FIELD, value),
		    VM_FAIL_VALID);
	KN_CHECK_EQ("L2's VMREAD into unmapped memory: #PF",
		    kn_vmread_at(HOST_RSP, (void *)-PAGE_SIZE), VM_FAULT(PF_VECTOR));
	asm volatile("vmcall");

	/* There is no link pointer now. */
	KN_CHECK_EQ("L2's VMREAD without a link pointer: VMfailInvalid",
		    kn_vmread(HOST_RSP, &value), VM_FAIL_INVALID);
	KN_CHECK_EQ("L2's VMWRITE without a link pointer: VMfailInvalid",
		    kn_vmwrite(HOST_RSP, value), VM_FAIL_INVALID);
	KN_CHECK_EQ("L2's failed VMREADs leave the destination", value, PATTERN);
	asm volatile("vmcall");
}

static void l2_guest_code(void)
{
	uint64_t value = 0;

	l2_all_fields();
	asm volatile("vmcall");

	/* Each of these exits. */
	asm volatile("vmread %1, %0" : "=a" (value) : "c" ((uint64_t)GUEST_RIP));
	asm volatile("vmwrite %0, %1" : : "a" (value), "c" ((uint64_t)TSC_OFFSET));
	asm volatile("vmread %1, %0" : "=a" (value) : "c" (BIT_ULL(15) | HOST_RSP));
	asm volatile("vmread %1, %0" : "=a" (value) : "c" (BIT_ULL(32) | HOST_RSP));
	asm volatile("vmwrite %0, %1" : : "a" (value), "c" (BIT_ULL(63) | HOST_RSP));

	l2_failures();

	/* Without the control every one exits. */
	asm volatile("vmread %1, %0" : "=a" (value) : "c" ((uint64_t)HOST_RSP));
	asm volatile("vmcall");
}

static void setup_shadow(struct vmx_pages *vmx)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(exiting); i++) {
		kn_bitmap_set(vmx->vmread, exiting[i], true);
		kn_bitmap_set(vmx->vmwrite, exiting[i], true);
	}

	/* With the library's mask and match the page faults of L2 would exit. */
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);

	/* load_vmcs() has made it a shadow VMCS. */
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		if (!kn_field_is_high(&kn_fields[i]))
			kn_vmwrite(kn_fields[i].encoding, kn_field_pattern(&kn_fields[i], 1));
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);

	kn_l1_shadow_for_l2(vmx);
}

static void check_shadow(struct vmx_pages *vmx)
{
	struct kn_check *check = KN_SITE("L1 finds what L2 wrote in the shadow VMCS");
	uint64_t value = 0;

	/* The link pointer still names it: clear it before loading it. */
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		unsigned int seed = exits(field->encoding) ? 1 : 2;

		if (kn_field_is_high(field))
			continue;
		kn_vmread(field->encoding, &value);
		kn_expect_at(check, "value", value,
			     kn_field_pattern(field, seed) & kn_field_mask(field),
			     field->encoding);
	}
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs = {};

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	setup_shadow(vmx);
	KN_CHECK_EXIT("L2 runs without an exit", kn_l2_launch(&gprs), EXIT_REASON_VMCALL, 0, 3);
	check_shadow(vmx);

	KN_CHECK_VMX_EXIT("VMREAD by the bitmap exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
	kept_rip = vmreadz(GUEST_RIP);
	KN_CHECK_VMX_EXIT("VMWRITE by the bitmap exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMWRITE, 3);
	KN_CHECK("L1's own GUEST_RIP is L2's", vmreadz(GUEST_RIP) - kept_rip < 64);
	KN_CHECK_VMX_EXIT("VMREAD with bit 15 exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
	KN_CHECK_VMX_EXIT("VMREAD with bit 32 exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
	KN_CHECK_VMX_EXIT("VMWRITE with bit 63 exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMWRITE, 3);

	kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
	KN_CHECK_EXIT("L2's failures do not exit", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_VMCALL, 0, 3);
	KN_CHECK_EQ("L2's VMfailValid", vmreadz(VM_INSTRUCTION_ERROR), ERR_UNSUPPORTED_FIELD);
	vmwrite(VMCS_LINK_POINTER, -1ull);
	KN_CHECK_EXIT("L2's VMfailInvalid does not exit", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_VMCALL, 0, 3);

	vmwrite(SECONDARY_VM_EXEC_CONTROL,
		vmreadz(SECONDARY_VM_EXEC_CONTROL) & ~SECONDARY_EXEC_SHADOW_VMCS);
	KN_CHECK_VMX_EXIT("VMREAD without VMCS shadowing exits", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
	KN_CHECK_EXIT("L2 comes to its end", kn_l2_skip_and_resume(&gprs), EXIT_REASON_VMCALL, 0,
		      3);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_require_l2_shadowing(vcpu);
	kn_run(vcpu);

	KN_COUNTED(vm, "l2exit.VMREAD.l1", 4);
	KN_COUNTED(vm, "l2exit.VMREAD.l0", KN_NR_FIELDS);
	KN_COUNTED(vm, "l2exit.VMWRITE.l1", 2);
	KN_COUNTED(vm, "l2exit.VMWRITE.l0", KN_NR_FIELDS / 2);
	kn_finish(vm);
}
