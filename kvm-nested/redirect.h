/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_REDIRECT_H
#define _KVM_NESTED_REDIRECT_H

#include <linux/ftrace.h>
#include <linux/types.h>

struct static_call_key;

/**
 * struct kn_swap - a pointer to a function, and what to put into it
 * @symbol: what it holds in a stock kernel
 * @displaced: the static call that calls what it held
 * @tramp: its trampoline
 * @hook: what it holds instead
 * @slot: where the pointer is; NULL until swapped
 */
struct kn_swap {
	const char *symbol;
	struct static_call_key *displaced;
	void *tramp;
	void *hook;
	void **slot;
};

/**
 * struct kn_site - the ftrace site of a function
 * @module: the kernel module that the function is in
 * @symbol: its name
 * @ip: the site's address, as ftrace's callbacks are told
 */
struct kn_site {
	const char *module;
	const char *symbol;
	unsigned long ip;
};

/**
 * struct kn_redirect - a function, and where its callers go instead
 * @site: its ftrace site
 * @entry: code that is called at the site, by KN_ENTER_HOOK() or KN_ENTER_WATCH()
 * @displaced: the static call that calls the function all the same, or NULL
 * @tramp: its trampoline
 * @ops: for ftrace
 */
struct kn_redirect {
	struct kn_site site;
	void (*entry)(void);
	struct static_call_key *displaced;
	void *tramp;
	struct ftrace_ops ops;
};

/*
 * ftrace calls these directly, at a cost of one instruction; callbacks that are given
 * registers cost ninety.  What returns from a function that is replaced returns to its
 * caller, so the address after the site goes from the stack.
 */
#define KN_ENTER_HOOK(_entry, _hook)						\
	void _entry(void);							\
	asm(".pushsection .text, \"ax\", @progbits\n"				\
	    ".type " #_entry ", @function\n"					\
	    #_entry ":\n"							\
	    ASM_ENDBR								\
	    "lea 8(%rsp), %rsp\n"						\
	    "jmp " #_hook "\n"							\
	    ".size " #_entry ", . - " #_entry "\n"				\
	    ".popsection\n");							\
	STACK_FRAME_NON_STANDARD(_entry)

/* Where a function is only watched: it gets its first four arguments after @_watch(). */
#define KN_ENTER_WATCH(_entry, _watch)						\
	void _entry(void);							\
	asm(".pushsection .text, \"ax\", @progbits\n"				\
	    ".type " #_entry ", @function\n"					\
	    #_entry ":\n"							\
	    ASM_ENDBR								\
	    "push %rbp\n"							\
	    "mov %rsp, %rbp\n"							\
	    "push %rdi\n"							\
	    "push %rsi\n"							\
	    "push %rdx\n"							\
	    "push %rcx\n"							\
	    "call " #_watch "\n"						\
	    "pop %rcx\n"							\
	    "pop %rdx\n"							\
	    "pop %rsi\n"							\
	    "pop %rdi\n"							\
	    "leave\n"								\
	    ASM_RET								\
	    ".size " #_entry ", . - " #_entry "\n"				\
	    ".popsection\n")

int kn_swap_in(struct kn_swap *swap, void **slot);
void kn_swap_out(struct kn_swap *swap);
int kn_site_find(struct kn_site *site);
int kn_redirect_in(struct kn_redirect *redirect);
void kn_redirect_out(struct kn_redirect *redirect);
int kn_trace_attach(struct ftrace_ops *ops, const struct kn_site *sites, unsigned int nr);
void kn_trace_detach(struct ftrace_ops *ops);

#endif /* _KVM_NESTED_REDIRECT_H */
