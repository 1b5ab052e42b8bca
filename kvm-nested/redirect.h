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
 * @entry: what is called at the site, of enter.S
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

int kn_swap_in(struct kn_swap *swap, void **slot);
void kn_swap_out(struct kn_swap *swap);
int kn_site_find(struct kn_site *site);
int kn_redirect_in(struct kn_redirect *redirect);
void kn_redirect_out(struct kn_redirect *redirect);
int kn_trace_attach(struct ftrace_ops *ops, const struct kn_site *sites, unsigned int nr);
void kn_trace_detach(struct ftrace_ops *ops);

#endif /* _KVM_NESTED_REDIRECT_H */
