/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_SHADOW_H
#define _KVM_NESTED_SHADOW_H

#include "choice.h"

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
	const struct kn_choice *choice;	/* as @bitmap has it... */
	bool clean;			/* ... for a VMCS12 that is not dirty */
	u32 fixed_generation;		/* of @choices */
	u64 vmwrite_seen;	/* the number of the exit, see kn_nr_exits() */
	bool again;	/* stale for another reason than that L1 goes on with it */
	/* What the shadow VMCS contained when it was last looked at. */
	unsigned long known[VMCS12_SET_LONGS];
	u64 image[VMCS12_NR_FIELDS];
	struct learn learn;
	struct kn_choice choices[LEARN_NR_SETS];	/* one for each set of @learn */
};

extern bool kn_shadow_enable;
extern unsigned int kn_shadow_fields;
extern unsigned int kn_shadow_learn;
extern unsigned int kn_shadow_review;

/* handover.c */
void kn_shadow_create(struct kn_vcpu *kv);
void kn_shadow_destroy(struct kn_vcpu *kv);
void kn_shadow_free(struct kn_vcpu *kv);
void __kn_shadow_take(struct kn_vcpu *kv);
void kn_shadow_leave(struct kn_vcpu *kv);
bool kn_shadow_give_back(struct kn_vcpu *kv);
const unsigned long *kn_shadow_stock_open(struct kn_vcpu *kv);

/* shadow.c */
bool kn_shadow_copy_in(struct kn_vcpu *kv);
bool kn_shadow_copy_out(struct kn_vcpu *kv);
void kn_shadow_l2_exit(struct kn_vcpu *kv);
void kn_shadow_fetch(struct kn_vcpu *kv, enum vmcs12_field field);
void kn_shadow_reload(struct kn_vcpu *kv);
void kn_shadow_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field);
void kn_shadow_written(struct kn_vcpu *kv, enum vmcs12_field field);

/* shadow.c, for handover.c */
void kn_shadow_enter(struct kvm_vcpu *vcpu);
void kn_shadow_exit(struct kvm_vcpu *vcpu);
bool kn_shadow_is_live(struct kvm_vcpu *vcpu);
void kn_shadow_read_changes(struct kn_vcpu *kv, unsigned long *changed);
const unsigned long *kn_shadow_open_for_writing(const struct kn_shadow *shadow);

#endif /* _KVM_NESTED_SHADOW_H */
