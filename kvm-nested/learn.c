// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which fields an L1 uses.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "learn.h"

static void set_init(struct learn_set *set, u8 number, u64 vmptr)
{
	/* Goes on, lest a set be mistaken for the one that was here before. */
	u32 generation = set->generation + 1;

	memset(set, 0, sizeof(*set));
	set->number = number;
	set->generation = generation;
	set->vmptr = vmptr;
	set->on_probation = VMCS12_NO_FIELD;
}

void learn_init(struct learn *learn)
{
	int i;

	for (i = 0; i < LEARN_NR_SETS; i++)
		set_init(&learn->sets[i], i, 0);
	learn->current_set = &learn->sets[0];
	learn->clock = 0;
}

/* The same where the current set may be another one. */
struct learn_set *learn_find_other(struct learn *learn, u64 vmptr)
{
	struct learn_set *set = &learn->sets[0];
	int i;

	for (i = 0; i < LEARN_NR_SETS; i++) {
		struct learn_set *other = &learn->sets[i];

		if (other->used && other->vmptr == vmptr) {
			set = other;
			break;
		}
		if (other->used < set->used)
			set = other;
	}

	if (!set->used || set->vmptr != vmptr)
		set_init(set, set->number, vmptr);
	set->used = ++learn->clock;
	learn->current_set = set;
	return set;
}

static bool is_member(const struct learn_set *set, enum vmcs12_field field)
{
	return vmcs12_set_has(set->members[LEARN_READ], field) ||
	       vmcs12_set_has(set->members[LEARN_WRITE], field);
}

/*
 * An access of @field, a base field, has trapped.  It joins once it has in
 * @threshold uses since the last review, or in fewer more often.
 */
enum learn_result learn_trapped(struct learn_set *set, enum learn_access access,
				enum vmcs12_field field, u32 threshold, u32 max)
{
	u8 *points = &set->points[access][field];
	unsigned int more = LEARN_NEXT_TRAP;

	if (vmcs12_set_has(set->members[access], field))
		return LEARN_WAITS;

	if (!vmcs12_set_has(set->trapped[access], field)) {
		vmcs12_set_add(set->trapped[access], field);
		more = LEARN_FIRST_TRAP;
	}
	*points = min_t(unsigned int, *points + more, U8_MAX);
	if (*points < LEARN_FIRST_TRAP * threshold)
		return LEARN_WAITS;

	if (!is_member(set, field)) {
		if (set->nr >= max) {
			set->crowded = true;
			return LEARN_FULL;
		}
		set->nr++;

		if (set->on_probation == field) {
			set->on_probation = VMCS12_NO_FIELD;
			if (set->tenure[field] < LEARN_MAX_TENURE)
				set->tenure[field]++;
		}
		set->passes[field] = BIT(set->tenure[field]) - 1;
	}

	set->generation++;
	vmcs12_set_add(set->members[access], field);
	return LEARN_JOINED;
}

/* How often the closed access traps, in 256 uses; not zero. */
static u32 trap_rate(const struct learn_set *set, const struct learn_sides *sides)
{
	return 256 * sides->traps / (set->uses - sides->since + 1) + 1;
}

/*
 * The same for one of the fields that can't be open for both accesses.  It turns to
 * the other one after @threshold traps, and from then on stays with the one that
 * traps less while it is closed.  More and more rarely it turns for a look whether
 * that is still so.
 */
enum learn_result learn_trapped_exclusive(struct learn_set *set, enum learn_access access,
					  enum vmcs12_field field, u32 threshold, u32 max)
{
	enum learn_access other = access == LEARN_READ ? LEARN_WRITE : LEARN_READ;
	struct learn_sides *sides = &set->sides[field - LEARN_FIRST_EXCLUSIVE];
	u32 rate, stint;

	if (!is_member(set, field))
		sides->since = set->uses;
	if (!vmcs12_set_has(set->members[other], field))
		return learn_trapped(set, access, field, threshold, max);

	if (!sides->other_rate)
		stint = threshold;
	else
		stint = LEARN_STINT << (sides->looks ? 0 : sides->patience);
	if (++sides->traps < stint)
		return LEARN_WAITS;

	rate = trap_rate(set, sides);
	sides->traps = 0;
	sides->since = set->uses;
	if (sides->looks && sides->patience < LEARN_MAX_PATIENCE)
		sides->patience++;
	if (sides->looks && rate <= sides->other_rate) {
		sides->looks = false;
		return LEARN_WAITS;
	}

	sides->looks = !sides->looks;
	sides->other_rate = rate;
	set->generation++;
	vmcs12_set_remove(set->members[other], field);
	vmcs12_set_add(set->members[access], field);
	return LEARN_JOINED;
}

void learn_drop(struct learn_set *set, enum vmcs12_field field)
{
	if (!is_member(set, field))
		return;

	vmcs12_set_remove(set->members[LEARN_READ], field);
	vmcs12_set_remove(set->members[LEARN_WRITE], field);
	if (vmcs12_field_is_access_rights(field))
		memset(&set->sides[field - LEARN_FIRST_EXCLUSIVE], 0, sizeof(*set->sides));
	set->nr--;
	set->generation++;
}

/* The member whose turn it is; there has to be one. */
static enum vmcs12_field next_member(struct learn_set *set)
{
	do {
		if (++set->reviewed >= VMCS12_NR_FIELDS)
			set->reviewed = 0;
	} while (!is_member(set, set->reviewed));

	return set->reviewed;
}

/* The second half of learn_use(). */
enum vmcs12_field learn_review(struct learn_set *set, u32 max)
{
	enum vmcs12_field field;

	if (set->nr > max) {
		field = next_member(set);
		learn_drop(set, field);
		return field;
	}

	set->age = 0;
	memset(set->points, 0, sizeof(set->points));
	/* Whoever did not come back while on probation starts anew. */
	if (set->on_probation != VMCS12_NO_FIELD)
		set->tenure[set->on_probation] = 0;
	set->on_probation = VMCS12_NO_FIELD;
	if (!set->nr)
		return VMCS12_NO_FIELD;

	field = next_member(set);
	/* Whatever was used for long, somebody else waits. */
	if (set->passes[field] && !set->crowded) {
		set->passes[field]--;
		return VMCS12_NO_FIELD;
	}

	set->crowded = false;
	learn_drop(set, field);
	set->on_probation = field;
	set->points[LEARN_READ][field] = U8_MAX;
	set->points[LEARN_WRITE][field] = U8_MAX;
	return field;
}
