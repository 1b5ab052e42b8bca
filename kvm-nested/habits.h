/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which fields a guest has open of each of its VMCS12s: those that it was seen to
 * use, or those of the parameter.
 */
#ifndef _KVM_NESTED_HABITS_H
#define _KVM_NESTED_HABITS_H

#include "choice.h"

struct kn_shadow_counters;
struct kvm_vcpu;

struct kn_habits {
	struct learn learn;
	struct kn_choice choices[LEARN_NR_SETS];	/* one for each set of @learn */
	u32 fixed_generation;				/* of @choices */
	u32 version;					/* of the last one made */
};

extern unsigned int kn_shadow_fields;
extern unsigned int kn_shadow_learn;
extern unsigned int kn_shadow_review;

/* The number of the VMCS12 at @vmptr, below LEARN_NR_SETS: those used last have their own. */
static inline unsigned int kn_habits_number(struct kn_habits *habits, u64 vmptr)
{
	return learn_find(&habits->learn, vmptr)->number;
}

void kn_habits_init(struct kn_habits *habits);
const struct kn_choice *kn_habits_choose(struct kn_habits *habits, struct kvm_vcpu *vcpu,
					 u64 vmptr, bool used,
					 struct kn_shadow_counters *counters);
enum learn_result kn_habits_trapped(struct kn_habits *habits, struct kvm_vcpu *vcpu, u64 vmptr,
				    enum learn_access access, enum vmcs12_field field,
				    struct kn_shadow_counters *counters);
void kn_habits_withdraw(struct kn_habits *habits, enum vmcs12_field field);

#endif /* _KVM_NESTED_HABITS_H */
