/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_SHADOW_H
#define _KVM_NESTED_SHADOW_H

#include "image.h"

struct kn_vcpu;
struct kvm_vcpu;

/* What the module knows of a vCPU's hardware shadow VMCS. */
struct kn_shadow {
	raw_spinlock_t lock;	/* of @gone, see kn_shadow_give_back() */
	bool gone;		/* the vCPU dies, its VMCSs are not to be touched */
	bool active;		/* the shadow VMCS and its bitmaps are the module's */
	bool installed;		/* VMCS01 refers to @bitmap */
	u64 *bitmap[LEARN_NR_ACCESSES];
	u64 stock_bitmap[LEARN_NR_ACCESSES];	/* what VMCS01 referred to before */
	u64 vmwrite_seen;	/* the number of the exit, see kn_nr_exits() */
	bool again;	/* stale for another reason than that L1 goes on with it */
	u64 departures;	/* of L1 from VMCS12s, see kn_shadow_left() */
	u64 back;	/* from this one, to a VMCS12 that is as it was then; or 0 */
	struct kn_habits habits;
	struct kn_image *image;	/* to which VMCS01 refers */
	struct kn_image base;	/* KVM's own, as it is while this is not active */
	/* Of VMCS12s by their numbers; NULL for those that @base will do for. */
	struct kn_image *images[LEARN_NR_SETS];
};

extern bool kn_shadow_enable;

/* handover.c */
void kn_shadow_create(struct kn_vcpu *kv);
void kn_shadow_destroy(struct kn_vcpu *kv);
void kn_shadow_free(struct kn_vcpu *kv);
void __kn_shadow_take(struct kn_vcpu *kv);
void kn_shadow_leave(struct kn_vcpu *kv);
bool kn_shadow_give_back(struct kn_vcpu *kv);
const unsigned long *kn_shadow_stock_open(struct kn_vcpu *kv);

/* shadow.c */
void kn_shadow_prepare(struct kn_vcpu *kv);
bool kn_shadow_copy_in(struct kn_vcpu *kv);
u64 kn_shadow_left(struct kn_vcpu *kv);
bool kn_shadow_copy_out(struct kn_vcpu *kv);
void kn_shadow_l2_exit(struct kn_vcpu *kv);
void kn_shadow_fetch(struct kn_vcpu *kv, enum vmcs12_field field);
void kn_shadow_reload(struct kn_vcpu *kv);
void kn_shadow_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field);
void kn_shadow_written(struct kn_vcpu *kv, enum vmcs12_field field);

/* shadow.c, for handover.c */
void kn_shadow_enter(struct kvm_vcpu *vcpu);
void kn_shadow_exit(struct kvm_vcpu *vcpu);
void kn_shadow_use(struct kn_vcpu *kv, struct kn_image *image);
bool kn_shadow_is_live(struct kvm_vcpu *vcpu);
void kn_shadow_read_changes(struct kn_vcpu *kv, unsigned long *changed);

#endif /* _KVM_NESTED_SHADOW_H */
