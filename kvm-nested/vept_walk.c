// SPDX-License-Identifier: GPL-2.0-only
/*
 * What entries of EPT12 mean, and the way through them, step by step: whoever walks
 * reads the entries.
 */
#include "vept_walk.h"

/* SDM volume 3, "EPT Misconfigurations". */

static bool has_bad_access(const struct ept_format *format, u64 entry)
{
	if (entry & EPT_READ)
		return false;
	return entry & EPT_WRITE || !format->execute_only;
}

/* Bits that have to be zero in an entry of this level, which maps a page or not. */
static u64 reserved_bits(const struct ept_format *format, int level, bool page)
{
	u64 bits = GENMASK_ULL(51, 0) & ~GENMASK_ULL(format->address_bits - 1, 0);

	if (page)
		return level > 1 ? bits | GENMASK_ULL(ept_shift(level) - 1, 12) : bits;
	return bits | GENMASK_ULL(6, 3) | EPT_LARGE;
}

static bool is_page(const struct ept_format *format, u64 entry, int level)
{
	return level == 1 || (level <= format->large && entry & EPT_LARGE);
}

static enum ept_step classify(const struct ept_format *format, u64 entry, int level)
{
	bool page = is_page(format, entry, level);

	if (!ept_is_present(entry))
		return EPT_STEP_ABSENT;
	if (has_bad_access(format, entry) || entry & reserved_bits(format, level, page) ||
	    (page && !ept_has_memory_type(entry)))
		return EPT_STEP_MISCONFIGURED;
	return page ? EPT_STEP_PAGE : EPT_STEP_DOWN;
}

/**
 * ept_walk_begin() - begin a walk
 * @walk: the walk
 * @eptp: EPT pointer of four levels
 * @address: what to look up
 */
void ept_walk_begin(struct ept_walk *walk, u64 eptp, u64 address)
{
	walk->address = address;
	walk->level = EPT_LEVELS;
	walk->table[EPT_LEVELS] = eptp & EPT_ADDRESS;
	walk->upper[EPT_LEVELS] = EPT_RWX;
}

/* Where in L1's memory the next entry is. */
u64 ept_walk_place(const struct ept_walk *walk)
{
	return walk->table[walk->level] + ept_index(walk->address, walk->level) * sizeof(u64);
}

/**
 * ept_walk_step() - take a step
 * @walk: the walk
 * @format: what L1 may have
 * @entry: what is at ept_walk_place()
 *
 * Return: where the entry leads.  With %EPT_STEP_DOWN the next one is due, anything
 * else ends the walk.
 */
enum ept_step ept_walk_step(struct ept_walk *walk, const struct ept_format *format, u64 entry)
{
	enum ept_step step = classify(format, entry, walk->level);

	walk->entry = entry;
	walk->access = walk->upper[walk->level] & entry & EPT_RWX;
	if (step == EPT_STEP_DOWN) {
		walk->level--;
		walk->table[walk->level] = entry & EPT_ADDRESS;
		walk->upper[walk->level] = walk->access;
	}
	return step;
}

/* Where an address is in L1's memory that lies on the page that the walk has led to. */
u64 ept_walk_target(const struct ept_walk *walk, u64 address)
{
	u64 offset = GENMASK_ULL(ept_shift(walk->level) - 1, 0);

	return (walk->entry & EPT_ADDRESS & ~offset) | (address & offset);
}

/**
 * ept_leaf_accesses() - what L2 may do without L1 noticing
 * @format: what L1 may have
 * @level: of a table of EPT12 whose entries may map pages
 * @upper: what the entries above it permit
 * @entries: entries of this table
 * @nr: how many
 * @access: for each of them, EPT_READ, EPT_WRITE and EPT_EXECUTE; 0 if it maps no page
 *
 * Where an access has to set an accessed or dirty flag, it is not permitted.
 */
void ept_leaf_accesses(const struct ept_format *format, int level, u8 upper, const u64 *entries,
		       unsigned int nr, u8 *access)
{
	u64 reserved = reserved_bits(format, level, true), page = level > 1 ? EPT_LARGE : 0;
	unsigned int i;
	u8 permitted;

	for (i = 0; i < nr; i++) {
		u64 entry = entries[i];

		access[i] = 0;
		if (!ept_is_present(entry) || (entry & page) != page || entry & reserved ||
		    has_bad_access(format, entry) || !ept_has_memory_type(entry) ||
		    (format->ad && !(entry & EPT_ACCESSED)))
			continue;

		permitted = upper & entry & EPT_RWX;
		if (format->ad && !(entry & EPT_DIRTY))
			permitted &= ~EPT_WRITE;
		/* What is left may be nothing that an entry can say. */
		if (permitted & EPT_READ || (permitted == EPT_EXECUTE && format->execute_only))
			access[i] = permitted;
	}
}
