// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fields for the module to learn, and their values.
 */
#include "learnt.h"

#define CANONICAL	0x7fffffffffffull

const uint32_t kn_learnt_fields[KN_LEARNT_NR] = {
	TSC_OFFSET, IO_BITMAP_A, VM_ENTRY_MSR_LOAD_ADDR, VIRTUAL_APIC_PAGE_ADDR, IO_BITMAP_B,
	VM_ENTRY_EXCEPTION_ERROR_CODE, HOST_IA32_SYSENTER_CS, GUEST_LDTR_BASE, GUEST_IDTR_LIMIT,
	GUEST_FS_BASE, GUEST_GS_BASE, GUEST_GDTR_LIMIT, GUEST_SYSENTER_ESP,
};

static uint64_t value_of(unsigned int i, uint64_t turn)
{
	uint64_t value = 0x123456789abcull * (i + 1) + turn * 0x10001;

	switch (kn_learnt_fields[i]) {
	case VM_ENTRY_EXCEPTION_ERROR_CODE:
	case HOST_IA32_SYSENTER_CS:
		return value & 0xff;
	/* Not the limit of a segment: KVM 6.1 loses its upper bits in system management mode. */
	case GUEST_IDTR_LIMIT:
		return 0xfff - 16 * (turn & 31);
	case GUEST_GDTR_LIMIT:
		return 0x7f + 8 * (turn & 31);
	default:
		return value & CANONICAL;
	}
}

static uint64_t value_in_l2(uint32_t field)
{
	switch (field) {
	case GUEST_FS_BASE:
		return rdmsr(MSR_FS_BASE);
	case GUEST_GS_BASE:
		return rdmsr(MSR_GS_BASE);
	case GUEST_GDTR_LIMIT:
		return get_gdt().size;
	default:
		return rdmsr(MSR_IA32_SYSENTER_ESP);
	}
}

void kn_learnt_setup(struct vmx_pages *vmx, void *l2_guest_code, void *l2_stack)
{
	kn_l1_setup(vmx, l2_guest_code, l2_stack);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
}

void kn_learnt_write(uint64_t turn)
{
	for (unsigned int i = 0; i < KN_LEARNT_NR; i++)
		vmwrite(kn_learnt_fields[i], value_of(i, turn));
}

void kn_learnt_expect(struct kn_check *check, uint64_t turn)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < KN_LEARNT_NR; i++) {
		uint32_t field = kn_learnt_fields[i];

		kn_expect_at(check, "outcome", kn_vmread(field, &value), VM_SUCCEED, field);
		kn_expect_at(check, "value", value, value_of(i, turn), turn << 16 | field);
	}
}

void kn_learnt_expect_in_l2(struct kn_check *check, uint64_t turn)
{
	for (unsigned int i = KN_LEARNT_NR - KN_LEARNT_IN_L2; i < KN_LEARNT_NR; i++) {
		uint32_t field = kn_learnt_fields[i];

		kn_expect_at(check, "L2's state", value_in_l2(field), value_of(i, turn),
			     turn << 16 | field);
	}
}
