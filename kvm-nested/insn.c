// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the VMX instructions have in common: who may execute them, where their
 * memory operand is, and how they end.
 */
#include "insn.h"
#include "kvm_intel.h"
#include "vmcs12.h"

#define VMX_STATUS_FLAGS							\
	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF |	\
	 X86_EFLAGS_SF | X86_EFLAGS_OF)

static int insn_status(struct kvm_vcpu *vcpu, unsigned long status)
{
	unsigned long rflags = kn_call(vmx_get_rflags)(vcpu);

	kn_call(vmx_set_rflags)(vcpu, (rflags & ~VMX_STATUS_FLAGS) | status);
	return kn_call(kvm_skip_emulated_instruction)(vcpu);
}

int kn_insn_succeed(struct kvm_vcpu *vcpu)
{
	return insn_status(vcpu, 0);
}

int kn_insn_fail_invalid(struct kvm_vcpu *vcpu)
{
	return insn_status(vcpu, X86_EFLAGS_CF);
}

/*
 * The error number needs no copy to the hardware shadow VMCS, which never has it.
 * That of an L2 goes to the VMCS12 of L1, not to its own: so it does in stock KVM.
 */
int kn_insn_fail_valid(struct kvm_vcpu *vcpu, u32 error)
{
	vmcs12_field_write(kn_cached_vmcs12(vcpu), VMCS12_VM_INSTRUCTION_ERROR, error);
	return insn_status(vcpu, X86_EFLAGS_ZF);
}

/*
 * False, with the exception queued, if the instruction may not be executed.
 * What the processor checks before the VM exit, real and compatibility mode
 * among it, cannot be at fault any more.
 */
bool kn_insn_permitted(struct kvm_vcpu *vcpu)
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

/* False for an operand that stock KVM has to translate. */
bool kn_insn_translates(struct kvm_vcpu *vcpu, const struct operand_info *info)
{
	return info->segment < OPERAND_NR_SEGS && !kn_has_lam(vcpu);
}

/* False, with the exception queued, if segmentation forbids the memory operand. */
bool kn_insn_translate(struct kvm_vcpu *vcpu, const struct operand_info *info,
		       unsigned int size, bool write, gva_t *gva)
{
	struct operand_access mode = {
		.long_mode = kn_in_long_mode(vcpu),
		.write = write,
		.linear_bits = kn_linear_bits(vcpu),
		.size = size,
	};
	struct operand_segment seg = {};
	u64 base = 0, index = 0, offset;
	u64 linear;
	int vector;

	if (info->has_base)
		base = kn_read_reg(vcpu, info->base);
	if (info->has_index)
		index = kn_read_reg(vcpu, info->index);
	offset = operand_offset(info, kn_vmcs_read(EXIT_QUALIFICATION), base, index);

	/* Fields of consecutive segments are two encodings apart. */
	if (!mode.long_mode || info->segment >= OPERAND_SEG_FS)
		seg.base = kn_vmcs_read(GUEST_ES_BASE + 2 * info->segment);
	if (!mode.long_mode) {
		seg.limit = kn_vmcs_read(GUEST_ES_LIMIT + 2 * info->segment);
		seg.access_rights = kn_vmcs_read(GUEST_ES_AR_BYTES + 2 * info->segment);
	}

	vector = operand_linear(info, &seg, &mode, offset, &linear);
	if (vector != OPERAND_OK) {
		kn_call(kvm_queue_exception_e)(vcpu, vector, 0);
		return false;
	}

	*gva = linear;
	return true;
}
