/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EPT12: the tables with which L1 translates the physical addresses of its L2.
 * SDM volume 3, "The Extended Page Table Mechanism (EPT)".
 */
#ifndef _KVM_NESTED_VEPT_WALK_H
#define _KVM_NESTED_VEPT_WALK_H

#include <linux/bits.h>
#include <linux/types.h>

#define EPT_LEVELS		4	/* 1 is the table whose entries map pages of 4 KB */
#define EPT_NR_ENTRIES		512

/* What is permitted, in an entry and elsewhere. */
#define EPT_READ		BIT_ULL(0)
#define EPT_WRITE		BIT_ULL(1)
#define EPT_EXECUTE		BIT_ULL(2)
#define EPT_RWX			(EPT_READ | EPT_WRITE | EPT_EXECUTE)

#define EPT_MEMORY_TYPE		GENMASK_ULL(5, 3)
#define EPT_LARGE		BIT_ULL(7)
#define EPT_ACCESSED		BIT_ULL(8)
#define EPT_DIRTY		BIT_ULL(9)
#define EPT_ADDRESS		GENMASK_ULL(51, 12)

/* Of an EPT pointer. */
#define EPTP_LENGTH		GENMASK_ULL(5, 3)
#define EPTP_LENGTH_4		(3ULL << 3)
#define EPTP_AD			BIT_ULL(6)

/**
 * struct ept_format - what L1 may have in its EPT12s
 * @address_bits: width of its physical addresses
 * @execute_only: pages that may be executed but not read
 * @large: the highest level whose entries may map a page: 1 to 3
 * @ad: the processor sets accessed and dirty flags, as this EPT pointer says
 */
struct ept_format {
	u8 address_bits;
	bool execute_only;
	u8 large;
	bool ad;
};

/**
 * enum ept_step - where an entry leads
 * @EPT_STEP_DOWN: to the table of the next level
 * @EPT_STEP_PAGE: to a page, the walk is over
 * @EPT_STEP_ABSENT: nowhere, an EPT violation
 * @EPT_STEP_MISCONFIGURED: nowhere, an EPT misconfiguration
 */
enum ept_step {
	EPT_STEP_DOWN,
	EPT_STEP_PAGE,
	EPT_STEP_ABSENT,
	EPT_STEP_MISCONFIGURED,
};

/**
 * struct ept_walk - the way through EPT12
 * @address: physical address of L2, which is looked up
 * @level: of the table whose entry is next, or was last
 * @entry: the last entry
 * @table: for each level that was come to, the table's address in L1's memory
 * @upper: for each such level, what all entries above it permit: EPT_READ, ...
 * @access: at the end, what all entries permit
 */
struct ept_walk {
	u64 address;
	int level;
	u64 entry;
	u64 table[EPT_LEVELS + 1];
	u8 upper[EPT_LEVELS + 1];
	u8 access;
};

static inline unsigned int ept_shift(int level)
{
	return 12 + 9 * (level - 1);
}

static inline unsigned int ept_index(u64 address, int level)
{
	return address >> ept_shift(level) & (EPT_NR_ENTRIES - 1);
}

static inline bool ept_is_present(u64 entry)
{
	return entry & EPT_RWX;
}

/*
 * An entry that maps a page, in half of its size.  Kept are the page's number, what is
 * permitted, and the accessed and dirty flags.  Whatever else there is, its kind, is of
 * no consequence as long as it maps a page; or it is software's.
 */
#define EPT_KIND		GENMASK_ULL(7, 3)
#define EPT_COPIED		(EPT_ADDRESS | EPT_DIRTY | EPT_ACCESSED | EPT_RWX)
#define EPT_COPY_BITS		27	/* of the page's number: 512 GB */
#define EPT_COPY_LOW		GENMASK_ULL(4, 0)	/* the rest */

static inline bool ept_can_copy(u64 entry)
{
	return !(entry & GENMASK_ULL(51, 12 + EPT_COPY_BITS));
}

static inline u32 ept_copy(u64 entry)
{
	return (entry >> 7 & ~EPT_COPY_LOW) | (entry >> 5 & GENMASK(4, 3)) | (entry & EPT_RWX);
}

/* The bits EPT_COPIED of the entry. */
static inline u64 ept_copied(u64 copy)
{
	return (copy & ~EPT_COPY_LOW) << 7 | (copy & GENMASK(4, 3)) << 5 | (copy & EPT_RWX);
}

/* SDM volume 3, "EPT Misconfigurations": there are memory types 0, 1, and 4 to 6. */
static inline bool ept_has_memory_type(u64 entry)
{
	u64 type = (entry & EPT_MEMORY_TYPE) >> 3;

	return type != 2 && type != 3 && type != 7;
}

/* Of an entry that has mapped a page of this level: whether it still does. */
static inline bool ept_is_good_kind(u64 entry, int level)
{
	return ept_has_memory_type(entry) && (level == 1 || entry & EPT_LARGE);
}

void ept_walk_begin(struct ept_walk *walk, u64 eptp, u64 address);
u64 ept_walk_place(const struct ept_walk *walk);
enum ept_step ept_walk_step(struct ept_walk *walk, const struct ept_format *format, u64 entry);
u64 ept_walk_target(const struct ept_walk *walk, u64 address);
void ept_leaf_accesses(const struct ept_format *format, int level, u8 upper, const u64 *entries,
		       unsigned int nr, u8 *access);

#endif /* _KVM_NESTED_VEPT_WALK_H */
