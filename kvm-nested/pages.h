/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of L1 that VM entries need, remembered from one entry to the next.
 */
#ifndef _KVM_NESTED_PAGES_H
#define _KVM_NESTED_PAGES_H

#include <linux/kvm_host.h>

struct kn_vcpu;

/* Where a page of L1 was found.  No reference is held. */
struct kn_page {
	struct kvm_host_map map;
	u64 generation;			/* of the memslots */
	unsigned long invalidations;	/* of any of the VM's memory, before it was found */
};

/* An MSR bitmap, an APIC-access page and a virtual APIC of a few VMCS12s. */
#define KN_NR_PAGES	16

struct kn_pages {
	u8 nr;
	u8 last;	/* found; VM entries need the same ones in the same order */
	u8 replaced;	/* last, when all are in use */
	struct kn_page page[KN_NR_PAGES];
};

extern bool kn_pages_enable;

bool kn_pages_map(struct kn_vcpu *kv, gfn_t gfn, struct kvm_host_map *map);
unsigned long kn_pages_begin(struct kn_vcpu *kv);
void kn_pages_keep(struct kn_vcpu *kv, const struct kvm_host_map *map, unsigned long begin);

#endif /* _KVM_NESTED_PAGES_H */
