/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kn_l2_enter(gprs, launch): see l2.h. The registers lie in the order of their encoding.
 */
#define HOST_RSP	0x6c14
#define HOST_RIP	0x6c16
#define ALU_FLAGS	0x8d5

	.text
	.globl	kn_l2_enter
	.type	kn_l2_enter, @function
kn_l2_enter:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi

	mov	$HOST_RSP, %eax
	vmwrite	%rsp, %rax
	lea	1f(%rip), %rcx
	mov	$HOST_RIP, %eax
	vmwrite	%rcx, %rax

	/* MOV leaves ZF alone for the branch below. */
	test	%sil, %sil
	mov	0x00(%rdi), %rax
	mov	0x08(%rdi), %rcx
	mov	0x10(%rdi), %rdx
	mov	0x18(%rdi), %rbx
	mov	0x28(%rdi), %rbp
	mov	0x30(%rdi), %rsi
	mov	0x40(%rdi), %r8
	mov	0x48(%rdi), %r9
	mov	0x50(%rdi), %r10
	mov	0x58(%rdi), %r11
	mov	0x60(%rdi), %r12
	mov	0x68(%rdi), %r13
	mov	0x70(%rdi), %r14
	mov	0x78(%rdi), %r15
	mov	0x38(%rdi), %rdi
	jz	2f
	vmlaunch
	jmp	1f
2:	vmresume

	/* A VM exit comes here with the flags clear, VMfail with CF or ZF. */
1:	pushfq
	push	%rdi
	mov	0x10(%rsp), %rdi
	mov	%rax, 0x00(%rdi)
	mov	%rcx, 0x08(%rdi)
	mov	%rdx, 0x10(%rdi)
	mov	%rbx, 0x18(%rdi)
	mov	%rbp, 0x28(%rdi)
	mov	%rsi, 0x30(%rdi)
	mov	%r8, 0x40(%rdi)
	mov	%r9, 0x48(%rdi)
	mov	%r10, 0x50(%rdi)
	mov	%r11, 0x58(%rdi)
	mov	%r12, 0x60(%rdi)
	mov	%r13, 0x68(%rdi)
	mov	%r14, 0x70(%rdi)
	mov	%r15, 0x78(%rdi)
	pop	%rax
	mov	%rax, 0x38(%rdi)
	pop	%rax
	and	$ALU_FLAGS, %eax
	pop	%rdi

	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	kn_l2_enter, . - kn_l2_enter

	.section .note.GNU-stack, "", @progbits
