// SPDX-License-Identifier: GPL-2.0-only
/*
 * Setting up an L1 and running it.
 */
#include <limits.h>

#include "l1.h"

struct kn_fault kn_fault;
uint64_t kn_fixup;

static struct kn_check guest_ends = { .name = "the guest code runs to its end" };
static const struct kn_group last_group __attribute__((used, section("kn_groups"))) = {
	.checks = &guest_ends, .nr = 1, .line = UINT_MAX,
};

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

void *kn_alloc_page(struct kvm_vm *vm, uint64_t *gpa)
{
	vm_vaddr_t page = vm_vaddr_alloc_page(vm);

	*gpa = addr_gva2gpa(vm, page);
	return (void *)page;
}

void kn_require_l2_shadowing(struct kvm_vcpu *vcpu)
{
	TEST_REQUIRE(vcpu_get_msr(vcpu, MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 &
		     SECONDARY_EXEC_SHADOW_VMCS);
}

void kn_l1_shadow_for_l2(struct vmx_pages *vmx)
{
	vmwrite(VMCS_LINK_POINTER, vmx->shadow_vmcs_gpa);
	vmwrite(VMREAD_BITMAP, vmx->vmread_gpa);
	vmwrite(VMWRITE_BITMAP, vmx->vmwrite_gpa);
	vmwrite(SECONDARY_VM_EXEC_CONTROL,
		vmreadz(SECONDARY_VM_EXEC_CONTROL) | SECONDARY_EXEC_SHADOW_VMCS);
}

void kn_l1_setup(struct vmx_pages *vmx, void *l2_guest_code, void *l2_stack)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, l2_stack);
}

static void guest_died(struct kvm_vcpu *vcpu, const char *why, uint64_t got)
{
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	ksft_print_msg("vCPU %u stopped: %s %#lx, exit reason %s, RIP %#llx\n", vcpu->id, why, got,
		       exit_reason_str(vcpu->run->exit_reason), regs.rip);
	kn_expect_at(&guest_ends, why, got, 0, 0);
}

struct kvm_vcpu *kn_restore(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	struct kvm_x86_state *state = vcpu_save_state(vcpu);

	kvm_vm_release(vm);
	vcpu = vm_recreate_with_one_vcpu(vm);
	vcpu_load_state(vcpu, state);
	kvm_x86_state_cleanup(state);
	return vcpu;
}

uint64_t kn_run(struct kvm_vcpu *vcpu)
{
	struct ucall uc;
	int ret;

	/* Not vcpu_run(): that one ends the program at an exception. */
	do {
		ret = __vcpu_run(vcpu);
	} while (ret && errno == EINTR);
	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_RUN, ret));

	if (vcpu->run->exit_reason != KVM_EXIT_IO) {
		guest_died(vcpu, "exit", vcpu->run->exit_reason);
		return 0;
	}

	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return uc.args[1];
	case UCALL_DONE:
		kn_expect(&guest_ends, 0, 0);
		return 0;
	case UCALL_ABORT:
		ksft_print_msg("%s at %s:%lu\n", (const char *)uc.args[GUEST_ERROR_STRING],
			       (const char *)uc.args[GUEST_FILE], uc.args[GUEST_LINE]);
		guest_died(vcpu, "assertion in line", uc.args[GUEST_LINE]);
		return 0;
	case UCALL_UNHANDLED:
		ksft_print_msg("unexpected exception %lu at %#lx\n", uc.args[0], uc.args[1]);
		guest_died(vcpu, "exception at", uc.args[1]);
		return 0;
	default:
		guest_died(vcpu, "I/O at port", vcpu->run->io.port);
		return 0;
	}
}
