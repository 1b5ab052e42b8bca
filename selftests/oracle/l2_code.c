// SPDX-License-Identifier: GPL-2.0-only
/*
 * What L2 executes: blocks of a few instructions, each in a slot with its registers' values before
 * it and a jump to the next slot behind it. A block ends with VMCALL.
 */
#include <asm/msr-index.h>
#include <stdio.h>
#include <string.h>

#include "field.h"
#include "program.h"

#define NR_SLOTS	(L2_BLOCK_SIZE / L2_SLOT_SIZE)

static uint8_t *end;		/* of the slot's code so far */
static char text[NR_L2_BLOCKS][NR_SLOTS][80];

/* Fields that this L2 comes back to, so that they join its shadow VMCS. */
#define NR_OFTEN_USED	6
static unsigned int often_used[NR_OFTEN_USED];

static struct l2_access accesses[NR_L2_BLOCKS * NR_SLOTS];
static unsigned int nr_accesses;

static const uint32_t msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK,
	MSR_EFER, MSR_IA32_CR_PAT, MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,
	MSR_IA32_SYSENTER_EIP, MSR_IA32_DEBUGCTLMSR, MSR_IA32_MISC_ENABLE, MSR_IA32_APICBASE,
	MSR_IA32_FEAT_CTL, MSR_IA32_VMX_BASIC, MSR_IA32_VMX_MISC, MSR_IA32_XSS, 0x12345678,
	0x1fff, 0xc0001fff, 0x808,
};

static void byte(uint8_t value)
{
	*end++ = value;
}

static void bytes(const char *values, unsigned int length)
{
	memcpy(end, values, length);
	end += length;
}

#define BYTES(_values)	bytes(_values, sizeof(_values) - 1)

/* MOV with an immediate of 64 bits. */
static void load(unsigned int reg, uint64_t value)
{
	byte(0x48 | reg >> 3);
	byte(0xb8 | (reg & 7));
	memcpy(end, &value, 8);
	end += 8;
}

static uint64_t address(struct dice *dice)
{
	switch (pick(dice, 12)) {
	case 0:
		return PAGE_AT(P_HOLE);
	case 1:
		return PAGE_AT(P_READ_ONLY) + 8 * pick(dice, 512);
	case 2:
		return PAGE_AT(P_APIC_ACCESS) + 0x10 * pick(dice, 64);
	case 3:
		return PAGE_AT(P_NO_MEMORY) + 8 * pick(dice, 512);
	case 4:
		return 0x800000000000ull << pick(dice, 8);
	case 5:
		return PAGE_AT(P_L2_DATA) + 0x1000 * (1 + pick(dice, 3)) - 4;
	default:
		return PAGE_AT(P_L2_DATA) + 8 * pick(dice, 4 * 512);
	}
}

static uint32_t use_msr(struct dice *dice)
{
	uint32_t msr = msrs[pick(dice, ARRAY_SIZE(msrs))];

	load(RCX, msr);
	return msr;
}

static void control_register(struct dice *dice, char *name)
{
	static const uint8_t numbers[] = { 0, 3, 4, 8 };
	unsigned int number = numbers[pick(dice, 4)], reg = 2 + pick(dice, 2);
	uint64_t value = number == 0 ? baseline_value(GUEST_CR0) :
			 number == 3 ? baseline_value(GUEST_CR3) :
			 number == 4 ? baseline_value(GUEST_CR4) : pick(dice, 20);

	if (percent(dice, 60)) {
		if (percent(dice, 40))
			value ^= 1ull << pick(dice, 34);
		load(reg, value);
		sprintf(name, "MOV %#lx to CR%u", value, number);
	} else {
		sprintf(name, "MOV from CR%u", number);
	}
	if (number == 8)
		byte(0x44);
	BYTES("\x0f");
	byte(strstr(name, "from") ? 0x20 : 0x22);
	byte(0xc0 | (number & 7) << 3 | reg);
}

static void read_cr4(char *name)
{
	BYTES("\x0f\x20\xe2");
	sprintf(name, "MOV from CR4");
}

/* NULL if there is none. */
const struct l2_access *l2_any_access(struct dice *dice)
{
	return nr_accesses ? &accesses[pick(dice, nr_accesses)] : NULL;
}

static void vmcs_access(struct dice *dice, unsigned int block, char *name)
{
	unsigned int often = often_used[pick(dice, NR_OFTEN_USED)];
	const struct kn_field *field = &kn_fields[percent(dice, 60) ? often :
						  pick(dice, KN_NR_FIELDS)];
	uint64_t encoding = field->encoding;
	bool in_register = percent(dice, 50) || exclude_l2_operands();
	bool write = percent(dice, 50);
	uint64_t operand;

	if (percent(dice, 12))
		encoding ^= 1ull << (10 + pick(dice, 30));
	do {
		operand = percent(dice, 70) ? PAGE_AT(P_L2_DATA) + 8 * pick(dice, 512) :
					      address(dice);
	} while (exclude_l2_operand(operand));
	load(RAX, encoding);
	load(RBX, operand);
	sprintf(name, "%s %#lx (%s)", write ? "VMWRITE" : "VMREAD", encoding, field->name);
	/* To and from RBX, or what it points to. */
	BYTES("\x0f");
	byte(write ? 0x79 : 0x78);
	byte((in_register ? 0xc0 : 0) | RAX << 3 | RBX);
	accesses[nr_accesses++] = (struct l2_access){ block, encoding, write };
}

static void port(struct dice *dice, char *name)
{
	static const uint8_t ports[] = { PORT_GET, PORT_SAME, PORT_NEW, PORT_SHADOW, PORT_SHADOW_L2,
					 PORT_ENABLE };
	unsigned int number = PORT_OTHER + pick(dice, 64);
	bool in = percent(dice, 40);

	if (percent(dice, 12)) {
		number = ports[pick(dice, ARRAY_SIZE(ports))];
		in = false;
	}
	load(RAX, number);
	sprintf(name, "%s port %#x", in ? "IN" : "OUT", number);
	byte(in ? 0xe4 : 0xe6);
	byte(number);
}

static const struct {
	const char *name;
	uint8_t length;
	const char *code;
} plain[] = {
#define PLAIN(_name, _code) { _name, sizeof(_code) - 1, _code }
	PLAIN("HLT", "\xf4"),
	PLAIN("PAUSE", "\xf3\x90"),
	PLAIN("INVD", "\x0f\x08"),
	PLAIN("WBINVD", "\x0f\x09"),
	PLAIN("UD2", "\x0f\x0b"),
	PLAIN("INT3", "\xcc"),
	PLAIN("INT 0x20", "\xcd\x20"),
	PLAIN("CLTS", "\x0f\x06"),
	PLAIN("SMSW EAX", "\x0f\x01\xe0"),
	PLAIN("LMSW DX", "\x0f\x01\xf2"),
	PLAIN("MOV from DR7", "\x0f\x21\xf8"),
	PLAIN("SLDT [RBX]", "\x0f\x00\x03"),
	PLAIN("STR [RBX]", "\x0f\x00\x0b"),
	PLAIN("SGDT [RBX]", "\x0f\x01\x03"),
	PLAIN("LLDT [RBX]", "\x0f\x00\x13"),
	PLAIN("INVLPG [RBX]", "\x0f\x01\x3b"),
	PLAIN("MONITOR", "\x0f\x01\xc8"),
	PLAIN("MWAIT", "\x0f\x01\xc9"),
	PLAIN("XGETBV", "\x0f\x01\xd0"),
	PLAIN("XSETBV", "\x0f\x01\xd1"),
	PLAIN("VMFUNC", "\x0f\x01\xd4"),
	PLAIN("SWAPGS", "\x0f\x01\xf8"),
	PLAIN("MOV AX to SS", "\x8e\xd0"),
	PLAIN("MOV SI to ES", "\x8e\xc6"),
	PLAIN("STI", "\xfb"),
	PLAIN("CLI", "\xfa"),
	PLAIN("VMXOFF", "\x0f\x01\xc4"),
	PLAIN("VMLAUNCH", "\x0f\x01\xc2"),
	PLAIN("VMRESUME", "\x0f\x01\xc3"),
	PLAIN("VMPTRLD [RBX]", "\x0f\xc7\x33"),
	PLAIN("VMCLEAR [RBX]", "\x66\x0f\xc7\x33"),
	PLAIN("VMPTRST [RBX]", "\x0f\xc7\x3b"),
	PLAIN("VMXON [RBX]", "\xf3\x0f\xc7\x33"),
	PLAIN("INVEPT [RBX]", "\x66\x0f\x38\x80\x03"),
	PLAIN("INVVPID [RBX]", "\x66\x0f\x38\x81\x03"),
	PLAIN("INVPCID [RBX]", "\x66\x0f\x38\x82\x03"),
	PLAIN("PUSH RAX", "\x50"),
	PLAIN("POPF", "\x9d"),
};

static void plain_insn(struct dice *dice, char *name)
{
	unsigned int which = pick(dice, ARRAY_SIZE(plain));

	load(RAX, percent(dice, 70) ? SEL_DATA : pick(dice, 0x50));
	load(RBX, address(dice));
	if (percent(dice, 50))
		load(RCX, pick(dice, 3));
	else
		load(RDX, 0);
	bytes(plain[which].code, plain[which].length);
	sprintf(name, "%s", plain[which].name);
}

static void memory(struct dice *dice, char *name)
{
	bool write = percent(dice, 50);
	uint64_t where = address(dice);

	load(RBX, where);
	load(RDX, roll(dice));
	/* MOV between RDX and [RBX]. */
	BYTES("\x48");
	byte(write ? 0x89 : 0x8b);
	byte(RDX << 3 | RBX);
	sprintf(name, "%s %#lx", write ? "write" : "read", where);
}

/* What is loaded differs from what the baseline has in the segment. */
static void segment_load(struct dice *dice, char *name)
{
	static const uint8_t selectors[] = { 0, SEL_DATA, SEL_USER_DATA };
	static const uint8_t segments[] = { 0, 3, 4, 5 };	/* ES, DS, FS, GS */
	unsigned int segment = segments[pick(dice, 4)], selector = selectors[pick(dice, 3)];

	load(RAX, selector);
	BYTES("\x8e");
	byte(0xc0 | segment << 3 | RAX);
	sprintf(name, "MOV %#x to segment %u", selector, segment);
}

static void make_insn(struct dice *dice, unsigned int block, char *name)
{
	uint32_t msr;

	switch (pick(dice, 26)) {
	case 20 ... 22:
		segment_load(dice, name);
		break;
	case 0 ... 3:
		load(RAX, pick(dice, 0x20));
		load(RCX, pick(dice, 2));
		BYTES("\x0f\xa2");
		sprintf(name, "CPUID");
		break;
	case 4:
		msr = use_msr(dice);
		BYTES("\x0f\x32");
		sprintf(name, "RDMSR %#x", msr);
		break;
	case 5:
		load(RAX, percent(dice, 60) ? roll(dice) & 0xfff : (uint32_t)roll(dice));
		load(RDX, percent(dice, 70) ? 0 : (uint32_t)roll(dice));
		msr = use_msr(dice);
		BYTES("\x0f\x30");
		sprintf(name, "WRMSR %#x", msr);
		break;
	case 6 ... 7:
		control_register(dice, name);
		break;
	case 8 ... 10:
	case 23 ... 25:
		if (exclude_vmcs_access())
			break;
		vmcs_access(dice, block, name);
		break;
	case 11 ... 12:
		port(dice, name);
		break;
	case 13 ... 15:
		memory(dice, name);
		break;
	default:
		plain_insn(dice, name);
	}
}

uint64_t l2_block(unsigned int block)
{
	return PAGE_AT(P_L2_CODE) + block * L2_BLOCK_SIZE;
}

void l2_code_make(struct dice *dice)
{
	nr_accesses = 0;
	for (unsigned int i = 0; i < NR_OFTEN_USED; i++)
		often_used[i] = pick(dice, KN_NR_FIELDS);

	for (unsigned int block = 0; block < NR_L2_BLOCKS; block++) {
		unsigned int nr = 1 + pick(dice, NR_SLOTS - 1);

		memset((void *)l2_block(block), 0x90, L2_BLOCK_SIZE);
		for (unsigned int slot = 0; slot < NR_SLOTS; slot++) {
			uint8_t *start = (uint8_t *)l2_block(block) + slot * L2_SLOT_SIZE;

			end = start;
			text[block][slot][0] = '\0';
			if (slot < nr) {
				/* What a changed CR4_GUEST_HOST_MASK shows in. */
				if (!slot && percent(dice, 30))
					read_cr4(text[block][slot]);
				/* What VMCS12 has to get from VMCS02, and seldom at once. */
				else if (!slot && percent(dice, 50))
					segment_load(dice, text[block][slot]);
				else
					make_insn(dice, block, text[block][slot]);
				byte(0xeb);
				byte(L2_SLOT_SIZE - (end + 1 - start));
			} else {
				BYTES("\x0f\x01\xc1\xeb\xfb");
			}
		}
	}
}

void l2_code_show(unsigned int block)
{
	for (unsigned int slot = 0; slot < NR_SLOTS; slot++)
		if (text[block][slot][0])
			printf("          L2 %#lx: %s\n", l2_block(block) + slot * L2_SLOT_SIZE,
			       text[block][slot]);
}
