// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that redirects anything.
 *
 * Three kinds of hook, all placed by kn_hook_attach() or none:
 *  - entries of kvm-intel's exit-handler table and nested operations, swapped;
 *  - an ftrace redirect (IPMODIFY) of a function that is called directly;
 *  - ftrace callbacks where watching a function is enough.
 *
 * What a hook displaces is called by a static call.  For a function that ftrace
 * redirects, the static call enters it behind its ftrace site.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <asm/text-patching.h>

#include "hook.h"
#include "kvm_intel.h"
#include "vcpu.h"
#include "vmaccess.h"

/* The displaced functions. */

#define X(reason, handler) DEFINE_STATIC_CALL_NULL(kn_##handler, kn_exit_handler_fn);
KN_INSNS(X)
#undef X

typedef typeof(*((struct kvm_x86_nested_ops *)NULL)->get_state) nested_get_state_fn;
typedef typeof(*((struct kvm_x86_nested_ops *)NULL)->set_state) nested_set_state_fn;
typedef bool nested_reflect_fn(struct kvm_vcpu *vcpu);

DEFINE_STATIC_CALL_NULL(kn_vmx_get_nested_state, nested_get_state_fn);
DEFINE_STATIC_CALL_NULL(kn_vmx_set_nested_state, nested_set_state_fn);
DEFINE_STATIC_CALL_NULL(kn_nested_vmx_reflect_vmexit, nested_reflect_fn);

/* The replacements. */

static struct kn_vcpu *adopt_in_vmx_operation(struct kvm_vcpu *vcpu)
{
	if (kn_in_l2(vcpu) || !kn_in_vmx_operation(vcpu))
		return NULL;

	return kn_vcpu_adopt(vcpu);
}

/* @insn is a constant in every caller, so that each of these is one call. */
static __always_inline int run_engine(struct kn_vcpu *kv, enum kn_insn insn)
{
	switch (insn) {
	case KN_INSN_VMREAD:
		return kn_vmread(kv);
	case KN_INSN_VMWRITE:
		return kn_vmwrite(kv);
	default:
		return KN_STOCK;
	}
}

static __always_inline int run_displaced(struct kvm_vcpu *vcpu, enum kn_insn insn)
{
	switch (insn) {
#define X(reason, handler)				\
	case KN_INSN_##reason:				\
		return static_call(kn_##handler)(vcpu);
	KN_INSNS(X)
#undef X
	default:
		BUILD_BUG();
	}
}

static __always_inline int run_insn(struct kvm_vcpu *vcpu, enum kn_insn insn)
{
	struct kn_vcpu *kv;
	int r = KN_STOCK;
	int idx;

	idx = srcu_read_lock(&kn_srcu);

	kv = kn_vcpu_find(vcpu);
	if (!kv)
		kv = adopt_in_vmx_operation(vcpu);

	if (kv) {
		r = run_engine(kv, insn);
		if (r == KN_STOCK)
			kv->counters.exit_stock[insn]++;
		else
			kv->counters.exit_module[insn]++;
	}

	if (r == KN_STOCK)
		r = run_displaced(vcpu, insn);

	/* There is nothing to adopt before VMXON has succeeded. */
	if (insn == KN_INSN_VMON && !kv) {
		kv = adopt_in_vmx_operation(vcpu);
		if (kv)
			kv->counters.exit_stock[insn]++;
	}

	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

#define X(reason, handler)					\
static int hook_##handler(struct kvm_vcpu *vcpu)		\
{								\
	return run_insn(vcpu, KN_INSN_##reason);		\
}

KN_INSNS(X)
#undef X

static int hook_get_nested_state(struct kvm_vcpu *vcpu, struct kvm_nested_state __user *state,
				 unsigned int size)
{
	struct kn_vcpu *kv;
	int idx, r;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv)
		kv->counters.state_saved++;
	r = static_call(kn_vmx_get_nested_state)(vcpu, state, size);
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

static int hook_set_nested_state(struct kvm_vcpu *vcpu, struct kvm_nested_state __user *state,
				 struct kvm_nested_state *header)
{
	struct kn_vcpu *kv;
	int idx, r;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv)
		kv->counters.state_restored++;
	r = static_call(kn_vmx_set_nested_state)(vcpu, state, header);
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

/* Each exit from L2, before anybody looks at it.  True if L1 gets the exit. */
static bool hook_reflect_vmexit(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;
	bool reflected;
	u32 reason;
	int idx;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	reason = min_t(u32, (u16)kn_exit_reason(vcpu), KN_NR_REASONS - 1);
	reflected = static_call(kn_nested_vmx_reflect_vmexit)(vcpu);
	if (kv && reflected)
		kv->counters.l2exit_l1[reason]++;
	else if (kv)
		kv->counters.l2exit_l0[reason]++;
	srcu_read_unlock(&kn_srcu, idx);
	return reflected;
}

/* Pointers that kvm-intel calls through. */

struct swap {
	const char *symbol;	/* what the pointer holds in a stock kernel */
	struct static_call_key *displaced;
	void *tramp;
	void *hook;
	void **slot;		/* NULL until swapped */
};

#define SWAP(_symbol, _hook)					\
	{							\
		.symbol = #_symbol,				\
		.displaced = &STATIC_CALL_KEY(kn_##_symbol),	\
		.tramp = STATIC_CALL_TRAMP_ADDR(kn_##_symbol),	\
		.hook = (_hook),				\
	}

static struct swap insn_swaps[] = {
#define X(reason, handler) [KN_INSN_##reason] = SWAP(handler, hook_##handler),
	KN_INSNS(X)
#undef X
};

static struct swap get_state_swap = SWAP(vmx_get_nested_state, hook_get_nested_state);
static struct swap set_state_swap = SWAP(vmx_set_nested_state, hook_set_nested_state);

static int swap_in(struct swap *swap, void **slot)
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

/*
 * Somebody who redirected the pointer after the module did calls the hook, which
 * is about to be freed: there is nothing right to do but to wait for them.
 */
static void swap_out(struct swap *swap)
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

static void detach_swaps(void)
{
	int i;

	swap_out(&set_state_swap);
	swap_out(&get_state_swap);
	for (i = 0; i < ARRAY_SIZE(insn_swaps); i++)
		swap_out(&insn_swaps[i]);
}

static int attach_swaps(void)
{
	static const u8 reasons[] = {
#define X(reason, handler) [KN_INSN_##reason] = EXIT_REASON_##reason,
		KN_INSNS(X)
#undef X
	};
	struct kvm_x86_nested_ops *ops;
	void **handlers;
	int i, r;

	handlers = (void **)kn_symbol("kvm_intel", "kvm_vmx_exit_handlers");
	ops = (struct kvm_x86_nested_ops *)kn_symbol("kvm_intel", "vmx_nested_ops");
	if (!handlers || !ops)
		return -ENOENT;

	for (i = 0; i < ARRAY_SIZE(insn_swaps); i++) {
		r = swap_in(&insn_swaps[i], &handlers[reasons[i]]);
		if (r)
			return r;
	}

	r = swap_in(&get_state_swap, (void **)&ops->get_state);
	if (r)
		return r;

	return swap_in(&set_state_swap, (void **)&ops->set_state);
}

/* Functions that kvm-intel calls directly. */

enum watched {
	WATCHED_FREE_NESTED,
	WATCHED_VCPU_FREE,
	WATCHED_VM_DESTROY,
	NR_WATCHED,
};

static const char * const watched_symbols[] = {
	[WATCHED_FREE_NESTED] = "free_nested",
	[WATCHED_VCPU_FREE] = "vmx_vcpu_free",
	[WATCHED_VM_DESTROY] = "vmx_vm_destroy",
};

/* Where ftrace enters, as its callbacks are told. */
static unsigned long watched_sites[NR_WATCHED];

static void notrace watch(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			  struct ftrace_regs *fregs)
{
	void *arg = (void *)ftrace_regs_get_argument(fregs, 0);

	if (ip == watched_sites[WATCHED_FREE_NESTED])
		kn_vcpu_release(arg);
	else if (ip == watched_sites[WATCHED_VCPU_FREE])
		kn_vcpu_destroy(arg);
	else if (ip == watched_sites[WATCHED_VM_DESTROY])
		kn_vm_destroy(arg);
}

static void notrace redirect_reflect_vmexit(unsigned long ip, unsigned long parent_ip,
					    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook_reflect_vmexit);
}

/*
 * PERMANENT: kernel.ftrace_enabled=0 must not switch off what the module
 * depends on.
 */
static struct ftrace_ops watch_ops = {
	.func = watch,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static struct ftrace_ops redirect_ops = {
	.func = redirect_reflect_vmexit,
	.flags = FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_IPMODIFY,
};

/*
 * The ftrace site of a function, or zero with a word in the log.  The site is a
 * NOP, a call, or a breakpoint while ftrace changes one into the other.
 */
static unsigned long find_site(const char *symbol)
{
	static const u8 nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	unsigned long site = kn_symbol("kvm_intel", symbol);
	u8 first;

	if (!site)
		return 0;

	if (is_endbr(*(u32 *)site))
		site += ENDBR_INSN_SIZE;

	first = READ_ONCE(*(u8 *)site);
	if (first != CALL_INSN_OPCODE && first != INT3_INSN_OPCODE &&
	    memcmp((void *)site, nop, sizeof(nop))) {
		pr_no("%s can't be traced by ftrace", symbol);
		return 0;
	}

	return site;
}

static void detach_trace(struct ftrace_ops *ops)
{
	if (!(ops->flags & FTRACE_OPS_FL_ENABLED))
		return;

	unregister_ftrace_function(ops);
	ftrace_free_filter(ops);
}

static int attach_trace(struct ftrace_ops *ops, const char *name, unsigned long *sites,
			unsigned int nr_sites)
{
	int r;

	r = ftrace_set_filter_ips(ops, sites, nr_sites, 0, 0);
	if (!r)
		r = register_ftrace_function(ops);
	if (r) {
		ftrace_free_filter(ops);
		pr_no("%s can't be traced (error %d): another module or live patch redirects it, or kernel.ftrace_enabled is 0",
		      name, r);
	}
	return r;
}

static int attach_traces(void)
{
	static const char reflect[] = "nested_vmx_reflect_vmexit";
	unsigned long site;
	int i, r;

	for (i = 0; i < NR_WATCHED; i++) {
		watched_sites[i] = find_site(watched_symbols[i]);
		if (!watched_sites[i])
			return -ENOENT;
	}

	r = attach_trace(&watch_ops, watched_symbols[0], watched_sites, NR_WATCHED);
	if (r)
		return r;

	site = find_site(reflect);
	if (!site)
		return -ENOENT;

	/*
	 * A kernel that tracks call depth (retbleed=stuff) warns once that there is no
	 * padding before this address, and does not count the call.
	 */
	static_call_update(kn_nested_vmx_reflect_vmexit,
			   (nested_reflect_fn *)(site + CALL_INSN_SIZE));
	return attach_trace(&redirect_ops, reflect, &site, 1);
}

/*
 * Returns when no task is inside a hook any more.  A task that has read a
 * swapped pointer, or has left kn_srcu's section, is in code that does not
 * sleep: that is what RCU-tasks waits for, before and after the section.
 */
static void drain(void)
{
	synchronize_rcu_tasks();
	synchronize_srcu(&kn_srcu);
	synchronize_rcu_tasks();
}

/*
 * Also undoes what an attach that failed half-way has done.  No vCPU is adopted
 * any more, or yet.
 */
void kn_hook_detach(void)
{
	detach_swaps();
	detach_trace(&redirect_ops);
	detach_trace(&watch_ops);
	drain();
	kn_kvm_intel_put();
}

int kn_hook_attach(void)
{
	int r;

	r = kn_kvm_intel_get();
	if (r)
		return r;

	r = attach_traces();
	if (!r)
		r = attach_swaps();
	if (r)
		kn_hook_detach();
	return r;
}
