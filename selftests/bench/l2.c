// SPDX-License-Identifier: GPL-2.0-only
/* Switching to an L2 and back, by a hypervisor that sets HOST_RSP and HOST_RIP once. */
#include <stddef.h>

#include "kvm_util.h"
#include "processor.h"
#include "l2.h"

#define GPR(reg)	(offsetof(struct l2, gprs) + (reg) * sizeof(uint64_t))

void l2_exit(void);

void l2_enter(struct l2 *l2)
{
	bool failed;

	static_assert(offsetof(struct l2, l1_rsp) == 0, "HOST_RSP points at l1_rsp");

	asm volatile("push %%rbp\n\t"
		     "push %%rdi\n\t"
		     "mov %%rsp, (%%rdi)\n\t"
		     "cmpb $0, %c[launched](%%rdi)\n\t"
		     "mov %c[rax](%%rdi), %%rax\n\t"
		     "mov %c[rbx](%%rdi), %%rbx\n\t"
		     "mov %c[rcx](%%rdi), %%rcx\n\t"
		     "mov %c[rdx](%%rdi), %%rdx\n\t"
		     "mov %c[rsi](%%rdi), %%rsi\n\t"
		     "mov %c[rbp](%%rdi), %%rbp\n\t"
		     "mov %c[r8](%%rdi), %%r8\n\t"
		     "mov %c[r9](%%rdi), %%r9\n\t"
		     "mov %c[r10](%%rdi), %%r10\n\t"
		     "mov %c[r11](%%rdi), %%r11\n\t"
		     "mov %c[r12](%%rdi), %%r12\n\t"
		     "mov %c[r13](%%rdi), %%r13\n\t"
		     "mov %c[r14](%%rdi), %%r14\n\t"
		     "mov %c[r15](%%rdi), %%r15\n\t"
		     "mov %c[rdi](%%rdi), %%rdi\n\t"
		     "je 1f\n\t"
		     "vmresume\n\t"
		     "jmp 2f\n"
		     "1:\n\t"
		     "vmlaunch\n"
		     "2:\n\t"
		     /* Neither happened: RSP is still L1's. */
		     "mov $1, %%eax\n\t"
		     "jmp 3f\n\t"
		     ".globl l2_exit\n"
		     "l2_exit:\n\t"
		     "mov %%rax, %c[rax](%%rsp)\n\t"
		     "mov %%rbx, %c[rbx](%%rsp)\n\t"
		     "mov %%rcx, %c[rcx](%%rsp)\n\t"
		     "mov %%rdx, %c[rdx](%%rsp)\n\t"
		     "mov %%rsi, %c[rsi](%%rsp)\n\t"
		     "mov %%rdi, %c[rdi](%%rsp)\n\t"
		     "mov %%rbp, %c[rbp](%%rsp)\n\t"
		     "mov %%r8, %c[r8](%%rsp)\n\t"
		     "mov %%r9, %c[r9](%%rsp)\n\t"
		     "mov %%r10, %c[r10](%%rsp)\n\t"
		     "mov %%r11, %c[r11](%%rsp)\n\t"
		     "mov %%r12, %c[r12](%%rsp)\n\t"
		     "mov %%r13, %c[r13](%%rsp)\n\t"
		     "mov %%r14, %c[r14](%%rsp)\n\t"
		     "mov %%r15, %c[r15](%%rsp)\n\t"
		     "mov (%%rsp), %%rsp\n\t"
		     "xor %%eax, %%eax\n"
		     "3:\n\t"
		     "pop %%rdi\n\t"
		     "pop %%rbp\n\t"
		     : "=a"(failed)
		     : "D"(l2), [launched]"i"(offsetof(struct l2, launched)),
		       [rax]"i"(GPR(RAX)), [rbx]"i"(GPR(RBX)), [rcx]"i"(GPR(RCX)),
		       [rdx]"i"(GPR(RDX)), [rsi]"i"(GPR(RSI)), [rdi]"i"(GPR(RDI)),
		       [rbp]"i"(GPR(RBP)), [r8]"i"(GPR(R8)), [r9]"i"(GPR(R9)),
		       [r10]"i"(GPR(R10)), [r11]"i"(GPR(R11)), [r12]"i"(GPR(R12)),
		       [r13]"i"(GPR(R13)), [r14]"i"(GPR(R14)), [r15]"i"(GPR(R15))
		     : "memory", "cc", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11",
		       "r12", "r13", "r14", "r15");

	GUEST_ASSERT_1(!failed, vmreadz(VM_INSTRUCTION_ERROR));
	l2->launched = true;
}

void l2_init(struct l2 *l2, struct vmx_pages *vmx, void *rip, void *stack_top)
{
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, rip, stack_top);
	GUEST_ASSERT(!vmwrite(HOST_RSP, (uintptr_t)&l2->l1_rsp));
	GUEST_ASSERT(!vmwrite(HOST_RIP, (uintptr_t)l2_exit));
	l2->launched = false;
}

void l2_give_shadow_vmcs(struct vmx_pages *vmx)
{
	uint64_t controls = 0;

	if (vmreadz(CPU_BASED_VM_EXEC_CONTROL) & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		controls = vmreadz(SECONDARY_VM_EXEC_CONTROL);
	GUEST_ASSERT(!vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmreadz(CPU_BASED_VM_EXEC_CONTROL) |
							 CPU_BASED_ACTIVATE_SECONDARY_CONTROLS));
	GUEST_ASSERT(!vmwrite(SECONDARY_VM_EXEC_CONTROL, controls | SECONDARY_EXEC_SHADOW_VMCS));
	GUEST_ASSERT(!vmwrite(VMCS_LINK_POINTER, vmx->shadow_vmcs_gpa));
}
