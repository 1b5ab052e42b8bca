// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find the running kernel's kvm-intel, make sure that it is the one the module
 * was built for, keep it, and bind the static calls into it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#include "kvm_intel.h"

/* Pinned while attached. */
static struct module *kvm_intel;

struct kn_host kn_host;

#define X(module, symbol, ...) DEFINE_STATIC_CALL_NULL(kn_##symbol, kn_##symbol##_fn);
KN_CALLS(X)
#undef X

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
unsigned long kn_symbol(const char *module, const char *symbol)
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

	nested = (bool *)kn_symbol("kvm_intel", "nested");
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

static int bind_calls(void)
{
	static const struct {
		const char *module;
		const char *symbol;
		struct static_call_key *key;
		void *tramp;
	} calls[] = {
#define X(_module, _symbol, ...)					\
		{							\
			.module = #_module,				\
			.symbol = #_symbol,				\
			.key = &STATIC_CALL_KEY(kn_##_symbol),		\
			.tramp = STATIC_CALL_TRAMP_ADDR(kn_##_symbol),	\
		},
		KN_CALLS(X)
#undef X
	};
	unsigned long address;
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		address = kn_symbol(calls[i].module, calls[i].symbol);
		if (!address)
			return -ENOENT;
		__static_call_update(calls[i].key, calls[i].tramp, (void *)address);
	}

	return 0;
}

static int find_host(void)
{
	static const u32 syscall_msrs[] = { MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK };
	bool *unrestricted = (bool *)kn_symbol("kvm_intel", "enable_unrestricted_guest");
	bool *ept = (bool *)kn_symbol("kvm_intel", "enable_ept");
	void *config = (void *)kn_symbol("kvm_intel", "vmcs_config");
	int i;

	kn_host.nx_huge_pages = (int *)kn_symbol("kvm", "nx_huge_pages");
	if (!unrestricted || !ept || !config || !kn_host.nx_huge_pages)
		return -ENOENT;

	rdmsrl(MSR_EFER, kn_host.efer);
	kn_host.switches_efer = *ept && *kn_member(config, vmcs_config, vmentry_ctrl, u32) &
					VM_ENTRY_LOAD_IA32_EFER;
	kn_host.unrestricted = *unrestricted;
	for (i = 0; i < KN_NR_SYSCALL_MSRS; i++)
		kn_host.syscall_msr[i] = kn_call(kvm_find_user_return_msr)(syscall_msrs[i]);
	return 0;
}

/* After this, kn_call() works until kn_kvm_intel_put(). */
int kn_kvm_intel_get(void)
{
	int r;

	r = find_kallsyms();
	if (r)
		return r;

	r = pin_kvm_intel();
	if (r)
		return r;

	r = bind_calls();
	if (!r)
		r = find_host();
	if (r)
		kn_kvm_intel_put();
	return r;
}

void kn_kvm_intel_put(void)
{
	module_put(kvm_intel);
}
