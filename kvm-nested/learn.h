/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which fields an L1 uses: learnt from the accesses that trap.
 *
 * A field whose accesses have trapped often enough joins the set of its VMCS12
 * and traps no more, so nobody sees any longer whether it is used.  Therefore
 * the fields of a set are reviewed in turn: one leaves on probation, and comes
 * back at its next trap, for twice as long as before.
 *
 * L1 uses a set whenever it runs after an exit of L2, or with another VMCS12 than
 * before.  Traps in different uses tell more than many in one, as while L1 fills
 * in a new VMCS12; and between two reviews what has not led to anything is
 * forgotten.
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_LEARN_H
#define _KVM_NESTED_LEARN_H

#include <linux/string.h>
#include <linux/types.h>

#include "vmcs12.h"

/* An L1 with more VMCS12s than these on one vCPU learns those anew that it uses least. */
#define LEARN_NR_SETS		8

#define LEARN_MAX_TENURE	7

/* What a trap counts, the first of its field in a use and any other. */
#define LEARN_FIRST_TRAP	4
#define LEARN_NEXT_TRAP		1
#define LEARN_MAX_THRESHOLD	(U8_MAX / LEARN_FIRST_TRAP)

/*
 * Of a field that can't be open for both accesses: traps that tell how often the closed
 * one traps, and the logarithm of how much rarer than at first that is looked into.
 */
#define LEARN_STINT		16U
#define LEARN_MAX_PATIENCE	8

/* The fields that may not be open for both accesses: access rights. */
#define LEARN_FIRST_EXCLUSIVE	VMCS12_GUEST_ES_AR_BYTES
#define LEARN_NR_EXCLUSIVE	(VMCS12_GUEST_TR_AR_BYTES - VMCS12_GUEST_ES_AR_BYTES + 1)

enum learn_access {
	LEARN_READ,
	LEARN_WRITE,
	LEARN_NR_ACCESSES,
};

enum learn_result {
	LEARN_WAITS,		/* has not trapped often enough, or is a member */
	LEARN_JOINED,
	LEARN_FULL,
};

/* Of a member that can't be open for both accesses. */
struct learn_sides {
	u32 since;		/* the set's uses when it turned, or decided not to */
	u32 traps;		/* of the access that is closed, since then */
	u32 other_rate;		/* how often the open one trapped while closed; 0: not known */
	bool looks;		/* has turned to find out how often the closed one traps */
	u8 patience;		/* how often it has looked, up to the maximum */
};

/* The fields of one VMCS12; a high half counts as its field. */
struct learn_set {
	u8 number;		/* in struct learn */
	u64 vmptr;
	u64 used;		/* when last; 0 for never */
	unsigned long members[LEARN_NR_ACCESSES][VMCS12_SET_LONGS];
	u32 nr;			/* fields in either */
	u32 generation;		/* changes with the members */
	u32 age;		/* uses since the last review */
	bool crowded;		/* there was no room for a field since then */
	enum vmcs12_field reviewed;
	enum vmcs12_field on_probation;	/* VMCS12_NO_FIELD if none */
	unsigned long trapped[LEARN_NR_ACCESSES][VMCS12_SET_LONGS];	/* in this use */
	u8 points[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];	/* since the last review */
	u8 tenure[VMCS12_NR_FIELDS];	/* log2 of the reviews to pass */
	u8 passes[VMCS12_NR_FIELDS];	/* reviews still to pass */
	u32 uses;
	struct learn_sides sides[LEARN_NR_EXCLUSIVE];
};

struct learn {
	struct learn_set sets[LEARN_NR_SETS];
	struct learn_set *current_set;
	u64 clock;
};

void learn_init(struct learn *learn);
struct learn_set *learn_find_other(struct learn *learn, u64 vmptr);
enum learn_result learn_trapped(struct learn_set *set, enum learn_access access,
				enum vmcs12_field field, u32 threshold, u32 max);
enum learn_result learn_trapped_exclusive(struct learn_set *set, enum learn_access access,
					  enum vmcs12_field field, u32 threshold, u32 max);
enum vmcs12_field learn_review(struct learn_set *set, u32 max);
void learn_drop(struct learn_set *set, enum vmcs12_field field);

/* The set of the VMCS12 at @vmptr, an empty one if that has none. */
static inline struct learn_set *learn_find(struct learn *learn, u64 vmptr)
{
	struct learn_set *set = learn->current_set;

	return set->used && set->vmptr == vmptr ? set : learn_find_other(learn, vmptr);
}

/*
 * The set is used once more.  Returns a field that has left, VMCS12_NO_FIELD for
 * most calls: one for each review, one more each call while the set is too big.
 */
static inline enum vmcs12_field learn_use(struct learn_set *set, u32 period, u32 max)
{
	memset(set->trapped, 0, sizeof(set->trapped));
	set->uses++;
	if (set->nr <= max && ++set->age < period)
		return VMCS12_NO_FIELD;

	return learn_review(set, max);
}

#endif /* _KVM_NESTED_LEARN_H */
