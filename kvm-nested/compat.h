/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, and the only place that knows them.
 */
#ifndef _KVM_NESTED_COMPAT_H
#define _KVM_NESTED_COMPAT_H

#include <linux/bits.h>
#include <linux/ftrace.h>
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

/* Address spaces of a VM: SMM has one of its own. */
#ifndef KVM_ADDRESS_SPACE_NUM
#define KVM_ADDRESS_SPACE_NUM KVM_MAX_NR_ADDRESS_SPACES
#endif

/* Linear address masking: a kernel that has no name for it keeps the bit reserved. */
#ifndef X86_CR4_LAM_SUP
#define X86_CR4_LAM_SUP BIT(28)
#endif

#endif /* _KVM_NESTED_COMPAT_H */
