/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_execute() lets L1 execute one instruction with any registers, RSP among them, and comes
 * back whatever becomes of it: it is executed, it faults, or it ends in a VM exit of L2.
 */
#include "arena.h"

	.text

	.macro save_regs
	mov	%rax, S_REG(0)
	mov	%rcx, S_REG(1)
	mov	%rdx, S_REG(2)
	mov	%rbx, S_REG(3)
	mov	%rbp, S_REG(5)
	mov	%rsi, S_REG(6)
	mov	%rdi, S_REG(7)
	mov	%r8, S_REG(8)
	mov	%r9, S_REG(9)
	mov	%r10, S_REG(10)
	mov	%r11, S_REG(11)
	mov	%r12, S_REG(12)
	mov	%r13, S_REG(13)
	mov	%r14, S_REG(14)
	mov	%r15, S_REG(15)
	.endm

	/* The frame for IRET, with the registers but RSP, is the caller's business. */
	.globl	guest_execute
	.type	guest_execute, @function
guest_execute:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, S_RSP
	movq	$1, S_RUNNING
	mov	S_REG(0), %rax
	mov	S_REG(1), %rcx
	mov	S_REG(2), %rdx
	mov	S_REG(3), %rbx
	mov	S_REG(5), %rbp
	mov	S_REG(6), %rsi
	mov	S_REG(7), %rdi
	mov	S_REG(8), %r8
	mov	S_REG(9), %r9
	mov	S_REG(10), %r10
	mov	S_REG(11), %r11
	mov	S_REG(12), %r12
	mov	S_REG(13), %r13
	mov	S_REG(14), %r14
	mov	S_REG(15), %r15
	mov	$S_FRAME, %rsp
	iretq

	/* The instruction was executed, and the next one has jumped here. */
	.globl	guest_tail
guest_tail:
	movq	$EVENT_NONE, S_EVENT
	jmp	2f

	/* The VM exits of L2 come here. */
	.globl	guest_vmexit
guest_vmexit:
	movq	$EVENT_EXIT, S_EVENT
2:	mov	%rsp, S_REG(4)
	save_regs
	mov	S_RSP, %rsp
	pushfq
	pop	S_FLAGS
1:	movq	$0, S_RUNNING
	cld
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	guest_execute, . - guest_execute

	/* On the stack: vector, error code, and what the processor pushes. */
exception:
	cmpq	$0, S_RUNNING
	je	3f
	save_regs
	movq	$EVENT_FAULT, S_EVENT
	pop	%rax
	mov	%rax, S_VECTOR
	pop	S_ERROR
	mov	(%rsp), %rbx
	mov	%rbx, S_FAULT_RIP
	mov	16(%rsp), %rbx
	mov	%rbx, S_FLAGS
	mov	24(%rsp), %rbx
	mov	%rbx, S_REG(4)
	mov	%cr2, %rbx
	mov	%rbx, S_CR2
	mov	S_RSP, %rsp
	cmp	$VECTOR_END, %eax
	jne	1b
	movq	$EVENT_NONE, S_EVENT
	jmp	1b

	/* The interpreter's own instructions, which may fault where there is a fix-up. */
3:	cmpq	$0, S_FIXUP
	je	4f
	push	%rax
	mov	8(%rsp), %rax
	mov	%rax, S_VECTOR
	movq	$EVENT_FAULT, S_EVENT
	mov	S_FIXUP, %rax
	mov	%rax, 24(%rsp)
	pop	%rax
	add	$16, %rsp
	iretq

4:	pop	%rax
	pop	%rcx
	pop	%rdx
	out	%al, $PORT_DEAD
	jmp	4b

	.globl	guest_vmlaunch
guest_vmlaunch:
	vmlaunch
	jmp	guest_tail

	.globl	guest_vmresume
guest_vmresume:
	vmresume
	jmp	guest_tail

	.globl	guest_handlers
	.balign	16
guest_handlers:
	vector = 0
	.rept	32
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	push	$0
	.endif
	push	$vector
	jmp	exception
	vector = vector + 1
	.endr

	.balign	16
	.globl	guest_end_handler
guest_end_handler:
	push	$0
	pushq	$VECTOR_END
	jmp	exception

	/* An exception of L2 that L1 doesn't want shows as a VMCALL from here. */
	.globl	l2_handlers
	.balign	16
l2_handlers:
	.rept	32
	.balign	16
1:	vmcall
	jmp	1b
	.endr

	.section .note.GNU-stack, "", @progbits
