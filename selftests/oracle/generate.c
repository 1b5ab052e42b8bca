// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a seed to L1's program: a sequence of ops of which any subset is a program too.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "field.h"
#include "program.h"

#define UNBACKED	0x30000000ull
#define NR_FAVOURITE	10

static struct {
	struct dice dice;
	struct op *ops;
	unsigned int nr;
	unsigned int current;		/* VMCS that is likely to be current */
	unsigned int playground;	/* one that need not be entered */
	uint32_t read[NR_FAVOURITE], written[NR_FAVOURITE];
} g;

static char texts[MAX_OPS][TEXT_SIZE];

const char *program_text(unsigned int op)
{
	return op < MAX_OPS ? texts[op] : "the end";
}

static struct op *new_op(enum code code, const char *format, ...)
{
	struct op *op = &g.ops[g.nr];
	va_list args;

	*op = (struct op){ .code = code, .varies = NO_REG };
	memset(op->reg, NO_REG, sizeof(op->reg));
	va_start(args, format);
	vsnprintf(texts[g.nr], TEXT_SIZE, format, args);
	va_end(args);
	g.nr++;
	return op;
}

/* The first two can be entered. */
static unsigned int likely_vmcs(void)
{
	return pick(&g.dice, percent(&g.dice, 75) ? 2 : NR_VMCS);
}

static unsigned int any_reg(void)
{
	return pick(&g.dice, NR_REGS);
}

static unsigned int any_reg_but(unsigned int other)
{
	unsigned int reg;

	do {
		reg = any_reg();
	} while (reg == other);
	return reg;
}

/* An aligned or unaligned place for two words. */
static uint64_t data_address(void)
{
	static const unsigned int pages[] = { P_DATA, P_MORE_DATA };
	uint64_t offset = percent(&g.dice, 20) ? pick(&g.dice, 4080) : 8 * pick(&g.dice, 510);

	return PAGE_AT(pages[pick(&g.dice, 2)]) + offset;
}

/* Where an access faults, all of it or from some byte on. */
static uint64_t faulting_address(bool written)
{
	static const uint64_t starts[] = {
		PAGE_AT(P_HOLE), PAGE_AT(P_READ_ONLY), PAGE_AT(P_HOLE), NONCANONICAL,
		-NONCANONICAL, 1ull << 63,
	};
	uint64_t address;

	do {
		address = starts[pick(&g.dice, ARRAY_SIZE(starts))];
		if (percent(&g.dice, 50))
			address += pick(&g.dice, 4096);
		else
			address -= pick(&g.dice, 9);
	} while (exclude_operand(address, written));
	return address;
}

static void maybe_other_mode(struct op *op)
{
	if (percent(&g.dice, 2))
		op->flags |= OP_USER;
	else if (percent(&g.dice, 1))
		op->flags |= OP_COMPAT;
}

static const char *mode_text(const struct op *op)
{
	if (op->flags & OP_USER)
		return " at CPL 3";
	return op->flags & OP_COMPAT ? " in compatibility mode" : "";
}

/* The instruction with @poke at its memory operand, and with up to two registers set. */
static void add_memory_insn(const char *name, const struct insn *insn, uint64_t poke0,
			    uint64_t poke1, const char *what)
{
	bool faults = percent(&g.dice, 4);
	uint64_t address = faults ? faulting_address(false) : data_address();
	struct op *op = new_op(OP_EXECUTE, "%s", "");

	maybe_other_mode(op);
	if (!faults) {
		op->flags |= OP_MEMORY;
		op->address = address;
		op->poke[0] = poke0;
		op->poke[1] = poke1;
	}
	encode_memory(&g.dice, op, op - g.ops, insn, address);
	snprintf(texts[g.nr - 1], TEXT_SIZE, "%s %#lx%s at [%#lx]%s", name, poke0, what, address,
		 mode_text(op));
}

/* With the encoding in a register and the value in another, or in memory. */
static void add_access(bool write, uint64_t wanted, uint64_t value, uint64_t varying)
{
	uint64_t encoding = exclude_read(wanted) ? EXIT_QUALIFICATION : wanted;
	unsigned int field_reg = any_reg(), value_reg = any_reg_but(field_reg);
	struct insn insn = write ? VMWRITE(field_reg) : VMREAD(field_reg);
	bool in_memory = percent(&g.dice, 40);
	bool faults = in_memory && percent(&g.dice, 7);
	uint64_t address = faults ? faulting_address(!write) : data_address();
	struct op *op = new_op(OP_EXECUTE, "%s", "");

	maybe_other_mode(op);
	op->reg[0] = field_reg;
	op->value[0] = encoding;
	op->varying = varying;
	if (in_memory) {
		if (!faults) {
			op->flags |= OP_MEMORY;
			op->address = address;
			op->poke[0] = value;
			op->poke[1] = ~encoding;
			if (varying)
				op->varies = OP_NR_VALUES;
		}
		encode_memory(&g.dice, op, op - g.ops, &insn, address);
	} else {
		/* Seldom the same one for both. */
		if (percent(&g.dice, 3))
			value_reg = field_reg;
		else
			op->value[1] = value;
		op->reg[1] = value_reg == field_reg ? NO_REG : value_reg;
		if (varying && op->reg[1] != NO_REG)
			op->varies = 1;
		encode_register(op, &insn, value_reg);
	}
	snprintf(texts[g.nr - 1], TEXT_SIZE, "%s %#lx (%s)%s%#lx%s%s%#lx%s%s",
		 write ? "VMWRITE" : "VMREAD", encoding, field_name(encoding),
		 write ? " = " : " over ", value,
		 varying ? ", varying," : "", in_memory ? " at [" : " in register ",
		 in_memory ? address : value_reg, in_memory ? "]" : "", mode_text(op));
}

static uint32_t any_field(void)
{
	return kn_fields[pick(&g.dice, KN_NR_FIELDS)].encoding;
}

/* Mostly a field; sometimes what is none. */
static uint64_t any_encoding(void)
{
	uint64_t encoding = any_field();

	switch (pick(&g.dice, 20)) {
	case 0:
		return encoding ^ 1ull << pick(&g.dice, 64);
	case 1:
		return roll(&g.dice) & 0x7fff;
	case 2:
		return encoding | 1;
	default:
		return encoding;
	}
}

/* Now and then the upper half of a 64-bit field. */
static uint32_t maybe_high(uint32_t field)
{
	return field >> 13 == 1 && percent(&g.dice, 25) ? field | 1 : field;
}

static void add_write_inert(uint64_t varying)
{
	unsigned int i = pick(&g.dice, nr_inert);
	uint64_t value = value_any(&g.dice, inert[i].field) & inert[i].mask;

	add_access(true, maybe_high(inert[i].field), value, varying & inert[i].mask);
}

static void add_single_access(void)
{
	if (percent(&g.dice, 45)) {
		add_access(false, percent(&g.dice, 50) ? any_encoding() :
			   g.read[pick(&g.dice, NR_FAVOURITE)], roll(&g.dice), 0);
	} else if (g.current == g.playground) {
		uint64_t encoding = any_encoding();

		add_access(true, encoding, value_any(&g.dice, encoding), 0);
	} else if (percent(&g.dice, 80)) {
		add_write_inert(0);
	} else {
		uint64_t encoding = any_encoding();

		/* What it should be. */
		add_access(true, encoding, baseline_value(encoding), 0);
	}
}

static void add_favourite(void)
{
	uint32_t field = g.written[pick(&g.dice, NR_FAVOURITE)];

	if (percent(&g.dice, 50)) {
		add_access(false, maybe_high(g.read[pick(&g.dice, NR_FAVOURITE)]), roll(&g.dice),
			   0);
		return;
	}
	for (unsigned int i = 0; i < nr_inert; i++)
		if (inert[i].field == field) {
			add_access(true, maybe_high(field),
				   value_any(&g.dice, field) & inert[i].mask,
				   percent(&g.dice, 70) ? inert[i].mask : 0);
			return;
		}
}

static void add_run_of(unsigned int block)
{
	unsigned int exits = 1 + pick(&g.dice, 6);
	bool here = percent(&g.dice, 10);
	struct op *op = new_op(OP_RUN, "run L2 %s %#lx, for %u exits",
			       here ? "where it is, not" : "at", l2_block(block), exits);

	op->value[0] = here ? 1 : l2_block(block);
	op->value[1] = exits;
	op->address = block;
	if (percent(&g.dice, 10))
		op->flags |= percent(&g.dice, 50) ? OP_LAUNCH : OP_RESUME;
}

static void add_run(void)
{
	add_run_of(pick(&g.dice, NR_L2_BLOCKS));
}

static void add_repeat(unsigned int first, unsigned int times)
{
	struct op *op;

	if (g.nr == MAX_OPS || first == g.nr)
		return;
	op = new_op(OP_REPEAT, "repeat from %u, %u times more", first, times);
	op->value[0] = g.nr - 1 - first;
	op->value[1] = times;
}

static void add_loop(void)
{
	unsigned int first = g.nr, nr = 2 + pick(&g.dice, 6);
	bool runs = percent(&g.dice, 65);

	for (unsigned int i = 0; i < nr; i++)
		add_favourite();
	if (runs)
		add_run();
	for (unsigned int i = 0; i < nr / 2; i++)
		add_favourite();
	add_repeat(first, 2 + pick(&g.dice, runs ? 5 : 8));
}

static void add_pointer_insn(const char *name, const struct insn *insn, bool likely_valid)
{
	unsigned int vmcs = likely_vmcs();
	uint64_t pointer = PAGE_AT(P_VMCS + vmcs);

	if (!likely_valid || percent(&g.dice, 8)) {
		switch (pick(&g.dice, 8)) {
		case 0:
			pointer += 1 << pick(&g.dice, 12);
			break;
		case 1:
			pointer |= BIT_ULL(caps.address_bits) <<
				   pick(&g.dice, 64 - caps.address_bits);
			break;
		case 2:
			pointer = PAGE_AT(P_VMXON);
			break;
		case 3:
			pointer = PAGE_AT(P_NOT_A_VMCS);
			break;
		case 4:
			pointer = UNBACKED;
			break;
		case 5:
			pointer = ~0ull;
			break;
		case 6:
			pointer = 0;
			break;
		default:
			pointer = roll(&g.dice);
		}
	}
	add_memory_insn(name, insn, pointer, roll(&g.dice), "");
	if (insn->prefix == 0 && insn->modrm_reg == 6 && pointer == PAGE_AT(P_VMCS + vmcs))
		g.current = vmcs;
}

static void add_load(unsigned int vmcs)
{
	add_memory_insn("VMPTRLD", &VMPTRLD, PAGE_AT(P_VMCS + vmcs), 0, "");
	g.current = vmcs;
}

static void add_clear(void)
{
	bool current = percent(&g.dice, 60);
	unsigned int vmcs = current ? g.current : pick(&g.dice, NR_VMCS);

	if (percent(&g.dice, 25)) {
		add_pointer_insn("VMCLEAR", &VMCLEAR, false);
		return;
	}
	add_memory_insn("VMCLEAR", &VMCLEAR, PAGE_AT(P_VMCS + vmcs), 0, "");
	if (vmcs == g.current && percent(&g.dice, 90))
		add_load(percent(&g.dice, 70) ? vmcs : likely_vmcs());
}

static void add_invalidate(void)
{
	unsigned int reg = any_reg();
	bool ept = percent(&g.dice, 50);
	struct insn insn = ept ? INVEPT(reg) : INVVPID(reg);
	uint64_t type = percent(&g.dice, 85) ? pick(&g.dice, 5) : roll(&g.dice);
	uint64_t poke0 = ept ? baseline_value(EPT_POINTER) : 1 + pick(&g.dice, 3), poke1 = 0;
	uint64_t address = percent(&g.dice, 95) ? data_address() : faulting_address(false);
	struct op *op = new_op(OP_EXECUTE, "%s", "");

	if (percent(&g.dice, 20))
		poke0 ^= 1ull << pick(&g.dice, 64);
	if (percent(&g.dice, 30))
		poke1 = percent(&g.dice, 50) ? PAGE_AT(P_L2_DATA) : roll(&g.dice);
	maybe_other_mode(op);
	op->reg[0] = reg;
	op->value[0] = type;
	if (address >= PAGE_AT(P_DATA) && address < PAGE_AT(P_READ_ONLY) - 16 &&
	    address / 4096 != PAGE_AT(P_HOLE) / 4096 && address / 4096 == (address + 15) / 4096) {
		op->flags |= OP_MEMORY;
		op->address = address;
		op->poke[0] = poke0;
		op->poke[1] = poke1;
	}
	encode_memory(&g.dice, op, op - g.ops, &insn, address);
	snprintf(texts[g.nr - 1], TEXT_SIZE, "%s type %#lx of %#lx, %#lx at [%#lx]%s",
		 ept ? "INVEPT" : "INVVPID", type, poke0, poke1, address, mode_text(op));
}

static void add_bytes(const char *name, const char *bytes, unsigned int length)
{
	struct op *op = new_op(OP_EXECUTE, "%s", "");

	maybe_other_mode(op);
	encode_bytes(op, bytes, length);
	snprintf(texts[g.nr - 1], TEXT_SIZE, "%s%s", name, mode_text(op));
}

#define ADD_BYTES(_name, _bytes)	add_bytes(_name, _bytes, sizeof(_bytes) - 1)

static void add_port(const char *name, uint8_t port)
{
	add_bytes(name, (char []){ 0xe6, port }, 2);
	/* The mode would keep it from getting there. */
	g.ops[g.nr - 1].flags = 0;
}

static void add_vmx_operation(void)
{
	switch (pick(&g.dice, 4)) {
	case 0:
		ADD_BYTES("VMXOFF", "\x0f\x01\xc4");
		g.ops[g.nr - 1].flags |= exclude_vmxoff();
		if (percent(&g.dice, 30))
			add_single_access();
		break;
	case 1:
		add_pointer_insn("VMXON", &VMXON, false);
		return;
	}
	add_memory_insn("VMXON", &VMXON, PAGE_AT(P_VMXON), 0, "");
	add_load(g.current);
}

static void add_entry_insn(void)
{
	if (percent(&g.dice, 50))
		ADD_BYTES("VMLAUNCH", "\x0f\x01\xc2");
	else
		ADD_BYTES("VMRESUME", "\x0f\x01\xc3");
}

/* Something else in a field, an entry with it, and the field as it was. */
static void add_mutation(void)
{
	unsigned int nr = 1 + percent(&g.dice, 20);
	uint32_t field[2];

	for (unsigned int i = 0; i < nr; i++) {
		do {
			field[i] = any_field();
		} while (!baseline_has(field[i]));
		add_access(true, field[i], value_any(&g.dice, field[i]), 0);
	}
	add_run();
	for (unsigned int i = 0; i < nr; i++)
		add_access(true, field[i], baseline_value(field[i]), 0);
}

/* L2 gets an event, one that is valid or not. */
static void add_injection(void)
{
	static const uint8_t with_error[] = { 8, 10, 11, 12, 13, 14, 17 };
	static const uint8_t types[] = { 0, 2, 3, 4, 6, 7 };
	uint64_t type = types[pick(&g.dice, ARRAY_SIZE(types))];
	uint64_t vector = type == 2 ? 2 : pick(&g.dice, type == 3 ? 20 : 256);
	uint64_t info = 1u << 31 | type << 8 | vector;

	if (type == 3 && memchr(with_error, vector, sizeof(with_error)))
		info |= 1 << 11;
	if (percent(&g.dice, 10))
		info ^= 1u << pick(&g.dice, 32);
	add_access(true, VM_ENTRY_INTR_INFO_FIELD,
		   exclude_value(VM_ENTRY_INTR_INFO_FIELD, info), 0);
	if (percent(&g.dice, 50))
		add_access(true, VM_ENTRY_EXCEPTION_ERROR_CODE, pick(&g.dice, 0x10000), 0);
	add_access(true, VM_ENTRY_INSTRUCTION_LEN, pick(&g.dice, 18), 0);
	add_run();
	add_access(true, VM_ENTRY_INTR_INFO_FIELD, 0, 0);
}

static struct op *add_poke(uint64_t address, uint64_t value, const char *what)
{
	struct op *op = new_op(OP_POKE, "%s: [%#lx] = %#lx", what, address, value);

	op->address = address;
	op->poke[0] = value;
	return op;
}

/* What L2 has done without exits by now, maybe, is L1's again. */
static void add_closing(void)
{
	const struct l2_access *access = l2_any_access(&g.dice);
	uint64_t word;

	if (!access)
		return;
	word = PAGE_AT(access->write ? P_VMWRITE_BITMAP : P_VMREAD_BITMAP) +
	       (access->encoding & 0x7fff) / 64 * 8;
	add_poke(word, 0, "bitmap opened");
	add_run_of(access->block);
	add_run_of(access->block);
	add_poke(word, ~0ull, "bitmap closed");
	add_run_of(access->block);
}

/* Something that L1 keeps in memory for the processor. */
static void add_memory_change(void)
{
	unsigned int page, entry;
	const struct kn_field *field;
	uint64_t value;
	struct op *op;

	switch (pick(&g.dice, 8)) {
	case 0 ... 3:
		if (!the_state()->changes_ept12)
			break;
		page = percent(&g.dice, 75) ? P_L2_DATA + pick(&g.dice, 4) :
		       pick(&g.dice, NR_PAGES);
		value = percent(&g.dice, 70) ? pick(&g.dice, 256) : roll(&g.dice);
		if (percent(&g.dice, 80))
			value |= PAGE_AT(P_L2_DATA + pick(&g.dice, 4));
		op = add_poke(PAGE_AT(P_EPT_PT) + 8 * page, value, "EPT12 entry");
		op->flags |= exclude_stale_ept12();
		if (percent(&g.dice, 60))
			add_invalidate();
		break;
	case 4:
		entry = pick(&g.dice, 512);
		add_poke(PAGE_AT(P_EPT_PD) + 8 * (entry == 128 || entry == 2 ? 3 : entry),
			 (roll(&g.dice) & 0xfff) | (roll(&g.dice) & 0x3ff) << 21,
			 "EPT12 directory entry");
		break;
	case 5:
		if (percent(&g.dice, 50)) {
			add_closing();
			break;
		}
		add_poke(PAGE_AT(P_MSR_BITMAP + pick(&g.dice, 5)) + 8 * pick(&g.dice, 512),
			 percent(&g.dice, 50) ? roll(&g.dice) : -(uint64_t)pick(&g.dice, 2),
			 "bitmap");
		break;
	case 6:
		add_poke(PAGE_AT(P_L2_DATA) + 8 * pick(&g.dice, 4 * 512), roll(&g.dice), "data");
		break;
	default:
		/* Of a VMCS that may be active or not. */
		field = &kn_fields[pick(&g.dice, KN_NR_FIELDS)];
		value = exclude_value(field->encoding, value_any(&g.dice, field->encoding));
		page = P_VMCS + (percent(&g.dice, 50) ? g.playground : NR_VMCS - 1);
		if (field->offset % 8 == 0 && kn_field_mask(field) == ~0ull)
			add_poke(PAGE_AT(page) + field->offset, value, field->name);
	}
}

static void add_dump(void)
{
	unsigned int first = pick(&g.dice, KN_NR_FIELDS), nr = 4 + pick(&g.dice, 40);
	struct op *op = new_op(OP_DUMP, "VMREAD %u fields from %s on", nr, kn_fields[first].name);

	op->value[0] = first;
	op->value[1] = nr;
}

static void add_msr(void)
{
	struct op *op;
	uint32_t msr = percent(&g.dice, 80) ? 0x480 + pick(&g.dice, 0x13) : 0x3a;
	bool write = percent(&g.dice, 25);

	op = new_op(OP_EXECUTE, "%s %#x", write ? "WRMSR" : "RDMSR", msr);
	op->reg[0] = RCX;
	op->value[0] = msr;
	encode_bytes(op, write ? "\x0f\x30" : "\x0f\x32", 2);
}

static void add_prepare(unsigned int vmcs)
{
	struct op *op = new_op(OP_PREPARE, "prepare VMCS %u", vmcs);

	op->value[0] = vmcs;
	g.current = vmcs;
}

/* What happens to a VM as a whole. */
static void add_host_op(void)
{
	static const struct {
		const char *text;
		uint8_t port;
	} ports[] = {
		{ "user space: log the nested state", PORT_GET },
		{ "user space: save and restore", PORT_SAME },
		{ "user space: restore into a new VM", PORT_NEW },
		{ "the module: shadow off or on", PORT_SHADOW },
		{ "the module: shadow_l2 off or on", PORT_SHADOW_L2 },
	};
	unsigned int which = pick(&g.dice, ARRAY_SIZE(ports) + 1);

	if (which < ARRAY_SIZE(ports)) {
		add_port(ports[which].text, ports[which].port);
		return;
	}
	add_port("the module: enable off or on", PORT_ENABLE);
	add_run();
	add_port("the module: enable on or off", PORT_ENABLE);
	add_dump();
}

static void add_any(void)
{
	unsigned int chance = pick(&g.dice, 100);

	if (chance < 26)
		add_single_access();
	else if (chance < 38)
		add_loop();
	else if (chance < 50)
		add_run();
	else if (chance < 60)
		add_mutation();
	else if (chance < 63)
		add_injection();
	else if (chance < 69)
		add_load(likely_vmcs());
	else if (chance < 72)
		add_pointer_insn("VMPTRLD", &VMPTRLD, false);
	else if (chance < 75)
		add_clear();
	else if (chance < 77)
		add_memory_insn("VMPTRST over", &VMPTRST, roll(&g.dice), roll(&g.dice), "");
	else if (chance < 81)
		add_invalidate();
	else if (chance < 87)
		add_memory_change();
	else if (chance < 90)
		add_dump();
	else if (chance < 91)
		add_vmx_operation();
	else if (chance < 92)
		add_entry_insn();
	else if (chance < 93)
		add_msr();
	else if (chance < 95)
		add_prepare(pick(&g.dice, 2));
	else
		add_host_op();
}

static void choose_favourites(void)
{
	struct state *state = the_state();

	for (unsigned int i = 0; i < NR_FAVOURITE; i++) {
		/* A new value of the first ones has to get to VMCS02 in particular ways. */
		g.written[i] = inert[pick(&g.dice, percent(&g.dice, 45) ? NR_INDIRECT :
					   nr_inert)].field;
		/* What was written is read as well, now and then. */
		g.read[i] = percent(&g.dice, 40) ? g.written[pick(&g.dice, i + 1)] : any_field();
	}

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		bool always = kn_fields[i].encoding == VM_EXIT_REASON ||
			      kn_fields[i].encoding == EXIT_QUALIFICATION;
		bool about_exit = kn_field_is_read_only(&kn_fields[i]) ||
				  kn_fields[i].encoding == GUEST_RIP;

		if (always || percent(&g.dice, about_exit ? 60 : 5))
			state->exit_fields[i / 64] |= 1ull << i % 64;
	}
}

void program_make(uint64_t seed, const bool *keep)
{
	struct state *state = the_state();
	unsigned int length;

	memset(&g, 0, sizeof(g));
	g.dice.state = seed * 0xd1342543de82ef95ull + 1;
	roll(&g.dice);
	g.ops = (struct op *)PAGE_AT(P_PROGRAM);
	memset(g.ops, 0, MAX_OPS * sizeof(*g.ops));
	g.playground = 2 + pick(&g.dice, 2);

	state->writes_read_only = percent(&g.dice, 70);
	state->changes_ept12 = percent(&g.dice, 60);
	baseline_make(&g.dice);
	l2_code_make(&g.dice);
	choose_favourites();

	for (unsigned int i = 0; i < NR_REGS; i++)
		state->regs[i] = roll(&g.dice);
	for (unsigned int page = P_MSR_BITMAP; page <= P_VMWRITE_BITMAP; page++) {
		bool shadowing = page == P_VMREAD_BITMAP || page == P_VMWRITE_BITMAP;
		unsigned int chance = shadowing && percent(&g.dice, 50) ? 0 : pick(&g.dice, 4);
		uint64_t *words = (uint64_t *)PAGE_AT(page);

		/* None, all, or some of the bits. */
		for (unsigned int i = 0; i < 512; i++)
			words[i] = chance == 0 ? 0 : chance == 1 ? ~0ull : roll(&g.dice);
	}

	add_memory_insn("VMXON", &VMXON, PAGE_AT(P_VMXON), 0, "");
	add_prepare(1);
	add_prepare(0);
	length = 40 + pick(&g.dice, 60);
	while (g.nr < length)
		add_any();
	state->nr_ops = g.nr;

	for (unsigned int i = 0; i < g.nr; i++) {
		encode_slot(&g.ops[i], i);
		if (keep && !keep[i])
			g.ops[i].code = OP_NONE;
	}
}
