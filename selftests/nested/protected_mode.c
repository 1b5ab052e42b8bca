// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify VMREAD and VMWRITE of an L1 in 32-bit protected mode: 32-bit operands, 16-bit and 32-bit
 * addressing, segment bases, types and limits; and that VMX instructions raise #UD in virtual-8086
 * and in real mode, and #GP at CPL 3.
 *
 * User space drives the vCPU one instruction at a time: it sets the registers, lets the instruction
 * and an OUT behind it run, and looks at the registers and the memory.
 */
#include "field.h"
#include "shadow.h"

enum {
	PORT_DONE = 0x21,
	PORT_FAULT = 0x22,	/* the vector in AL */
};

/* Guest-physical addresses; linear ones are the same. */
enum {
	IVT = 0x0000,
	GDT = 0x1000,
	IDT = 0x2000,
	HANDLERS = 0x3000,
	CODE = 0x4000,
	PAGE_DIRECTORY = 0x5000,
	STACK = 0x7000,
	TSS = 0x7000,
	VMXON_REGION = 0x8000,
	VMCS = 0x9000,
	POINTERS = 0xa000,
	DATA = 0x10000,			/* 64 KiB */
	MEMORY_SIZE = 0x400000,
};

#define ALIAS		0x3fc00000u	/* linear, of all memory; nothing is mapped behind it */
#define UNMAPPED	0x40000000u

#define FIELD		TSC_OFFSET	/* no hardware shadows it */
#define FILL		0xee
#define RFLAGS_VM	BIT(17)

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct kvm_sregs flat;		/* 32-bit protected mode, flat segments, CPL 0 */
static struct kvm_regs regs;		/* before, and then after, an instruction */
static uint32_t fault_error_code;

struct stub {
	const void *code;
	uint64_t size;
};

/* @_insn, assembled for @_mode, with an OUT to PORT_DONE behind it. */
#define STUB(_mode, _insn)							\
({										\
	struct stub __stub;							\
										\
	asm(".pushsection .rodata\n\t"						\
	    _mode "\n"								\
	    "771:\t" _insn "\n\t"						\
	    "out %%al, %[port]\n"						\
	    "772:\n\t"								\
	    ".code64\n\t"							\
	    ".popsection\n\t"							\
	    "mov $771b, %[code]\n\t"						\
	    "mov $(772b - 771b), %[size]"					\
	    : [code] "=r" (__stub.code), [size] "=r" (__stub.size)		\
	    : [port] "i" (PORT_DONE));						\
	__stub;									\
})

#define CODE32(_insn)	STUB(".code32", _insn)
#define CODE16(_insn)	STUB(".code16", _insn)

static void *memory(uint32_t gpa)
{
	return addr_gpa2hva(vm, gpa);
}

static uint32_t get32(uint32_t gpa)
{
	return *(uint32_t *)memory(gpa);
}

/* Executes @stub with the registers of regs in the mode of @sregs. */
static uint64_t execute(struct stub stub, const struct kvm_sregs *sregs)
{
	struct kvm_sregs mode = *sregs;

	memcpy(memory(CODE), stub.code, stub.size);
	regs.rip = CODE;
	regs.rsp = STACK;
	regs.rflags |= KN_ALU_FLAGS | 2;
	vcpu_sregs_set(vcpu, &mode);
	vcpu_regs_set(vcpu, &regs);

	vcpu_run(vcpu);
	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO, "exit reason %s",
		    exit_reason_str(vcpu->run->exit_reason));
	vcpu_run_complete_io(vcpu);
	vcpu_regs_get(vcpu, &regs);

	if (vcpu->run->io.port == PORT_FAULT) {
		fault_error_code = get32(regs.rsp);
		return VM_FAULT((uint8_t)regs.rax);
	}
	TEST_ASSERT(vcpu->run->io.port == PORT_DONE, "port %#x", vcpu->run->io.port);
	return regs.rflags & KN_ALU_FLAGS;
}

/* The same with just the registers named, as in RUN(stub, sregs, .rax = 1). */
#define RUN(_stub, _sregs, ...)							\
({										\
	regs = (struct kvm_regs){ __VA_ARGS__ };				\
	execute(_stub, _sregs);							\
})

static uint64_t write_field(uint32_t field, uint32_t value)
{
	return RUN(CODE32("vmwrite %%eax, %%ecx"), &flat, .rax = value, .rcx = field);
}

static uint64_t read_field(uint32_t field)
{
	uint64_t outcome = RUN(CODE32("vmread %%ecx, %%eax"), &flat, .rax = ~0ull, .rcx = field);

	return outcome == VM_SUCCEED ? regs.rax : ~0ull;
}

static void set_pde(uint32_t linear, uint32_t entry)
{
	((uint32_t *)memory(PAGE_DIRECTORY))[linear >> 22] = entry;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.selector = selector, .limit = 0xffffffff, .type = type, .present = 1, .db = 1,
		.s = 1, .g = 1,
	};
}

static uint64_t descriptor(uint8_t type_byte)
{
	return 0x00cf00000000ffffull | (uint64_t)type_byte << 40;
}

static void create_tables(void)
{
	uint64_t *gdt = memory(GDT), *idt = memory(IDT);
	uint32_t *ivt = memory(IVT), *tss = memory(TSS);
	uint8_t *handlers = memory(HANDLERS);

	/* Code and data of CPL 0, which exceptions load; the rest comes by KVM_SET_SREGS. */
	gdt[1] = descriptor(0x9b);
	gdt[2] = descriptor(0x93);
	tss[1] = STACK - 0x100;		/* ESP0 */
	tss[2] = 2 * 8;			/* SS0 */

	/* Each handler is MOV vector, AL; OUT AL, PORT_FAULT: the same bytes in 16-bit code. */
	for (uint32_t i = 0; i < 32; i++) {
		uint32_t handler = HANDLERS + 8 * i;

		memcpy(handlers + 8 * i, (uint8_t []){ 0xb0, i, 0xe6, PORT_FAULT, 0xf4 }, 5);
		idt[i] = (handler & 0xffff) | 1 * 8 << 16 | 0x8e00ull << 32;
		ivt[i] = handler;
	}

	/* Pages of 4 MiB, also for CPL 3: memory at its place and at ALIAS. */
	set_pde(0, 0x87);
	set_pde(ALIAS, 0x87);

	*(uint32_t *)memory(VMXON_REGION) = vcpu_get_msr(vcpu, MSR_IA32_VMX_BASIC);
	*(uint32_t *)memory(VMCS) = vcpu_get_msr(vcpu, MSR_IA32_VMX_BASIC);
	((uint64_t *)memory(POINTERS))[0] = VMXON_REGION;
	((uint64_t *)memory(POINTERS))[1] = VMCS;
	((uint64_t *)memory(POINTERS))[2] = 0x5555555555555555ull;
}

static void create_vm(void)
{
	vm = vm_create_barebones();
	/* A page more than is mapped, to see that nothing is written there. */
	vm_userspace_mem_region_add(vm, DEFAULT_VM_MEM_SRC, 0, 0, MEMORY_SIZE / PAGE_SIZE + 1, 0);
	vcpu = __vm_vcpu_add(vm, 0);
	vcpu_init_cpuid(vcpu, kvm_get_supported_cpuid());
	vcpu_set_msr(vcpu, MSR_IA32_FEAT_CTL, FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	create_tables();
	vcpu_sregs_get(vcpu, &flat);
}

static void enter_protected_mode(void)
{
	flat.cs = segment(1 * 8, 0xb);
	flat.ds = flat.es = flat.fs = flat.gs = flat.ss = segment(2 * 8, 3);
	flat.tr = (struct kvm_segment){
		.selector = 3 * 8, .base = TSS, .limit = 0x67, .type = 0xb, .present = 1,
	};
	flat.ldt = (struct kvm_segment){ .unusable = 1 };
	flat.gdt = (struct kvm_dtable){ .base = GDT, .limit = 0x1f };
	flat.idt = (struct kvm_dtable){ .base = IDT, .limit = 32 * 8 - 1 };
	flat.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_ET | X86_CR0_PG;
	flat.cr3 = PAGE_DIRECTORY;
	flat.cr4 = X86_CR4_PSE | X86_CR4_VMXE;
	flat.efer = 0;
}

static void check_pointers(void)
{
	KN_CHECK_EQ("VMXON", RUN(CODE32("vmxon (%%ebx)"), &flat, .rbx = POINTERS), VM_SUCCEED);
	KN_CHECK_EQ("VMREAD without a current VMCS: VMfailInvalid",
		    RUN(CODE32("vmread %%ecx, %%eax"), &flat, .rcx = FIELD), VM_FAIL_INVALID);
	KN_CHECK_EQ("VMCLEAR", RUN(CODE32("vmclear (%%ebx)"), &flat, .rbx = POINTERS + 8),
		    VM_SUCCEED);
	KN_CHECK_EQ("VMPTRLD", RUN(CODE32("vmptrld (%%ebx)"), &flat, .rbx = POINTERS + 8),
		    VM_SUCCEED);
	KN_CHECK_EQ("VMPTRST", RUN(CODE32("vmptrst (%%ebx)"), &flat, .rbx = POINTERS + 16),
		    VM_SUCCEED);
	KN_CHECK_EQ("VMPTRST stores eight bytes", ((uint64_t *)memory(POINTERS))[2], VMCS);
}

static void check_width(void)
{
	write_field(GUEST_ES_SELECTOR, 0x87654321);
	KN_CHECK_EQ("a 16-bit field", read_field(GUEST_ES_SELECTOR), 0x4321);
	write_field(PAGE_FAULT_ERROR_CODE_MASK, 0x87654321);
	KN_CHECK_EQ("a 32-bit field", read_field(PAGE_FAULT_ERROR_CODE_MASK), 0x87654321);
	write_field(FIELD, 0x11111111);
	write_field(TSC_OFFSET_HIGH, 0x22222222);
	KN_CHECK_EQ("the lower half of a 64-bit field", read_field(FIELD), 0x11111111);
	KN_CHECK_EQ("the upper half of a 64-bit field", read_field(TSC_OFFSET_HIGH), 0x22222222);
	write_field(FIELD, 0x33333333);
	KN_CHECK_EQ("VMWRITE to a 64-bit field clears its upper half",
		    read_field(TSC_OFFSET_HIGH), 0);
	write_field(GUEST_RIP, 0x87654321);
	KN_CHECK_EQ("a natural-width field", read_field(GUEST_RIP), 0x87654321);
	/* Nothing of a register above bit 31 counts. */
	KN_CHECK_EQ("VMWRITE ignores the upper halves of registers",
		    RUN(CODE32("vmwrite %%eax, %%ecx"), &flat, .rax = 0xdeadbeef44444444ull,
			.rcx = 0xdeadbeef00000000ull | HOST_RSP), VM_SUCCEED);
	RUN(CODE32("vmclear (%%ebx)"), &flat, .rbx = POINTERS + 8);
	KN_CHECK_EQ("... also of the value", kn_region_read(memory(VMCS), HOST_RSP), 0x44444444);
	RUN(CODE32("vmptrld (%%ebx)"), &flat, .rbx = POINTERS + 8);
	KN_CHECK_EQ("VMREAD ignores the upper half of the field's register",
		    RUN(CODE32("vmread %%ecx, %%eax"), &flat, .rax = ~0ull,
			.rcx = 0xdeadbeef00000000ull | HOST_RSP), VM_SUCCEED);
	KN_CHECK_EQ("... and stores 32 bits", regs.rax, 0x44444444);
}

/* Every field, in register form, as an L1 of 32 bits sees it. */
static void check_fields(void)
{
	struct kn_check *write = KN_SITE("VMWRITE to every field");
	struct kn_check *read = KN_SITE("VMREAD of every field");

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint32_t value = kn_field_pattern(field, 1);

		kn_expect_at(write, "outcome", write_field(field->encoding, value), VM_SUCCEED,
			     field->encoding);
		kn_expect_at(read, "value", read_field(field->encoding),
			     value & kn_field_mask(field), field->encoding);
	}
}

/* The same with what the module has learnt: the processor does the accesses. */
static void check_learnt(void)
{
	static const uint32_t learnt[] = { FIELD, HOST_RSP, GUEST_RIP, GUEST_ES_SELECTOR };
	uint64_t traps;

	kn_set_learning("1", "178", "1000000");
	check_fields();
	check_width();
	traps = kn_traps(vm, learnt, ARRAY_SIZE(learnt));
	check_fields();
	check_width();
	KN_SHADOW_CHECK_EQ("fields that were learnt trap no more",
			   kn_traps(vm, learnt, ARRAY_SIZE(learnt)) - traps, 0);
	KN_SHADOW_COUNTED(vm, "shadow.joined", 100);
}

static void check_errors(void)
{
	KN_CHECK_EQ("VMREAD of no field", RUN(CODE32("vmread %%ecx, %%eax"), &flat, .rcx = 0x7ffe),
		    VM_FAIL_VALID);
	KN_CHECK_EQ("... is error 12", read_field(VM_INSTRUCTION_ERROR), ERR_UNSUPPORTED_FIELD);
	write_field(VM_INSTRUCTION_ERROR, 0);
	KN_CHECK_EQ("VMWRITE with bit 31 of the field", write_field(FIELD | BIT(31), 0),
		    VM_FAIL_VALID);
	KN_CHECK_EQ("... is error 12 too", read_field(VM_INSTRUCTION_ERROR),
		    ERR_UNSUPPORTED_FIELD);
}

/*
 * Reads FIELD into the operand of @read, which lies at @gpa, writes it from that of @write, and
 * expects that four bytes count.
 */
static void check_operand(struct kn_check *check, struct stub read, struct stub write,
			  const struct kvm_sregs *sregs, struct kvm_regs with, uint32_t gpa)
{
	uint8_t *operand = memory(gpa);
	uint32_t value = 0x12345678 ^ gpa;

	write_field(FIELD, value);
	memset(operand - 8, FILL, 20);
	with.rcx = FIELD;
	regs = with;
	kn_expect(check, execute(read, sregs), VM_SUCCEED);
	kn_expect(check, get32(gpa), value);
	for (int i = -8; i < 12; i++)
		if (i < 0 || i >= 4)
			kn_expect_at(check, "memory beside it", operand[i], FILL, i);

	*(uint32_t *)operand = ~value;
	regs = with;
	kn_expect(check, execute(write, sregs), VM_SUCCEED);
	kn_expect(check, read_field(FIELD), (uint32_t)~value);
	kn_expect(check, read_field(TSC_OFFSET_HIGH), 0);
}

/* Names both instructions with the operand @_at. */
#define CHECK_OPERAND(_name, _code, _at, _sregs, _gpa, ...)			\
	check_operand(KN_SITE(_name), _code("vmread %%ecx, " _at),		\
		      _code("vmwrite " _at ", %%ecx"), _sregs,			\
		      (struct kvm_regs){ __VA_ARGS__ }, _gpa)

static void check_addressing(void)
{
	struct kvm_sregs sregs = flat;

	CHECK_OPERAND("base", CODE32, "(%%ebx)", &flat, DATA, .rbx = DATA);
	CHECK_OPERAND("base, its upper half ignored", CODE32, "(%%ebx)", &flat, DATA,
		      .rbx = DATA | 0xabcd00000000ull);
	CHECK_OPERAND("base EBP", CODE32, "-4(%%ebp)", &flat, DATA, .rbp = DATA + 4);
	CHECK_OPERAND("base ESP", CODE32, "-0x800(%%esp)", &flat, STACK - 0x800);
	CHECK_OPERAND("base, index, scale, displacement", CODE32, "0x100(%%ebx,%%esi,8)", &flat,
		      DATA + 0x900, .rbx = DATA, .rsi = 0x100);
	CHECK_OPERAND("index without base", CODE32, "0x10000(,%%edi,4)", &flat, DATA + 0x40,
		      .rdi = 0x10);
	CHECK_OPERAND("displacement", CODE32, "0x10020", &flat, DATA + 0x20);
	CHECK_OPERAND("wrapping at 4 GiB", CODE32, "0x20000(%%ebx)", &flat, DATA,
		      .rbx = 0xffff0000);
	CHECK_OPERAND("four bytes below an unmapped page", CODE32, "(%%ebx)", &flat,
		      MEMORY_SIZE - 4, .rbx = UNMAPPED - 4);

	CHECK_OPERAND("16-bit, BX + SI", CODE32, "2(%%bx,%%si)", &flat, 0xb042, .rbx = 0xb000,
		      .rsi = 0x40);
	CHECK_OPERAND("16-bit, the upper halves ignored", CODE32, "(%%bx,%%di)", &flat, 0xb040,
		      .rbx = 0x5555b000, .rdi = 0x66660040);
	CHECK_OPERAND("16-bit, wrapping at 64 KiB", CODE32, "0x10(%%bx,%%si)", &flat, 0xb020,
		      .rbx = 0xf000, .rsi = 0xc010);
	CHECK_OPERAND("16-bit, a negative displacement", CODE32, "-0x10(%%bx)", &flat, 0xb000,
		      .rbx = 0xb010);
	CHECK_OPERAND("16-bit, BP + DI", CODE32, "(%%bp,%%di)", &flat, 0xb008, .rbp = 0xb000,
		      .rdi = 8);

	sregs.ds.base = DATA;
	sregs.fs.base = 0xfffff000;
	sregs.ss.base = DATA + 0x1000;
	CHECK_OPERAND("DS with a base", CODE32, "0x80(%%ebx)", &sregs, DATA + 0x480, .rbx = 0x400);
	CHECK_OPERAND("FS with a base, wrapping", CODE32, "%%fs:(%%ebx)", &sregs, DATA,
		      .rbx = DATA + 0x1000);
	CHECK_OPERAND("16-bit with a base", CODE32, "(%%bx)", &sregs, DATA + 0xfff0,
		      .rbx = 0xfff0);
	CHECK_OPERAND("SS with a base, by EBP", CODE32, "(%%ebp)", &sregs, DATA + 0x1040,
		      .rbp = 0x40);

	sregs = flat;
	sregs.cs.db = 0;
	CHECK_OPERAND("32-bit operands in 16-bit code", CODE16, "(%%bx,%%si)", &sregs, 0xb040,
		      .rbx = 0xb000, .rsi = 0x40);
}

static uint64_t read_into(const struct kvm_sregs *sregs, uint32_t offset)
{
	return RUN(CODE32("vmread %%ecx, (%%ebx)"), sregs, .rcx = FIELD, .rbx = offset);
}

static uint64_t write_from(const struct kvm_sregs *sregs, uint32_t offset)
{
	return RUN(CODE32("vmwrite (%%ebx), %%ecx"), sregs, .rcx = FIELD, .rbx = offset);
}

/* Expects that @_insn raises exception @_vector with error code 0. */
#define CHECK_FAULT(_name, _insn, _vector)					\
do {										\
	struct kn_check *__check = KN_SITE(_name);				\
										\
	kn_expect(__check, _insn, VM_FAULT(_vector));				\
	kn_expect(__check, fault_error_code, 0);				\
} while (0)

static void check_limits(void)
{
	struct kvm_sregs sregs = flat;

	sregs.ds.base = DATA;
	sregs.ds.limit = 0xfff;
	sregs.ds.g = 0;
	KN_CHECK_EQ("VMREAD up to the limit", read_into(&sregs, 0xffc), VM_SUCCEED);
	KN_CHECK_EQ("VMWRITE up to the limit", write_from(&sregs, 0xffc), VM_SUCCEED);
	CHECK_FAULT("VMREAD one byte over the limit: #GP", read_into(&sregs, 0xffd), GP_VECTOR);
	CHECK_FAULT("VMWRITE one byte over the limit: #GP", write_from(&sregs, 0xffd), GP_VECTOR);
	CHECK_FAULT("VMREAD far over the limit: #GP", read_into(&sregs, 0xfffffffe), GP_VECTOR);
	CHECK_FAULT("VMPTRLD over the limit: #GP",
		    RUN(CODE32("vmptrld (%%ebx)"), &sregs, .rbx = 0xff9), GP_VECTOR);

	sregs = flat;
	sregs.ss.limit = 0x10fff;
	CHECK_FAULT("VMREAD over the limit of SS: #SS",
		    RUN(CODE32("vmread %%ecx, (%%ebp)"), &sregs, .rcx = FIELD, .rbp = 0x10ffd),
		    SS_VECTOR);
	CHECK_FAULT("VMWRITE over the limit of SS: #SS",
		    RUN(CODE32("vmwrite (%%ebp), %%ecx"), &sregs, .rcx = FIELD, .rbp = 0x11000),
		    SS_VECTOR);

	/*
	 * An expand-down segment holds what is above its limit. Stock KVM takes it for one that
	 * expands up, and L1 may not see a difference where the access traps, as that of this field
	 * always does.
	 */
	sregs = flat;
	sregs.ds.type = 7;
	sregs.ds.limit = 0xffff;
	sregs.ds.g = 0;
	CHECK_FAULT("VMREAD above the limit of an expand-down segment: #GP as in stock KVM",
		    RUN(CODE32("vmread %%ecx, (%%ebx)"), &sregs, .rcx = VM_INSTRUCTION_ERROR,
			.rbx = DATA), GP_VECTOR);
	KN_CHECK_EQ("VMREAD below the limit of an expand-down segment: done as in stock KVM",
		    RUN(CODE32("vmread %%ecx, (%%ebx)"), &sregs, .rcx = VM_INSTRUCTION_ERROR,
			.rbx = 0xb000), VM_SUCCEED);
}

static void check_types(void)
{
	struct kvm_sregs sregs = flat;

	sregs.ds.type = 1;
	CHECK_FAULT("VMREAD into a read-only segment: #GP", read_into(&sregs, DATA), GP_VECTOR);
	KN_CHECK_EQ("VMWRITE from a read-only segment", write_from(&sregs, DATA), VM_SUCCEED);

	CHECK_FAULT("VMREAD into a code segment: #GP",
		    RUN(CODE32("vmread %%ecx, %%cs:(%%ebx)"), &flat, .rcx = FIELD, .rbx = DATA),
		    GP_VECTOR);
	KN_CHECK_EQ("VMWRITE from a readable code segment",
		    RUN(CODE32("vmwrite %%cs:(%%ebx), %%ecx"), &flat, .rcx = FIELD, .rbx = DATA),
		    VM_SUCCEED);
	sregs = flat;
	sregs.cs.type = 9;
	CHECK_FAULT("VMWRITE from an execute-only segment: #GP",
		    RUN(CODE32("vmwrite %%cs:(%%ebx), %%ecx"), &sregs, .rcx = FIELD, .rbx = DATA),
		    GP_VECTOR);

	sregs = flat;
	sregs.es = (struct kvm_segment){ .unusable = 1 };
	CHECK_FAULT("VMREAD into a null segment: #GP",
		    RUN(CODE32("vmread %%ecx, %%es:(%%ebx)"), &sregs, .rcx = FIELD, .rbx = DATA),
		    GP_VECTOR);
	CHECK_FAULT("VMWRITE from a null segment: #GP",
		    RUN(CODE32("vmwrite %%es:(%%ebx), %%ecx"), &sregs, .rcx = FIELD, .rbx = DATA),
		    GP_VECTOR);

	/* The type is checked before the page is touched. */
	sregs = flat;
	sregs.ds.type = 1;
	CHECK_FAULT("VMREAD into an unmapped page of a read-only segment: #GP",
		    read_into(&sregs, UNMAPPED), GP_VECTOR);
}

static void check_pages(void)
{
	struct kvm_sregs sregs;

	KN_CHECK_EQ("VMREAD, unmapped: #PF", read_into(&flat, UNMAPPED), VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("... for a write", fault_error_code, 2);
	vcpu_sregs_get(vcpu, &sregs);
	KN_CHECK_EQ("... at its address", sregs.cr2, UNMAPPED);
	KN_CHECK_EQ("VMWRITE, unmapped: #PF", write_from(&flat, UNMAPPED + 4),
		    VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("... for a read", fault_error_code, 0);
	vcpu_sregs_get(vcpu, &sregs);
	KN_CHECK_EQ("... at its address, too", sregs.cr2, UNMAPPED + 4);
	KN_CHECK_EQ("VMREAD into an unmapped second page: #PF", read_into(&flat, UNMAPPED - 3),
		    VM_FAULT(PF_VECTOR));
}

static void check_cpl3(void)
{
	struct kvm_sregs sregs = flat;

	sregs.cs = segment(4 * 8 | 3, 0xb);
	sregs.ss = sregs.ds = sregs.es = sregs.fs = sregs.gs = segment(5 * 8 | 3, 3);
	sregs.cs.dpl = sregs.ss.dpl = sregs.ds.dpl = sregs.es.dpl = 3;
	sregs.fs.dpl = sregs.gs.dpl = 3;
	CHECK_FAULT("VMREAD at CPL 3: #GP",
		    RUN(CODE32("vmread %%ecx, %%eax"), &sregs, .rcx = FIELD), GP_VECTOR);
	CHECK_FAULT("VMWRITE at CPL 3: #GP",
		    RUN(CODE32("vmwrite %%eax, %%ecx"), &sregs, .rcx = FIELD), GP_VECTOR);
	CHECK_FAULT("VMREAD of no field at CPL 3: #GP",
		    RUN(CODE32("vmread %%ecx, %%eax"), &sregs, .rcx = 0x7ffe), GP_VECTOR);
	CHECK_FAULT("VMREAD into unmapped memory at CPL 3: #GP", read_into(&sregs, UNMAPPED),
		    GP_VECTOR);
}

/* All VMX instructions raise #UD in 16-bit code of @sregs. */
static void expect_ud(struct kn_check *check, const struct kvm_sregs *sregs, uint64_t rflags)
{
	const struct stub stubs[] = {
		CODE16("vmxon (%%bx)"), CODE16("vmxoff"), CODE16("vmclear (%%bx)"),
		CODE16("vmptrld (%%bx)"), CODE16("vmptrst (%%bx)"), CODE16("vmread %%ecx, %%eax"),
		CODE16("vmread %%ecx, (%%bx)"), CODE16("vmwrite %%eax, %%ecx"),
		CODE16("vmwrite (%%bx), %%ecx"), CODE16("vmlaunch"), CODE16("vmresume"),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(stubs); i++)
		kn_expect_at(check, "outcome", RUN(stubs[i], sregs, .rbx = POINTERS,
						   .rcx = FIELD, .rflags = rflags),
			     VM_FAULT(UD_VECTOR), i);
}

static void check_v8086(void)
{
	struct kvm_sregs sregs = flat;
	struct kvm_segment v86 = {
		.limit = 0xffff, .type = 3, .present = 1, .s = 1, .dpl = 3,
	};

	sregs.cs = sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = v86;
	expect_ud(KN_SITE("VMX instructions in virtual-8086 mode: #UD"), &sregs, RFLAGS_VM);
}

int main(int argc, char *argv[])
{
	kn_begin();
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(get_kvm_intel_param_bool("unrestricted_guest"));

	/* Out of reset a processor is in real mode; its CS has to lie where the code is. */
	create_vm();
	flat.cs.base = 0;
	flat.cs.selector = 0;
	expect_ud(KN_SITE("VMX instructions in real mode: #UD"), &flat, 0);
	enter_protected_mode();
	check_pointers();
	check_width();
	check_fields();
	check_errors();
	check_addressing();
	check_limits();
	check_types();
	check_pages();
	check_cpl3();
	check_v8086();
	check_learnt();

	KN_COUNTED(vm, "vmread.TSC_OFFSET", 50);
	KN_COUNTED(vm, "vmwrite.TSC_OFFSET", 50);
	KN_COUNTED(vm, "exit.VMREAD.module", 100);
	KN_COUNTED(vm, "exit.VMWRITE.module", 100);
	kvm_vm_free(vm);
	kn_report();
}
