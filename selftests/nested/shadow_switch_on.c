// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2 runs, and L1 after it, when the module is switched on just before L1's VMLAUNCH or
 * VMRESUME, so that this is the first instruction of L1 that the module sees; and that L1 finds its
 * values when it is VMPTRLD or VMCLEAR.
 */
#include "field.h"
#include "l2.h"
#include "shadow.h"

#define NR_ROUNDS	8
#define NR_STAGES	6	/* of a round, at which user space switches */

enum {
	PORT_SWITCH = 0x2001,
};

static volatile uint64_t turn;
static uint64_t l2_rip;	/* of its only instruction that exits */

/* With nothing in registers. */
static void l2_guest_code(void)
{
	asm volatile("1:\tvmcall\n\t"
		     "jmp 1b");
}

/* Enters L2 with nothing that traps between user space and VMLAUNCH or VMRESUME. */
#define ENTER(_insn)								\
({										\
	uint64_t __rflags;							\
										\
	asm volatile("push %%rbp\n\t"						\
		     "push %%rbx\n\t"						\
		     "vmwrite %%rsp, %[host_rsp]\n\t"				\
		     "lea 1f(%%rip), %%rax\n\t"					\
		     "vmwrite %%rax, %[host_rip]\n\t"				\
		     "mov %[port], %%edx\n\t"					\
		     "in %%dx, %%al\n\t"					\
		     _insn "\n"							\
		     "1:\tpushfq\n\t"						\
		     "pop %%rax\n\t"						\
		     "pop %%rbx\n\t"						\
		     "pop %%rbp\n\t"						\
		     : "=&a" (__rflags)						\
		     : [host_rsp] "r" ((uint64_t)HOST_RSP),			\
		       [host_rip] "r" ((uint64_t)HOST_RIP), [port] "i" (PORT_SWITCH)	\
		     : "rdx", "cc", "memory");					\
	__rflags & KN_ALU_FLAGS;						\
})

static void let_switch(void)
{
	uint8_t al;

	asm volatile("in %%dx, %%al" : "=a" (al) : "d" (PORT_SWITCH) : "memory");
}

static uint64_t pattern(unsigned int i)
{
	return (0x9e3779b9 * (i + 1) + turn * 0x10201) & 0x7ffffff;
}

/* Those that stock KVM shadows as well, and others. */
static const uint32_t fields[] = {
	CR0_READ_SHADOW, VM_ENTRY_EXCEPTION_ERROR_CODE, TSC_OFFSET, GUEST_FS_BASE, HOST_FS_BASE,
};

static void write_fields(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
		vmwrite(fields[i], pattern(i));
}

static void expect_fields(struct kn_check *check)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED,
			     fields[i]);
		kn_expect_at(check, "value", value, pattern(i), turn << 16 | fields[i]);
	}
}

static void expect_exit(struct kn_check *check, uint64_t outcome)
{
	kn_expect_at(check, "outcome", outcome, VM_SUCCEED, turn);
	kn_expect_at(check, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL, turn);
	if (!l2_rip)
		l2_rip = vmreadz(GUEST_RIP);
	kn_expect_at(check, "RIP", vmreadz(GUEST_RIP), l2_rip, turn);
	expect_fields(check);
}

static void check_vmptrld(struct vmx_pages *vmx)
{
	struct kn_check *check = KN_SITE("switched on before VMPTRLD");

	write_fields();
	let_switch();
	kn_expect_at(check, "VMPTRLD", kn_vmptrld(vmx->shadow_vmcs_gpa), VM_SUCCEED, turn);
	let_switch();
	kn_expect_at(check, "VMPTRLD", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED, turn);
	expect_fields(check);
}

static void check_vmclear(struct vmx_pages *vmx)
{
	struct kn_check *check = KN_SITE("switched on before VMCLEAR");

	write_fields();
	let_switch();
	kn_expect_at(check, "VMCLEAR", kn_vmclear(vmx->vmcs_gpa), VM_SUCCEED, turn);
	kn_expect_at(check, "VMPTRLD", kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED, turn);
	expect_fields(check);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	/* The library's shadow VMCS serves as another ordinary one. */
	*(uint32_t *)vmx->shadow_vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->shadow_vmcs_gpa) == VM_SUCCEED);

	for (; turn < NR_ROUNDS; turn++) {
		write_fields();
		expect_exit(KN_SITE("switched on before VMLAUNCH"), ENTER("vmlaunch"));
		write_fields();
		expect_exit(KN_SITE("switched on before VMRESUME"), ENTER("vmresume"));
		expect_exit(KN_SITE("switched on before VMRESUME, nothing written"),
			    ENTER("vmresume"));
		check_vmptrld(vmx);
		check_vmclear(vmx);
	}
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kn_check *check = KN_SITE("the module can be switched at each stage");
	struct kn_check *stages = KN_SITE("L1 comes to each stage");
	unsigned int nr = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_parameter_set("shadow_learn", "1");
	kn_parameter_set("shadow_fields", "150");
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");
	vm = kn_vm_create(&vcpu, l1_guest_code);

	for (; nr < NR_STAGES * NR_ROUNDS; nr++) {
		/* Each at every stage. */
		const char *name = (nr + nr / NR_STAGES) & 1 ? "enable" : "shadow";

		kn_expect_at(stages, "KVM_RUN", __vcpu_run(vcpu), 0, nr);
		if (vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != PORT_SWITCH)
			break;
		kn_expect_at(check, name, kn_parameter_set(name, "0"), 0, nr);
		kn_expect_at(check, name, kn_parameter_set(name, "1"), 0, nr);
	}
	kn_expect(stages, nr, NR_STAGES * NR_ROUNDS);
	kn_run(vcpu);

	KN_SHADOW_COUNTED(vm, "vcpu.released", NR_ROUNDS);
	KN_SHADOW_COUNTED(vm, "shadow.joined", NR_ROUNDS);
	kn_finish(vm);
}
