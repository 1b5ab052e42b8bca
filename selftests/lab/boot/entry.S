/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First code of the emulated host's boot disk: from the BIOS to 32-bit protected mode.
 *
 * A boot loader and an in-guest decompression cost more emulated instructions than the kernel's
 * own start. This stub has neither: it fetches the rest of itself, asks the BIOS for the memory
 * map, and leaves everything else to load.c, which reads an uncompressed kernel.
 */
#include "layout.h"

	.code16
	.section .entry, "ax"
	.globl	entry
entry:
	cli
	ljmp	$0, $1f			/* some BIOSes enter at 07c0:0000 */
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$entry, %sp
	sti

	/* The BIOS has loaded one sector: read the others right behind it. %dl is the disk. */
	movw	$packet, %si
	movb	$0x42, %ah
	int	$0x13
	jc	stop

	/* The memory map, in the layout that PVH wants: 20 bytes from the BIOS in slots of 24. */
	xorl	%ebx, %ebx
	movw	$memory_map, %di
2:	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$0x534d4150, %edx	/* "SMAP" */
	int	$0x15
	jc	3f
	addw	$24, %di
	incl	memory_map_entries
	cmpl	$MEMORY_MAP_MAX, memory_map_entries
	je	3f
	testl	%ebx, %ebx
	jnz	2b
3:
	/* A20 by the fast gate, then protected mode with flat segments. */
	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al		/* bit 0 would reset the machine */
	outb	%al, $0x92
	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE_SELECTOR, $protected

stop:	hlt
	jmp	stop

	.balign	4
packet:
	.byte	16, 0
	.word	STUB_SECTORS - 1
	.word	entry + SECTOR, 0
	.quad	1

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* CODE_SELECTOR: 4 GiB, execute and read */
	.quad	0x00cf93000000ffff	/* DATA_SELECTOR: 4 GiB, read and write */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt

	.org	SECTOR - 2
	.word	0xaa55

	.code32
	.text
protected:
	movw	$DATA_SELECTOR, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$entry, %esp
	call	load			/* returns the kernel's PVH entry point */
	movl	$start_info, %ebx
	jmp	*%eax

	.bss
	.balign	8
	.globl	memory_map, memory_map_entries
memory_map:
	.skip	24 * MEMORY_MAP_MAX
memory_map_entries:
	.skip	4

	.section .note.GNU-stack, "", @progbits
