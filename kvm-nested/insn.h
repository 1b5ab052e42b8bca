/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMX instructions have in common: who may execute them, where their
 * memory operand is, and how they end.
 */
#ifndef _KVM_NESTED_INSN_H
#define _KVM_NESTED_INSN_H

#include "kvm_intel.h"
#include "operand.h"
#include "vmcs12.h"

struct kn_vcpu;

#define KN_VMX_STATUS_FLAGS						\
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF |	\
	 X86_EFLAGS_SF | X86_EFLAGS_OF)

static inline int kn_insn_status(struct kvm_vcpu *vcpu, unsigned long status)
{
	unsigned long rflags = kn_call(vmx_get_rflags)(vcpu);

	kn_call(vmx_set_rflags)(vcpu, (rflags & ~KN_VMX_STATUS_FLAGS) | status);
	return kn_call(kvm_skip_emulated_instruction)(vcpu);
}

static inline int kn_insn_succeed(struct kvm_vcpu *vcpu)
{
	return kn_insn_status(vcpu, 0);
}

static inline int kn_insn_fail_invalid(struct kvm_vcpu *vcpu)
{
	return kn_insn_status(vcpu, X86_EFLAGS_CF);
}

/*
 * The error number needs no copy to the hardware shadow VMCS, which never has it.
 * That of an L2 goes to the VMCS12 of L1, not to its own: so it does in stock KVM.
 */
static inline int kn_insn_fail_valid(struct kvm_vcpu *vcpu, u32 error)
{
	vmcs12_field_write(kn_cached_vmcs12(vcpu), VMCS12_VM_INSTRUCTION_ERROR, error);
	return kn_insn_status(vcpu, X86_EFLAGS_ZF);
}

/*
 * False, with the exception queued, if the instruction may not be executed.
 * What the processor checks before the VM exit, real and compatibility mode
 * among it, cannot be at fault any more.
 */
static inline bool kn_insn_permitted(struct kvm_vcpu *vcpu)
{
	if (!kn_in_vmx_operation(vcpu)) {
		kn_call(kvm_queue_exception)(vcpu, UD_VECTOR);
		return false;
	}

	/* The privilege level is SS's DPL, bits 6:5. */
	if (kn_vmcs_read(GUEST_SS_AR_BYTES) >> 5 & 3) {
		kn_call(kvm_queue_exception_e)(vcpu, GP_VECTOR, 0);
		return false;
	}

	return true;
}

bool kn_insn_translates(struct kvm_vcpu *vcpu, const struct operand_info *info);
bool kn_insn_read_invept(struct kn_vcpu *kv, u64 *eptp);
bool kn_insn_translate(struct kvm_vcpu *vcpu, const struct operand_info *info,
		       unsigned int size, bool write, gva_t *gva);

#endif /* _KVM_NESTED_INSN_H */
