// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMCLEAR, VMPTRLD and VMPTRST check their pointers, that they keep the current VMCS
 * pointer as the SDM says, and that each VMCS keeps its own values when L1 goes back and forth.
 */
#include "counter.h"
#include "l1.h"

#define UNBACKED_GPA	0x7ffff000ull	/* below MAXPHYADDR, in no memory slot */
#define NO_VMCS		-1ull
#define NR_VMCS		5

static unsigned int maxphyaddr;
static uint64_t vmcs_gpa[NR_VMCS];
static void *vmcs_gva[NR_VMCS];

static uint64_t current_vmcs(void)
{
	uint64_t pointer = 0x5a5a5a5a5a5a5a5aull;

	GUEST_ASSERT(kn_vmptrst_at(&pointer) == VM_SUCCEED);
	return pointer;
}

static void check_without_current(struct vmx_pages *vmx)
{
	uint64_t unaligned[2] = { vmx->vmcs_gpa };

	KN_CHECK_EQ("VMPTRST right after VMXON stores all ones", current_vmcs(), NO_VMCS);

	KN_CHECK_EQ("VMCLEAR, unaligned, no current VMCS: VMfailInvalid",
		    kn_vmclear(vmx->vmcs_gpa + 1), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMCLEAR of the VMXON region, no current VMCS: VMfailInvalid",
		    kn_vmclear(vmx->vmxon_gpa), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMPTRLD, unaligned, no current VMCS: VMfailInvalid",
		    kn_vmptrld(vmx->vmcs_gpa + 0x800), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMPTRLD of the VMXON region, no current VMCS: VMfailInvalid",
		    kn_vmptrld(vmx->vmxon_gpa), VM_FAIL_INVALID);
	KN_CHECK_EQ("a failed VMPTRLD makes no VMCS current", current_vmcs(), NO_VMCS);

	*(uint32_t *)vmx->vmcs = vmcs_revision();
	KN_CHECK_EQ("VMCLEAR", kn_vmclear_at(&unaligned[0]), VM_SUCCEED);
	KN_CHECK_EQ("VMCLEAR makes no VMCS current", current_vmcs(), NO_VMCS);
	KN_CHECK_EQ("VMPTRLD", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED);
	KN_CHECK_EQ("VMPTRLD makes its VMCS current", current_vmcs(), vmx->vmcs_gpa);
	KN_CHECK_EQ("VMPTRLD of the current VMCS", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED);
}

static void check_errors(struct vmx_pages *vmx)
{
	uint32_t *revision = vmcs_gva[0];

	KN_CHECK_ERROR("VMCLEAR, unaligned: error 2", kn_vmclear(vmx->vmcs_gpa + 8),
		       ERR_VMCLEAR_ADDRESS);
	KN_CHECK_ERROR("VMCLEAR beyond MAXPHYADDR: error 2",
		       kn_vmclear(vmx->vmcs_gpa | BIT_ULL(maxphyaddr)), ERR_VMCLEAR_ADDRESS);
	KN_CHECK_ERROR("VMCLEAR of the VMXON region: error 3", kn_vmclear(vmx->vmxon_gpa),
		       ERR_VMCLEAR_VMXON_POINTER);
	KN_CHECK_ERROR("VMPTRLD, unaligned: error 9", kn_vmptrld(vmx->vmcs_gpa + 8),
		       ERR_VMPTRLD_ADDRESS);
	KN_CHECK_ERROR("VMPTRLD beyond MAXPHYADDR: error 9",
		       kn_vmptrld(vmx->vmcs_gpa | BIT_ULL(maxphyaddr)), ERR_VMPTRLD_ADDRESS);
	KN_CHECK_ERROR("VMPTRLD of the VMXON region: error 10", kn_vmptrld(vmx->vmxon_gpa),
		       ERR_VMPTRLD_VMXON_POINTER);

	*revision = vmcs_revision() ^ 1;
	KN_CHECK_ERROR("VMPTRLD of another revision: error 11", kn_vmptrld(vmcs_gpa[0]),
		       ERR_VMPTRLD_REVISION);
	*revision = 0;
	KN_CHECK_ERROR("VMPTRLD of revision 0: error 11", kn_vmptrld(vmcs_gpa[0]),
		       ERR_VMPTRLD_REVISION);
	KN_CHECK_ERROR("VMPTRLD without memory: error 11", kn_vmptrld(UNBACKED_GPA),
		       ERR_VMPTRLD_REVISION);

	/* What VMCLEAR does with memory that is none is up to the implementation. */
	KN_CHECK_EQ("VMCLEAR without memory", kn_vmclear(UNBACKED_GPA), VM_SUCCEED);
	KN_CHECK_EQ("failures leave the current VMCS alone", current_vmcs(), vmx->vmcs_gpa);
}

static void check_shadow_bit(struct vmx_pages *vmx)
{
	uint64_t caps = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32;
	struct kn_check *check = KN_SITE("VMPTRLD of a shadow VMCS");
	uint32_t *revision = vmcs_gva[0];

	*revision = vmcs_revision() | BIT(31);
	GUEST_ASSERT(kn_vmclear(vmcs_gpa[0]) == VM_SUCCEED);
	if (caps & SECONDARY_EXEC_SHADOW_VMCS) {
		kn_expect(check, kn_vmptrld(vmcs_gpa[0]), VM_SUCCEED);
		kn_expect(check, current_vmcs(), vmcs_gpa[0]);
	} else {
		kn_expect(check, kn_vmptrld(vmcs_gpa[0]), VM_FAIL_VALID);
		kn_expect(check, vmreadz(VM_INSTRUCTION_ERROR), ERR_VMPTRLD_REVISION);
	}
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
}

static void check_vmclear_of_current(struct vmx_pages *vmx)
{
	KN_CHECK_EQ("VMCLEAR of another VMCS", kn_vmclear(vmcs_gpa[1]), VM_SUCCEED);
	KN_CHECK_EQ("VMCLEAR of another VMCS leaves the current one", current_vmcs(),
		    vmx->vmcs_gpa);
	KN_CHECK_EQ("VMCLEAR of the current VMCS", kn_vmclear(vmx->vmcs_gpa), VM_SUCCEED);
	KN_CHECK_EQ("VMCLEAR of the current VMCS leaves none", current_vmcs(), NO_VMCS);
	KN_CHECK_EQ("VMCLEAR twice", kn_vmclear(vmx->vmcs_gpa), VM_SUCCEED);
}

static uint64_t pattern(unsigned int vmcs, unsigned int turn)
{
	return 0x1111111111111111ull * (vmcs + 1) + turn;
}

static void check_switch(void)
{
	struct kn_check *shadowed = KN_SITE("each of several VMCSs keeps a field that is shadowed");
	struct kn_check *trapped = KN_SITE("each of several VMCSs keeps a field that is not");
	unsigned int i, turn;
	uint64_t want;

	for (i = 0; i < NR_VMCS; i++) {
		*(uint32_t *)vmcs_gva[i] = vmcs_revision();
		GUEST_ASSERT(kn_vmclear(vmcs_gpa[i]) == VM_SUCCEED);
	}

	for (turn = 0; turn < 8; turn++) {
		for (i = 0; i < NR_VMCS; i++) {
			GUEST_ASSERT(kn_vmptrld(vmcs_gpa[i]) == VM_SUCCEED);
			if (turn) {
				want = pattern(i, turn - 1);
				kn_expect_at(shadowed, "GUEST_RIP", vmreadz(GUEST_RIP), want,
					     turn * NR_VMCS + i);
				kn_expect_at(trapped, "TSC_OFFSET", vmreadz(TSC_OFFSET), ~want,
					     turn * NR_VMCS + i);
			}
			vmwrite(GUEST_RIP, pattern(i, turn));
			vmwrite(TSC_OFFSET, ~pattern(i, turn));
			if (turn & 1)
				GUEST_ASSERT(kn_vmclear(vmcs_gpa[i]) == VM_SUCCEED);
		}
	}
}

static void check_copy_in_memory(void)
{
	uint64_t value;

	/* The region of a VMCS that was cleared is L1's: it may move it. */
	GUEST_ASSERT(kn_vmptrld(vmcs_gpa[2]) == VM_SUCCEED);
	vmwrite(GUEST_RIP, 0xc0ffee);
	vmwrite(TSC_OFFSET, 0xdecade);
	GUEST_ASSERT(kn_vmclear(vmcs_gpa[2]) == VM_SUCCEED);
	memcpy(vmcs_gva[3], vmcs_gva[2], PAGE_SIZE);
	memset(vmcs_gva[2], 0, PAGE_SIZE);

	GUEST_ASSERT(kn_vmptrld(vmcs_gpa[3]) == VM_SUCCEED);
	value = vmreadz(GUEST_RIP);
	KN_CHECK_EQ("a cleared VMCS can be copied, shadowed field", value, 0xc0ffee);
	value = vmreadz(TSC_OFFSET);
	KN_CHECK_EQ("a cleared VMCS can be copied, other field", value, 0xdecade);
}

static void check_operand_faults(struct vmx_pages *vmx)
{
	void *noncanonical = (void *)0x800000000000ull;
	void *unmapped = (void *)-PAGE_SIZE;

	KN_CHECK_EQ("VMCLEAR with a non-canonical operand: #GP", kn_vmclear_at(noncanonical),
		    VM_FAULT(GP_VECTOR));
	KN_CHECK_EQ("VMPTRLD with a non-canonical operand: #GP", kn_vmptrld_at(noncanonical),
		    VM_FAULT(GP_VECTOR));
	KN_CHECK_EQ("VMPTRST with a non-canonical operand: #GP", kn_vmptrst_at(noncanonical),
		    VM_FAULT(GP_VECTOR));
	KN_CHECK_EQ("VMCLEAR with an unmapped operand: #PF", kn_vmclear_at(unmapped),
		    VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("... for a read", kn_fault.error_code, 0);
	KN_CHECK_EQ("VMPTRLD with an unmapped operand: #PF", kn_vmptrld_at(unmapped),
		    VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("... at its address", kn_fault.cr2, (uint64_t)unmapped);
	KN_CHECK_EQ("VMPTRST with an unmapped operand: #PF", kn_vmptrst_at(unmapped),
		    VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("... for a write", kn_fault.error_code, 2);
	KN_CHECK_EQ("faults leave the current VMCS alone", current_vmcs(), vmcs_gpa[3]);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	check_without_current(vmx);
	check_errors(vmx);
	check_shadow_bit(vmx);
	check_vmclear_of_current(vmx);
	check_switch();
	check_copy_in_memory();
	check_operand_faults(vmx);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	maxphyaddr = vm->pa_bits;
	sync_global_to_guest(vm, maxphyaddr);
	for (int i = 0; i < NR_VMCS; i++)
		vmcs_gva[i] = kn_alloc_page(vm, &vmcs_gpa[i]);
	sync_global_to_guest(vm, vmcs_gva);
	sync_global_to_guest(vm, vmcs_gpa);

	kn_run(vcpu);

	KN_COUNTED(vm, "exit.VMCLEAR.stock", 5);
	KN_COUNTED(vm, "exit.VMPTRLD.stock", 10);
	KN_COUNTED(vm, "exit.VMPTRST.stock", 10);
	KN_COUNTED(vm, "vmread.TSC_OFFSET", 7 * NR_VMCS);
	KN_COUNTED(vm, "exit.VMREAD.module", 7 * NR_VMCS);
	kn_finish(vm);
}
