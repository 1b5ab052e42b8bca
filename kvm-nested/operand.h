/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operands of VMREAD and VMWRITE, as a VM exit reports them.
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_OPERAND_H
#define _KVM_NESTED_OPERAND_H

#include <linux/types.h>

/*
 * SDM volume 3, "VM-Exit Instruction Information Field", the table for VMREAD
 * and VMWRITE.  Operand 1 is the value's place, operand 2 the encoding.
 */
struct operand_info {
	u8 scaling;		/* log2 of the index register's factor */
	u8 reg1;		/* valid if @is_reg */
	u8 address_size;	/* enum operand_address_size */
	bool is_reg;
	u8 segment;		/* numbered as in the VMCS: ES CS SS DS FS GS */
	u8 index;
	u8 base;
	bool has_index;
	bool has_base;
	u8 reg2;		/* holds the encoding */
};

enum operand_address_size {
	OPERAND_ADDRESS_16,
	OPERAND_ADDRESS_32,
	OPERAND_ADDRESS_64,
};

enum {
	OPERAND_SEG_SS = 2,
	OPERAND_SEG_FS = 4,
	OPERAND_SEG_GS = 5,
	OPERAND_NR_SEGS,
};

/* A segment register as the VMCS's guest-state area holds it. */
struct operand_segment {
	u64 base;
	u32 limit;
	u32 access_rights;
};

/* Where the operand would go, given the mode that the vCPU is in. */
struct operand_access {
	bool long_mode;
	bool write;		/* the instruction writes memory: VMREAD */
	u8 linear_bits;		/* 48 or 57, used in long mode */
	u8 size;		/* in bytes */
};

#define OPERAND_OK	0	/* otherwise an exception vector, with error code 0 */

struct operand_info operand_decode(u32 insn_info);
u64 operand_offset(const struct operand_info *info, u64 displacement, u64 base, u64 index);
int operand_linear(const struct operand_info *info, const struct operand_segment *seg,
		   const struct operand_access *access, u64 offset, u64 *linear);

#endif /* _KVM_NESTED_OPERAND_H */
