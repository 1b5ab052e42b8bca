// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMXON checks CR0, CR4, IA32_FEATURE_CONTROL and its region in this order, that VMXOFF
 * leaves VMX operation, that no VMX instruction works outside it, and that a VMCS survives it.
 */
#include "counter.h"
#include "l2.h"

#define UNBACKED_GPA	0x7ffff000ull	/* below MAXPHYADDR, in no memory slot */
#define NONCANONICAL	0x800000000000ull
#define PATTERN		0x0123456789abcdefull

enum {
	STAGE_IN_VMX_OPERATION = 1,
};

static unsigned int maxphyaddr;

static void set_cr0(uint64_t cr0)
{
	asm volatile("mov %0, %%cr0" : : "r" (cr0) : "memory");
}

static uint64_t insn_vmlaunch(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmlaunch") : [rflags] "=r" (rflags) : : "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t insn_vmresume(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmresume") : [rflags] "=r" (rflags) : : "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t insn_clear_vmxe(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("mov %[cr4], %%cr4")
		     : [rflags] "=r" (rflags) : [cr4] "r" (get_cr4() & ~X86_CR4_VMXE)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t insn_clear_ne(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("mov %[cr0], %%cr0")
		     : [rflags] "=r" (rflags) : [cr0] "r" (get_cr0() & ~X86_CR0_NE)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static void check_outside(struct vmx_pages *vmx, struct kn_check *check)
{
	uint64_t value = PATTERN;

	kn_expect(check, kn_vmxoff(), VM_FAULT(UD_VECTOR));
	kn_expect(check, kn_vmread(TSC_OFFSET, &value), VM_FAULT(UD_VECTOR));
	kn_expect(check, kn_vmread_at(TSC_OFFSET, &value), VM_FAULT(UD_VECTOR));
	kn_expect(check, value, PATTERN);
	kn_expect(check, kn_vmwrite(TSC_OFFSET, 0), VM_FAULT(UD_VECTOR));
	kn_expect(check, kn_vmclear(vmx->vmcs_gpa), VM_FAULT(UD_VECTOR));
	kn_expect(check, kn_vmptrld(vmx->vmcs_gpa), VM_FAULT(UD_VECTOR));
	kn_expect(check, kn_vmptrst_at(&value), VM_FAULT(UD_VECTOR));
	kn_expect(check, value, PATTERN);
	kn_expect(check, insn_vmlaunch(), VM_FAULT(UD_VECTOR));
	kn_expect(check, insn_vmresume(), VM_FAULT(UD_VECTOR));
}

static void check_preconditions(struct vmx_pages *vmx)
{
	uint64_t cr0;

	KN_CHECK_EQ("VMXON with CR4.VMXE clear: #UD", kn_vmxon(vmx->vmxon_gpa),
		    VM_FAULT(UD_VECTOR));
	set_cr4(get_cr4() | X86_CR4_VMXE);

	cr0 = get_cr0();
	set_cr0(cr0 & ~X86_CR0_NE);
	KN_CHECK_EQ("VMXON with CR0.NE clear: #GP", kn_vmxon(vmx->vmxon_gpa),
		    VM_FAULT(GP_VECTOR));
	set_cr0(cr0);

	wrmsr(MSR_IA32_FEAT_CTL, FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	KN_CHECK_EQ("VMXON with IA32_FEATURE_CONTROL unlocked: #GP", kn_vmxon(vmx->vmxon_gpa),
		    VM_FAULT(GP_VECTOR));
	wrmsr(MSR_IA32_FEAT_CTL, FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX | FEAT_CTL_LOCKED);

	check_outside(vmx, KN_SITE("VMX instructions before VMXON: #UD"));
}

static void check_regions(struct vmx_pages *vmx)
{
	uint32_t *revision = vmx->vmxon;

	*revision = vmcs_revision();
	KN_CHECK_EQ("VMXON of an unaligned region: VMfailInvalid", kn_vmxon(vmx->vmxon_gpa + 8),
		    VM_FAIL_INVALID);
	KN_CHECK_EQ("VMXON beyond MAXPHYADDR: VMfailInvalid",
		    kn_vmxon(vmx->vmxon_gpa | BIT_ULL(maxphyaddr)), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMXON without memory: VMfailInvalid", kn_vmxon(UNBACKED_GPA),
		    VM_FAIL_INVALID);

	*revision = vmcs_revision() + 1;
	KN_CHECK_EQ("VMXON of another revision: VMfailInvalid", kn_vmxon(vmx->vmxon_gpa),
		    VM_FAIL_INVALID);
	*revision = vmcs_revision() | BIT(31);
	KN_CHECK_EQ("VMXON of a region with bit 31 set: VMfailInvalid", kn_vmxon(vmx->vmxon_gpa),
		    VM_FAIL_INVALID);
	*revision = vmcs_revision();

	KN_CHECK_EQ("VMXON with a non-canonical operand: #GP",
		    kn_vmxon_at((void *)NONCANONICAL), VM_FAULT(GP_VECTOR));
	KN_CHECK_EQ("VMXON with an unmapped operand: #PF",
		    kn_vmxon_at((void *)-PAGE_SIZE), VM_FAULT(PF_VECTOR));
}

static void check_root_operation(struct vmx_pages *vmx)
{
	KN_CHECK_EQ("VMXON", kn_vmxon(vmx->vmxon_gpa), VM_SUCCEED);
	GUEST_SYNC(STAGE_IN_VMX_OPERATION);

	KN_CHECK_EQ("VMXON again without a current VMCS: VMfailInvalid",
		    kn_vmxon(vmx->vmxon_gpa), VM_FAIL_INVALID);

	*(uint32_t *)vmx->vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_ERROR("VMXON again with a current VMCS: error 15", kn_vmxon(vmx->vmxon_gpa),
		       ERR_VMXON_IN_ROOT);
	KN_CHECK_ERROR("VMXON again does not look at its operand",
		       kn_vmxon_at((void *)NONCANONICAL), ERR_VMXON_IN_ROOT);

	KN_CHECK_EQ("CR4.VMXE cannot be cleared in VMX operation", insn_clear_vmxe(),
		    VM_FAULT(GP_VECTOR));
	KN_CHECK_EQ("CR0.NE cannot be cleared in VMX operation", insn_clear_ne(),
		    VM_FAULT(GP_VECTOR));
}

static void check_vmxoff(struct vmx_pages *vmx)
{
	uint64_t pointer = 0;
	uint64_t value = 0;

	/* Only VMCLEAR is sure to write a VMCS back. */
	GUEST_ASSERT(kn_vmwrite(TSC_OFFSET, PATTERN) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_EQ("VMXOFF", kn_vmxoff(), VM_SUCCEED);
	check_outside(vmx, KN_SITE("VMX instructions after VMXOFF: #UD"));

	KN_CHECK_EQ("VMXON after VMXOFF", kn_vmxon(vmx->vmxon_gpa), VM_SUCCEED);
	kn_vmptrst_at(&pointer);
	KN_CHECK_EQ("no VMCS is current after VMXON", pointer, -1ull);
	KN_CHECK_EQ("VMREAD without a current VMCS after VMXON: VMfailInvalid",
		    kn_vmread(TSC_OFFSET, &value), VM_FAIL_INVALID);

	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	kn_vmread(TSC_OFFSET, &value);
	KN_CHECK_EQ("a VMCS that was cleared survives VMXOFF", value, PATTERN);

	KN_CHECK_EQ("VMXOFF with a current VMCS", kn_vmxoff(), VM_SUCCEED);
	KN_CHECK_EQ("CR4.VMXE can be cleared after VMXOFF", insn_clear_vmxe() & VM_FAULT(0), 0);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	check_preconditions(vmx);
	check_regions(vmx);
	check_root_operation(vmx);
	check_vmxoff(vmx);
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

	KN_CHECK_EQ("the guest reaches VMX operation", kn_run(vcpu), STAGE_IN_VMX_OPERATION);
	kn_run(vcpu);

	KN_COUNTED(vm, "exit.VMON.stock", 3);
	KN_COUNTED(vm, "exit.VMOFF.stock", 2);
	kn_finish(vm);
}
