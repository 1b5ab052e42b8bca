// SPDX-License-Identifier: GPL-2.0-only
/*
 * One round: L1 writes fields of its VMCS, shadowed ones and others, reads them, runs L2 until its
 * CPUID or VMCALL, and reads again what must be as before and what L2 has changed. Now and then it
 * switches to another VMCS, launches its own anew, or leaves VMX operation altogether. The other
 * VMCS is the shadow VMCS of L2, if there can be one, and both read what the other has written.
 */
#include "round.h"

#define SWITCH_EVERY	4
#define LAUNCH_EVERY	32
#define VMXOFF_EVERY	128

/* Fields without an effect on this L2: stock KVM shadows the second half of them. */
static const uint32_t fields[] = {
	TSC_OFFSET, EOI_EXIT_BITMAP1, VM_ENTRY_MSR_LOAD_ADDR, PAGE_FAULT_ERROR_CODE_MATCH,
	XSS_EXIT_BITMAP, GUEST_SYSENTER_EIP,
	VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN, CR0_READ_SHADOW,
	VMX_PREEMPTION_TIMER_VALUE,
};

/* Small enough for every one of the fields, and canonical. */
static uint64_t pattern(uint64_t round, unsigned int i)
{
	return (round * 0x9e3779b9 + i * 0x85ebca6b) & 0x7fffffff;
}

static const uint32_t other_fields[] = { HOST_RSP, GUEST_RIP };

static void use_other_vmcs(struct kn_check *check, struct kn_rounds *rounds, uint64_t round,
			   unsigned int who)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(other_fields); i++) {
		kn_vmread(other_fields[i], &value);
		kn_expect_at(check, "value", value, rounds->other[i], round << 8 | i);
		rounds->other[i] = pattern(round, 103 + 2 * who + i);
		kn_vmwrite(other_fields[i], rounds->other[i]);
	}
}

static void l2_guest_code(struct kn_rounds *rounds)
{
	uint32_t eax, ebx, ecx, edx;
	uint64_t round;

	for (;;) {
		round = rounds->done;
		kn_expect_at(KN_SITE("L2 sees what L1 wrote to memory"), "value", rounds->value,
			     pattern(round, 100), round);
		if (rounds->shadows)
			use_other_vmcs(KN_SITE("L2's shadow VMCS has what was written last"),
				       rounds, round, 1);
		wrmsr(MSR_IA32_SYSENTER_ESP, pattern(round, 101));
		wrmsr(MSR_FS_BASE, pattern(round, 102));
		if (round & 1) {
			asm volatile("vmcall" : : "a" (round) : "memory");
		} else {
			eax = round;
			asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx)
				     : : "memory");
			kn_expect_at(KN_SITE("L2's CPUID returns what L1 gave it"), "EAX", eax,
				     (uint32_t)~round, round);
		}
	}
}

static void write_fields(uint64_t round)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
		kn_expect_at(KN_SITE("VMWRITE succeeds in each round"), "outcome",
			     kn_vmwrite(fields[i], pattern(round, i)), VM_SUCCEED, round);
}

static void read_fields(struct kn_check *check, uint64_t round)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED, round);
		kn_expect_at(check, "value", value, pattern(round, i), round << 8 | i);
	}
}

static void enter_l2(struct kn_rounds *rounds, struct gpr64_regs *gprs, uint64_t round, bool launch)
{
	struct kn_check *exits = KN_SITE("L2's exit in each round");
	bool vmcall = round & 1;

	rounds->value = pattern(round, 100);
	kn_expect_at(exits, "outcome", kn_l2_enter(gprs, launch), VM_SUCCEED, round);
	kn_expect_at(exits, "reason", vmreadz(VM_EXIT_REASON),
		     vmcall ? EXIT_REASON_VMCALL : EXIT_REASON_CPUID, round);
	kn_expect_at(exits, "length", vmreadz(VM_EXIT_INSTRUCTION_LEN), vmcall ? 3 : 2, round);
	kn_expect_at(exits, "qualification", vmreadz(EXIT_QUALIFICATION), 0, round);
	kn_expect_at(exits, "L2's EAX", (uint32_t)gprs->rax, (uint32_t)round, round);
	gprs->rax = ~round;
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
}

static void switch_vmcs(struct kn_rounds *rounds, uint64_t round)
{
	struct kn_check *check = KN_SITE("the other VMCS keeps its values");
	struct vmx_pages *vmx = rounds->vmx;

	kn_expect_at(check, "VMPTRLD", kn_vmptrld(vmx->shadow_vmcs_gpa), VM_SUCCEED, round);
	use_other_vmcs(check, rounds, round, 0);
	if (rounds->shadows)
		kn_expect_at(check, "VMCLEAR", kn_vmclear(vmx->shadow_vmcs_gpa), VM_SUCCEED,
			     round);
	kn_expect_at(check, "VMPTRLD back", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED, round);
}

static void leave_operation(struct vmx_pages *vmx, uint64_t round)
{
	struct kn_check *check = KN_SITE("VMXOFF and VMXON");

	kn_expect_at(check, "VMCLEAR", kn_vmclear(vmx->vmcs_gpa), VM_SUCCEED, round);
	kn_expect_at(check, "VMCLEAR", kn_vmclear(vmx->shadow_vmcs_gpa), VM_SUCCEED, round);
	kn_expect_at(check, "VMXOFF", kn_vmxoff(), VM_SUCCEED, round);
	kn_expect_at(check, "VMXON", kn_vmxon(vmx->vmxon_gpa), VM_SUCCEED, round);
	kn_expect_at(check, "VMPTRLD", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED, round);
}

static void check_l2_state(uint64_t round)
{
	struct kn_check *check = KN_SITE("L1 reads what L2 put into its own state");
	uint64_t value = 0;

	kn_vmread(GUEST_SYSENTER_ESP, &value);
	kn_expect_at(check, "GUEST_SYSENTER_ESP", value, pattern(round, 101), round);
	kn_vmread(GUEST_FS_BASE, &value);
	kn_expect_at(check, "GUEST_FS_BASE", value, pattern(round, 102), round);
}

static void check_error(uint64_t round)
{
	struct kn_check *check = KN_SITE("VMREAD of no field fails in each round");
	uint64_t value = 0;

	kn_expect_at(check, "outcome", kn_vmread(0x7ffe, &value), VM_FAIL_VALID, round);
	kn_expect_at(check, "error", vmreadz(VM_INSTRUCTION_ERROR), ERR_UNSUPPORTED_FIELD, round);
}

void kn_rounds_guest_code(struct kn_rounds *rounds)
{
	struct gpr64_regs gprs = { .rdi = (uint64_t)rounds };
	struct vmx_pages *vmx = rounds->vmx;
	bool launch = true;

	kn_l1_setup(vmx, l2_guest_code, &rounds->stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	rounds->shadows = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 & SECONDARY_EXEC_SHADOW_VMCS;
	if (rounds->shadows)
		kn_l1_shadow_for_l2(vmx);
	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision() | (rounds->shadows ? BIT(31) : 0);
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);

	while (rounds->done < rounds->limit && !rounds->stop) {
		uint64_t round = rounds->done;

		write_fields(round);
		read_fields(KN_SITE("fields hold what was written"), round);
		enter_l2(rounds, &gprs, round, launch);
		read_fields(KN_SITE("fields survive L2's run"), round);
		check_l2_state(round);
		check_error(round);
		if (round % SWITCH_EVERY == 0)
			switch_vmcs(rounds, round);
		launch = round % LAUNCH_EVERY == 0;
		if (launch)
			GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED &&
				     kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
		if (round % VMXOFF_EVERY == 0)
			leave_operation(vmx, round);
		read_fields(KN_SITE("fields survive VMPTRLD, VMCLEAR and VMXOFF"), round);
		rounds->done++;
	}
	GUEST_DONE();
}

struct kn_rounds *kn_rounds_alloc(struct kvm_vm *vm, struct kvm_vcpu *vcpu, uint64_t limit)
{
	vm_vaddr_t gva = vm_vaddr_alloc(vm, sizeof(struct kn_rounds), KVM_UTIL_MIN_VADDR);
	struct kn_rounds *rounds = addr_gva2hva(vm, gva);
	vm_vaddr_t vmx_gva;

	vcpu_alloc_vmx(vm, &vmx_gva);
	memset(rounds, 0, sizeof(*rounds));
	rounds->vmx = (void *)vmx_gva;
	rounds->limit = limit;
	vcpu_args_set(vcpu, 1, gva);
	return rounds;
}
