/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way from a linear address of L1 to its memory, remembered.
 */
#ifndef _KVM_NESTED_WALK_H
#define _KVM_NESTED_WALK_H

#include <linux/kvm_host.h>

struct kn_vcpu;
struct x86_exception;

#define KN_WALK_LEVELS	4
#define KN_NR_WALKS	8	/* by the lowest bits of the page's number */

/* What the page tables of an L1 in 64-bit mode have for a page. */
struct kn_walk {
	gva_t page;
	unsigned int nr;		/* of entries; 0 for no walk */
	unsigned long cr3;
	u64 cr4;
	u64 efer;
	u64 generation;			/* of the memslots, on which these addresses depend */
	const u64 __user *entry[KN_WALK_LEVELS];
	u64 value[KN_WALK_LEVELS];
	const void __user *target;	/* the page */
};

extern bool kn_walk_enable;

int kn_walk_read(struct kn_vcpu *kv, gva_t gva, void *to, unsigned int size,
		 struct x86_exception *e);

#endif /* _KVM_NESTED_WALK_H */
