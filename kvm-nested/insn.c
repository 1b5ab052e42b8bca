// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the memory operand of a VMX instruction is.
 */
#include "insn.h"
#include "kvm_intel.h"
#include "vcpu.h"

/* False for an operand that stock KVM has to translate. */
bool kn_insn_translates(struct kvm_vcpu *vcpu, const struct operand_info *info)
{
	return info->segment < OPERAND_NR_SEGS && !kn_has_lam(vcpu);
}

/* Where the memory operand is: OPERAND_OK, or the exception that segmentation raises. */
static int translate(struct kvm_vcpu *vcpu, const struct operand_info *info, unsigned int size,
		     bool write, gva_t *gva)
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
	*gva = linear;
	return vector;
}

/* False, with the exception queued, if segmentation forbids the memory operand. */
bool kn_insn_translate(struct kvm_vcpu *vcpu, const struct operand_info *info,
		       unsigned int size, bool write, gva_t *gva)
{
	int vector = translate(vcpu, info, size, write, gva);

	if (vector != OPERAND_OK)
		kn_call(kvm_queue_exception_e)(vcpu, vector, 0);
	return vector == OPERAND_OK;
}

#define INVEPT_SINGLE_CONTEXT	1

/*
 * Which EPT pointer an INVEPT is about.  False if that can't be told, or if it is about
 * all of them.
 */
bool kn_insn_read_invept(struct kn_vcpu *kv, u64 *eptp)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct operand_info info = operand_decode(kn_vmcs_read(VMX_INSTRUCTION_INFO));
	struct x86_exception e;
	gva_t gva;

	return kn_read_reg(vcpu, info.reg2) == INVEPT_SINGLE_CONTEXT &&
	       kn_insn_translates(vcpu, &info) &&
	       translate(vcpu, &info, 2 * sizeof(*eptp), false, &gva) == OPERAND_OK &&
	       !kn_walk_read(kv, gva, eptp, sizeof(*eptp), &e);
}
