// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMLAUNCH and VMRESUME refuse invalid control fields (error 7) and host state
 * (error 8), that invalid guest state is a VM exit whose reason tells of a failed entry, and that
 * L2 runs once the field is mended; whatever passed the checks before, in this VMCS or in another
 * one.
 */
#include "counter.h"
#include "entry.h"
#include "shadow.h"

#define INTR_VALID	BIT(31)

/* What makes the entry fail: one field, and another that has to be so too. */
static const struct row {
	const char *name;
	enum kn_want want;
	struct change {
		enum kn_how how;
		uint32_t field;
		uint64_t value;
	} changes[2];
} rows[] = {
	{ "pin-based controls 0", CONTROL, {{ SET, PIN_BASED_VM_EXEC_CONTROL, 0 }} },
	{ "pin-based controls, reserved bit", CONTROL,
	  {{ ADD, PIN_BASED_VM_EXEC_CONTROL, BIT(31) }} },
	{ "processor-based controls 0", CONTROL, {{ SET, CPU_BASED_VM_EXEC_CONTROL, 0 }} },
	{ "secondary controls, reserved bit", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS },
	   { ADD, SECONDARY_VM_EXEC_CONTROL, BIT(31) }} },
	{ "VM-exit controls 0", CONTROL, {{ SET, VM_EXIT_CONTROLS, 0 }} },
	{ "VM-entry controls 0", CONTROL, {{ SET, VM_ENTRY_CONTROLS, 0 }} },
	{ "VM-entry controls, SMM", CONTROL, {{ ADD, VM_ENTRY_CONTROLS, VM_ENTRY_SMM }} },
	{ "CR3-target count", CONTROL, {{ SET, CR3_TARGET_COUNT, 0x200 }} },
	{ "I/O bitmap A unaligned", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_USE_IO_BITMAPS },
	   { SET, IO_BITMAP_A, 0x1001 }} },
	{ "I/O bitmap B beyond MAXPHYADDR", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_USE_IO_BITMAPS },
	   { SET, IO_BITMAP_B, BIT_ULL(52) }} },
	{ "MSR bitmap unaligned", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_USE_MSR_BITMAPS },
	   { ADD, MSR_BITMAP, 0x800 }} },
	{ "NMI-window exiting without virtual NMIs", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_NMI_WINDOW_EXITING }} },
	{ "virtual NMIs without NMI exiting", CONTROL,
	  {{ ADD, PIN_BASED_VM_EXEC_CONTROL, PIN_BASED_VIRTUAL_NMIS }} },
	{ "VPID 0", CONTROL, {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_VPID }} },
	{ "EPT pointer 0", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_EPT }} },
	{ "unrestricted guest without EPT", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_UNRESTRICTED_GUEST }} },
	{ "PML without EPT", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_PML }} },
	{ "VMREAD bitmap unaligned", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_SHADOW_VMCS },
	   { ADD, VMREAD_BITMAP, 1 }} },
	{ "VMWRITE bitmap beyond MAXPHYADDR", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_SHADOW_VMCS },
	   { SET, VMWRITE_BITMAP, BIT_ULL(52) }} },
	{ "APIC-access address unaligned", CONTROL,
	  {{ ADD, SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES },
	   { SET, APIC_ACCESS_ADDR, 0x1004 }} },
	{ "virtual-APIC address unaligned", CONTROL,
	  {{ ADD, CPU_BASED_VM_EXEC_CONTROL, CPU_BASED_TPR_SHADOW },
	   { SET, VIRTUAL_APIC_PAGE_ADDR, 0x1008 }} },
	{ "injection of a reserved type", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | 1 << 8 }} },
	{ "injection of hardware exception 32", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | 3 << 8 | 32 }} },
	{ "injection of NMI with vector 3", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | 2 << 8 | 3 }} },
	{ "injection of #GP without its error code", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | 3 << 8 | GP_VECTOR }} },
	{ "injection with reserved bits", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | BIT(12) | 3 << 8 | UD_VECTOR }} },
	{ "injection of INT with length 16", CONTROL,
	  {{ SET, VM_ENTRY_INTR_INFO_FIELD, INTR_VALID | 4 << 8 | 0x80 },
	   { SET, VM_ENTRY_INSTRUCTION_LEN, 16 }} },
	{ "VM-entry MSR-load address unaligned", CONTROL,
	  {{ SET, VM_ENTRY_MSR_LOAD_COUNT, 1 }, { SET, VM_ENTRY_MSR_LOAD_ADDR, 8 }} },
	{ "VM-exit MSR-store address beyond MAXPHYADDR", CONTROL,
	  {{ SET, VM_EXIT_MSR_STORE_COUNT, 1 },
	   { SET, VM_EXIT_MSR_STORE_ADDR, BIT_ULL(52) }} },

	{ "host CR0 0", HOST, {{ SET, HOST_CR0, 0 }} },
	{ "host CR4 without VMXE", HOST, {{ CLEAR, HOST_CR4, X86_CR4_VMXE }} },
	{ "host CR4 without PAE", HOST, {{ CLEAR, HOST_CR4, X86_CR4_PAE }} },
	{ "host CR3 beyond MAXPHYADDR", HOST, {{ ADD, HOST_CR3, BIT_ULL(52) }} },
	{ "host SYSENTER_ESP noncanonical", HOST, {{ SET, HOST_IA32_SYSENTER_ESP, NONCANONICAL }} },
	{ "host SYSENTER_EIP noncanonical", HOST, {{ SET, HOST_IA32_SYSENTER_EIP, NONCANONICAL }} },
	{ "host CS 0", HOST, {{ SET, HOST_CS_SELECTOR, 0 }} },
	{ "host CS with RPL", HOST, {{ ADD, HOST_CS_SELECTOR, 3 }} },
	{ "host DS with TI", HOST, {{ ADD, HOST_DS_SELECTOR, 4 }} },
	{ "host FS with RPL", HOST, {{ ADD, HOST_FS_SELECTOR, 1 }} },
	{ "host TR 0", HOST, {{ SET, HOST_TR_SELECTOR, 0 }} },
	{ "host FS base not canonical", HOST, {{ SET, HOST_FS_BASE, NONCANONICAL }} },
	{ "host GS base not canonical", HOST, {{ SET, HOST_GS_BASE, NONCANONICAL }} },
	{ "host TR base not canonical", HOST, {{ SET, HOST_TR_BASE, NONCANONICAL }} },
	{ "host GDTR base not canonical", HOST, {{ SET, HOST_GDTR_BASE, NONCANONICAL }} },
	{ "host IDTR base not canonical", HOST, {{ SET, HOST_IDTR_BASE, NONCANONICAL }} },
	{ "host PAT invalid", HOST,
	  {{ ADD, VM_EXIT_CONTROLS, VM_EXIT_LOAD_IA32_PAT }, { SET, HOST_IA32_PAT, 2 }} },
	{ "host EFER without LMA", HOST,
	  {{ ADD, VM_EXIT_CONTROLS, VM_EXIT_LOAD_IA32_EFER }, { SET, HOST_IA32_EFER, 0 }} },
	{ "host address-space size 0 in 64-bit mode", HOST,
	  {{ CLEAR, VM_EXIT_CONTROLS, VM_EXIT_HOST_ADDR_SPACE_SIZE }} },

	{ "guest CR0 without PE", STATE, {{ CLEAR, GUEST_CR0, X86_CR0_PE }} },
	{ "guest CR4 without VMXE", STATE, {{ CLEAR, GUEST_CR4, X86_CR4_VMXE }} },
	{ "guest CR4, reserved bit", STATE, {{ ADD, GUEST_CR4, BIT(31) }} },
	{ "VMCS link pointer unaligned", LINK, {{ SET, VMCS_LINK_POINTER, 0x1001 }} },
	{ "VMCS link pointer to no VMCS", LINK, {{ SET, VMCS_LINK_POINTER, 0x7ffff000 }} },
	{ "guest DR7, high half", STATE,
	  {{ ADD, VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS },
	   { ADD, GUEST_DR7, BIT_ULL(32) }} },
	{ "guest PAT invalid", STATE,
	  {{ ADD, VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_IA32_PAT }, { SET, GUEST_IA32_PAT, 2 }} },
	{ "guest EFER without LMA", STATE,
	  {{ ADD, VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_IA32_EFER }, { SET, GUEST_IA32_EFER, 0 }} },
	{ "guest activity state", STATE, {{ SET, GUEST_ACTIVITY_STATE, 4 }} },
	{ "guest interruptibility, reserved bit", STATE,
	  {{ SET, GUEST_INTERRUPTIBILITY_INFO, BIT(6) }} },
	{ "guest blocked by STI and MOV SS", STATE, {{ SET, GUEST_INTERRUPTIBILITY_INFO, 3 }} },
	{ "guest RFLAGS 0", STATE, {{ SET, GUEST_RFLAGS, 0 }} },
	{ "guest CS not present", STATE, {{ CLEAR, GUEST_CS_AR_BYTES, BIT(7) }} },
	{ "guest CS with D and L", STATE, {{ ADD, GUEST_CS_AR_BYTES, BIT(14) }} },
	{ "guest CS not accessed", STATE, {{ CLEAR, GUEST_CS_AR_BYTES, BIT(0) }} },
	{ "guest CS not code", STATE, {{ CLEAR, GUEST_CS_AR_BYTES, BIT(3) }} },
	{ "guest CS unusable", STATE, {{ ADD, GUEST_CS_AR_BYTES, BIT(16) }} },
	{ "guest CS with another DPL", STATE, {{ ADD, GUEST_CS_AR_BYTES, BIT(5) }} },
	{ "guest SS with another RPL than CS", STATE, {{ ADD, GUEST_SS_SELECTOR, 1 }} },
	{ "guest SS with another DPL", STATE, {{ ADD, GUEST_SS_AR_BYTES, BIT(5) }} },
	{ "guest SS read-only", STATE, {{ CLEAR, GUEST_SS_AR_BYTES, BIT(1) }} },
	{ "guest DS with an RPL above its DPL", STATE, {{ ADD, GUEST_DS_SELECTOR, 3 }} },
	{ "guest ES a system segment", STATE, {{ CLEAR, GUEST_ES_AR_BYTES, BIT(4) }} },
	{ "guest FS a system segment", STATE, {{ SET, GUEST_FS_AR_BYTES, 0xc083 }} },
	{ "guest GS with an RPL above its DPL", STATE,
	  {{ SET, GUEST_GS_AR_BYTES, 0xc093 }, { ADD, GUEST_GS_SELECTOR, 1 }} },
	{ "guest TR in the LDT", STATE, {{ ADD, GUEST_TR_SELECTOR, 4 }} },
	{ "guest TR no task", STATE, {{ CLEAR, GUEST_TR_AR_BYTES, BIT(1) }} },
	{ "guest LDTR no LDT", STATE, {{ SET, GUEST_LDTR_AR_BYTES, 0x83 }} },
	{ "guest LDTR in the LDT", STATE,
	  {{ SET, GUEST_LDTR_AR_BYTES, 0x82 }, { ADD, GUEST_LDTR_SELECTOR, 4 }} },
	{ "guest TR unusable", STATE, {{ ADD, GUEST_TR_AR_BYTES, BIT(16) }} },
	{ "guest FS base not canonical", STATE, {{ SET, GUEST_FS_BASE, NONCANONICAL }} },
	{ "guest GDTR limit", STATE, {{ SET, GUEST_GDTR_LIMIT, 0x10000 }} },
	{ "MSR-load list with FS_BASE", MSR,
	  {{ SET, VM_ENTRY_MSR_LOAD_COUNT, 1 }, { SET, VM_ENTRY_MSR_LOAD_ADDR, -1 }} },
};

static struct kn_check checks[ARRAY_SIZE(rows)];
KN_GROUP(checks, ARRAY_SIZE(rows));

static struct vmx_msr_entry *msr_list;
static uint64_t msr_list_gpa;
static void *other_vmcs;
static uint64_t other_vmcs_gpa;
static struct gpr64_regs gprs;

static void l2_guest_code(void)
{
	for (;;)
		asm volatile("vmcall" : : : "memory");
}

static uint64_t change_field(const struct change *change)
{
	/* The one address that the table cannot know. */
	uint64_t value = change->value == -1ull ? msr_list_gpa : change->value;
	uint64_t old = vmreadz(change->field);

	vmwrite(change->field, kn_changed(change->how, old, value));
	return old;
}

static void check_rows(bool launch)
{
	uint64_t old[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		for (unsigned int j = 0; j < 2; j++)
			if (row->changes[j].how)
				old[j] = change_field(&row->changes[j]);
		kn_expect_entry_fails(&checks[i], row->want, &gprs, launch, launch);
		for (unsigned int j = 0; j < 2; j++)
			if (row->changes[j].how)
				vmwrite(row->changes[j].field, old[j]);
		/* So that all of it has passed before the next one does not. */
		if (!launch)
			kn_expect_at(KN_SITE("L2 runs in between"), "exit",
				     kn_l2_skip_and_resume(&gprs) ? ~0ull : vmreadz(VM_EXIT_REASON),
				     EXIT_REASON_VMCALL, i);
	}
}

/* A VMCS that passes, and one that does not, with the same contents otherwise. */
static void check_other_vmcs(struct vmx_pages *vmx, uint32_t field, uint64_t at)
{
	struct kn_check *passes = KN_SITE("a VMCS of which another one is a copy");
	struct kn_check *fails = KN_SITE("... which is invalid");
	uint64_t old = vmreadz(field);

	vmwrite(field, 0);
	kn_expect(passes, vmclear(vmx->vmcs_gpa), 0);
	memcpy(other_vmcs, vmx->vmcs, PAGE_SIZE);
	kn_expect(passes, vmptrld(vmx->vmcs_gpa), 0);
	vmwrite(field, old);
	kn_expect(passes, kn_l2_launch(&gprs), 0);
	for (unsigned int i = 0; i < 3; i++) {
		kn_expect_at(passes, "exit",
			     kn_l2_skip_and_resume(&gprs) ? ~0ull : vmreadz(VM_EXIT_REASON),
			     EXIT_REASON_VMCALL, at);
		kn_expect(fails, vmptrld(other_vmcs_gpa), 0);
		kn_expect_entry_fails(fails, at ? HOST : CONTROL, &gprs, true, at);
		kn_expect(passes, vmptrld(vmx->vmcs_gpa), 0);
	}

	/* The first one becomes invalid in memory. */
	kn_expect(passes, kn_l2_skip_and_resume(&gprs), 0);
	kn_expect(fails, vmclear(vmx->vmcs_gpa), 0);
	kn_expect(fails, vmclear(other_vmcs_gpa), 0);
	memcpy(vmx->vmcs, other_vmcs, PAGE_SIZE);
	kn_expect(fails, vmptrld(vmx->vmcs_gpa), 0);
	kn_expect_entry_fails(fails, at ? HOST : CONTROL, &gprs, true, at);
	vmwrite(field, old);
	kn_expect(passes, kn_l2_launch(&gprs), 0);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	msr_list->index = MSR_FS_BASE;

	check_rows(true);
	KN_CHECK_ERROR("a failed VM entry does not launch the VMCS", kn_l2_resume(&gprs),
		       ERR_VMRESUME_NONLAUNCHED);
	KN_CHECK_EXIT("VMLAUNCH of the mended VMCS", kn_l2_launch(&gprs), EXIT_REASON_VMCALL, 0, 3);

	check_rows(false);
	KN_CHECK_EXIT("VMRESUME of the mended VMCS", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_VMCALL, 0, 3);
	check_other_vmcs(vmx, PIN_BASED_VM_EXEC_CONTROL, 0);
	check_other_vmcs(vmx, HOST_CR4, 1);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	msr_list = kn_alloc_page(vm, &msr_list_gpa);
	sync_global_to_guest(vm, msr_list);
	sync_global_to_guest(vm, msr_list_gpa);
	other_vmcs = kn_alloc_page(vm, &other_vmcs_gpa);
	sync_global_to_guest(vm, other_vmcs);
	sync_global_to_guest(vm, other_vmcs_gpa);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		checks[i].name = rows[i].name;

	kn_run(vcpu);

	KN_COUNTED(vm, "exit.VMLAUNCH.stock", ARRAY_SIZE(rows));
	KN_COUNTED(vm, "exit.VMRESUME.stock", ARRAY_SIZE(rows));
	KN_COUNTED(vm, "exit.VMREAD.module", ARRAY_SIZE(rows));
	KN_COUNTED(vm, "transition.segments", 2 * 16);
	KN_SHADOW_COUNTED(vm, "transition.checks", 10);
	KN_COUNTED(vm, "transition.checks.stock", 2 * ARRAY_SIZE(rows));
	KN_COUNTED(vm, "exit.VMWRITE.module", 2 * ARRAY_SIZE(rows));
	kn_finish(vm);
}
