/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which fields a shadow VMCS holds: what the processor and the architecture allow,
 * out of what was learnt or is fixed by the parameter, in the form that copying
 * needs.
 */
#ifndef _KVM_NESTED_CHOICE_H
#define _KVM_NESTED_CHOICE_H

#include "bitmap.h"
#include "learn.h"

struct kvm_vcpu;

/* The sizes of fields: 16, 32, and 64 bits. */
#define KN_NR_SIZES	3

/* The fields that L1 gets at without a VM exit. */
struct kn_choice {
	u8 number;		/* of the learnt set */
	u32 version;		/* a new one each time it is made; 0 before */
	bool fixed;		/* by the parameter */
	u32 generation;		/* of the learnt set, if not */
	unsigned long open[LEARN_NR_ACCESSES][VMCS12_SET_LONGS];
	/*
	 * The same for writing to a VMCS12 that is not dirty: without those whose write
	 * makes it so in any case.
	 */
	unsigned long open_clean[VMCS12_SET_LONGS];
	unsigned long any[VMCS12_SET_LONGS];
	unsigned long saved[VMCS12_SET_LONGS];	/* lazily kept, so L2's exit saves them... */
	struct kn_saved {			/* ... in this order */
		u16 encoding;
		u16 offset;
	} saves[VMCS12_NR_FIELDS];
	u8 nr_saves_up_to[KN_NR_SIZES];		/* the smallest fields first */
	u64 words[LEARN_NR_ACCESSES][VMCS_BITMAP_NR_WORDS];
	u64 words_clean[VMCS_BITMAP_NR_WORDS];
	/* Lists: all of them, by the aligned eight bytes of VMCS12 in which they are... */
	u8 nr_places;
	u8 places[VMCS12_NR_PLACES];
	struct kn_place {
		u8 nr;
		u8 fields[4];
	} in_place[VMCS12_NR_PLACES];
	/* ... and those open for writing, the clean ones first. */
	u8 nr_written;
	u8 nr_written_clean;
	u16 written_encoding[VMCS12_NR_FIELDS];
	u8 written_field[VMCS12_NR_FIELDS];
	u8 written_number[VMCS12_NR_FIELDS];	/* of a field in that list, from 1 on, or 0 */
};

/* Base fields, by what a VM entry of stock KVM does with them. */
struct kn_classes {
	unsigned long lazy[VMCS12_SET_LONGS];
	unsigned long copied[VMCS12_SET_LONGS];
	unsigned long derived[VMCS12_SET_LONGS];
	unsigned long checked[VMCS12_SET_LONGS];
	unsigned long late[VMCS12_SET_LONGS];	/* copied, derived or checked */
	unsigned long trigger[VMCS12_SET_LONGS];
};

extern struct kn_classes kn_classes;
extern u32 kn_choice_generation;	/* of the parameter for a fixed set */

/* Everything traps. */
extern const struct kn_choice kn_choice_nothing;

static inline u32 kn_choice_fixed_generation(void)
{
	/* Pairs with kn_choice_set_fixed(). */
	return smp_load_acquire(&kn_choice_generation);
}

void kn_choice_init(void);
void kn_choice_set_fixed(const unsigned long *fields);
void kn_choice_get_fixed(unsigned long *fields);
bool kn_choice_is_fixed(void);

void kn_choice_probe(void);
bool kn_choice_may_open(struct kvm_vcpu *vcpu, enum learn_access access, enum vmcs12_field field);
bool kn_choice_is_exclusive(enum vmcs12_field field);
void kn_choice_withdraw(enum vmcs12_field field);
void kn_choice_make(struct kn_choice *choice, struct kvm_vcpu *vcpu, const struct learn_set *set);

#endif /* _KVM_NESTED_CHOICE_H */
