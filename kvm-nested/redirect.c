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

#include "compat.h"
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

/**
 * kn_site_find() - find the ftrace site of a function
 * @site: module and symbol; &kn_site.ip is filled in
 *
 * It is a NOP, a call, or a breakpoint while ftrace changes one into the other.
 *
 * Return: 0, -ENOENT if the function doesn't exist, -EOPNOTSUPP if ftrace doesn't
 * know it
 */
int kn_site_find(struct kn_site *site)
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
 * kn_redirect_in() - have a function's callers go elsewhere
 * @redirect: whose &kn_redirect.site has been found by kn_site_find()
 *
 * What it displaces can be called before it is.  What fails leaves the rest to
 * kn_redirect_out().
 *
 * Return: 0, or ftrace's error, which is -EBUSY if the function is redirected already
 */
int kn_redirect_in(struct kn_redirect *redirect)
{
	unsigned long ip = redirect->site.ip;
	int r;

	/*
	 * The displaced function goes on behind its ftrace site.  A kernel that tracks
	 * call depth (retbleed=stuff) warns once that there is no padding before this
	 * address, and does not count the call.
	 */
	if (redirect->displaced)
		__static_call_update(redirect->displaced, redirect->tramp,
				     (void *)(ip + CALL_INSN_SIZE));

	r = ftrace_set_filter_ip(&redirect->ops, ip, 0, 0);
	if (!r)
		r = kn_register_ftrace_direct(&redirect->ops, (unsigned long)redirect->entry);
	if (r)
		pr_no("%s can't be redirected (error %d): another module, live patch or BPF program redirects it",
		      redirect->site.symbol, r);
	return r;
}

/**
 * kn_redirect_out() - have a function's callers reach it again, if they didn't
 * @redirect: what kn_redirect_in() was given, even if it failed
 */
void kn_redirect_out(struct kn_redirect *redirect)
{
	struct ftrace_ops *ops = &redirect->ops;

	if (ops->flags & FTRACE_OPS_FL_ENABLED)
		kn_unregister_ftrace_direct(ops, (unsigned long)redirect->entry);
	ftrace_free_filter(ops);
}

/**
 * kn_trace_attach() - have functions traced
 * @ops: ftrace operations with no filter
 * @sites: the functions, found by kn_site_find()
 * @nr: how many
 *
 * What fails leaves the rest to kn_trace_detach().
 *
 * Return: 0, or ftrace's error, which is -EBUSY if kernel.ftrace_enabled is 0
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
		pr_no("kvm-intel's functions can't be traced (error %d), maybe since kernel.ftrace_enabled is 0: set it to 1",
		      r);
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
