// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that the fields which an L1 uses at each exit of its L2 trap as often as shadow_learn
 * says and never again, while L1 reads what L2 made of its state and everybody gets what L1 writes;
 * and that accesses which must not be let through go on trapping.
 */
#include "l2.h"
#include "shadow.h"

#define NR_WARM_UP	10
#define NR_ROUNDS	100

#define DATA_SELECTOR	0x10
#define CANONICAL	0x7fffffffffffull
#define CR3_PWT		BIT(3)
#define TSC_SHIFT	44	/* L1 is not old enough to have these bits in its TSC */

enum {
	STAGE_LEARNT = 1,
	STAGE_ROUNDS,
	STAGE_TRIGGER,
	STAGE_STOCK,
};

/* What L1 writes in each round... */
static const uint32_t writes[] = { HOST_RSP, HOST_RIP, HOST_CR3, TSC_OFFSET };
/* ... and reads. */
static const uint32_t reads[] = {
	GUEST_FS_BASE, GUEST_GS_BASE, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_IDTR_BASE,
	GUEST_IDTR_LIMIT, GUEST_ES_SELECTOR, GUEST_ES_AR_BYTES, GUEST_DS_SELECTOR,
	GUEST_CS_SELECTOR, GUEST_TR_SELECTOR, GUEST_LDTR_SELECTOR, GUEST_DR7, GUEST_SYSENTER_CS,
	GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP,
};

/*
 * A read that may not be let through, and a write: whoever writes the count has the list of MSRs
 * looked through.
 */
static const uint32_t error_field[] = { VM_INSTRUCTION_ERROR };
static const uint32_t trigger[] = { VM_EXIT_MSR_STORE_COUNT };

static volatile uint64_t turn;
static struct gpr64_regs gprs;
static struct desc_ptr l2_gdt, l2_idt;
static uint16_t l2_cs, l2_tr, l2_ldtr;

static uint64_t pattern(unsigned int i)
{
	return (0x123456789abcull * (i + 1) + turn * 0x10001) & CANONICAL;
}

static uint16_t get_ldtr(void)
{
	uint16_t ldtr;

	asm volatile("sldt %0" : "=r" (ldtr));
	return ldtr;
}

static void set_dr7(uint64_t value)
{
	asm volatile("mov %0, %%dr7" : : "r" (value));
}

/* Kinds of breakpoints, none of them enabled. */
static uint64_t dr7_of_round(void)
{
	return 0x400 | (turn & 0xff) << 16;
}

static void l2_set_state(void)
{
	l2_gdt.size = 0x7f + 8 * (turn & 0xf);
	l2_idt.size = 0xff + 16 * (turn & 0xf);
	asm volatile("lgdt %0" : : "m" (l2_gdt));
	asm volatile("lidt %0" : : "m" (l2_idt));
	asm volatile("mov %0, %%es" : : "r" (turn & 1 ? DATA_SELECTOR : 0));
	wrmsr(MSR_FS_BASE, pattern(0));
	wrmsr(MSR_GS_BASE, pattern(1));
	wrmsr(MSR_IA32_SYSENTER_CS, 0x100 + turn);
	wrmsr(MSR_IA32_SYSENTER_ESP, pattern(2));
	wrmsr(MSR_IA32_SYSENTER_EIP, pattern(3));
	set_dr7(dr7_of_round());
}

static void l2_guest_code(void)
{
	l2_gdt = get_gdt();
	l2_idt = get_idt();
	l2_cs = get_cs();
	l2_tr = get_tr();
	l2_ldtr = get_ldtr();
	for (;;) {
		kn_expect_at(KN_SITE("L2 gets the TSC_OFFSET of each round"), "TSC",
			     rdtsc() >> TSC_SHIFT, turn, turn);
		l2_set_state();
		asm volatile("vmcall" : : : "memory");
		kn_expect_at(KN_SITE("L2 keeps its state from round to round"), "GDT limit",
			     get_gdt().size, l2_gdt.size, turn);
	}
}

static void expect_field(uint32_t field, uint64_t want)
{
	struct kn_check *check = KN_SITE("L1 reads what L2 made of its state");
	uint64_t value = ~want;

	kn_expect_at(check, "outcome", kn_vmread(field, &value), VM_SUCCEED, field);
	kn_expect_at(check, "value", value, want, turn << 16 | field);
}

static void expect_state(void)
{
	uint64_t value = 0;

	expect_field(GUEST_FS_BASE, pattern(0));
	expect_field(GUEST_GS_BASE, pattern(1));
	expect_field(GUEST_GDTR_BASE, l2_gdt.address);
	expect_field(GUEST_GDTR_LIMIT, l2_gdt.size);
	expect_field(GUEST_IDTR_BASE, l2_idt.address);
	expect_field(GUEST_IDTR_LIMIT, l2_idt.size);
	expect_field(GUEST_ES_SELECTOR, turn & 1 ? DATA_SELECTOR : 0);
	expect_field(GUEST_DS_SELECTOR, DATA_SELECTOR);
	expect_field(GUEST_CS_SELECTOR, l2_cs);
	expect_field(GUEST_TR_SELECTOR, l2_tr);
	expect_field(GUEST_LDTR_SELECTOR, l2_ldtr);
	expect_field(GUEST_DR7, dr7_of_round());
	expect_field(GUEST_SYSENTER_CS, 0x100 + turn);
	expect_field(GUEST_SYSENTER_ESP, pattern(2));
	expect_field(GUEST_SYSENTER_EIP, pattern(3));

	/* A null selector makes the segment unusable. */
	kn_vmread(GUEST_ES_AR_BYTES, &value);
	kn_expect_at(KN_SITE("L1 reads whether L2's ES is usable"), "GUEST_ES_AR_BYTES",
		     !!(value & BIT(16)), !(turn & 1), turn);
}

static void make_round(void)
{
	struct kn_check *cr3 = KN_SITE("L1 gets the HOST_CR3 of each round");
	uint64_t host_cr3 = (get_cr3() & ~CR3_PWT) | (turn & 1 ? CR3_PWT : 0);

	vmwrite(HOST_CR3, host_cr3);
	vmwrite(TSC_OFFSET, turn << TSC_SHIFT);
	GUEST_ASSERT(kn_l2_enter(&gprs, !turn) == VM_SUCCEED);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL);
	kn_expect_at(cr3, "CR3", get_cr3(), host_cr3, turn);
	expect_state();
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
}

/* The number of the error that VMWRITE of no field leaves there. */
static void check_error(void)
{
	struct kn_check *check = KN_SITE("VM_INSTRUCTION_ERROR is exact in each round");

	kn_expect_at(check, "outcome", kn_vmwrite(0x7ffe, 0), VM_FAIL_VALID, turn);
	kn_expect_at(check, "error", vmreadz(VM_INSTRUCTION_ERROR), ERR_UNSUPPORTED_FIELD, turn);
}

/* A field that L1 has only written so far, so that its reads trap. */
static void check_written(void)
{
	struct kn_check *check = KN_SITE("L1 reads what it has written without a VM exit");
	uint64_t value = 0;

	for (unsigned int i = 0; i < 3; i++) {
		turn++;
		vmwrite(TSC_OFFSET, turn << TSC_SHIFT);
		kn_expect_at(check, "outcome", kn_vmread(TSC_OFFSET, &value), VM_SUCCEED, turn);
		kn_expect_at(check, "value", value, turn << TSC_SHIFT, turn);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS |
		CPU_BASED_USE_TSC_OFFSETTING);

	for (; turn < NR_WARM_UP; turn++)
		make_round();
	GUEST_SYNC(STAGE_LEARNT);
	for (; turn < NR_WARM_UP + NR_ROUNDS; turn++) {
		make_round();
		check_error();
	}
	GUEST_SYNC(STAGE_ROUNDS);
	for (; turn < NR_WARM_UP + 2 * NR_ROUNDS; turn++) {
		make_round();
		vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	}
	GUEST_SYNC(STAGE_TRIGGER);
	check_written();
	GUEST_SYNC(STAGE_STOCK);
	check_written();
	GUEST_DONE();
}

static uint64_t traps(struct kvm_vm *vm)
{
	return kn_traps(vm, reads, ARRAY_SIZE(reads)) + kn_traps(vm, writes, ARRAY_SIZE(writes));
}

int main(int argc, char *argv[])
{
	uint64_t learnt, errors, settings;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("3", "64", "1000000");
	vm = kn_vm_create(&vcpu, l1_guest_code);

	KN_CHECK_EQ("L1 makes the first rounds", kn_run(vcpu), STAGE_LEARNT);
	learnt = traps(vm);
	errors = kn_traps(vm, error_field, 1);
	KN_SHADOW_CHECK_EQ("a field that L1 reads traps as often as shadow_learn says",
			   kn_counter(vm, "vmread.GUEST_FS_BASE"), 3);
	KN_SHADOW_CHECK_EQ("a field that L1 writes traps as often as shadow_learn says",
			   kn_counter(vm, "vmwrite.TSC_OFFSET"), 3);

	KN_CHECK_EQ("L1 makes many rounds", kn_run(vcpu), STAGE_ROUNDS);
	KN_SHADOW_CHECK_EQ("fields that were learnt trap no more", traps(vm) - learnt, 0);
	KN_SHADOW_CHECK_EQ("VM_INSTRUCTION_ERROR goes on trapping",
			   kn_traps(vm, error_field, 1) - errors, NR_ROUNDS);

	settings = kn_traps(vm, trigger, 1);
	KN_CHECK_EQ("L1 writes a field whose writing triggers something", kn_run(vcpu),
		    STAGE_TRIGGER);
	KN_SHADOW_CHECK_EQ("that field goes on trapping", kn_traps(vm, trigger, 1) - settings,
			   NR_ROUNDS);
	KN_SHADOW_CHECK_EQ("and the others do not", traps(vm) - learnt, 0);

	KN_SHADOW_COUNTED(vm, "shadow.joined", ARRAY_SIZE(reads) + ARRAY_SIZE(writes));
	KN_SHADOW_COUNTED(vm, "shadow.copied_in", NR_ROUNDS);
	KN_SHADOW_COUNTED(vm, "shadow.copied_out", NR_ROUNDS);
	KN_SHADOW_CHECK_EQ("nothing leaves before its review", kn_counter(vm, "shadow.left"), 0);
	KN_SHADOW_CHECK_EQ("there is room for all", kn_counter(vm, "shadow.full"), 0);

	/* The first time its reads are left to stock KVM, the second time they join. */
	kn_parameter_set("vmaccess", "0");
	KN_CHECK_EQ("L1 reads what stock KVM emulates", kn_run(vcpu), STAGE_STOCK);
	kn_parameter_set("vmaccess", "1");
	kn_run(vcpu);
	kn_finish(vm);
}
