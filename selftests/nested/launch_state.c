// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMLAUNCH and VMRESUME follow the launch state of the current VMCS and fail with the
 * right error, or as VMfailInvalid, where they must not enter L2.
 */
#include "counter.h"
#include "l2.h"

static uint64_t l2_runs;

static void l2_guest_code(void)
{
	for (;;) {
		l2_runs++;
		asm volatile("vmcall" : : : "memory");
	}
}

static uint64_t launch_behind_mov_ss(void)
{
	uint64_t rflags;

	asm volatile("mov %%ss, %%ecx\n\t" KN_INSN("mov %%ecx, %%ss\n\tvmlaunch")
		     : [rflags] "=r" (rflags) : : "rcx", "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t resume_behind_mov_ss(void)
{
	uint64_t rflags;

	asm volatile("mov %%ss, %%ecx\n\t" KN_INSN("mov %%ecx, %%ss\n\tvmresume")
		     : [rflags] "=r" (rflags) : : "rcx", "cc", "memory");
	return kn_outcome(rflags);
}

static void check_no_current(struct gpr64_regs *gprs)
{
	KN_CHECK_EQ("VMLAUNCH without a current VMCS: VMfailInvalid", kn_l2_launch(gprs),
		    VM_FAIL_INVALID);
	KN_CHECK_EQ("VMRESUME without a current VMCS: VMfailInvalid", kn_l2_resume(gprs),
		    VM_FAIL_INVALID);
}

static void check_clear(struct gpr64_regs *gprs)
{
	KN_CHECK_ERROR("VMRESUME of a clear VMCS: error 5", kn_l2_resume(gprs),
		       ERR_VMRESUME_NONLAUNCHED);
	KN_CHECK_ERROR("VMLAUNCH behind MOV SS: error 26", launch_behind_mov_ss(),
		       ERR_ENTRY_MOV_SS);
	KN_CHECK_EQ("failures do not run L2", l2_runs, 0);
}

static void check_launched(struct gpr64_regs *gprs)
{
	KN_CHECK_EXIT("VMLAUNCH of a clear VMCS", kn_l2_launch(gprs), EXIT_REASON_VMCALL, 0, 3);
	KN_CHECK_EQ("VMLAUNCH runs L2", l2_runs, 1);

	KN_CHECK_ERROR("VMLAUNCH of a launched VMCS: error 4", kn_l2_launch(gprs),
		       ERR_VMLAUNCH_NONCLEAR);
	KN_CHECK_ERROR("VMRESUME behind MOV SS: error 26", resume_behind_mov_ss(),
		       ERR_ENTRY_MOV_SS);
	KN_CHECK_EQ("a VMfailValid leaves the exit reason", vmreadz(VM_EXIT_REASON),
		    EXIT_REASON_VMCALL);

	KN_CHECK_EXIT("VMRESUME of a launched VMCS", kn_l2_skip_and_resume(gprs),
		      EXIT_REASON_VMCALL, 0, 3);
	KN_CHECK_EQ("VMRESUME runs L2 on", l2_runs, 2);
	KN_CHECK_EQ("a VM exit leaves VM_INSTRUCTION_ERROR", vmreadz(VM_INSTRUCTION_ERROR),
		    ERR_ENTRY_MOV_SS);
}

static void check_vmptrld_keeps_state(struct vmx_pages *vmx, struct gpr64_regs *gprs)
{
	/* The shadow VMCS serves as any other VMCS here. */
	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_ERROR("VMRESUME of another, clear VMCS: error 5", kn_l2_resume(gprs),
		       ERR_VMRESUME_NONLAUNCHED);

	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_ERROR("a VMCS stays launched while another is current", kn_l2_launch(gprs),
		       ERR_VMLAUNCH_NONCLEAR);
	KN_CHECK_EXIT("VMRESUME after VMPTRLD", kn_l2_skip_and_resume(gprs), EXIT_REASON_VMCALL,
		      0, 3);
}

static void check_vmclear_clears(struct vmx_pages *vmx, struct gpr64_regs *gprs)
{
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_EQ("VMRESUME after VMCLEAR of the current VMCS: VMfailInvalid",
		    kn_l2_resume(gprs), VM_FAIL_INVALID);

	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	KN_CHECK_ERROR("VMRESUME after VMCLEAR and VMPTRLD: error 5", kn_l2_resume(gprs),
		       ERR_VMRESUME_NONLAUNCHED);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	KN_CHECK_EXIT("VMLAUNCH after VMCLEAR and VMPTRLD", kn_l2_launch(gprs),
		      EXIT_REASON_VMCALL, 0, 3);
}

static void check_shadow_vmcs(struct vmx_pages *vmx, struct gpr64_regs *gprs)
{
	struct kn_check *launch = KN_SITE("VMLAUNCH of a shadow VMCS: VMfailInvalid");
	struct kn_check *resume = KN_SITE("VMRESUME of a shadow VMCS: VMfailInvalid");

	if (!(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 & SECONDARY_EXEC_SHADOW_VMCS)) {
		kn_skip(launch, "L1 has no VMCS shadowing");
		kn_skip(resume, "L1 has no VMCS shadowing");
		return;
	}

	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision() | BIT(31);
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
	kn_expect(launch, kn_l2_launch(gprs), VM_FAIL_INVALID);
	kn_expect(resume, kn_l2_resume(gprs), VM_FAIL_INVALID);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs = {};

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	check_no_current(&gprs);

	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	check_clear(&gprs);
	check_launched(&gprs);
	check_vmptrld_keeps_state(vmx, &gprs);
	check_vmclear_clears(vmx, &gprs);
	check_shadow_vmcs(vmx, &gprs);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_run(vcpu);

	KN_COUNTED(vm, "exit.VMLAUNCH.stock", 6);
	KN_COUNTED(vm, "exit.VMRESUME.stock", 8);
	KN_COUNTED(vm, "exit.VMWRITE.module", 20);
	KN_COUNTED(vm, "vmread.VM_INSTRUCTION_ERROR", 8);
	kn_finish(vm);
}
