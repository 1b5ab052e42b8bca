// SPDX-License-Identifier: GPL-2.0-only
/*
 * How pointers are swapped, and how functions are traced.  What hook.c redirects,
 * it redirects with this.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/static_call.h>
#include <asm/text-patching.h>

#include "kvm_intel.h"
#include "redirect.h"

/**
 * kn_swap_in() - swap a pointer
 * @swap: by what; what it displaces can be called before it is
 * @slot: where the pointer is
 *
 * Return: 0, -ENOENT if kvm-intel doesn't have the stock function, -EBUSY if the
 * pointer holds another
 */
int kn_swap_in(struct kn_swap *swap, void **slot)
{
	void *stock = (void *)kn_symbol("kvm_intel", swap->symbol);
	void *found;

	if (!stock)
		return -ENOENT;

	__static_call_update(swap->displaced, swap->tramp, stock);

	found = cmpxchg(slot, stock, swap->hook);
	if (found != stock) {
		pr_no("%s is already redirected, to %ps: unload its owner first", swap->symbol,
		      found);
		return -EBUSY;
	}

	swap->slot = slot;
	return 0;
}

/**
 * kn_swap_out() - swap a pointer back, if it was swapped
 * @swap: what kn_swap_in() was given
 *
 * Somebody who redirected the pointer after the module did calls the hook, which
 * is about to be freed: there is nothing right to do but to wait for them.
 */
void kn_swap_out(struct kn_swap *swap)
{
	bool said = false;
	void *found;

	if (!swap->slot)
		return;

	for (;;) {
		found = cmpxchg(swap->slot, swap->hook, swap->displaced->func);
		if (found == swap->hook)
			break;
		if (!said)
			pr_err("waiting: %s was redirected again, to %ps, whose owner has to be unloaded first\n",
			       swap->symbol, found);
		said = true;
		msleep(100);
	}
	swap->slot = NULL;
}

/*
 * Find the ftrace site of a function.  It is a NOP, a call, or a breakpoint while
 * ftrace changes one into the other.
 */
static int find_site(struct kn_site *site)
{
	static const u8 nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	unsigned long ip = kn_symbol(site->module, site->symbol);
	u8 first;

	if (!ip)
		return -ENOENT;

	if (is_endbr(*(u32 *)ip))
		ip += ENDBR_INSN_SIZE;

	first = READ_ONCE(*(u8 *)ip);
	if (first != CALL_INSN_OPCODE && first != INT3_INSN_OPCODE &&
	    memcmp((void *)ip, nop, sizeof(nop))) {
		pr_no("%s can't be traced by ftrace", site->symbol);
		return -EOPNOTSUPP;
	}

	site->ip = ip;
	return 0;
}

/**
 * kn_sites_find() - find the ftrace sites of functions
 * @sites: module and symbol of each; each &kn_site.ip is filled in
 * @nr: how many
 *
 * Return: 0, -ENOENT if a function doesn't exist, -EOPNOTSUPP if ftrace doesn't
 * know one
 */
int kn_sites_find(struct kn_site *sites, unsigned int nr)
{
	int i, r = 0;

	for (i = 0; i < nr && !r; i++)
		r = find_site(&sites[i]);
	return r;
}

/*
 * Which of the sites ftrace refuses, now that it has refused all of them together:
 * it doesn't say.  The others are traced for a moment.
 */
static const char *refused_site(struct ftrace_ops *ops, const struct kn_site *sites,
				unsigned int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (ftrace_set_filter_ip(ops, sites[i].ip, 0, 1) || register_ftrace_function(ops))
			return sites[i].symbol;
		unregister_ftrace_function(ops);
	}
	return "one of kvm-intel's functions";
}

/**
 * kn_trace_attach() - have functions traced
 * @ops: ftrace operations with no filter
 * @sites: the functions, found by kn_sites_find()
 * @nr: how many
 *
 * What fails leaves the rest to kn_trace_detach().
 *
 * Return: 0, or ftrace's error, which is -EBUSY if a function is redirected
 * already or kernel.ftrace_enabled is 0
 */
int kn_trace_attach(struct ftrace_ops *ops, const struct kn_site *sites, unsigned int nr)
{
	int i, r;

	for (i = 0; i < nr; i++) {
		r = ftrace_set_filter_ip(ops, sites[i].ip, 0, 0);
		if (r) {
			pr_no("%s can't be traced by ftrace (error %d)", sites[i].symbol, r);
			return r;
		}
	}

	r = register_ftrace_function(ops);
	if (r)
		pr_no("%s can't be traced (error %d): another module or live patch redirects it, or kernel.ftrace_enabled is 0",
		      refused_site(ops, sites, nr), r);
	return r;
}

/**
 * kn_trace_detach() - have functions traced no more, if they were
 * @ops: what kn_trace_attach() was given, even if it failed
 */
void kn_trace_detach(struct ftrace_ops *ops)
{
	if (ops->flags & FTRACE_OPS_FL_ENABLED)
		unregister_ftrace_function(ops);
	ftrace_free_filter(ops);
}
