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
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <asm/text-patching.h>

#include "hook.h"
#include "kvm_intel.h"
#include "vcpu.h"
#include "vmaccess.h"

#define pr_no(fmt, ...) pr_err("not attached: " fmt "\n", ##__VA_ARGS__)

/* Pinned while attached. */
static struct module *kvm_intel;

/* Everything the module calls: KVM's functions, then the displaced ones. */

#define X(module, symbol, ...) DEFINE_STATIC_CALL_NULL(kn_##symbol, kn_##symbol##_fn);
KN_CALLS(X)
#undef X

#define X(reason, handler) DEFINE_STATIC_CALL_NULL(kn_##handler, kn_exit_handler_fn);
KN_INSNS(X)
#undef X

typedef typeof(*((struct kvm_x86_nested_ops *)NULL)->get_state) nested_get_state_fn;
typedef typeof(*((struct kvm_x86_nested_ops *)NULL)->set_state) nested_set_state_fn;
typedef bool nested_reflect_fn(struct kvm_vcpu *vcpu);

DEFINE_STATIC_CALL_NULL(kn_vmx_get_nested_state, nested_get_state_fn);
DEFINE_STATIC_CALL_NULL(kn_vmx_set_nested_state, nested_set_state_fn);
DEFINE_STATIC_CALL_NULL(kn_nested_vmx_reflect_vmexit, nested_reflect_fn);

struct call {
	const char *module;
	const char *symbol;
	bool redirected;	/* by ftrace: enter behind its site */
	struct static_call_key *key;
	void *tramp;
};

#define CALL(_module, _symbol, _redirected)				\
	{								\
		.module = #_module,					\
		.symbol = #_symbol,					\
		.redirected = (_redirected),				\
		.key = &STATIC_CALL_KEY(kn_##_symbol),			\
		.tramp = STATIC_CALL_TRAMP_ADDR(kn_##_symbol),		\
	},

static const struct call calls[] = {
#define X(module, symbol, ...) CALL(module, symbol, false)
	KN_CALLS(X)
#undef X
#define X(reason, handler) CALL(kvm_intel, handler, false)
	KN_INSNS(X)
#undef X
	CALL(kvm_intel, vmx_get_nested_state, false)
	CALL(kvm_intel, vmx_set_nested_state, false)
	CALL(kvm_intel, nested_vmx_reflect_vmexit, true)
};

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
	int idx;

	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (kv) {
		u32 reason = min_t(u32, (u16)kn_exit_reason(vcpu), KN_NR_REASONS - 1);

		reflected = static_call(kn_nested_vmx_reflect_vmexit)(vcpu);
		if (reflected)
			kv->counters.l2exit_l1[reason]++;
		else
			kv->counters.l2exit_l0[reason]++;
	} else {
		reflected = static_call(kn_nested_vmx_reflect_vmexit)(vcpu);
	}
	srcu_read_unlock(&kn_srcu, idx);
	return reflected;
}

/* Symbols of the running kernel. */

typedef unsigned long kallsyms_lookup_name_fn(const char *name);
DEFINE_STATIC_CALL_NULL(kn_kallsyms_lookup_name, kallsyms_lookup_name_fn);

/*
 * kallsyms_lookup_name() is not exported; a kprobe that is never armed tells
 * where it is.  With IBT that is behind its ENDBR, where a direct call may go.
 */
static int find_kallsyms(void)
{
	struct kprobe kp = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	int r;

	r = register_kprobe(&kp);
	if (r) {
		pr_no("no kprobe on kallsyms_lookup_name (error %d): the kernel needs CONFIG_KPROBES",
		      r);
		return r;
	}
	static_call_update(kn_kallsyms_lookup_name, (kallsyms_lookup_name_fn *)kp.addr);
	unregister_kprobe(&kp);
	return 0;
}

/* Zero if there is no such symbol. */
static unsigned long lookup(const char *module, const char *symbol)
{
	char name[MODULE_NAME_LEN + KSYM_NAME_LEN];

	scnprintf(name, sizeof(name), "%s:%s", module, symbol);
	return static_call(kn_kallsyms_lookup_name)(name);
}

/* The same, and says it in the log. */
static unsigned long resolve(const char *module, const char *symbol)
{
	unsigned long address = lookup(module, symbol);

	if (!address)
		pr_no("symbol %s:%s is missing: this kernel is not one the module knows", module,
		      symbol);
	return address;
}

/*
 * A module that ends its life is off the list that kallsyms walks, and then
 * waits for everybody who may have seen it there.
 */
static struct module *module_get_live(const char *name)
{
	struct module *module;

	preempt_disable();
	module = (struct module *)lookup(name, "__this_module");
	if (module && (module->state != MODULE_STATE_LIVE || !try_module_get(module)))
		module = NULL;
	preempt_enable();
	return module;
}

#define GNU_BUILD_ID_TYPE 3

/* The build-id of a loaded module as hexadecimal digits, empty if it has none. */
static void module_build_id(struct module *module, char *hex, size_t size)
{
	void *notes = module->notes_attrs;
	struct bin_attribute *attrs;
	unsigned int i;

	hex[0] = '\0';
	if (!notes)
		return;

	attrs = notes + KN_OFFSET_module_notes_attrs_attrs;
	for (i = 0; i < *kn_member(notes, module_notes_attrs, notes, unsigned int); i++) {
		/* Header, "GNU" with its zero, and the id. */
		const u32 *note = attrs[i].private;

		if (attrs[i].size < 16 || note[0] != 4 || note[2] != GNU_BUILD_ID_TYPE ||
		    memcmp(&note[3], "GNU", 4) || note[1] > attrs[i].size - 16 ||
		    2 * note[1] >= size)
			continue;
		*bin2hex(hex, &note[4], note[1]) = '\0';
		return;
	}
}

/* Whether this kvm-intel, pinned, is one to work with. */
static int check_kvm_intel(void)
{
	char build_id[2 * 32 + 1];
	bool *nested, *evmcs;

	module_build_id(kvm_intel, build_id, sizeof(build_id));
	if (strcmp(build_id, KN_KVM_INTEL_BUILD_ID)) {
		pr_no("built for kvm-intel %s, but %s is loaded: rebuild kvm-nested for this kernel",
		      KN_KVM_INTEL_BUILD_ID, build_id[0] ? build_id : "one without a build-id");
		return -ENOEXEC;
	}

	nested = (bool *)resolve("kvm_intel", "nested");
	if (!nested)
		return -ENOENT;
	if (!*nested) {
		pr_no("kvm-intel has nested virtualization off: reload it with nested=1");
		return -EOPNOTSUPP;
	}

	/* kvm-intel clears the parameter where it does not keep its own VMCSs so. */
	evmcs = (bool *)lookup("kvm_intel", "enlightened_vmcs");
	if (evmcs && *evmcs) {
		pr_no("kvm-intel keeps its VMCSs in Hyper-V's format: reload it with enlightened_vmcs=0");
		return -EOPNOTSUPP;
	}

	return 0;
}

/* Takes a reference to kvm-intel if this is a machine to work on. */
static int pin_kvm_intel(void)
{
	int r;

	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		pr_no("this CPU has no VT-x, or the firmware or a hypervisor hides it");
		return -EOPNOTSUPP;
	}

	kvm_intel = module_get_live("kvm_intel");
	if (!kvm_intel) {
		pr_no("the module kvm-intel is not loaded: run 'modprobe kvm-intel' first");
		return -ENODEV;
	}

	r = check_kvm_intel();
	if (r)
		module_put(kvm_intel);
	return r;
}

/*
 * Where a function goes on behind its ftrace site, or zero if that is elsewhere.
 * The site is a NOP, a call, or a breakpoint while ftrace changes one into the
 * other.  A kernel that tracks call depth (retbleed=stuff) warns once that there
 * is no padding before this address, and does not count the call.
 */
static unsigned long behind_ftrace_site(unsigned long function)
{
	static const u8 nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	u8 first;

	if (is_endbr(*(u32 *)function))
		function += ENDBR_INSN_SIZE;

	first = READ_ONCE(*(u8 *)function);
	if (first != CALL_INSN_OPCODE && first != INT3_INSN_OPCODE &&
	    memcmp((void *)function, nop, sizeof(nop)))
		return 0;

	return function + CALL_INSN_SIZE;
}

static int attach_calls(void)
{
	unsigned long address;
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		address = resolve(calls[i].module, calls[i].symbol);
		if (!address)
			return -ENOENT;

		if (calls[i].redirected) {
			address = behind_ftrace_site(address);
			if (!address) {
				pr_no("%s can't be traced by ftrace", calls[i].symbol);
				return -EOPNOTSUPP;
			}
		}
		__static_call_update(calls[i].key, calls[i].tramp, (void *)address);
	}

	return 0;
}

/* Pointers that kvm-intel calls through. */

struct swap {
	const char *symbol;	/* what the pointer holds in a stock kernel */
	struct static_call_key *displaced;
	void *hook;
	void **slot;		/* NULL until swapped */
};

#define SWAP(_symbol, _hook)					\
	{							\
		.symbol = #_symbol,				\
		.displaced = &STATIC_CALL_KEY(kn_##_symbol),	\
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
	void *stock = swap->displaced->func;
	void *found;

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

	handlers = (void **)resolve("kvm_intel", "kvm_vmx_exit_handlers");
	ops = (struct kvm_x86_nested_ops *)resolve("kvm_intel", "vmx_nested_ops");
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

static void notrace watch_vcpu_free(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	kn_vcpu_destroy((struct kvm_vcpu *)ftrace_regs_get_argument(fregs, 0));
}

static void notrace watch_free_nested(unsigned long ip, unsigned long parent_ip,
				      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	kn_vcpu_release((struct kvm_vcpu *)ftrace_regs_get_argument(fregs, 0));
}

static void notrace watch_vm_destroy(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	kn_vm_destroy((struct kvm *)ftrace_regs_get_argument(fregs, 0));
}

static void notrace redirect_reflect_vmexit(unsigned long ip, unsigned long parent_ip,
					    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook_reflect_vmexit);
}

struct trace {
	const char *symbol;
	struct ftrace_ops ops;
	bool registered;
};

/*
 * PERMANENT: kernel.ftrace_enabled=0 must not switch off what the module
 * depends on.
 */
static struct trace traces[] = {
	{
		.symbol = "free_nested",
		.ops = {
			.func = watch_free_nested,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	},
	{
		.symbol = "vmx_vcpu_free",
		.ops = {
			.func = watch_vcpu_free,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	},
	{
		.symbol = "vmx_vm_destroy",
		.ops = {
			.func = watch_vm_destroy,
			.flags = FTRACE_OPS_FL_PERMANENT,
		},
	},
	{
		.symbol = "nested_vmx_reflect_vmexit",
		.ops = {
			.func = redirect_reflect_vmexit,
			.flags = FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_IPMODIFY,
		},
	},
};

static void detach_trace(struct trace *trace)
{
	if (!trace->registered)
		return;

	unregister_ftrace_function(&trace->ops);
	ftrace_free_filter(&trace->ops);
	trace->registered = false;
}

static int attach_trace(struct trace *trace)
{
	unsigned long function = resolve("kvm_intel", trace->symbol);
	int r;

	if (!function)
		return -ENOENT;

	r = ftrace_set_filter_ip(&trace->ops, function, 0, 0);
	if (r) {
		pr_no("%s can't be traced by ftrace (error %d)", trace->symbol, r);
		return r;
	}

	r = register_ftrace_function(&trace->ops);
	if (r) {
		ftrace_free_filter(&trace->ops);
		pr_no("%s can't be traced (error %d): another module or live patch redirects it, or kernel.ftrace_enabled is 0",
		      trace->symbol, r);
		return r;
	}

	trace->registered = true;
	return 0;
}

static void detach_traces(void)
{
	int i;

	for (i = ARRAY_SIZE(traces) - 1; i >= 0; i--)
		detach_trace(&traces[i]);
}

static int attach_traces(void)
{
	int i, r;

	for (i = 0; i < ARRAY_SIZE(traces); i++) {
		r = attach_trace(&traces[i]);
		if (r)
			return r;
	}

	return 0;
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
	detach_traces();
	drain();
	module_put(kvm_intel);
}

int kn_hook_attach(void)
{
	int r;

	r = find_kallsyms();
	if (r)
		return r;

	r = pin_kvm_intel();
	if (r)
		return r;

	r = attach_calls();
	if (!r)
		r = attach_traces();
	if (!r)
		r = attach_swaps();
	if (r)
		kn_hook_detach();
	return r;
}
