// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that redirects anything; redirect.c is how, and hook_transition.c has
 * some of the replacements.
 *
 * Three kinds of hook, all placed by kn_hook_attach() or none:
 *  - entries of kvm-intel's exit-handler table and nested operations, swapped;
 *  - a function that is called directly has ftrace call something else at its entry;
 *  - ftrace callbacks where watching a function is enough, and that is called seldom.
 *
 * What a hook displaces is called by a static call.  For a function that ftrace
 * redirects, the static call enters it behind its ftrace site.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <asm/text-patching.h>

#include "displaced.h"
#include "hook.h"
#include "kvm_mmu.h"
#include "pages.h"
#include "redirect.h"
#include "vcpu.h"
#include "vept.h"
#include "vmaccess.h"

/* The displaced functions. */

#define X(reason, handler) DEFINE_STATIC_CALL_NULL(kn_##handler, kn_exit_handler_fn);
KN_INSNS(X)
#undef X

static struct kvm_x86_nested_ops *nested_ops;

DEFINE_STATIC_CALL_NULL(kn_handle_ept_violation, kn_exit_handler_fn);
DEFINE_STATIC_CALL_NULL(kn_vmx_get_nested_state, *nested_ops->get_state);
DEFINE_STATIC_CALL_NULL(kn_vmx_set_nested_state, *nested_ops->set_state);

#define X(module, symbol, ...) DEFINE_STATIC_CALL_NULL(kn_##symbol, symbol##_fn);
REDIRECTS(X)
#undef X

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
	case KN_INSN_VMPTRLD:
		kn_checks_forget(kv);
		return kn_vmptrld_insn(kv);
	case KN_INSN_VMCLEAR:
		kn_checks_forget(kv);
		return kn_vmclear_insn(kv);
	case KN_INSN_VMLAUNCH:
	case KN_INSN_VMRESUME:
		kv->entry = KN_ENTRY;
		kn_vmptr_entry(kv);
		kn_vept_enter(kv);
		return KN_STOCK;
	case KN_INSN_INVEPT:
		kn_vept_invept(kv);
		return KN_STOCK;
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
		if (insn == KN_INSN_VMWRITE)
			kv->shadow.vmwrite_seen = kn_nr_exits(vcpu);
		kn_shadow_take(kv);
		kn_shadow02_close(kv);
		r = run_engine(kv, insn);
		if (r == KN_STOCK)
			kv->counters.exit_stock[insn]++;
		else
			kv->counters.exit_module[insn]++;
		/* Stock KVM is about to access VMCS12, maybe the shadow VMCS as well. */
		if (r == KN_STOCK && (insn == KN_INSN_VMREAD || insn == KN_INSN_VMWRITE) &&
		    !kn_in_l2(vcpu)) {
			kn_checks_forget(kv);
			kn_shadow_reload(kv);
		}
	}

	if (r == KN_STOCK)
		r = run_displaced(vcpu, insn);
	if (kv && (insn == KN_INSN_VMLAUNCH || insn == KN_INSN_VMRESUME))
		kv->entry = KN_NO_ENTRY;

	/* L1 has entered an L2, or that goes on. */
	if (kv && kn_in_l2(vcpu))
		kn_shadow02_open(kv, insn != KN_INSN_VMREAD && insn != KN_INSN_VMWRITE);

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

static int hook_handle_ept_violation(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;
	int r = KN_STOCK;
	int idx;

	if (!kn_in_l2(vcpu))
		return static_call(kn_handle_ept_violation)(vcpu);

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv)
		r = kn_vept_violation(kv);
	if (r == KN_STOCK) {
		r = static_call(kn_handle_ept_violation)(vcpu);
		if (kv && !kn_in_l2(vcpu))
			kn_vept_reflected(kv);
	}
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

static int hook_get_nested_state(struct kvm_vcpu *vcpu, struct kvm_nested_state __user *state,
				 unsigned int size)
{
	struct kn_vcpu *kv;
	int idx, r;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv) {
		kv->counters.state_saved++;
		kn_shadow02_close(kv);
	}
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
bool hook_nested_vmx_reflect_vmexit(struct kvm_vcpu *vcpu)
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

/* L1's writes to the hardware shadow VMCS are wanted in VMCS12.  The argument is a vcpu_vmx. */
void hook_copy_shadow_to_vmcs12(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_shadow_copy_in(kv)) {
		static_call(kn_copy_shadow_to_vmcs12)(vcpu);
		if (kv)
			kn_checks_forget(kv);
	}
	rcu_read_unlock_sched();
}

/* L1 is about to run, with a VMCS12 that the hardware shadow VMCS doesn't match. */
void hook_nested_sync_vmcs12_to_shadow(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_shadow_copy_out(kv))
		static_call(kn_nested_sync_vmcs12_to_shadow)(vcpu);
	rcu_read_unlock_sched();
}

/* A page of L1 that is not known: let stock KVM find it.  Its stack frame is not for everybody. */
static noinline int map_displaced(struct kvm_vcpu *vcpu, gfn_t gfn, struct kvm_host_map *map)
{
	unsigned long begin = 0;
	struct kn_vcpu *kv;
	int idx, r;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv)
		begin = kn_pages_begin(kv);
	r = static_call(kn_kvm_vcpu_map)(vcpu, gfn, map);
	if (kv && !r)
		kn_pages_keep(kv, map, begin);
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

/* A VM entry needs a page of L1. */
int hook_kvm_vcpu_map(struct kvm_vcpu *vcpu, gfn_t gfn, struct kvm_host_map *map)
{
	struct kn_vcpu *kv;
	bool mapped;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	mapped = kv && kn_pages_map(kv, gfn, map);
	rcu_read_unlock_sched();

	return mapped ? 0 : map_displaced(vcpu, gfn, map);
}

/* The current VMCS gets a root.  May sleep if it is L2's. */
void hook_vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root, int level)
{
	struct kn_vcpu *kv;
	int idx;

	static_call(kn_vmx_load_mmu_pgd)(vcpu, root, level);
	if (!kn_has_ept12(vcpu))
		return;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv)
		kn_vept_load(kv);
	srcu_read_unlock(&kn_srcu, idx);
}

/* If @data is where KVM has the shadow VMCS12 of the L2 of this CPU's vCPU. */
static bool with_linked(const void *data, gpa_t gpa, bool (*do_it)(struct kn_vcpu *kv, gpa_t gpa))
{
	struct kvm_vcpu *vcpu = kn_call(kvm_get_running_vcpu)();
	struct kn_vcpu *kv;
	bool done;

	rcu_read_lock_sched();
	kv = vcpu ? kn_vcpu_find(vcpu) : NULL;
	done = kv && data == kn_cached_shadow_vmcs12(vcpu) && do_it(kv, gpa);
	rcu_read_unlock_sched();
	return done;
}

/* May sleep. */
static __always_inline int copy_cached(struct kvm *kvm, struct gfn_to_hva_cache *ghc, void *data,
				       unsigned long len, bool write)
{
	int idx, r;

	if (len == PAGE_SIZE && with_linked(data, ghc->gpa, write ? kn_vmptr_write_linked :
								    kn_vmptr_read_linked))
		return 0;

	idx = srcu_read_lock(&kn_srcu);
	r = write ? static_call(kn_kvm_write_guest_cached)(kvm, ghc, data, len) :
		    static_call(kn_kvm_read_guest_cached)(kvm, ghc, data, len);
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

int hook_kvm_read_guest_cached(struct kvm *kvm, struct gfn_to_hva_cache *ghc, void *data,
			       unsigned long len)
{
	return copy_cached(kvm, ghc, data, len, false);
}

int hook_kvm_write_guest_cached(struct kvm *kvm, struct gfn_to_hva_cache *ghc, void *data,
				unsigned long len)
{
	return copy_cached(kvm, ghc, data, len, true);
}

/* Pointers that kvm-intel calls through. */

#define SWAP(_symbol, _hook)					\
	{							\
		.symbol = #_symbol,				\
		.displaced = &STATIC_CALL_KEY(kn_##_symbol),	\
		.tramp = STATIC_CALL_TRAMP_ADDR(kn_##_symbol),	\
		.hook = (_hook),				\
	}

static struct kn_swap insn_swaps[] = {
#define X(reason, handler) [KN_INSN_##reason] = SWAP(handler, hook_##handler),
	KN_INSNS(X)
#undef X
};

static struct kn_swap ept_violation_swap = SWAP(handle_ept_violation, hook_handle_ept_violation);
static struct kn_swap get_state_swap = SWAP(vmx_get_nested_state, hook_get_nested_state);
static struct kn_swap set_state_swap = SWAP(vmx_set_nested_state, hook_set_nested_state);

static void detach_swaps(void)
{
	int i;

	kn_swap_out(&set_state_swap);
	kn_swap_out(&get_state_swap);
	kn_swap_out(&ept_violation_swap);
	for (i = 0; i < ARRAY_SIZE(insn_swaps); i++)
		kn_swap_out(&insn_swaps[i]);
}

static int attach_swaps(void)
{
	static const u8 reasons[] = {
#define X(reason, handler) [KN_INSN_##reason] = EXIT_REASON_##reason,
		KN_INSNS(X)
#undef X
	};
	void **handlers;
	int i, r;

	handlers = (void **)kn_symbol("kvm_intel", "kvm_vmx_exit_handlers");
	nested_ops = (struct kvm_x86_nested_ops *)kn_symbol("kvm_intel", "vmx_nested_ops");
	if (!handlers || !nested_ops)
		return -ENOENT;

	for (i = 0; i < ARRAY_SIZE(insn_swaps); i++) {
		r = kn_swap_in(&insn_swaps[i], &handlers[reasons[i]]);
		if (r)
			return r;
	}

	r = kn_swap_in(&ept_violation_swap, &handlers[EXIT_REASON_EPT_VIOLATION]);
	if (r)
		return r;

	r = kn_swap_in(&get_state_swap, (void **)&nested_ops->get_state);
	if (r)
		return r;

	return kn_swap_in(&set_state_swap, (void **)&nested_ops->set_state);
}

/* Functions that are called directly. */

enum watched {
	WATCHED_FREE_NESTED,
	WATCHED_MMU_DESTROY,
	WATCHED_VM_DESTROY,
	WATCHED_VM_ENDS,
	WATCHED_SLOT_FLUSH,
	WATCHED_SLOT_COMMIT,
	WATCHED_ZAP_RANGE,
	WATCHED_WRITE_PROTECT,
	NR_WATCHED,
};

static struct kn_site watched[NR_WATCHED] = {
	[WATCHED_FREE_NESTED] = { "kvm_intel", "free_nested" },
	[WATCHED_MMU_DESTROY] = { "kvm", "kvm_mmu_destroy" },
	[WATCHED_VM_DESTROY] = { "kvm_intel", "vmx_vm_destroy" },
	[WATCHED_VM_ENDS] = { "kvm", "kvm_arch_destroy_vm" },
	[WATCHED_SLOT_FLUSH] = { "kvm", "kvm_arch_flush_shadow_memslot" },
	[WATCHED_SLOT_COMMIT] = { "kvm", "kvm_arch_commit_memory_region" },
	[WATCHED_ZAP_RANGE] = { "kvm", "kvm_zap_gfn_range" },
	[WATCHED_WRITE_PROTECT] = { "kvm", "kvm_mmu_slot_gfn_write_protect" },
};

/* L2 exits to L1; nothing has been done yet. */
void watch_nested_vmx_vmexit(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (kv) {
		kn_shadow02_close(kv);
		kn_shadow_l2_exit(kv);
		kn_vmptr_exit(kv);
	}
	rcu_read_unlock_sched();
}

static void notrace watch(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			  struct ftrace_regs *fregs)
{
	void *arg = (void *)ftrace_regs_get_argument(fregs, 0);
	const struct kvm_memory_slot *slot;
	gfn_t gfn;

	if (ip == watched[WATCHED_FREE_NESTED].ip)
		kn_vcpu_release(arg);
	else if (ip == watched[WATCHED_MMU_DESTROY].ip)
		kn_vcpu_destroy(arg);	/* its VMCSs have been freed */
	else if (ip == watched[WATCHED_VM_DESTROY].ip)
		kn_vm_destroy(arg);
	else if (ip == watched[WATCHED_VM_ENDS].ip)
		kn_vept_dies(arg);	/* before its vCPUs go */
	else if (ip == watched[WATCHED_SLOT_FLUSH].ip || ip == watched[WATCHED_ZAP_RANGE].ip)
		kn_vept_memslots_change(arg, false);
	else if (ip == watched[WATCHED_SLOT_COMMIT].ip)
		kn_vept_memslots_change(arg, true);
	else if (ip == watched[WATCHED_WRITE_PROTECT].ip) {
		slot = (void *)ftrace_regs_get_argument(fregs, 1);
		gfn = ftrace_regs_get_argument(fregs, 2);
		kn_vept_write_protect(arg, __gfn_to_hva_memslot(slot, gfn));
	}
}

static struct kn_redirect redirects[] = {
	{
		.site = { "kvm_intel", "nested_vmx_vmexit" },
		.entry = enter_nested_vmx_vmexit,
	},
#define X(_module, _symbol, ...)						\
	{									\
		.site = { #_module, #_symbol },					\
		.entry = enter_##_symbol,					\
		.displaced = &STATIC_CALL_KEY(kn_##_symbol),			\
		.tramp = STATIC_CALL_TRAMP_ADDR(kn_##_symbol),			\
	},
	REDIRECTS(X)
#undef X
};

/*
 * PERMANENT: kernel.ftrace_enabled=0 must not switch off what the module
 * depends on.
 */
static struct ftrace_ops watch_ops = {
	.func = watch,
	.flags = FTRACE_OPS_FL_PERMANENT,
};

static int attach_traces(void)
{
	int i, r = 0;

	for (i = 0; i < NR_WATCHED && !r; i++)
		r = kn_site_find(&watched[i]);
	for (i = 0; i < ARRAY_SIZE(redirects) && !r; i++)
		r = kn_site_find(&redirects[i].site);

	/* This also sees that ftrace is on, and that it stays on. */
	if (!r)
		r = kn_trace_attach(&watch_ops, watched, NR_WATCHED);
	for (i = 0; i < ARRAY_SIZE(redirects) && !r; i++)
		r = kn_redirect_in(&redirects[i]);
	return r;
}

static void detach_traces(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(redirects); i++)
		kn_redirect_out(&redirects[i]);
	kn_trace_detach(&watch_ops);
}

/*
 * Returns when no task is inside a hook any more.  A task that has read a
 * swapped pointer, has left kn_srcu's section, or is in a hook without one, is in
 * code that does not sleep: that is what RCU-tasks waits for, before and after
 * the section.
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
	detach_traces();
	drain();
	kn_kvm_intel_put();
}

int kn_hook_attach(void)
{
	int r;

	r = kn_kvm_intel_get();
	if (r)
		return r;

	/* In this order, since what is traced takes its time to be traced no more. */
	r = attach_swaps();
	if (!r)
		r = attach_traces();
	if (r)
		kn_hook_detach();
	return r;
}
