// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2's exit gives L1 the state that VMCS12's host fields say, and the fixed parts that
 * the SDM says, whatever L1 had before the entry and L2 had at the exit.
 */
#include "counter.h"
#include "l2.h"

#define NR_TURNS	8
#define DATA_SELECTOR	0x10
#define CANONICAL	0x7fffffffffffull

/* SDM volume 3, "Loading Host Segment and Descriptor-Table Registers", and DR7 after an exit. */
#define TABLE_LIMIT	0xffff
#define TASK_LIMIT	0x67
#define DR7_INIT	0x400

static struct gpr64_regs gprs;
static uint64_t rflags, tr;

static uint64_t pattern(unsigned int turn, unsigned int i)
{
	return (0x123456789abcull * (i + 1) + (turn << 12)) & CANONICAL;
}

static uint16_t selector(unsigned int turn, unsigned int i)
{
	return turn >> i & 1 ? DATA_SELECTOR : 0;
}

static void set_dr7(uint64_t value)
{
	asm volatile("mov %0, %%dr7" : : "r" (value));
}

/* Something else in whatever an exit is to load. */
static void disturb(unsigned int turn)
{
	struct desc_ptr gdt = get_gdt(), idt = get_idt();

	gdt.size = 0x5f;
	idt.size = 0x1ff;
	asm volatile("lgdt %0" : : "m" (gdt));
	asm volatile("lidt %0" : : "m" (idt));
	asm volatile("mov %0, %%ds" : : "r" ((uint32_t)selector(~turn, 0)));
	asm volatile("mov %0, %%es" : : "r" ((uint32_t)selector(~turn, 1)));
	wrmsr(MSR_IA32_SYSENTER_CS, 0x77);
	wrmsr(MSR_IA32_SYSENTER_ESP, 0x78);
	wrmsr(MSR_IA32_SYSENTER_EIP, 0x79);
	wrmsr(MSR_FS_BASE, 0x80);
	wrmsr(MSR_GS_BASE, 0x81);
	set_dr7(0x400 | turn << 1);
}

static void l2_guest_code(void)
{
	for (unsigned int turn = 0;; turn++) {
		disturb(turn);
		asm volatile("std\n\tvmcall\n\tcld" : : : "memory", "cc");
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	struct kn_check *exit = KN_SITE("L2 exits");
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	vmwrite(VM_EXIT_CONTROLS, vmreadz(VM_EXIT_CONTROLS) | VM_EXIT_LOAD_IA32_PAT);
	tr = vmreadz(HOST_TR_BASE);

	for (unsigned int turn = 0; turn < NR_TURNS; turn++) {
		vmwrite(HOST_DS_SELECTOR, selector(turn, 0));
		vmwrite(HOST_ES_SELECTOR, selector(turn, 1));
		vmwrite(HOST_FS_SELECTOR, selector(turn, 2));
		vmwrite(HOST_GS_SELECTOR, selector(turn, 3));
		vmwrite(HOST_FS_BASE, pattern(turn, 0));
		vmwrite(HOST_GS_BASE, pattern(turn, 1));
		vmwrite(HOST_IA32_SYSENTER_CS, turn);
		vmwrite(HOST_IA32_SYSENTER_ESP, pattern(turn, 2));
		vmwrite(HOST_IA32_SYSENTER_EIP, pattern(turn, 3));
		vmwrite(HOST_IA32_PAT, turn & 1 ? 0x0007040600070406ull : 0x0606060606060606ull);
		disturb(turn);
		kn_expect_at(exit, "outcome", kn_l2_enter(&gprs, !turn), VM_SUCCEED, turn);
		asm volatile("pushfq\n\tpop %0" : "=r" (rflags));
		GUEST_SYNC(turn + 1);
		kn_expect_at(exit, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL, turn);
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	}
	GUEST_DONE();
}

static void expect_segment(struct kn_check *check, const struct kvm_segment *got,
			   const struct kvm_segment *want, uint64_t at)
{
	kn_expect_at(check, "selector", got->selector, want->selector, at);
	kn_expect_at(check, "base", got->base, want->base, at);
	kn_expect_at(check, "limit", got->limit, want->limit, at);
	kn_expect_at(check, "unusable", got->unusable, want->unusable, at);
	if (want->unusable)
		return;
	kn_expect_at(check, "type", got->type, want->type, at);
	kn_expect_at(check, "S", got->s, want->s, at);
	kn_expect_at(check, "DPL", got->dpl, 0, at);
	kn_expect_at(check, "P", got->present, 1, at);
	kn_expect_at(check, "L", got->l, want->l, at);
	kn_expect_at(check, "D/B", got->db, want->db, at);
	kn_expect_at(check, "G", got->g, want->g, at);
}

static struct kvm_segment data_segment(uint16_t selector, uint64_t base)
{
	return (struct kvm_segment) {
		.selector = selector, .base = base, .limit = ~0u, .type = 3, .s = 1, .db = 1,
		.g = 1,
	};
}

static void expect_segments(struct kvm_vcpu *vcpu, unsigned int turn)
{
	const struct kvm_segment code = { .limit = ~0u, .type = 11, .s = 1, .l = 1, .g = 1 };
	struct kn_check *check = KN_SITE("L1 has the segments of its host fields");
	const struct kvm_segment none = { .unusable = 1 };
	struct kvm_segment want;
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	want = code;
	want.selector = sregs.cs.selector;
	expect_segment(check, &sregs.cs, &want, turn << 4);
	want = data_segment(sregs.ss.selector, 0);
	expect_segment(check, &sregs.ss, &want, turn << 4 | 1);
	want = data_segment(selector(turn, 0), 0);
	expect_segment(check, &sregs.ds, &want, turn << 4 | 2);
	want = data_segment(selector(turn, 1), 0);
	expect_segment(check, &sregs.es, &want, turn << 4 | 3);
	want = data_segment(selector(turn, 2), pattern(turn, 0));
	expect_segment(check, &sregs.fs, &want, turn << 4 | 4);
	want = data_segment(selector(turn, 3), pattern(turn, 1));
	expect_segment(check, &sregs.gs, &want, turn << 4 | 5);
	want = (struct kvm_segment) {
		.selector = sregs.tr.selector, .base = tr, .limit = TASK_LIMIT, .type = 11,
	};
	expect_segment(check, &sregs.tr, &want, turn << 4 | 6);
	expect_segment(check, &sregs.ldt, &none, turn << 4 | 7);
	kn_expect_at(check, "GDT limit", sregs.gdt.limit, TABLE_LIMIT, turn);
	kn_expect_at(check, "IDT limit", sregs.idt.limit, TABLE_LIMIT, turn);
}

static void expect_msrs(struct kvm_vcpu *vcpu, unsigned int turn)
{
	struct kn_check *check = KN_SITE("... and the MSRs, DR7 and RFLAGS");
	struct kvm_debugregs debug;

	kn_expect_at(check, "SYSENTER_CS", vcpu_get_msr(vcpu, MSR_IA32_SYSENTER_CS), turn, turn);
	kn_expect_at(check, "SYSENTER_ESP", vcpu_get_msr(vcpu, MSR_IA32_SYSENTER_ESP),
		     pattern(turn, 2), turn);
	kn_expect_at(check, "SYSENTER_EIP", vcpu_get_msr(vcpu, MSR_IA32_SYSENTER_EIP),
		     pattern(turn, 3), turn);
	kn_expect_at(check, "PAT", vcpu_get_msr(vcpu, MSR_IA32_CR_PAT),
		     turn & 1 ? 0x0007040600070406ull : 0x0606060606060606ull, turn);
	vcpu_debugregs_get(vcpu, &debug);
	kn_expect_at(check, "DR7", debug.dr7, DR7_INIT, turn);
	sync_global_from_guest(vcpu->vm, rflags);
	kn_expect_at(check, "RFLAGS.DF", rflags & BIT(10), 0, turn);
}

int main(int argc, char *argv[])
{
	struct kn_check *stages = KN_SITE("the guest comes to each turn");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int turn = 0; turn < NR_TURNS; turn++) {
		kn_expect_at(stages, "stage", kn_run(vcpu), turn + 1, turn);
		sync_global_from_guest(vm, tr);
		expect_segments(vcpu, turn);
		expect_msrs(vcpu, turn);
	}
	kn_run(vcpu);
	KN_COUNTED(vm, "transition.host", NR_TURNS);
	kn_finish(vm);
}
