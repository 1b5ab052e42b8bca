/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, and the only place that knows them.
 */
#ifndef _KVM_NESTED_COMPAT_H
#define _KVM_NESTED_COMPAT_H

#include <linux/bits.h>
#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

/*
 * What vmaccess.c and vmcs12.c repeat of stock behaviour was compared with these
 * series.  Another one may differ where no symbol and no structure tells.
 */
#define KN_SERIES (LINUX_VERSION_CODE >> 8)
#if KN_SERIES != KERNEL_VERSION(6, 1, 0) >> 8 && KN_SERIES != KERNEL_VERSION(6, 12, 0) >> 8
#error "kvm-nested has not been compared with the KVM of this kernel series, only with 6.1 and 6.12"
#endif

/* Before it became an option, Hyper-V's enlightened VMCS was always there. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0) || IS_ENABLED(CONFIG_KVM_HYPERV)
#define KN_KVM_HAS_EVMCS
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void ftrace_regs_set_instruction_pointer(struct ftrace_regs *fregs, unsigned long ip)
{
	ftrace_instruction_pointer_set(fregs, ip);
}

/* The callers want one of the first three. */
static inline unsigned long ftrace_regs_get_argument(struct ftrace_regs *fregs, unsigned int n)
{
	return n == 0 ? fregs->regs.di : n == 1 ? fregs->regs.si : fregs->regs.dx;
}
#endif

/* Called directly, ftrace operations have one address for all their functions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static inline int kn_register_ftrace_direct(struct ftrace_ops *ops, unsigned long address)
{
	return register_ftrace_direct_multi(ops, address);
}

static inline int kn_unregister_ftrace_direct(struct ftrace_ops *ops, unsigned long address)
{
	return unregister_ftrace_direct_multi(ops, address);
}
#else
static inline int kn_register_ftrace_direct(struct ftrace_ops *ops, unsigned long address)
{
	return register_ftrace_direct(ops, address);
}

static inline int kn_unregister_ftrace_direct(struct ftrace_ops *ops, unsigned long address)
{
	return unregister_ftrace_direct(ops, address, false);
}
#endif

typedef unsigned long kn_shrinker_fn(struct shrinker *shrinker, struct shrink_control *control);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *kn_shrinker_new(kn_shrinker_fn *count, kn_shrinker_fn *scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	if (register_shrinker(shrinker, KBUILD_MODNAME)) {
		kfree(shrinker);
		return NULL;
	}
	return shrinker;
}

static inline void kn_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#else
static inline struct shrinker *kn_shrinker_new(kn_shrinker_fn *count, kn_shrinker_fn *scan)
{
	struct shrinker *shrinker = shrinker_alloc(0, KBUILD_MODNAME);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void kn_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

/* Address spaces of a VM: SMM has one of its own. */
#ifndef KVM_ADDRESS_SPACE_NUM
#define KVM_ADDRESS_SPACE_NUM KVM_MAX_NR_ADDRESS_SPACES
#endif

/* Linear address masking: a kernel that has no name for it keeps the bit reserved. */
#ifndef X86_CR4_LAM_SUP
#define X86_CR4_LAM_SUP BIT(28)
#endif

#endif /* _KVM_NESTED_COMPAT_H */
