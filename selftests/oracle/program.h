/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program: what L1 and L2 do in one run, made from a seed.
 */
#ifndef SELFTEST_ORACLE_PROGRAM_H
#define SELFTEST_ORACLE_PROGRAM_H

#include <stdbool.h>

#include "arena.h"

/* L1's capability MSRs. */
struct capabilities {
	uint64_t basic, pin, cpu, cpu2, exit, entry, misc, ept_vpid, vmfunc;
	bool xsave;
	unsigned int address_bits;
};

extern struct capabilities caps;

/* A random number generator: splitmix64. */
struct dice {
	uint64_t state;
};

uint64_t roll(struct dice *dice);

static inline unsigned int pick(struct dice *dice, unsigned int n)
{
	return roll(dice) % n;
}

static inline bool percent(struct dice *dice, unsigned int n)
{
	return pick(dice, 100) < n;
}

/* What can't be compared, for stock KVM itself differs from run to run; see exclude.c. */
uint64_t exclude_value(uint32_t field, uint64_t value);
bool exclude_msr(uint32_t msr);
bool exclude_operand(uint64_t address, bool written);
/* Fields that an exit may leave as they were, and whether this one is to be left out. */
#define NR_LEFTOVERS	3
extern const uint32_t leftovers[NR_LEFTOVERS];
bool exclude_leftover(uint32_t field, uint32_t reason, uint32_t insn_info, uint32_t cpu2);
bool exclude_vmcs_access(void);
bool exclude_l2_operands(void);
bool exclude_l2_operand(uint64_t address);
bool exclude_read(uint64_t encoding);
void exclude_leftovers(uint64_t *words, bool runs);
/* Flags of an op that is a VMXOFF. */
unsigned int exclude_vmxoff(void);
/* Flags of an op that changes EPT12. */
unsigned int exclude_stale_ept12(void);
struct kvm_vcpu_events;
void exclude_events(struct kvm_vcpu_events *events);

/* baseline.c: a VMCS12 that can be entered, and fields of it. */
void baseline_make(struct dice *dice);
uint64_t baseline_value(uint32_t field);
bool baseline_has(uint32_t field);
/* Values that are worth a try. */
uint64_t value_any(struct dice *dice, uint32_t field);

/* inert.c */
struct inert {
	uint32_t field;
	uint64_t mask;
};

#define NR_INDIRECT	12

extern const struct inert inert[];
extern const unsigned int nr_inert;

/* encode.c: instructions. */
struct insn {
	uint8_t prefix;		/* a mandatory one, 0: none */
	uint8_t opcode[4];
	uint8_t length;
	uint8_t modrm_reg;	/* or the opcode's extension */
};

#define INSN(_prefix, _opcode, _reg)						\
	((struct insn){ .prefix = (_prefix), .opcode = _opcode, .length = sizeof(_opcode) - 1, \
			.modrm_reg = (_reg) })

#define VMREAD(_field)		INSN(0, "\x0f\x78", _field)
#define VMWRITE(_field)		INSN(0, "\x0f\x79", _field)
#define VMPTRLD			INSN(0, "\x0f\xc7", 6)
#define VMPTRST			INSN(0, "\x0f\xc7", 7)
#define VMCLEAR			INSN(0x66, "\x0f\xc7", 6)
#define VMXON			INSN(0xf3, "\x0f\xc7", 6)
#define INVEPT(_reg)		INSN(0x66, "\x0f\x38\x80", _reg)
#define INVVPID(_reg)		INSN(0x66, "\x0f\x38\x81", _reg)

/* The instruction with a memory operand at @address, in one of the forms that there are. */
void encode_memory(struct dice *dice, struct op *op, unsigned int slot, const struct insn *insn,
		   uint64_t address);
void encode_register(struct op *op, const struct insn *insn, unsigned int reg);
void encode_bytes(struct op *op, const void *bytes, unsigned int length);
void encode_slot(const struct op *op, unsigned int slot);

/* A VMREAD or VMWRITE of L2. */
struct l2_access {
	unsigned int block;
	uint64_t encoding;
	bool write;
};

/* l2_code.c: what L2 executes. */
#define L2_BLOCK_SIZE	512
#define L2_SLOT_SIZE	64
#define NR_L2_BLOCKS	16
void l2_code_make(struct dice *dice);
uint64_t l2_block(unsigned int block);
const struct l2_access *l2_any_access(struct dice *dice);
void l2_code_show(unsigned int block);

/* generate.c */
#define TEXT_SIZE	160

/* Fills the arena with @seed's program, of which only ops that are kept do anything. */
void program_make(uint64_t seed, const bool *keep);
const char *program_text(unsigned int op);
const char *field_name(uint32_t encoding);

#endif
