// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L1 reads from its VMCS what L2 made of its own state, that L2 gets what L1 writes
 * there, and that neither is lost whatever L1 does between an exit and the next entry: nothing, a
 * VMREAD, a VMWRITE to another field, VMPTRLD of another VMCS and back, or VMCLEAR.
 */
#include "counter.h"
#include "field.h"
#include "l2.h"

#define DATA_SELECTOR	0x10
#define RFLAGS_PATTERN	0x8d7ull
#define CANONICAL	0x7fffffffffffull

/* What L1 does between L2's exit and its next entry. */
enum between {
	NOTHING,
	READ_LAZY,
	READ_OTHER,
	WRITE_SHADOWED,
	WRITE_LAZY,
	WRITE_OTHER,
	SWITCH,
	CLEAR,
	NR_BETWEEN,
};

static const char * const names[NR_BETWEEN] = {
	[NOTHING] = "L2's state survives, L1 does nothing",
	[READ_LAZY] = "L2's state survives, L1 reads a part of it",
	[READ_OTHER] = "L2's state survives, L1 reads a control",
	[WRITE_SHADOWED] = "L2's state survives, L1 writes a shadowed field",
	[WRITE_LAZY] = "L2's state survives, L1 writes a part of it",
	[WRITE_OTHER] = "L2's state survives, L1 writes a control",
	[SWITCH] = "L2's state survives, L1 loads another VMCS and this one again",
	[CLEAR] = "L2's state survives, L1 clears the VMCS",
};

static struct kn_check checks[NR_BETWEEN];
KN_GROUP(checks, NR_BETWEEN);

static volatile enum between turn;
static struct gpr64_regs gprs;
static struct desc_ptr l2_gdt, l2_idt;

static uint64_t pattern(unsigned int i)
{
	return (0x123456789abcull * (i + 1) + turn) & CANONICAL;
}

static void load_gs(uint16_t selector)
{
	asm volatile("mov %0, %%gs" : : "r" ((uint32_t)selector));
}

/* L2 gives each part of its state a value of this turn. */
static void l2_set_state(void)
{
	l2_gdt.size = 0x7f + 8 * turn;
	l2_idt.size = 0xff + 16 * turn;
	asm volatile("lgdt %0" : : "m" (l2_gdt));
	asm volatile("lidt %0" : : "m" (l2_idt));
	asm volatile("mov %0, %%es" : : "r" (turn & 1 ? DATA_SELECTOR : 0));
	asm volatile("mov %0, %%ds" : : "r" (turn & 1 ? 0 : DATA_SELECTOR));
	load_gs(turn & 1 ? DATA_SELECTOR : 0);
	wrmsr(MSR_IA32_SYSENTER_CS, 0x100 + turn);
	wrmsr(MSR_IA32_SYSENTER_ESP, pattern(0));
	wrmsr(MSR_IA32_SYSENTER_EIP, pattern(1));
	wrmsr(MSR_FS_BASE, pattern(2));
	wrmsr(MSR_GS_BASE, pattern(3));
	asm volatile("mov %0, %%cr4" : : "r" (turn & 1 ? get_cr4() | X86_CR4_PGE :
						       get_cr4() & ~X86_CR4_PGE));
}

static void l2_expect_state(struct kn_check *check)
{
	kn_expect_at(check, "L2's GDT limit", get_gdt().size, l2_gdt.size, turn);
	kn_expect_at(check, "L2's GDT base", get_gdt().address, l2_gdt.address, turn);
	kn_expect_at(check, "L2's IDT limit", get_idt().size, l2_idt.size, turn);
	kn_expect_at(check, "L2's ES", get_es(), turn & 1 ? DATA_SELECTOR : 0, turn);
	kn_expect_at(check, "L2's GS", get_gs(), turn & 1 ? DATA_SELECTOR : 0, turn);
	kn_expect_at(check, "L2's SYSENTER_CS", rdmsr(MSR_IA32_SYSENTER_CS), 0x100 + turn, turn);
	kn_expect_at(check, "L2's SYSENTER_ESP", rdmsr(MSR_IA32_SYSENTER_ESP), pattern(0), turn);
	kn_expect_at(check, "L2's SYSENTER_EIP", rdmsr(MSR_IA32_SYSENTER_EIP), pattern(1), turn);
	kn_expect_at(check, "L2's FS base", rdmsr(MSR_FS_BASE), pattern(2), turn);
	kn_expect_at(check, "L2's GS base", rdmsr(MSR_GS_BASE), pattern(3), turn);
	kn_expect_at(check, "L2's CR4.PGE", !!(get_cr4() & X86_CR4_PGE), turn & 1, turn);
}

static void l2_check_written(void)
{
	struct kn_check *check = KN_SITE("L2 gets the state that L1 wrote");

	kn_expect(check, rdmsr(MSR_IA32_SYSENTER_CS), 0x77);
	kn_expect(check, rdmsr(MSR_IA32_SYSENTER_ESP), pattern(10));
	kn_expect(check, rdmsr(MSR_IA32_SYSENTER_EIP), pattern(11));
	kn_expect(check, rdmsr(MSR_FS_BASE), pattern(12));
	kn_expect(check, rdmsr(MSR_GS_BASE), pattern(13));
	kn_expect(check, get_gdt().size, 0x5f);
	kn_expect(check, get_idt().size, 0x1ff);
	kn_expect(check, get_es(), DATA_SELECTOR);
	kn_expect(check, !!(get_cr4() & X86_CR4_PGE), 1);
}

static void l2_guest_code(void)
{
	uint64_t rflags;

	l2_gdt = get_gdt();
	l2_idt = get_idt();
	while (turn < NR_BETWEEN) {
		l2_set_state();
		asm volatile("vmcall" : : : "memory");
		l2_expect_state(&checks[turn]);
		asm volatile("vmcall" : : : "memory");
	}
	l2_check_written();
	asm volatile("push %0\n\tpopfq\n\tvmcall" : : "i" (RFLAGS_PATTERN) : "memory", "cc");
	asm volatile("pushfq\n\tpop %0" : "=r" (rflags));
	KN_CHECK_EQ("L2 gets the RFLAGS that L1 wrote", rflags & KN_ALU_FLAGS, 0x85);
	asm volatile("vmcall" : : : "memory");
}

/* Runs L2 to its next VMCALL and leaves it behind that. */
static void run_l2(bool launch)
{
	GUEST_ASSERT(kn_l2_enter(&gprs, launch) == VM_SUCCEED);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
}

/* Returns whether the VMCS has to be launched again. */
static bool do_between(struct vmx_pages *vmx)
{
	uint64_t value = 0;

	switch (turn) {
	case READ_LAZY:
		kn_vmread(GUEST_ES_LIMIT, &value);
		return false;
	case READ_OTHER:
		kn_vmread(TSC_OFFSET, &value);
		return false;
	case WRITE_SHADOWED:
		kn_vmwrite(VM_ENTRY_INSTRUCTION_LEN, 1);
		return false;
	case WRITE_LAZY:
		kn_vmwrite(GUEST_LDTR_BASE, 0x1000);
		return false;
	case WRITE_OTHER:
		kn_vmwrite(TSC_OFFSET, turn);
		return false;
	case SWITCH:
		GUEST_ASSERT(kn_vmptrld(vmx->shadow_vmcs_gpa) == VM_SUCCEED);
		kn_vmwrite(GUEST_ES_LIMIT, 0);
		kn_vmwrite(GUEST_SYSENTER_ESP, 0);
		GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
		return false;
	case CLEAR:
		GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
		GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
		return true;
	default:
		return false;
	}
}

static void l1_expect_state(struct kn_check *check)
{
	kn_expect_at(check, "GUEST_GDTR_LIMIT", vmreadz(GUEST_GDTR_LIMIT), l2_gdt.size, turn);
	kn_expect_at(check, "GUEST_GDTR_BASE", vmreadz(GUEST_GDTR_BASE), l2_gdt.address, turn);
	kn_expect_at(check, "GUEST_IDTR_LIMIT", vmreadz(GUEST_IDTR_LIMIT), l2_idt.size, turn);
	kn_expect_at(check, "GUEST_IDTR_BASE", vmreadz(GUEST_IDTR_BASE), l2_idt.address, turn);
	kn_expect_at(check, "GUEST_ES_SELECTOR", vmreadz(GUEST_ES_SELECTOR),
		     turn & 1 ? DATA_SELECTOR : 0, turn);
	kn_expect_at(check, "GUEST_GS_SELECTOR", vmreadz(GUEST_GS_SELECTOR),
		     turn & 1 ? DATA_SELECTOR : 0, turn);
	/* A null selector makes the segment unusable. */
	kn_expect_at(check, "GUEST_DS_AR_BYTES", !!(vmreadz(GUEST_DS_AR_BYTES) & BIT(16)),
		     turn & 1, turn);
	kn_expect_at(check, "GUEST_SYSENTER_CS", vmreadz(GUEST_SYSENTER_CS), 0x100 + turn, turn);
	kn_expect_at(check, "GUEST_SYSENTER_ESP", vmreadz(GUEST_SYSENTER_ESP), pattern(0), turn);
	kn_expect_at(check, "GUEST_SYSENTER_EIP", vmreadz(GUEST_SYSENTER_EIP), pattern(1), turn);
	kn_expect_at(check, "GUEST_FS_BASE", vmreadz(GUEST_FS_BASE), pattern(2), turn);
	kn_expect_at(check, "GUEST_GS_BASE", vmreadz(GUEST_GS_BASE), pattern(3), turn);
	kn_expect_at(check, "GUEST_CR4", !!(vmreadz(GUEST_CR4) & X86_CR4_PGE), turn & 1, turn);
}

static void write_state(void)
{
	vmwrite(GUEST_SYSENTER_CS, 0x77);
	vmwrite(GUEST_SYSENTER_ESP, pattern(10));
	vmwrite(GUEST_SYSENTER_EIP, pattern(11));
	vmwrite(GUEST_FS_BASE, pattern(12));
	vmwrite(GUEST_GS_BASE, pattern(13));
	vmwrite(GUEST_GDTR_LIMIT, 0x5f);
	vmwrite(GUEST_IDTR_LIMIT, 0x1ff);
	vmwrite(GUEST_ES_SELECTOR, DATA_SELECTOR);
	vmwrite(GUEST_ES_AR_BYTES, 0xc093);
	vmwrite(GUEST_CR4, vmreadz(GUEST_CR4) | X86_CR4_PGE);
}

/* Where the VMCS has the values after VMCLEAR. */
static void check_region(struct vmx_pages *vmx)
{
	struct kn_check *check = KN_SITE("VMCLEAR writes L2's state to the region");
	uint64_t value;

	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		if (kn_fields[i].encoding != GUEST_SYSENTER_ESP)
			continue;
		memcpy(&value, vmx->vmcs + kn_fields[i].offset, sizeof(value));
		kn_expect_at(check, "GUEST_SYSENTER_ESP", value, pattern(0), turn);
	}
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	bool launch = true;

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);

	while (turn < NR_BETWEEN) {
		run_l2(launch);
		launch = do_between(vmx);
		run_l2(launch);
		l1_expect_state(&checks[turn]);
		launch = turn == NR_BETWEEN - 1;
		if (launch)
			check_region(vmx);
		turn++;
	}

	write_state();
	run_l2(launch);
	KN_CHECK_EQ("L1 reads L2's RFLAGS", vmreadz(GUEST_RFLAGS), RFLAGS_PATTERN);
	vmwrite(GUEST_RFLAGS, 0x87);
	run_l2(false);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_BETWEEN; i++)
		checks[i].name = names[i];
	kn_run(vcpu);

	KN_COUNTED(vm, "vmread.GUEST_FS_BASE", NR_BETWEEN);
	KN_COUNTED(vm, "vmwrite.GUEST_LDTR_BASE", 1);
	KN_COUNTED(vm, "exit.VMREAD.module", NR_BETWEEN);
	KN_COUNTED(vm, "exit.VMWRITE.module", NR_BETWEEN);
	kn_finish(vm);
}
