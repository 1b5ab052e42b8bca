// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMREAD and VMWRITE take every general-purpose register as either operand, and memory
 * operands of every addressing form of 64-bit mode: base, index, scale, displacement, relative to
 * RIP, with FS and GS bases, with 32-bit address size, and across pages.
 *
 * L1 assembles each instruction at run time, loads all registers, executes it, and checks that the
 * field or the operand changed, and no other register or byte did.
 */
#include "counter.h"
#include "l1.h"

#define PATTERN		0x0123456789abcdefull
#define HIGH_PAGE	0xffff900000000000ull
#define NEGATIVE_PAGE	0xffffffff80000000ull
#define PAIR_OF_PAGES	0x7000000000ull

#define FIELD		TSC_OFFSET	/* no hardware shadows it */
#define NR_GPRS		16
#define MARGIN		32		/* bytes checked on both sides of a memory operand */

enum {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
	NONE, RIP,
};

enum insn {
	VMREAD,
	VMWRITE,
};

struct form {
	uint8_t base;
	uint8_t index;
	uint8_t scale;		/* as encoded, 0 to 3 */
	uint8_t prefix;		/* segment override, or 0 */
	bool address32;
	int32_t displacement;
};

static const char * const names[][2 * NR_GPRS] = {
	[VMREAD] = {
#define ROW(_text, _reg)	_text " " #_reg
#define ROWS(_text)								\
	ROW(_text, RAX), ROW(_text, RCX), ROW(_text, RDX), ROW(_text, RBX),	\
	ROW(_text, RSP), ROW(_text, RBP), ROW(_text, RSI), ROW(_text, RDI),	\
	ROW(_text, R8), ROW(_text, R9), ROW(_text, R10), ROW(_text, R11),	\
	ROW(_text, R12), ROW(_text, R13), ROW(_text, R14), ROW(_text, R15)
		ROWS("VMREAD into"), ROWS("VMREAD into memory, base"),
	},
	[VMWRITE] = {
		ROWS("VMWRITE of"), ROWS("VMWRITE of memory, base"),
	},
};

static struct kn_check checks[2][2 * NR_GPRS];
KN_GROUP(&checks[0][0], 2 * 2 * NR_GPRS);

static uint64_t in[NR_GPRS], out[NR_GPRS];
static uint64_t saved_rsp, saved_rflags;
static uint64_t saved_fs, saved_gs;
static uint8_t memory[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t code[1024];
static uint8_t *next;

static void emit(unsigned int nr, ...)
{
	va_list bytes;

	va_start(bytes, nr);
	while (nr--)
		*next++ = va_arg(bytes, int);
	va_end(bytes);
}

static void emit32(uint32_t value)
{
	memcpy(next, &value, sizeof(value));
	next += sizeof(value);
}

/* MOV between @reg and 64 bits at the absolute address of @at. */
static void emit_mov(uint8_t opcode, uint8_t reg, const void *at)
{
	emit(4, 0x48 | (reg & 8) >> 1, opcode, (reg & 7) << 3 | 4, 0x25);
	emit32((uint64_t)at);
}

static void begin(void)
{
	next = code;
	emit_mov(0x89, RSP, &saved_rsp);
	emit(6, 0x68, 0xd7, 0x08, 0x00, 0x00, 0x9d);	/* push $0x8d7; popfq */
	for (uint8_t i = 0; i < NR_GPRS; i++)
		emit_mov(0x8b, i, &in[i]);
}

/* Executes what was assembled since begin(). */
static uint64_t finish(void)
{
	for (uint8_t i = 0; i < NR_GPRS; i++)
		emit_mov(0x89, i, &out[i]);
	emit_mov(0x8b, RSP, &saved_rsp);
	emit(4, 0x9c, 0x8f, 0x04, 0x25);		/* pushfq; pop saved_rflags */
	emit32((uint64_t)&saved_rflags);
	emit(1, 0xc3);

	asm volatile("push %%rbp\n\tcall *%0\n\tpop %%rbp" : : "r" (code)
		     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
		       "r14", "r15", "memory", "cc");
	return saved_rflags & KN_ALU_FLAGS;
}

static void emit_register_form(enum insn insn, uint8_t field, uint8_t reg)
{
	if (field >= R8 || reg >= R8)
		emit(1, 0x40 | (field & 8) >> 1 | reg >> 3);
	emit(3, 0x0f, 0x78 + insn, 0xc0 | (field & 7) << 3 | (reg & 7));
}

static void emit_memory_form(enum insn insn, uint8_t field, const struct form *form)
{
	bool byte = form->displacement >= -128 && form->displacement < 128;
	bool based = form->base < NR_GPRS;
	bool indexed = form->index < NR_GPRS;
	uint8_t mod = !based ? 0 : byte ? 0x40 : 0x80;
	uint8_t base = based ? form->base & 7 : 5;
	uint8_t index = indexed ? form->index & 7 : 4;
	uint8_t rex = (field & 8) >> 1;

	if (based)
		rex |= form->base >> 3;
	if (indexed)
		rex |= (form->index & 8) >> 2;
	if (form->prefix)
		emit(1, form->prefix);
	if (form->address32)
		emit(1, 0x67);
	if (rex)
		emit(1, 0x40 | rex);
	emit(2, 0x0f, 0x78 + insn);

	if (form->base == RIP) {
		emit(1, (field & 7) << 3 | 5);
		emit32(form->displacement);
		return;
	}
	if (based && !indexed && base != 4)
		emit(1, mod | (field & 7) << 3 | base);
	else
		emit(2, mod | (field & 7) << 3 | 4, form->scale << 6 | index << 3 | base);
	if (mod == 0x40)
		emit(1, form->displacement);
	else
		emit32(form->displacement);
}

static void fill_gprs(void)
{
	for (unsigned int i = 0; i < NR_GPRS; i++)
		in[i] = 0x1111111111111111ull * i + 7;
}

static void expect_gprs(struct kn_check *check, unsigned int but, uint64_t at)
{
	for (unsigned int i = 0; i < NR_GPRS; i++)
		if (i != but)
			kn_expect_at(check, "another register", out[i], in[i], at << 8 | i);
}

static void check_registers(void)
{
	for (uint8_t reg = 0; reg < NR_GPRS; reg++) {
		struct kn_check *read = &checks[VMREAD][reg], *write = &checks[VMWRITE][reg];

		for (uint8_t field = 0; field < NR_GPRS; field++) {
			vmwrite(FIELD, PATTERN + field);
			fill_gprs();
			in[field] = FIELD;
			begin();
			emit_register_form(VMREAD, field, reg);
			kn_expect_at(read, "flags", finish(), VM_SUCCEED, field);
			kn_expect_at(read, "value", out[reg], PATTERN + field, field);
			expect_gprs(read, reg, field);

			fill_gprs();
			in[reg] = ~PATTERN - field;
			in[field] = FIELD;
			begin();
			emit_register_form(VMWRITE, field, reg);
			kn_expect_at(write, "flags", finish(), VM_SUCCEED, field);
			kn_expect_at(write, "value", vmreadz(FIELD), in[reg], field);
			expect_gprs(write, NONE, field);
		}
	}
}

/* The address that @form means with the registers of @in, without a segment's base. */
static uint64_t effective_address(const struct form *form)
{
	uint64_t address = form->displacement;

	if (form->base < NR_GPRS)
		address += in[form->base];
	if (form->index < NR_GPRS)
		address += in[form->index] << form->scale;
	return form->address32 ? (uint32_t)address : address;
}

/* Executes both instructions with the operand of @form, which lies at @operand. */
static void check_form(struct kn_check *read, struct kn_check *write, const struct form *form,
		       uint8_t *operand, uint64_t at)
{
	uint8_t field = RAX;
	uint64_t value;

	/* A register that is not part of the address; RSP and RBP have their turns as well. */
	while (field == form->base || field == form->index)
		field = (field + 5) % NR_GPRS;
	in[field] = FIELD;

	memset(operand - MARGIN, 0xee, 2 * MARGIN + 8);
	vmwrite(FIELD, PATTERN ^ at);
	begin();
	emit_memory_form(VMREAD, field, form);
	kn_expect_at(read, "flags", finish(), VM_SUCCEED, at);
	memcpy(&value, operand, sizeof(value));
	kn_expect_at(read, "value", value, PATTERN ^ at, at);
	for (int i = -MARGIN; i < MARGIN + 8; i++)
		if (i < 0 || i >= 8)
			kn_expect_at(read, "memory beside it", operand[i], 0xee, at);
	expect_gprs(read, NONE, at);

	value = ~PATTERN ^ at;
	memcpy(operand, &value, sizeof(value));
	begin();
	emit_memory_form(VMWRITE, field, form);
	kn_expect_at(write, "flags", finish(), VM_SUCCEED, at);
	kn_expect_at(write, "value", vmreadz(FIELD), value, at);
	expect_gprs(write, NONE, at);
}

static void check_base_and_index(void)
{
	static const int32_t displacements[] = { 0, 8, -128, 127, 0x12345678, -0x2345678 };
	uint64_t centre = (uint64_t)memory + PAGE_SIZE / 2;

	for (uint8_t base = 0; base < NR_GPRS; base++) {
		for (uint8_t index = 0; index <= NONE; index++) {
			if (index == RSP)
				continue;
			for (uint8_t i = 0; i < 4 * ARRAY_SIZE(displacements); i++) {
				struct form form = {
					.base = base, .index = index, .scale = i & 3,
					.displacement = displacements[i >> 2],
				};

				fill_gprs();
				if (index == base) {
					in[base] = (centre - form.displacement) /
						   (1 + (1 << form.scale));
				} else {
					in[base] = centre - form.displacement;
					if (index != NONE)
						in[base] -= in[index] << form.scale;
				}
				check_form(&checks[VMREAD][NR_GPRS + base],
					   &checks[VMWRITE][NR_GPRS + base], &form,
					   (uint8_t *)effective_address(&form), index << 8 | i);
			}
		}
	}
}

/* Both instructions have one check for each of these forms. */
#define CHECK_FORM(_name, _form, _operand, _at)					\
	check_form(KN_SITE("VMREAD into memory, " _name),			\
		   KN_SITE("VMWRITE of memory, " _name), _form, _operand, _at)

static void check_without_base(void)
{
	uint8_t *operand = memory + PAGE_SIZE / 2;
	struct form form;

	for (uint8_t index = 0; index < NR_GPRS; index++) {
		if (index == RSP)
			continue;
		for (uint8_t scale = 0; scale < 4; scale++) {
			fill_gprs();
			in[index] = 0x100 + index;
			form = (struct form){ .base = NONE, .index = index, .scale = scale };
			form.displacement = (uint64_t)operand - (in[index] << scale);
			CHECK_FORM("index without base", &form, operand, index << 8 | scale);
		}
	}

	fill_gprs();
	form = (struct form){ .base = NONE, .index = NONE, .displacement = (uint64_t)operand };
	CHECK_FORM("absolute", &form, operand, 0);
	form.displacement = (int32_t)(NEGATIVE_PAGE + 0x100);
	CHECK_FORM("absolute and negative", &form, (uint8_t *)NEGATIVE_PAGE + 0x100, 0);

	/* The field is in RAX: 0F 78 05 and the displacement, seven bytes. */
	begin();
	form = (struct form){ .base = RIP, .index = NONE };
	form.displacement = (uint64_t)operand - (uint64_t)(next + 7);
	CHECK_FORM("relative to RIP", &form, operand, 0);
}

static void check_segments(void)
{
	static const uint8_t overrides[] = { 0x26, 0x2e, 0x36, 0x3e };
	uint8_t *operand = memory + PAGE_SIZE / 2;
	struct form form = { .base = RBX, .index = RSI, .scale = 1, .displacement = 0x40 };

	fill_gprs();
	in[RBX] = (uint64_t)operand - 0x40 - 2 * in[RSI];
	for (unsigned int i = 0; i < sizeof(overrides); i++) {
		form.prefix = overrides[i];
		CHECK_FORM("ES, CS, SS, DS override", &form, operand, i);
	}

	/* A base so far up that the rest of the address has to wrap. */
	in[RBX] = 0x1000;
	in[RSI] = 0x2000;
	form.prefix = 0x64;
	wrmsr(MSR_FS_BASE, (uint64_t)operand - 0x5040);
	CHECK_FORM("FS override", &form, operand, 0);
	in[RBX] = (uint64_t)operand - HIGH_PAGE - 0x4040;
	wrmsr(MSR_FS_BASE, HIGH_PAGE);
	CHECK_FORM("FS override, wrapping", &form, operand, 0);
	wrmsr(MSR_FS_BASE, saved_fs);

	in[RBX] = 0x1000;
	form.prefix = 0x65;
	wrmsr(MSR_GS_BASE, (uint64_t)operand - 0x5040);
	CHECK_FORM("GS override", &form, operand, 0);

	/* The address is cut to 32 bits before the base is added. */
	form.address32 = true;
	in[RBX] = 0xffffffffffff1000ull;
	in[RSI] = 0xabcd000000002000ull;
	wrmsr(MSR_GS_BASE, (uint64_t)operand - 0xffff5040);
	CHECK_FORM("GS override, 32-bit address size", &form, operand, 0);
	wrmsr(MSR_GS_BASE, saved_gs);
}

static void check_address_size(void)
{
	uint8_t *operand = memory + PAGE_SIZE / 2;
	struct form form = { .index = NONE, .address32 = true, .displacement = -0x40 };

	for (uint8_t base = 0; base < NR_GPRS; base++) {
		fill_gprs();
		in[base] = ((uint64_t)operand + 0x40) | 0xdead000000000000ull;
		form.base = base;
		CHECK_FORM("32-bit address size", &form, operand, base);
	}

	fill_gprs();
	form = (struct form){ .base = RDX, .index = R9, .scale = 3, .address32 = true,
			      .displacement = (uint64_t)operand + 0x80 };
	in[RDX] = 0xffffff80;
	in[R9] = 0x20000000;
	CHECK_FORM("32-bit address size, wrapping", &form, operand, 0);
}

static void check_places(void)
{
	struct form form = { .base = R8, .index = NONE };

	fill_gprs();
	for (unsigned int i = 0; i < 8; i++) {
		in[R8] = (uint64_t)memory + PAGE_SIZE / 2 + i;
		CHECK_FORM("unaligned", &form, (uint8_t *)in[R8], i);
		in[R8] = PAIR_OF_PAGES + PAGE_SIZE - i;
		CHECK_FORM("across two pages that are apart", &form, (uint8_t *)in[R8], i);
	}
	in[R8] = HIGH_PAGE + 0x100;
	CHECK_FORM("in the upper half", &form, (uint8_t *)in[R8], 0);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	saved_fs = rdmsr(MSR_FS_BASE);
	saved_gs = rdmsr(MSR_GS_BASE);
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));

	check_registers();
	check_base_and_index();
	check_without_base();
	check_segments();
	check_address_size();
	check_places();
	GUEST_DONE();
}

static void map_pages(struct kvm_vm *vm)
{
	vm_paddr_t gpa[4];

	for (unsigned int i = 0; i < ARRAY_SIZE(gpa); i++)
		gpa[i] = vm_phy_page_alloc(vm, KVM_UTIL_MIN_VADDR, 0);
	virt_pg_map(vm, HIGH_PAGE, gpa[0]);
	virt_pg_map(vm, PAIR_OF_PAGES, gpa[3]);
	virt_pg_map(vm, PAIR_OF_PAGES + PAGE_SIZE, gpa[1]);
	virt_pg_map(vm, NEGATIVE_PAGE, gpa[2]);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	map_pages(vm);
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int j = 0; j < 2 * NR_GPRS; j++)
			checks[i][j].name = names[i][j];

	kn_run(vcpu);

	KN_COUNTED(vm, "vmread.TSC_OFFSET", 6000);
	KN_COUNTED(vm, "vmwrite.TSC_OFFSET", 12000);
	KN_COUNTED(vm, "exit.VMREAD.module", 12000);
	KN_COUNTED(vm, "exit.VMWRITE.module", 12000);
	kn_finish(vm);
}
