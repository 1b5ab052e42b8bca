/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sites of redirected functions call.  ftrace calls it directly, which costs
 * next to nothing; a callback that is given registers costs up to ninety instructions.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>

#include "redirects.h"

/* The replacement returns to the caller: the address behind the site goes from the stack. */
.macro enter_hook symbol
SYM_FUNC_START(enter_\symbol)
	ENDBR
	lea	8(%rsp), %rsp
	jmp	hook_\symbol
SYM_FUNC_END(enter_\symbol)
	STACK_FRAME_NON_STANDARD enter_\symbol
.endm

#define X(module, symbol, ...) enter_hook symbol;
REDIRECTS(X)
#undef X

/* This one is only watched: it goes on with its first four arguments. */
SYM_FUNC_START(enter_nested_vmx_vmexit)
	ENDBR
	push	%rbp
	mov	%rsp, %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	call	watch_nested_vmx_vmexit
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	leave
	RET
SYM_FUNC_END(enter_nested_vmx_vmexit)
