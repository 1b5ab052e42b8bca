/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of the checks of a VM entry have to be made anew.
 */
#ifndef _KVM_NESTED_CHECKS_H
#define _KVM_NESTED_CHECKS_H

#include <linux/bits.h>
#include <linux/types.h>

struct kn_vcpu;

/* SDM volume 3, "VM Entries": on control fields, host state, and guest state but for segments. */
enum kn_check {
	KN_CHECK_CONTROLS = BIT(0),
	KN_CHECK_HOST = BIT(1),
	KN_CHECK_GUEST = BIT(2),
};

/* The current VMCS12 as it was when stock KVM has found nothing wrong with it. */
struct kn_checks {
	u8 passed;		/* of enum kn_check */
	bool la57;		/* L1's linear addresses have 57 bits */
	u32 entry_controls;
	struct kn_checked_guest {
		u64 cr0, cr4, dr7, efer, pat, perf_global_ctrl, bndcfgs;
		u32 activity;
	} guest;
};

bool kn_checks_passed(struct kn_vcpu *kv, enum kn_check check);
void kn_checks_pass(struct kn_vcpu *kv, enum kn_check check);
void kn_checks_forget(struct kn_vcpu *kv);

#endif /* _KVM_NESTED_CHECKS_H */
