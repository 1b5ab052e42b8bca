/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of modes.c: one sum over its data in each mode, which starts with EDI.
 */
#include "modes.h"

#define AT(label)	(label - guest_code + CODE)

	.section .rodata
	.global guest_code, guest_code_end
guest_code:
	.code16
	mov	$(DATA >> 4), %ax
	mov	%ax, %ds
	xor	%bx, %bx
	mov	$(DATA_SIZE / 4), %cx
	mov	%edi, %eax
1:	rol	$5, %eax
	add	(%bx), %eax
	add	$4, %bx
	loop	1b
	out	%eax, $REAL

	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	AT(gdt_pointer)
	mov	%cr0, %eax
	or	$1, %al			/* PE */
	mov	%eax, %cr0
	ljmpl	$8, $AT(protected)

	.code32
protected:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	mov	$DATA, %esi
	mov	$(DATA_SIZE / 4), %ecx
	mov	%edi, %eax
1:	rol	$7, %eax
	xor	(%esi), %eax
	add	$4, %esi
	loop	1b
	out	%eax, $PROTECTED

	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$PML4, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x100, %eax		/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$0x80000000, %eax	/* PG */
	mov	%eax, %cr0
	ljmp	$0x18, $AT(long_mode)

	.code64
long_mode:
	mov	$DATA, %esi
	mov	$(DATA_SIZE / 8), %ecx
	mov	%edi, %eax
1:	rol	$9, %rax
	add	(%rsi), %rax
	add	$8, %rsi
	loop	1b
	out	%eax, $LONG_LOW
	shr	$32, %rax
	out	%eax, $LONG_HIGH
	hlt

	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	AT(gdt)
guest_code_end:

	.section .note.GNU-stack, "", @progbits
