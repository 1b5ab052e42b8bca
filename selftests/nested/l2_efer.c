// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L1 and L2 each have their own EFER.SCE whichever the other has, and that SYSCALL goes
 * where L1 has let it go last.
 */
#include "counter.h"
#include "l2.h"

#define NR_TURNS	64

/* SYSCALL's CS, and behind it SS, of the test library's GDT. */
#define KERNEL_CS	0x8ull

static struct gpr64_regs gprs;
static volatile uint64_t taken;

/* Where SYSCALL may lead to, at the same privilege level: back, with what was taken. */
asm("syscall_even:\n\t"
	"movq $2, taken(%rip)\n\t"
	"jmp *%rcx\n"
	"syscall_odd:\n\t"
	"movq $1, taken(%rip)\n\t"
	"jmp *%rcx\n");
extern char syscall_even[], syscall_odd[];

/* 0 if SYSCALL raises #UD, else where it led to. */
static uint64_t try_syscall(void)
{
	uint64_t rflags;

	taken = 0;
	asm volatile(KN_INSN("syscall") : [rflags] "=r" (rflags) : : "rcx", "r11", "cc", "memory");
	if (kn_outcome(rflags) == VM_FAULT(UD_VECTOR))
		return 0;
	return taken;
}

static void l2_guest_code(void)
{
	for (;;) {
		taken = 0;
		asm volatile("syscall" : : : "rcx", "r11", "cc", "memory");
		asm volatile("vmcall" : : : "memory");
	}
}

static bool l1_has_it(unsigned int turn)
{
	return turn & 2;
}

static bool l2_has_it(unsigned int turn)
{
	/* Each pair of answers follows each other one. */
	return (turn ^ turn >> 2 ^ turn >> 4) & 1;
}

static void set_targets(unsigned int turn)
{
	wrmsr(MSR_STAR, KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uint64_t)(turn & 1 ? syscall_odd : syscall_even));
	wrmsr(MSR_SYSCALL_MASK, 0);
}

static void expect_turn(unsigned int turn, bool launch)
{
	struct kn_check *of_l2 = KN_SITE("L2's SYSCALL"), *of_l1 = KN_SITE("L1's SYSCALL");
	uint64_t target = turn & 1 ? 1 : 2;

	set_targets(turn);
	kn_expect_at(of_l2, "outcome", kn_l2_enter(&gprs, launch), VM_SUCCEED, turn);
	if (l2_has_it(turn)) {
		kn_expect_at(of_l2, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL, turn);
		kn_expect_at(of_l2, "target", taken, target, turn);
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	} else {
		kn_expect_at(of_l2, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_EXCEPTION_NMI,
			     turn);
		kn_expect_at(of_l2, "exception", vmreadz(VM_EXIT_INTR_INFO) & 0xff, UD_VECTOR,
			     turn);
		/* Behind SYSCALL and VMCALL. */
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 5);
	}

	kn_expect_at(of_l1, "EFER.SCE", rdmsr(MSR_EFER) & EFER_SCE, l1_has_it(turn), turn);
	kn_expect_at(of_l1, "target", try_syscall(), l1_has_it(turn) ? target : 0, turn);
	set_targets(turn + 1);
	kn_expect_at(of_l1, "the other target", try_syscall(), l1_has_it(turn) ? 3 - target : 0,
		     turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	uint64_t efer;

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(VM_ENTRY_CONTROLS, vmreadz(VM_ENTRY_CONTROLS) | VM_ENTRY_LOAD_IA32_EFER);
	vmwrite(VM_EXIT_CONTROLS, vmreadz(VM_EXIT_CONTROLS) | VM_EXIT_LOAD_IA32_EFER);
	vmwrite(EXCEPTION_BITMAP, BIT(UD_VECTOR));
	efer = rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE;

	for (unsigned int turn = 0; turn < NR_TURNS; turn++) {
		vmwrite(GUEST_IA32_EFER, efer | (l2_has_it(turn) ? EFER_SCE : 0));
		vmwrite(HOST_IA32_EFER, efer | (l1_has_it(turn) ? EFER_SCE : 0));
		expect_turn(turn, !turn);
	}
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_run(vcpu);
	KN_COUNTED(vm, "transition.msrs", NR_TURNS);
	KN_COUNTED(vm, "transition.efer", NR_TURNS);
	kn_finish(vm);
}
