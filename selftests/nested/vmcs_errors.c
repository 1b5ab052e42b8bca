// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMREAD and VMWRITE fail, with the right error and without any effect, on fields that
 * do not exist, on read-only fields and without a current VMCS, and which check comes before which.
 */
#include "counter.h"
#include "field.h"

enum {
	STAGE_SWEPT = 1,
};

#define UNMAPPED	((void *)-PAGE_SIZE)
#define PATTERN		0x0123456789abcdefull
#define BAD_FIELD	0x7ffeull

/* Every encoding there can be: exactly those of the table exist. */
static void sweep_encodings(void)
{
	struct kn_check *read = KN_SITE("VMREAD of each encoding below 32768");
	struct kn_check *kept = KN_SITE("a failed VMREAD leaves its destination");
	struct kn_check *write = KN_SITE("VMWRITE to each encoding below 32768");
	uint64_t encoding, value = 0;

	for (encoding = 0; encoding < 0x8000; encoding++) {
		bool real = kn_field_find(encoding);

		value = PATTERN;
		kn_expect_at(read, "outcome", kn_vmread(encoding, &value),
			     real ? VM_SUCCEED : VM_FAIL_VALID, encoding);
		if (!real) {
			kn_expect_at(kept, "value", value, PATTERN, encoding);
			kn_expect_at(read, "error", vmreadz(VM_INSTRUCTION_ERROR),
				     ERR_UNSUPPORTED_FIELD, encoding);
		}
		kn_expect_at(write, "outcome", kn_vmwrite(encoding, value),
			     real ? VM_SUCCEED : VM_FAIL_VALID, encoding);
	}
}

static void check_high_bits(void)
{
	struct kn_check *read = KN_SITE("VMREAD with a bit above the encoding: error 12");
	struct kn_check *write = KN_SITE("VMWRITE with a bit above the encoding: error 12");
	struct kn_check *kept = KN_SITE("VMWRITE with a bit above the encoding writes nothing");
	static const uint64_t fields[] = { TSC_OFFSET, GUEST_RIP, VM_EXIT_REASON };
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		kn_vmwrite(fields[i], PATTERN);
		for (unsigned int bit = 15; bit < 64; bit++) {
			uint64_t encoding = fields[i] | BIT_ULL(bit);

			kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
			kn_expect_at(read, "outcome", kn_vmread(encoding, &value), VM_FAIL_VALID,
				     encoding);
			kn_expect_at(read, "error", vmreadz(VM_INSTRUCTION_ERROR),
				     ERR_UNSUPPORTED_FIELD, encoding);
			kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
			kn_expect_at(write, "outcome", kn_vmwrite(encoding, 0), VM_FAIL_VALID,
				     encoding);
			kn_expect_at(write, "error", vmreadz(VM_INSTRUCTION_ERROR),
				     ERR_UNSUPPORTED_FIELD, encoding);
		}
		kn_expect_at(kept, "value", vmreadz(fields[i]),
			     i < 2 ? PATTERN : (uint32_t)PATTERN, fields[i]);
	}
}

static void check_memory_form(void)
{
	uint64_t value = PATTERN;

	KN_CHECK_ERROR("VMREAD of no field into memory: error 12",
		       kn_vmread_at(BAD_FIELD, &value), ERR_UNSUPPORTED_FIELD);
	KN_CHECK_EQ("... and the memory is left alone", value, PATTERN);
	KN_CHECK_ERROR("VMWRITE of memory to no field: error 12",
		       kn_vmwrite_at(BAD_FIELD, &value), ERR_UNSUPPORTED_FIELD);

	/* The field is looked up before a result is stored, but after an operand was fetched. */
	kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
	KN_CHECK_ERROR("VMREAD of no field into unmapped memory: error 12",
		       kn_vmread_at(BAD_FIELD, UNMAPPED), ERR_UNSUPPORTED_FIELD);
	KN_CHECK_EQ("VMWRITE of unmapped memory to no field: #PF",
		    kn_vmwrite_at(BAD_FIELD, UNMAPPED), VM_FAULT(PF_VECTOR));

	kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
	KN_CHECK_EQ("a fault leaves VM_INSTRUCTION_ERROR", vmreadz(VM_INSTRUCTION_ERROR), 0);
	kn_vmread(BAD_FIELD, &value);
	kn_vmread(TSC_OFFSET, &value);
	kn_vmwrite(TSC_OFFSET, value);
	KN_CHECK_EQ("success leaves VM_INSTRUCTION_ERROR", vmreadz(VM_INSTRUCTION_ERROR),
		    ERR_UNSUPPORTED_FIELD);
}

static void check_no_current(struct vmx_pages *vmx)
{
	struct kn_check *reads = KN_SITE("VMREAD without a current VMCS: VMfailInvalid");
	struct kn_check *writes = KN_SITE("VMWRITE without a current VMCS: VMfailInvalid");
	uint64_t value = PATTERN;

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		uint16_t encoding = kn_fields[i].encoding;

		kn_expect_at(reads, "register form", kn_vmread(encoding, &value),
			     VM_FAIL_INVALID, encoding);
		kn_expect_at(reads, "memory form", kn_vmread_at(encoding, &value),
			     VM_FAIL_INVALID, encoding);
		kn_expect_at(writes, "register form", kn_vmwrite(encoding, value),
			     VM_FAIL_INVALID, encoding);
		kn_expect_at(writes, "memory form", kn_vmwrite_at(encoding, &value),
			     VM_FAIL_INVALID, encoding);
	}
	KN_CHECK_EQ("VMREAD without a current VMCS leaves its destination", value, PATTERN);
	KN_CHECK_EQ("VMREAD of no field without a current VMCS: VMfailInvalid",
		    kn_vmread(BAD_FIELD, &value), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMWRITE to no field without a current VMCS: VMfailInvalid",
		    kn_vmwrite(BAD_FIELD, value), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMREAD into unmapped memory without a current VMCS: VMfailInvalid",
		    kn_vmread_at(TSC_OFFSET, UNMAPPED), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMWRITE of unmapped memory without a current VMCS: VMfailInvalid",
		    kn_vmwrite_at(TSC_OFFSET, UNMAPPED), VM_FAIL_INVALID);

	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_EQ("VMREAD after VMCLEAR of the current VMCS: VMfailInvalid",
		    kn_vmread(GUEST_RIP, &value), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMWRITE after VMCLEAR of the current VMCS: VMfailInvalid",
		    kn_vmwrite(GUEST_RIP, value), VM_FAIL_INVALID);
}

static void enter_operation(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	*(uint32_t *)vmx->vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	enter_operation(vmx);
	check_no_current(vmx);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	check_memory_form();
	check_high_bits();
	sweep_encodings();
	GUEST_SYNC(STAGE_SWEPT);
	GUEST_DONE();
}

/* L1 of a processor that does not let VMWRITE touch read-only fields. */
static void l1_read_only_code(struct vmx_pages *vmx)
{
	struct kn_check *write = KN_SITE("VMWRITE to a read-only field, IA32_VMX_MISC[29] 0: error 13");
	struct kn_check *kept = KN_SITE("... and leaves the field");
	struct kn_check *others = KN_SITE("VMWRITE to other fields, IA32_VMX_MISC[29] 0");
	uint64_t before, after, error;

	enter_operation(vmx);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(!(rdmsr(MSR_IA32_VMX_MISC) & BIT(29)));

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		uint16_t encoding = kn_fields[i].encoding;

		if (!kn_field_is_read_only(&kn_fields[i])) {
			kn_expect_at(others, "outcome", kn_vmwrite(encoding, 0), VM_SUCCEED,
				     encoding);
			continue;
		}
		before = vmreadz(encoding);
		kn_expect_at(write, "register form", kn_vmwrite(encoding, ~before),
			     VM_FAIL_VALID, encoding);
		error = vmreadz(VM_INSTRUCTION_ERROR);
		kn_expect_at(write, "error", error, ERR_READ_ONLY_FIELD, encoding);
		kn_expect_at(write, "memory form", kn_vmwrite_at(encoding, &error),
			     VM_FAIL_VALID, encoding);
		after = vmreadz(encoding);
		kn_expect_at(kept, "value", after,
			     encoding == VM_INSTRUCTION_ERROR ? ERR_READ_ONLY_FIELD : before,
			     encoding);
	}
	KN_CHECK_EQ("VMWRITE of unmapped memory to a read-only field: #PF",
		    kn_vmwrite_at(VM_EXIT_REASON, UNMAPPED), VM_FAULT(PF_VECTOR));
	KN_CHECK_ERROR("VMWRITE to no field, IA32_VMX_MISC[29] 0: error 12",
		       kn_vmwrite(BAD_FIELD, 0), ERR_UNSUPPORTED_FIELD);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t misc;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	misc = vcpu_get_msr(vcpu, MSR_IA32_VMX_MISC);
	TEST_REQUIRE(misc & BIT(29));
	KN_CHECK_EQ("the sweep comes to its end", kn_run(vcpu), STAGE_SWEPT);
	kn_run(vcpu);
	KN_COUNTED(vm, "exit.VMREAD.module", 0x8000);
	KN_COUNTED(vm, "exit.VMWRITE.module", 0x8000 - KN_NR_FIELDS);
	kn_collect(vm);
	kvm_vm_free(vm);

	vm = kn_vm_create(&vcpu, l1_read_only_code);
	vcpu_set_msr(vcpu, MSR_IA32_VMX_MISC, misc & ~BIT_ULL(29));
	kn_run(vcpu);
	KN_COUNTED(vm, "vmwrite.VM_EXIT_REASON", 3);
	kn_finish(vm);
}
