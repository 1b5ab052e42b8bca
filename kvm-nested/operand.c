// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands of VMREAD and VMWRITE: decode, and translate to a linear address.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/kernel.h>

#include "operand.h"

#define INFO_SCALING		GENMASK(1, 0)
#define INFO_REG1		GENMASK(6, 3)
#define INFO_ADDRESS_SIZE	GENMASK(9, 7)
#define INFO_IS_REG		BIT(10)
#define INFO_SEGMENT		GENMASK(17, 15)
#define INFO_INDEX		GENMASK(21, 18)
#define INFO_NO_INDEX		BIT(22)
#define INFO_BASE		GENMASK(26, 23)
#define INFO_NO_BASE		BIT(27)
#define INFO_REG2		GENMASK(31, 28)

/* SDM volume 3, "Guest Register State": format of access rights. */
#define AR_CODE			BIT(3)
#define AR_EXPAND_DOWN		BIT(2)	/* of a data segment */
#define AR_WRITABLE		BIT(1)	/* of a data segment; of code: readable */
#define AR_UNUSABLE		BIT(16)

#define VECTOR_SS		12
#define VECTOR_GP		13

struct operand_info operand_decode(u32 insn_info)
{
	return (struct operand_info) {
		.scaling = FIELD_GET(INFO_SCALING, insn_info),
		.reg1 = FIELD_GET(INFO_REG1, insn_info),
		.address_size = FIELD_GET(INFO_ADDRESS_SIZE, insn_info),
		.is_reg = insn_info & INFO_IS_REG,
		.segment = FIELD_GET(INFO_SEGMENT, insn_info),
		.index = FIELD_GET(INFO_INDEX, insn_info),
		.base = FIELD_GET(INFO_BASE, insn_info),
		.has_index = !(insn_info & INFO_NO_INDEX),
		.has_base = !(insn_info & INFO_NO_BASE),
		.reg2 = FIELD_GET(INFO_REG2, insn_info),
	};
}

/*
 * The effective address.  Processors differ in how far they sign-extend the
 * displacement in the exit qualification, so only the bits of the address size
 * count; the sum is truncated to them anyway.
 */
u64 operand_offset(const struct operand_info *info, u64 displacement, u64 base, u64 index)
{
	u64 offset = displacement;

	if (info->has_base)
		offset += base;
	if (info->has_index)
		offset += index << info->scaling;

	switch (info->address_size) {
	case OPERAND_ADDRESS_16:
		return offset & GENMASK(15, 0);
	case OPERAND_ADDRESS_32:
		return offset & GENMASK(31, 0);
	default:
		return offset;
	}
}

static bool is_canonical(u64 address, u8 bits)
{
	u64 sign = address >> (bits - 1);

	return !sign || sign == GENMASK_ULL(64 - bits, 0);
}

static int protected_mode_linear(const struct operand_info *info, const struct operand_segment *seg,
				 const struct operand_access *access, u64 offset, u64 *linear)
{
	int vector = info->segment == OPERAND_SEG_SS ? VECTOR_SS : VECTOR_GP;
	bool code = seg->access_rights & AR_CODE;
	bool flag = seg->access_rights & AR_WRITABLE;
	bool flat;

	/*
	 * A write needs a writable data segment; a read anything but
	 * execute-only code.  The type is at fault, so #GP also for SS.
	 */
	if (access->write ? code || !flag : code && !flag)
		return VECTOR_GP;

	if (seg->access_rights & AR_UNUSABLE)
		return vector;

	/* Processors with VMX skip the limit check of flat, expand-up segments. */
	flat = !seg->base && seg->limit == U32_MAX &&
	       (code || !(seg->access_rights & AR_EXPAND_DOWN));
	if (!flat && offset + access->size - 1 > seg->limit)
		return vector;

	*linear = (seg->base + offset) & GENMASK(31, 0);
	return OPERAND_OK;
}

/*
 * Segmentation of the operand at @offset of @seg.  Returns the vector of the
 * exception to deliver, or OPERAND_OK with the address in @linear.
 */
int operand_linear(const struct operand_info *info, const struct operand_segment *seg,
		   const struct operand_access *access, u64 offset, u64 *linear)
{
	if (!access->long_mode)
		return protected_mode_linear(info, seg, access, offset, linear);

	*linear = offset;
	if (info->segment == OPERAND_SEG_FS || info->segment == OPERAND_SEG_GS)
		*linear += seg->base;

	if (!is_canonical(*linear, access->linear_bits))
		return info->segment == OPERAND_SEG_SS ? VECTOR_SS : VECTOR_GP;

	return OPERAND_OK;
}
