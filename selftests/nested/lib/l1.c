// SPDX-License-Identifier: GPL-2.0-only
/*
 * Setting up an L1: VM, exception handlers, VMX operation.
 */
#include "l1.h"

struct kn_fault kn_fault;
uint64_t kn_fixup;

static void record_fault(struct ex_regs *regs)
{
	if (!kn_fixup) {
		ucall(UCALL_UNHANDLED, 2, regs->vector, regs->rip);
		return;
	}

	kn_fault.vector = regs->vector;
	kn_fault.error_code = regs->error_code;
	kn_fault.rip = regs->rip;
	kn_fault.rflags = regs->rflags;
	asm volatile("mov %%cr2, %0" : "=r" (kn_fault.cr2));
	kn_fault.taken = 1;

	regs->rip = kn_fixup;
}

void kn_fault_init(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	static const int vectors[] = {
		DB_VECTOR, UD_VECTOR, NM_VECTOR, TS_VECTOR, NP_VECTOR, SS_VECTOR, GP_VECTOR,
		PF_VECTOR, AC_VECTOR,
	};

	vm_init_descriptor_tables(vm);
	vcpu_init_descriptor_tables(vcpu);
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
		vm_install_exception_handler(vm, vectors[i], record_fault);
}

struct kvm_vm *kn_vm_create(struct kvm_vcpu **vcpu, void *l1_guest_code)
{
	vm_vaddr_t vmx_gva;
	struct kvm_vm *vm;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));

	vm = vm_create_with_one_vcpu(vcpu, l1_guest_code);
	kn_fault_init(vm, *vcpu);
	vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(*vcpu, 1, vmx_gva);
	return vm;
}

void kn_l1_setup(struct vmx_pages *vmx, void *l2_guest_code, void *l2_stack)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, l2_stack);
}
