// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMX instructions of a 64-bit L1 in VMX operation raise #GP at CPL 3 and #UD in
 * compatibility mode, that outside it they raise #UD at CPL 3, too, and that nothing else happens.
 *
 * User space moves the vCPU to each instruction in the mode in question; an INT3 stands behind it.
 */
#define _GNU_SOURCE /* asprintf() */
#include "counter.h"
#include "l1.h"

#define PATTERN		0x0123456789abcdefull
#define RPL_3		3

enum {
	STAGE_OUTSIDE = 1,
	STAGE_INSIDE,
};

/* All instructions, in an encoding that compatibility mode decodes as well. */
static const char * const names[] = {
	"VMXON", "VMXOFF", "VMCLEAR", "VMPTRLD", "VMPTRST", "VMLAUNCH", "VMRESUME",
	"VMREAD, register", "VMREAD, memory", "VMWRITE, register", "VMWRITE, memory",
	"VMREAD of no field", "INVEPT", "INVVPID",
};

/* Each with an INT3 in sixteen bytes; RAX points to memory, RCX holds a field, RSI none. */
static void __attribute__((naked, aligned(16))) insns(void)
{
	asm(".macro insn text:vararg\n\t"
	    "\\text\n\t"
	    "int3\n\t"
	    ".balign 16, 0xcc\n\t"
	    ".endm\n\t"
	    "insn vmxon (%rax)\n\t"
	    "insn vmxoff\n\t"
	    "insn vmclear (%rax)\n\t"
	    "insn vmptrld (%rax)\n\t"
	    "insn vmptrst (%rax)\n\t"
	    "insn vmlaunch\n\t"
	    "insn vmresume\n\t"
	    "insn vmread %rcx, %rdx\n\t"
	    "insn vmread %rcx, (%rax)\n\t"
	    "insn vmwrite %rdx, %rcx\n\t"
	    "insn vmwrite (%rax), %rcx\n\t"
	    "insn vmread %rsi, %rdx\n\t"
	    "insn invept (%rax), %rsi\n\t"
	    "insn invvpid (%rax), %rsi\n\t");
}

static struct kn_check cpl3_outside[ARRAY_SIZE(names)];
KN_GROUP(cpl3_outside, ARRAY_SIZE(names));
static struct kn_check cpl3_inside[ARRAY_SIZE(names)];
KN_GROUP(cpl3_inside, ARRAY_SIZE(names));
static struct kn_check compat_inside[ARRAY_SIZE(names)];
KN_GROUP(compat_inside, ARRAY_SIZE(names));
static uint64_t operand[2];

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_SYNC(STAGE_OUTSIDE);
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	vmwrite(TSC_OFFSET, PATTERN);
	operand[0] = PATTERN;
	vmwrite(VM_INSTRUCTION_ERROR, 0);

	GUEST_SYNC(STAGE_INSIDE);
	KN_CHECK_EQ("the field is as before", vmreadz(TSC_OFFSET), PATTERN);
	KN_CHECK_EQ("VM_INSTRUCTION_ERROR is as before", vmreadz(VM_INSTRUCTION_ERROR), 0);
	KN_CHECK_EQ("the memory operand is as before", operand[0], PATTERN);
	KN_CHECK_EQ("the current VMCS is as before", vmptrstz(), vmx->vmcs_gpa);
	GUEST_DONE();
}

/* L1's page tables let CPL 3 at everything. */
static void set_user_bits(struct kvm_vm *vm, uint64_t table_gpa, int level)
{
	uint64_t *table = addr_gpa2hva(vm, table_gpa);

	for (unsigned int i = 0; i < 512; i++) {
		if (!(table[i] & PTE_PRESENT_MASK))
			continue;
		table[i] |= PTE_USER_MASK;
		if (level > 1 && !(table[i] & PTE_LARGE_MASK))
			set_user_bits(vm, table[i] & PHYSICAL_PAGE_MASK, level - 1);
	}
}

/* The vector of the exception that insns[@i] raises in the mode of @sregs. */
static uint64_t vector_of(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs, unsigned int i)
{
	struct kvm_sregs mode = *sregs;
	struct kvm_regs regs;
	struct ucall uc;

	vcpu_regs_get(vcpu, &regs);
	regs.rip = (uint64_t)insns + 16 * i;
	regs.rax = (uint64_t)operand;
	regs.rcx = TSC_OFFSET;
	regs.rdx = ~PATTERN;
	regs.rsi = 0x7ffe;
	vcpu_regs_set(vcpu, &regs);
	vcpu_sregs_set(vcpu, &mode);

	TEST_ASSERT(!__vcpu_run(vcpu), KVM_IOCTL_ERROR(KVM_RUN, -1));
	if (vcpu->run->exit_reason != KVM_EXIT_IO || get_ucall(vcpu, &uc) != UCALL_UNHANDLED)
		return ~0ull;
	return uc.args[0];
}

static void check_mode(struct kvm_vcpu *vcpu, struct kn_check *checks,
		       const struct kvm_sregs *sregs, uint64_t vector)
{
	struct kvm_sregs old_sregs;
	struct kvm_regs old_regs;

	vcpu_regs_get(vcpu, &old_regs);
	vcpu_sregs_get(vcpu, &old_sregs);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		vcpu_regs_set(vcpu, &old_regs);
		kn_expect_at(&checks[i], "vector", vector_of(vcpu, sregs, i), vector, i);
	}
	vcpu_regs_set(vcpu, &old_regs);
	vcpu_sregs_set(vcpu, &old_sregs);
}

static void name_checks(struct kn_check *checks, const char *format)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		char *name;

		TEST_ASSERT(asprintf(&name, format, names[i]) > 0, "asprintf()");
		checks[i].name = name;
	}
}

int main(int argc, char *argv[])
{
	struct kvm_sregs sregs, user, compat;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t *tss;

	kn_begin();
	name_checks(cpl3_outside, "%s at CPL 3 outside VMX operation: #UD");
	name_checks(cpl3_inside, "%s at CPL 3: #GP");
	name_checks(compat_inside, "%s in compatibility mode: #UD");

	vm = kn_vm_create(&vcpu, l1_guest_code);
	set_user_bits(vm, vm->pgd, 4);
	/* RSP0, for exceptions at CPL 3. The TSS has it unaligned. */
	tss = addr_gva2hva(vm, vm->tss);
	memcpy((void *)tss + 4, &(uint64_t){ vm_vaddr_alloc_page(vm) + PAGE_SIZE }, 8);

	KN_CHECK_EQ("L1 runs", kn_run(vcpu), STAGE_OUTSIDE);
	vcpu_sregs_get(vcpu, &sregs);
	user = sregs;
	user.cs.selector |= RPL_3;
	user.cs.dpl = 3;
	user.ss = user.ds;
	user.ss.selector |= RPL_3;
	user.ss.dpl = 3;
	check_mode(vcpu, cpl3_outside, &user, UD_VECTOR);

	KN_CHECK_EQ("L1 enters VMX operation", kn_run(vcpu), STAGE_INSIDE);
	vcpu_sregs_get(vcpu, &sregs);
	user.cr0 = sregs.cr0;
	user.cr4 = sregs.cr4;
	check_mode(vcpu, cpl3_inside, &user, GP_VECTOR);
	compat = sregs;
	compat.cs.l = 0;
	compat.cs.db = 1;
	check_mode(vcpu, compat_inside, &compat, UD_VECTOR);
	kn_run(vcpu);

	KN_COUNTED(vm, "exit.VMREAD.module", 2);
	KN_COUNTED(vm, "exit.VMWRITE.module", 2);
	kn_finish(vm);
}
