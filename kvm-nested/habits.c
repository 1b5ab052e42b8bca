// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which fields a guest has open of each of its VMCS12s.
 */
#include "habits.h"
#include "kvm_intel.h"
#include "stats.h"

unsigned int kn_shadow_fields = 128;
unsigned int kn_shadow_learn = 3;
unsigned int kn_shadow_review = 256;

void kn_habits_init(struct kn_habits *habits)
{
	learn_init(&habits->learn);
}

/* The processor has no such field: nobody is to ask for it again. */
void kn_habits_withdraw(struct kn_habits *habits, enum vmcs12_field field)
{
	int i;

	kn_choice_withdraw(field);
	for (i = 0; i < LEARN_NR_SETS; i++)
		learn_drop(&habits->learn.sets[i], field);
	habits->fixed_generation = kn_choice_fixed_generation() - 1;
}

/*
 * The fields that the VMCS12 at @vmptr shall have open.  With @used, this is
 * another use of its set.
 */
const struct kn_choice *kn_habits_choose(struct kn_habits *habits, struct kvm_vcpu *vcpu,
					 u64 vmptr, bool used, struct kn_shadow_counters *counters)
{
	struct learn_set *set = learn_find(&habits->learn, vmptr);
	u32 fixed_generation = kn_choice_fixed_generation();
	struct kn_choice *choice;

	if (used && learn_use(set, READ_ONCE(kn_shadow_review), READ_ONCE(kn_shadow_fields)) !=
		    VMCS12_NO_FIELD)
		counters->left++;

	if (fixed_generation != habits->fixed_generation) {
		habits->fixed_generation = fixed_generation;
		memset(habits->choices, 0, sizeof(habits->choices));
	}

	choice = &habits->choices[set->number];
	if (!choice->version || (!choice->fixed && choice->generation != set->generation)) {
		kn_choice_make(choice, vcpu, set);
		choice->version = ++habits->version;
	}
	return choice;
}

/* An access to @field of the VMCS12 at @vmptr has trapped.  LEARN_JOINED: choose anew. */
enum learn_result kn_habits_trapped(struct kn_habits *habits, struct kvm_vcpu *vcpu, u64 vmptr,
				    enum learn_access access, enum vmcs12_field field,
				    struct kn_shadow_counters *counters)
{
	enum learn_result result;
	struct learn_set *set;
	u32 threshold, max;

	field = vmcs12_field_base(field);
	if (kn_choice_is_fixed() || !kn_choice_may_open(vcpu, access, field))
		return LEARN_WAITS;

	set = learn_find(&habits->learn, vmptr);
	threshold = READ_ONCE(kn_shadow_learn);
	max = READ_ONCE(kn_shadow_fields);
	if (kn_choice_is_exclusive(field))
		result = learn_trapped_exclusive(set, access, field, threshold, max);
	else
		result = learn_trapped(set, access, field, threshold, max);

	if (result == LEARN_JOINED)
		counters->joined++;
	else if (result == LEARN_FULL)
		counters->full++;
	return result;
}
