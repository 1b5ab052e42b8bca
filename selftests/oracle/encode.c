// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions in L1's slots: operands in all forms of 64-bit mode.
 *
 * An op's first two values are the instruction's own, the others are base and index.
 */
#include <string.h>

#include "field.h"
#include "program.h"

#define REX		0x40
#define REX_R		0x04
#define REX_X		0x02
#define REX_B		0x01

#define PREFIX_FS	0x64
#define PREFIX_GS	0x65
#define PREFIX_ADDRESS	0x67
#define NR_PREFIXES	10	/* of which most are none */

enum {
	VALUE_BASE = 2,
	VALUE_INDEX = 3,
};

const char *field_name(uint32_t encoding)
{
	const struct kn_field *field = kn_field_find(encoding);

	return field ? field->name : "no field";
}

static void emit(struct op *op, uint64_t value, unsigned int size)
{
	memcpy(op->insn + op->length, &value, size);
	op->length += size;
}

static void emit_opcode(struct op *op, const struct insn *insn, unsigned int rex)
{
	if (insn->prefix)
		emit(op, insn->prefix, 1);
	if (insn->modrm_reg >= 8)
		rex |= REX_R;
	if (rex)
		emit(op, REX | rex, 1);
	for (unsigned int i = 0; i < insn->length; i++)
		emit(op, insn->opcode[i], 1);
}

static void emit_modrm(struct op *op, const struct insn *insn, unsigned int mod, unsigned int rm)
{
	emit(op, mod << 6 | (insn->modrm_reg & 7) << 3 | (rm & 7), 1);
}

static bool is_used(const struct op *op, unsigned int reg)
{
	for (unsigned int i = 0; i < OP_NR_VALUES; i++)
		if (op->reg[i] == reg)
			return true;
	return false;
}

static unsigned int free_reg(struct dice *dice, const struct op *op, bool index)
{
	unsigned int reg;

	do {
		reg = pick(dice, NR_REGS);
	} while (is_used(op, reg) || (index && reg == RSP));
	return reg;
}

static void encode_rip_relative(struct op *op, unsigned int slot, const struct insn *insn,
				uint64_t address)
{
	emit_opcode(op, insn, 0);
	emit_modrm(op, insn, 0, RBP);
	emit(op, address - (PAGE_AT(P_CODE) + slot * SLOT_SIZE + op->length + 4), 4);
}

void encode_memory(struct dice *dice, struct op *op, unsigned int slot, const struct insn *insn,
		   uint64_t address)
{
	static const uint8_t others[] = { 0x26, 0x2e, 0x36, 0x3e };	/* ES, CS, SS, DS */
	bool low = address < 0x80000000ull, short_address = low && percent(dice, 10);
	bool has_base = !low || percent(dice, 85), has_index = percent(dice, 40);
	unsigned int base = 0, index = 0, scale = pick(dice, 4), mod, rex = 0;
	uint64_t displacement = 0, index_value = 0;

	if (low && percent(dice, 8)) {
		encode_rip_relative(op, slot, insn, address);
		return;
	}

	/* FS and GS have bases, the others count for nothing. */
	switch (low ? pick(dice, NR_PREFIXES) : NR_PREFIXES) {
	case 0:
		emit(op, PREFIX_FS, 1);
		address -= baseline_value(HOST_FS_BASE);
		break;
	case 1:
		emit(op, PREFIX_GS, 1);
		address -= baseline_value(HOST_GS_BASE);
		break;
	case 2:
		emit(op, others[pick(dice, 4)], 1);
		break;
	}
	/* An offset of 32 bits, to which the segment's base is added behind them. */
	if (short_address && address < 0x80000000ull)
		emit(op, PREFIX_ADDRESS, 1);
	else
		short_address = false;

	mod = has_base ? pick(dice, 3) : 0;
	if (mod == 1)
		displacement = (int8_t)roll(dice);
	else if (mod == 2)
		displacement = (int32_t)roll(dice);
	else if (!has_base)
		displacement = has_index ? (int32_t)(roll(dice) & 0xfffff) : address;

	if (has_index) {
		index = free_reg(dice, op, true);
		op->reg[VALUE_INDEX] = index;
		rex |= index >= 8 ? REX_X : 0;
		index_value = has_base ? roll(dice) : (address - displacement) >> scale;
		/* Without a base the rest is the displacement's. */
		if (!has_base)
			displacement = address - (index_value << scale);
		op->value[VALUE_INDEX] = index_value;
		index_value <<= scale;
	}
	if (has_base) {
		base = free_reg(dice, op, false);
		op->reg[VALUE_BASE] = base;
		rex |= base >= 8 ? REX_B : 0;
		/* No displacement means something else with these two. */
		if (!mod && (base & 7) == RBP)
			mod = 1;
		op->value[VALUE_BASE] = address - displacement - index_value;
		if (short_address && percent(dice, 50))
			op->value[VALUE_BASE] ^= roll(dice) << 32;
	}

	emit_opcode(op, insn, rex);
	if (has_index || !has_base || (base & 7) == RSP) {
		emit_modrm(op, insn, mod, RSP);
		emit(op, scale << 6 | (has_index ? index & 7 : RSP) << 3 |
		     (has_base ? base & 7 : RBP), 1);
	} else {
		emit_modrm(op, insn, mod, base);
	}
	if (mod || !has_base)
		emit(op, displacement, mod == 1 ? 1 : 4);
}

void encode_register(struct op *op, const struct insn *insn, unsigned int reg)
{
	emit_opcode(op, insn, reg >= 8 ? REX_B : 0);
	emit_modrm(op, insn, 3, reg);
}

void encode_bytes(struct op *op, const void *bytes, unsigned int length)
{
	memcpy(op->insn, bytes, length);
	op->length = length;
}

/* Behind the instruction, the way back: INT where the mode is another one. */
void encode_slot(const struct op *op, unsigned int slot)
{
	uint8_t *code = (uint8_t *)PAGE_AT(P_CODE) + slot * SLOT_SIZE;
	uint32_t distance;

	memset(code, 0xcc, SLOT_SIZE);
	memcpy(code, op->insn, op->length);
	code += op->length;
	if (op->flags & (OP_USER | OP_COMPAT)) {
		code[0] = 0xcd;
		code[1] = VECTOR_END;
		return;
	}
	code[0] = 0xe9;
	distance = (uintptr_t)guest_tail - ((uintptr_t)code + 5);
	memcpy(code + 1, &distance, sizeof(distance));
}
