// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify how fields join and leave the sets of an L1, and which set is whose.
 */
#include <string.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "learn.h"
#include "unit.h"

#define THRESHOLD	3
#define MAX		8
#define NEVER		(~0u)

/* Traps in one use that count as one in each of THRESHOLD uses. */
#define TRAPS_IN_ONE_USE	9

/* Fields that nobody knows anything special about, in ascending order. */
#define A	VMCS12_GUEST_ES_SELECTOR
#define B	VMCS12_TSC_OFFSET
#define C	VMCS12_HOST_RSP

static struct learn learn;

static struct learn_set *new_set(void)
{
	learn_init(&learn);
	return learn_find(&learn, 0x1000);
}

/* Another use, no review. */
static void use(struct learn_set *set)
{
	EXPECT_EQ(learn_use(set, NEVER, VMCS12_NR_FIELDS), VMCS12_NO_FIELD, "no review");
}

/* A use with a review. */
static enum vmcs12_field review(struct learn_set *set)
{
	return learn_use(set, 1, MAX);
}

static enum learn_result trap(struct learn_set *set, enum learn_access access,
			      enum vmcs12_field field)
{
	return learn_trapped(set, access, field, THRESHOLD, MAX);
}

/* One trap a use. */
static void trap_until_joined(struct learn_set *set, enum learn_access access,
			      enum vmcs12_field field)
{
	for (unsigned int i = 1; i < THRESHOLD; i++) {
		use(set);
		EXPECT_EQ(trap(set, access, field), LEARN_WAITS, "trap %u", i);
	}
	use(set);
	EXPECT_EQ(trap(set, access, field), LEARN_JOINED, "trap %u", THRESHOLD);
}

static bool reads(const struct learn_set *set, enum vmcs12_field field)
{
	return vmcs12_set_has(set->members[LEARN_READ], field);
}

static bool writes(const struct learn_set *set, enum vmcs12_field field)
{
	return vmcs12_set_has(set->members[LEARN_WRITE], field);
}

static bool is_member(const struct learn_set *set, enum vmcs12_field field)
{
	return reads(set, field) || writes(set, field);
}

static unsigned int nr_members(const struct learn_set *set, enum learn_access access)
{
	unsigned int nr = 0;

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++)
		nr += vmcs12_set_has(set->members[access], field);
	return nr;
}

TEST(joins_by_uses, "a field joins at the first trap of exactly as many uses as the threshold")
{
	static const unsigned int thresholds[] = { 1, 2, 3, 17, LEARN_MAX_THRESHOLD };

	for (unsigned int i = 0; i < ARRAY_SIZE(thresholds); i++)
		for (unsigned int access = 0; access < LEARN_NR_ACCESSES; access++) {
			struct learn_set *set = new_set();
			unsigned int trap;

			for (trap = 1; trap < thresholds[i]; trap++) {
				EXPECT_EQ(learn_trapped(set, access, A, thresholds[i], MAX),
					  LEARN_WAITS, "trap %u of %u", trap, thresholds[i]);
				use(set);
			}
			EXPECT_EQ(nr_members(set, LEARN_READ), 0, "before trap %u", trap);
			EXPECT_EQ(learn_trapped(set, access, A, thresholds[i], MAX), LEARN_JOINED,
				  "trap %u of %u", trap, thresholds[i]);
			EXPECT_EQ(reads(set, A), access == LEARN_READ, "after trap %u", trap);
			EXPECT_EQ(writes(set, A), access == LEARN_WRITE, "after trap %u", trap);
		}
}

TEST(joins_in_one_use, "traps of one use count less, and count")
{
	for (unsigned int access = 0; access < LEARN_NR_ACCESSES; access++) {
		struct learn_set *set = new_set();

		for (unsigned int i = 1; i < TRAPS_IN_ONE_USE; i++)
			EXPECT_EQ(trap(set, access, A), LEARN_WAITS, "trap %u", i);
		EXPECT_EQ(trap(set, access, A), LEARN_JOINED, "the last trap");

		/* Five are as good as one in each of two uses. */
		set = new_set();
		for (unsigned int i = 1; i <= 5; i++)
			EXPECT_EQ(trap(set, access, A), LEARN_WAITS, "trap %u", i);
		use(set);
		EXPECT_EQ(trap(set, access, A), LEARN_JOINED, "the next use");
	}
}

TEST(counts_apart, "fields and accesses are counted apart")
{
	struct learn_set *set = new_set();

	for (unsigned int i = 1; i < THRESHOLD; i++) {
		for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++)
			for (unsigned int access = 0; access < LEARN_NR_ACCESSES; access++)
				EXPECT_EQ(trap(set, access, field), LEARN_WAITS, "%s",
					  vmcs12_fields[field].name);
		use(set);
	}
	EXPECT_EQ(nr_members(set, LEARN_READ), 0, "members");
	EXPECT_EQ(trap(set, LEARN_READ, B), LEARN_JOINED, "the trap that is missing");
	EXPECT_EQ(nr_members(set, LEARN_READ), 1, "members");
	EXPECT(reads(set, B) && !writes(set, B), "B is read");
}

TEST(counts_saturate, "traps beyond what a counter can hold are not forgotten")
{
	struct learn_set *set = new_set();

	for (unsigned int i = 0; i < 600; i++)
		EXPECT_EQ(learn_trapped(set, LEARN_READ, A, LEARN_MAX_THRESHOLD, 0),
			  i + LEARN_FIRST_TRAP < LEARN_MAX_THRESHOLD * LEARN_FIRST_TRAP ?
			  LEARN_WAITS : LEARN_FULL, "trap %u", i);
	EXPECT_EQ(learn_trapped(set, LEARN_READ, A, LEARN_MAX_THRESHOLD, 1), LEARN_JOINED,
		  "there is room");
}

TEST(forgets, "a review forgets traps that have led to nothing")
{
	struct learn_set *set = new_set();

	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 1; i < THRESHOLD; i++) {
			EXPECT_EQ(trap(set, LEARN_READ, A), LEARN_WAITS, "trap %u", i);
			EXPECT_EQ(trap(set, LEARN_WRITE, B), LEARN_WAITS, "trap %u", i);
			use(set);
		}
		EXPECT_EQ(review(set), VMCS12_NO_FIELD, "nobody is a member");
	}
	trap_until_joined(set, LEARN_READ, A);
	trap_until_joined(set, LEARN_WRITE, B);
}

TEST(written, "a field joins for what it is used for")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_READ, A);
	EXPECT(reads(set, A) && !writes(set, A), "A is read");
	trap_until_joined(set, LEARN_WRITE, B);
	EXPECT(!reads(set, B) && writes(set, B), "B is written");
	EXPECT_EQ(set->nr, 2, "A and B");

	trap_until_joined(set, LEARN_WRITE, A);
	EXPECT(reads(set, A) && writes(set, A), "A is written as well");
	EXPECT_EQ(set->nr, 2, "A is one field");

	for (unsigned int i = 0; i < 2 * THRESHOLD; i++) {
		EXPECT_EQ(trap(set, LEARN_READ, A), LEARN_WAITS, "a member");
		EXPECT_EQ(trap(set, LEARN_WRITE, B), LEARN_WAITS, "a member");
		use(set);
	}
}

TEST(full, "a full set takes no other field, but writes of a member")
{
	struct learn_set *set = new_set();

	for (unsigned int i = 0; i < MAX; i++)
		trap_until_joined(set, LEARN_READ, A + i);
	EXPECT_EQ(set->nr, MAX, "fields");

	for (unsigned int i = 1; i < THRESHOLD; i++) {
		use(set);
		EXPECT_EQ(trap(set, LEARN_READ, C), LEARN_WAITS, "trap %u", i);
	}
	use(set);
	EXPECT_EQ(trap(set, LEARN_READ, C), LEARN_FULL, "the threshold");
	EXPECT_EQ(trap(set, LEARN_READ, C), LEARN_FULL, "and once more");
	EXPECT(!reads(set, C) && set->nr == MAX, "the set is as it was");
	trap_until_joined(set, LEARN_WRITE, A);
	EXPECT(writes(set, A) && set->nr == MAX, "A is written");

	learn_drop(set, A + 1);
	EXPECT_EQ(trap(set, LEARN_READ, C), LEARN_JOINED, "there is room");
	EXPECT_EQ(learn_trapped(new_set(), LEARN_READ, A, 1, 0), LEARN_FULL, "no fields at all");
	EXPECT_EQ(learn_trapped(new_set(), LEARN_WRITE, A, 1, 0), LEARN_FULL, "nor for writing");
}

TEST(drop, "a field that is dropped leaves for reads and writes, and no other leaves")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_WRITE, A);
	trap_until_joined(set, LEARN_READ, A + 1);
	learn_drop(set, A);
	EXPECT(!reads(set, A) && !writes(set, A) && set->nr == 1, "A has left");
	EXPECT(reads(set, A + 1), "its neighbour has not");

	learn_drop(set, A);
	learn_drop(set, B);
	EXPECT(reads(set, A + 1) && set->nr == 1, "neither was a member");

	EXPECT_EQ(review(set), A + 1, "review");
	trap_until_joined(set, LEARN_WRITE, A);
}

TEST(period, "there is a review once a period, and none of an empty set has an effect")
{
	struct learn_set *set = new_set();

	for (unsigned int i = 0; i < 20; i++)
		EXPECT_EQ(review(set), VMCS12_NO_FIELD, "empty");

	EXPECT_EQ(learn_trapped(set, LEARN_READ, A, 1, MAX), LEARN_JOINED, "A");
	for (unsigned int i = 1; i < 100; i++)
		EXPECT_EQ(learn_use(set, 100, MAX), VMCS12_NO_FIELD, "use %u", i);
	EXPECT_EQ(learn_use(set, 100, MAX), A, "use 100");
	EXPECT_EQ(learn_trapped(set, LEARN_READ, B, 1, MAX), LEARN_JOINED, "B");
	for (unsigned int i = 1; i < 100; i++)
		EXPECT_EQ(learn_use(set, 100, MAX), VMCS12_NO_FIELD, "use %u again", i);
	EXPECT_EQ(learn_use(set, 100, MAX), B, "use 100 again");
}

TEST(turns, "members are reviewed in turn, beginning behind the last one")
{
	static const enum vmcs12_field order[] = { A, B, C };
	struct learn_set *set = new_set();

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		trap_until_joined(set, LEARN_READ, order[i]);

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(review(set), order[i], "review %u", i);
		EXPECT_EQ(trap(set, LEARN_READ, order[i]), LEARN_JOINED, "it is used");
	}
	/* Each has a pass, for it came back. */
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		EXPECT_EQ(review(set), VMCS12_NO_FIELD, "pass %u", i);
	EXPECT_EQ(review(set), A, "and again");
}

TEST(first_and_last, "the first field has its turn too, after the last one")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_READ, 0);
	trap_until_joined(set, LEARN_READ, VMCS12_NR_FIELDS - 1);
	EXPECT_EQ(review(set), VMCS12_NR_FIELDS - 1, "the last");
	EXPECT_EQ(review(set), 0, "the first");
	EXPECT_EQ(set->nr, 0, "nobody stays");
}

TEST(probation, "a field comes back at its next access, whichever, and no other does")
{
	for (unsigned int access = 0; access < LEARN_NR_ACCESSES; access++) {
		struct learn_set *set = new_set();

		trap_until_joined(set, LEARN_READ, A);
		EXPECT_EQ(review(set), A, "review");
		EXPECT(!reads(set, A) && set->nr == 0, "A is on probation");
		EXPECT_EQ(trap(set, LEARN_READ, B), LEARN_WAITS, "B is not");
		EXPECT_EQ(learn_trapped(set, access, A, LEARN_MAX_THRESHOLD, MAX), LEARN_JOINED,
			  "A is back");
		EXPECT_EQ(set->on_probation, VMCS12_NO_FIELD, "nobody");
		EXPECT_EQ(writes(set, A), access == LEARN_WRITE, "no more than it is used for");
	}
}

TEST(probation_ends, "a field that is not used while on probation is a new one, without tenure")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_WRITE, A);
	EXPECT_EQ(review(set), A, "review");
	EXPECT_EQ(trap(set, LEARN_WRITE, A), LEARN_JOINED, "it is used");
	EXPECT_EQ(review(set), VMCS12_NO_FIELD, "its pass");
	EXPECT_EQ(review(set), A, "review");

	EXPECT_EQ(review(set), VMCS12_NO_FIELD, "probation ends");
	EXPECT_EQ(set->on_probation, VMCS12_NO_FIELD, "nobody");
	for (unsigned int access = 0; access < LEARN_NR_ACCESSES; access++)
		EXPECT_EQ(trap(set, access, A), LEARN_WAITS, "it has to trap as often as a new one");
	EXPECT_EQ(review(set), VMCS12_NO_FIELD, "nobody is a member");
	trap_until_joined(set, LEARN_WRITE, A);
	EXPECT_EQ(review(set), A, "it has no pass");
}

TEST(probation_of_one, "the review of the next field ends a probation")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_READ, A);
	trap_until_joined(set, LEARN_READ, B);
	EXPECT_EQ(review(set), A, "review");
	EXPECT_EQ(review(set), B, "review");
	EXPECT_EQ(trap(set, LEARN_READ, A), LEARN_WAITS, "A is on probation no more");
	EXPECT_EQ(trap(set, LEARN_READ, B), LEARN_JOINED, "B is");
}

TEST(tenure, "who comes back passes one review, then three, up to 127, and no more")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_READ, A);
	for (unsigned int round = 0; round < 12; round++) {
		unsigned int passes = (1 << (round < 7 ? round : 7)) - 1;

		for (unsigned int pass = 0; pass < passes; pass++)
			EXPECT_EQ(review(set), VMCS12_NO_FIELD, "pass %u of round %u", pass, round);
		EXPECT_EQ(review(set), A, "round %u", round);
		EXPECT_EQ(trap(set, LEARN_READ, A), LEARN_JOINED, "round %u", round);
	}
}

TEST(tenure_stays, "who was never on probation gets no longer tenure")
{
	struct learn_set *set = new_set();

	for (unsigned int round = 0; round < 5; round++) {
		EXPECT_EQ(learn_trapped(set, LEARN_READ, A, 1, MAX), LEARN_JOINED, "read");
		learn_drop(set, A);
	}
	/* A pass is for a review, not for a second kind of access. */
	EXPECT_EQ(learn_trapped(set, LEARN_READ, A, 1, MAX), LEARN_JOINED, "read");
	EXPECT_EQ(learn_trapped(set, LEARN_WRITE, A, 1, MAX), LEARN_JOINED, "written");
	EXPECT_EQ(review(set), A, "no pass");
}

TEST(shrinks, "a set that is too big loses a field each use, not only each period")
{
	struct learn_set *set = new_set();

	for (unsigned int i = 0; i < MAX; i++)
		trap_until_joined(set, i % 2, A + i);
	set->age = 0;

	for (unsigned int nr = MAX; nr > 3; nr--) {
		enum vmcs12_field field = learn_use(set, 1000, 3);

		EXPECT(field >= A && field < A + MAX && !reads(set, field) && !writes(set, field),
		       "field %u has left", field);
		EXPECT_EQ(set->nr, nr - 1, "fields");
		EXPECT_EQ(set->on_probation, VMCS12_NO_FIELD, "it does not come back at once");
	}
	for (unsigned int i = 1; i < 1000; i++)
		EXPECT_EQ(learn_use(set, 1000, 3), VMCS12_NO_FIELD, "small enough");
	EXPECT(learn_use(set, 1000, 3) != VMCS12_NO_FIELD, "a review");

	while (set->nr)
		EXPECT(learn_use(set, 1000, 0) != VMCS12_NO_FIELD, "down to nothing");
	EXPECT_EQ(learn_use(set, 1000, 0), VMCS12_NO_FIELD, "nothing is small enough");
}

TEST(sets, "each VMCS12 has its set, the least recently used one makes room")
{
	struct learn_set *sets[LEARN_NR_SETS], *set;

	learn_init(&learn);
	for (u64 i = 0; i < LEARN_NR_SETS; i++) {
		/* The address zero is as good as any. */
		sets[i] = learn_find(&learn, i << 12);
		EXPECT_EQ(sets[i]->vmptr, i << 12, "set %llu", i);
		EXPECT_EQ(sets[i]->nr, 0, "set %llu is new", i);
		trap_until_joined(sets[i], LEARN_READ, A + i);
		EXPECT(learn_find(&learn, i << 12) == sets[i], "set %llu again", i);
	}
	for (u64 i = 0; i < LEARN_NR_SETS; i++) {
		EXPECT(learn_find(&learn, i << 12) == sets[i], "set %llu", i);
		EXPECT(reads(sets[i], A + i) && sets[i]->nr == 1, "set %llu keeps its field", i);
	}

	/* Used after all the others, so that the second is the oldest now. */
	learn_find(&learn, 0);
	set = learn_find(&learn, 0xabc000);
	EXPECT(set == sets[1] && set->vmptr == 0xabc000, "the second set is given away");
	EXPECT_EQ(set->nr + nr_members(set, LEARN_READ), 0, "and empty");
	EXPECT_EQ(set->on_probation, VMCS12_NO_FIELD, "and nobody on probation");
	EXPECT_EQ(trap(set, LEARN_READ, A + 1), LEARN_WAITS, "traps do not count");
	EXPECT(learn_find(&learn, 0) == sets[0] && reads(sets[0], A), "the first stays");

	set = learn_find(&learn, 1 << 12);
	EXPECT(set == sets[2] && !set->nr, "whose set was given away starts anew");
}

TEST(init, "nothing is left of what was learnt before")
{
	struct learn_set *set = new_set();

	trap_until_joined(set, LEARN_WRITE, A);
	set = new_set();
	EXPECT_EQ(set->nr + nr_members(set, LEARN_READ) + nr_members(set, LEARN_WRITE), 0,
		  "members");
	trap_until_joined(set, LEARN_WRITE, A);
}

/* What holds of a set whatever happens to it. */
static void check_set(const struct learn_set *set, unsigned int step)
{
	unsigned int nr = 0;

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++) {
		const char *name = vmcs12_fields[field].name;

		nr += is_member(set, field);
		EXPECT(set->tenure[field] <= LEARN_MAX_TENURE, "step %u: %s", step, name);
		EXPECT(set->passes[field] < 1 << LEARN_MAX_TENURE, "step %u: %s", step, name);
	}
	EXPECT_EQ(set->nr, nr, "step %u", step);
	EXPECT(set->on_probation == VMCS12_NO_FIELD || !is_member(set, set->on_probation),
	       "step %u: a member is on probation", step);
	EXPECT(set->reviewed < VMCS12_NR_FIELDS, "step %u", step);
}

#define E	VMCS12_GUEST_FS_AR_BYTES

static enum learn_result trap_exclusive(struct learn_set *set, enum learn_access access)
{
	return learn_trapped_exclusive(set, access, E, THRESHOLD, MAX);
}

static void expect_side(struct learn_set *set, enum learn_access access)
{
	EXPECT_EQ(reads(set, E), access == LEARN_READ, "reading");
	EXPECT_EQ(writes(set, E), access == LEARN_WRITE, "writing");
	EXPECT_EQ(set->nr, 1U, "nr");
}

/* Uses with @nr traps of the closed access each, until it has trapped @traps times: it turns. */
static void trap_until_turned(struct learn_set *set, enum learn_access access, unsigned int nr,
			      unsigned int traps)
{
	u32 generation = set->generation;

	for (unsigned int i = 1; i < traps; i++) {
		if (i % nr == 0)
			use(set);
		EXPECT_EQ(trap_exclusive(set, access), LEARN_WAITS, "trap %u of %u", i, traps);
	}
	EXPECT_EQ(set->generation, generation, "before trap %u", traps);
	EXPECT_EQ(trap_exclusive(set, access), LEARN_JOINED, "trap %u", traps);
	EXPECT(set->generation != generation, "generation");
	expect_side(set, access);
	use(set);
}

/* An L1 that reads @reads times in each use, and writes @writes times; how often it trapped. */
static unsigned int use_both(struct learn_set *set, unsigned int nr_reads, unsigned int nr_writes,
			     unsigned int uses, unsigned int *turned)
{
	unsigned int traps = 0;

	for (unsigned int i = 0; i < uses; i++) {
		for (unsigned int w = 0; w < nr_writes; w++)
			if (!writes(set, E)) {
				traps++;
				*turned += trap_exclusive(set, LEARN_WRITE) == LEARN_JOINED;
			}
		for (unsigned int r = 0; r < nr_reads; r++)
			if (!reads(set, E)) {
				traps++;
				*turned += trap_exclusive(set, LEARN_READ) == LEARN_JOINED;
			}
		use(set);
	}
	return traps;
}

static void join(struct learn_set *set, enum learn_access access)
{
	unsigned int turned = 0;

	use_both(set, access == LEARN_READ, access == LEARN_WRITE, THRESHOLD, &turned);
	EXPECT_EQ(turned, 1U, "joined");
	expect_side(set, access);
}

TEST(exclusive, "a field open for one access turns to the other, which it does not know yet")
{
	struct learn_set *set = new_set();

	join(set, LEARN_READ);
	EXPECT_EQ(trap_exclusive(set, LEARN_READ), LEARN_WAITS, "a member");
	use(set);
	trap_until_turned(set, LEARN_WRITE, 1, THRESHOLD);
	/* Twice as often as the other: back, and after twice as many traps for another look. */
	trap_until_turned(set, LEARN_READ, 2, LEARN_STINT);
	trap_until_turned(set, LEARN_WRITE, 1, 2 * LEARN_STINT);
	trap_until_turned(set, LEARN_READ, 2, LEARN_STINT);
	trap_until_turned(set, LEARN_WRITE, 1, 4 * LEARN_STINT);

	learn_drop(set, E);
	join(set, LEARN_WRITE);
	trap_until_turned(set, LEARN_READ, 2, THRESHOLD);
	/* Less often: it stays, and looks at the other after twice as many traps. */
	for (unsigned int i = 0; i < LEARN_STINT; i++) {
		EXPECT_EQ(trap_exclusive(set, LEARN_WRITE), LEARN_WAITS, "trap %u", i);
		use(set);
	}
	trap_until_turned(set, LEARN_WRITE, 1, 2 * LEARN_STINT);
}

TEST(exclusive_stays, "it stays with the access that traps less while closed")
{
	static const struct {
		unsigned int reads;
		unsigned int writes;
		unsigned int most;	/* traps in 1,000 uses, without the best of both */
	} l1s[] = {
		{ 1, 0, 4 }, { 0, 1, 4 }, { 3, 1, 120 }, { 1, 3, 120 }, { 8, 1, 140 },
		{ 2, 2, 20 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(l1s); i++) {
		struct learn_set *set = new_set();
		unsigned int reads = l1s[i].reads, writes = l1s[i].writes, turned = 0;
		unsigned int best = 1000 * min_t(unsigned int, reads, writes);
		unsigned int traps = use_both(set, reads, writes, 1000, &turned);

		EXPECT(traps >= best && traps <= best + l1s[i].most,
		       "%u reads and %u writes: %u traps, %u more than it takes", reads, writes,
		       traps, traps - best);
	}
}

TEST(exclusive_looks_again, "it looks again, more and more rarely, and sees what has changed")
{
	struct learn_set *set = new_set();
	unsigned int turned = 0;

	use_both(set, 4, 1, 1000, &turned);
	expect_side(set, LEARN_READ);
	use_both(set, 1, 4, 1000, &turned);
	expect_side(set, LEARN_WRITE);
	EXPECT(turned < 20, "%u turns", turned);

	/* At most twice in as many traps as it has patience for. */
	turned = 0;
	use_both(set, 4, 4, 1000 * LEARN_STINT << LEARN_MAX_PATIENCE >> 2, &turned);
	EXPECT(turned > 900 && turned <= 2000, "%u turns", turned);
}

TEST(exclusive_starts_anew, "who left does not take along what trapped against it")
{
	struct learn_set *set = new_set();

	join(set, LEARN_READ);
	for (unsigned int i = 1; i < THRESHOLD; i++) {
		trap_exclusive(set, LEARN_WRITE);
		use(set);
	}
	learn_drop(set, E);
	/* What let it join is remembered until the next review. */
	EXPECT_EQ(trap_exclusive(set, LEARN_READ), LEARN_JOINED, "back");
	trap_until_turned(set, LEARN_WRITE, 1, THRESHOLD);
}

/* One thing that can happen to a set. */
static void disturb(struct learn_set *set, u32 max, unsigned int step)
{
	enum vmcs12_field field = unit_random() % 4 ? unit_random() % 24 * 7 :
				  LEARN_FIRST_EXCLUSIVE + unit_random() % LEARN_NR_EXCLUSIVE;
	bool exclusive = vmcs12_field_is_access_rights(field);
	enum learn_access access = unit_random() % LEARN_NR_ACCESSES;
	bool was_member = vmcs12_set_has(set->members[access], field);
	enum learn_result result;
	u32 nr = set->nr;

	switch (unit_random() % 8) {
	case 0:
		learn_drop(set, field);
		EXPECT(!reads(set, field) && !writes(set, field), "step %u", step);
		break;
	case 1:
	case 2:
		field = learn_use(set, 4, max);
		EXPECT_EQ(set->nr, nr - (field != VMCS12_NO_FIELD), "step %u: %u left", step,
			  field);
		EXPECT(nr <= max || field != VMCS12_NO_FIELD, "step %u: too big", step);
		break;
	default:
		result = (exclusive ? learn_trapped_exclusive :
				      learn_trapped)(set, access, field, THRESHOLD, max);
		EXPECT(!exclusive || !reads(set, field) || !writes(set, field),
		       "step %u: %u open for both", step, field);
		EXPECT_EQ(result == LEARN_JOINED,
			  !was_member && vmcs12_set_has(set->members[access], field), "step %u",
			  step);
		EXPECT(result != LEARN_FULL || nr >= max, "step %u: room for %u", step, field);
		EXPECT(set->nr <= max || set->nr == nr, "step %u: %u too many", step, field);
	}
}

TEST(random_sequence, "whatever happens, a set agrees with itself, and its generation with it")
{
	struct learn_set *set = new_set();
	u32 max = MAX;

	for (unsigned int step = 0; step < 50000; step++) {
		struct learn_set before = *set;

		if (!(unit_random() % 64))
			max = unit_random() % 12;
		disturb(set, max, step);
		check_set(set, step);
		EXPECT_EQ(set->generation != before.generation,
			  !!memcmp(set->members, before.members, sizeof(set->members)),
			  "step %u: generation %u", step, set->generation);
	}

	for (unsigned int i = 0; i < VMCS12_NR_FIELDS; i++)
		learn_use(set, NEVER, 2);
	EXPECT(set->nr <= 2, "%u fields", set->nr);
}
