// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify what entries of EPT12 mean, where they lead, and what L2 may do by them unnoticed.
 */
#include <string.h>
#include <linux/kernel.h>

#include "unit.h"
#include "vept_walk.h"

/* Bits of entries, with the SDM's numbers, on purpose not those of vept_walk.h. */
enum { R = 1, W = 2, X = 4, RWX = 7, LARGE = 0x80, ACCESSED = 0x100, DIRTY = 0x200 };

/* Bits 2:0.  What only executes depends on the processor. */
static const enum says { NOTHING, GOOD, BAD, IF_OFFERED } says[8] = {
	[0] = NOTHING, [R] = GOOD, [W] = BAD, [R | W] = GOOD,
	[X] = IF_OFFERED, [R | X] = GOOD, [W | X] = BAD, [RWX] = GOOD,
};

/* Bits 5:3 of an entry that maps a page: UC, WC, WT, WP and WB. */
static const bool is_memory_type[8] = { [0] = 1, [1] = 1, [4] = 1, [5] = 1, [6] = 1 };

#define MEMORY_TYPE(type)	((u64)(type) << 3)
#define WB			MEMORY_TYPE(6)

/* SDM volume 3, the formats of EPT paging-structure entries. */
static const struct kind {
	const char *name;
	int level;
	enum ept_step step;
	u64 large;	/* the bit that tells a page from a table */
	u64 ignored;
	u64 reserved;	/* apart from what is beyond the width of addresses */
} kinds[] = {
	{ "PML4E", 4, EPT_STEP_DOWN, 0, 0xfff0000000000f00, 0xf8 },
	{ "PDPTE, table", 3, EPT_STEP_DOWN, 0, 0xfff0000000000f00, 0xf8 },
	{ "PDPTE, 1 GB", 3, EPT_STEP_PAGE, LARGE, 0xfff0000000000f40, 0x3ffff000 },
	{ "PDE, table", 2, EPT_STEP_DOWN, 0, 0xfff0000000000f00, 0xf8 },
	{ "PDE, 2 MB", 2, EPT_STEP_PAGE, LARGE, 0xfff0000000000f40, 0x1ff000 },
	{ "PTE, 4 KB", 1, EPT_STEP_PAGE, 0, 0xfff0000000000fc0, 0 },
};

#define for_each_kind(_kind)	\
	for ((_kind) = kinds; (_kind) < kinds + ARRAY_SIZE(kinds); (_kind)++)

static const u8 widths[] = { 36, 39, 46, 48, 51, 52 };

/* What an entry of a level is responsible for, and where its page ends. */
static const u64 sizes[] = { [1] = 0x1000, [2] = 0x200000, [3] = 0x40000000, [4] = 0x8000000000 };

static u64 random_address(unsigned int width, u64 size)
{
	return unit_random() % (1ull << width) / size * size;
}

/* One that is valid, apart from what is permitted, which is nothing. */
static u64 random_entry(const struct kind *kind, unsigned int width)
{
	bool page = kind->step == EPT_STEP_PAGE;

	return random_address(width, page ? sizes[kind->level] : sizes[1]) |
	       (unit_random() & kind->ignored) | kind->large | (page ? WB : 0);
}

static enum ept_step step_at(int level, const struct ept_format *format, u64 entry)
{
	struct ept_walk walk = { .level = level };

	return ept_walk_step(&walk, format, entry);
}

static enum ept_step if_good(bool good, const struct kind *kind)
{
	return good ? kind->step : EPT_STEP_MISCONFIGURED;
}

static struct ept_format format_of(u8 width, bool execute_only, u8 large)
{
	return (struct ept_format){
		.address_bits = width, .execute_only = execute_only, .large = large,
	};
}

static bool is_good(u8 permissions, bool execute_only)
{
	return says[permissions] == GOOD || (says[permissions] == IF_OFFERED && execute_only);
}

TEST(ept_permissions, "nothing is written that can't be read, nor executed unless offered")
{
	const struct kind *kind;

	for_each_kind(kind)
		for (u8 permissions = 1; permissions < 8; permissions++)
			for (unsigned int offered = 0; offered < 2; offered++) {
				struct ept_format format = format_of(46, offered, 3);
				u64 entry = random_entry(kind, 46) | permissions;

				EXPECT_EQ(step_at(kind->level, &format, entry),
					  if_good(is_good(permissions, offered), kind),
					  "%s: %#llx, execute-only %u", kind->name, entry, offered);
			}
}

/* Memory types are another test's, and what a large bit makes of the entry of a table. */
static void check_reserved(const struct kind *kind, unsigned int width)
{
	bool page = kind->step == EPT_STEP_PAGE;
	struct ept_format format = format_of(width, false, page ? 3 : 1);

	for (unsigned int bit = page ? 6 : 3; bit < 64; bit++) {
		u64 entry = random_entry(kind, width) | RWX | 1ull << bit;
		bool beyond = bit >= width && bit <= 51;

		EXPECT_EQ(step_at(kind->level, &format, entry),
			  if_good(!beyond && !(kind->reserved >> bit & 1), kind),
			  "%s: bit %u of %#llx, width %u", kind->name, bit, entry, width);
	}
}

TEST(ept_reserved, "reserved bits are reserved, and those beyond the address; ignored ones are not")
{
	const struct kind *kind;

	for_each_kind(kind)
		for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++)
			check_reserved(kind, widths[i]);
}

TEST(ept_memory_types, "pages have one of five memory types")
{
	struct ept_format format = format_of(46, false, 3);
	const struct kind *kind;

	for_each_kind(kind)
		for (unsigned int type = 0; type < 8; type++) {
			u64 entry = random_entry(kind, 46) & ~MEMORY_TYPE(7);
			/* A table has none, so that the bits are reserved. */
			bool good = kind->step == EPT_STEP_PAGE ? is_memory_type[type] : !type;

			EXPECT_EQ(step_at(kind->level, &format, entry | MEMORY_TYPE(type) | RWX),
				  if_good(good, kind), "%s: type %u", kind->name, type);
		}
}

TEST(ept_large, "entries map large pages at the levels that are offered, and may not at others")
{
	const struct kind *kind;

	for (u8 offered = 1; offered <= 3; offered++) {
		struct ept_format format = format_of(46, false, offered);

		for_each_kind(kind)
			EXPECT_EQ(step_at(kind->level, &format, random_entry(kind, 46) | RWX),
				  if_good(!kind->large || kind->level <= offered, kind),
				  "%s: offered up to level %u", kind->name, offered);

		/* Where a page of 1 GB can be, there can be a table or any other page. */
		for (int level = 1; level <= 4; level++) {
			u64 entry = random_address(46, sizes[3]) | LARGE | RWX;

			EXPECT_EQ(step_at(level, &format, entry),
				  level <= offered ? EPT_STEP_PAGE : EPT_STEP_MISCONFIGURED,
				  "level %d: offered up to level %u", level, offered);
		}
	}
}

TEST(ept_absent, "what permits nothing is absent, whatever else it says")
{
	for (unsigned int i = 0; i < 2 * 3 * 64; i++) {
		struct ept_format format = format_of(36, i % 2, i / 2 % 3 + 1);
		u64 entry = (1ull << i / 6) & ~7ull;

		for (int level = 1; level <= 4; level++) {
			EXPECT_EQ(step_at(level, &format, entry), EPT_STEP_ABSENT, "%#llx", entry);
			EXPECT_EQ(step_at(level, &format, ~7ull - entry), EPT_STEP_ABSENT, "%#llx",
				  ~7ull - entry);
		}
	}
}

static const struct kind *kind_of(const struct ept_format *format, int level, u64 entry)
{
	bool page = level == 1 || (entry & LARGE && level <= format->large);
	enum ept_step step = page ? EPT_STEP_PAGE : EPT_STEP_DOWN;
	const struct kind *kind;

	for_each_kind(kind)
		if (kind->level == level && kind->step == step)
			return kind;
	return NULL;
}

/* SDM volume 3, "EPT Misconfigurations", all of it. */
static enum ept_step wanted_step(const struct ept_format *format, int level, u64 entry)
{
	const struct kind *kind = kind_of(format, level, entry);
	u64 address = entry % (1ull << 52);

	if (says[entry % 8] == NOTHING)
		return EPT_STEP_ABSENT;
	return if_good(is_good(entry % 8, format->execute_only) && !(entry & kind->reserved) &&
		       address < 1ull << format->address_bits &&
		       (kind->step == EPT_STEP_DOWN || is_memory_type[entry / 8 % 8]), kind);
}

TEST(ept_mixed, "entries with more than one fault, or with none")
{
	for (unsigned int i = 0; i < 200000; i++) {
		const struct kind *kind = &kinds[unit_random() % ARRAY_SIZE(kinds)];
		u8 width = widths[unit_random() % ARRAY_SIZE(widths)];
		struct ept_format format = format_of(width, i % 2, unit_random() % 3 + 1);
		u64 entry = random_entry(kind, width) | RWX;

		for (unsigned int flips = unit_random() % 4; flips; flips--)
			entry ^= 1ull << unit_random() % (flips % 2 ? 9 : 64);
		EXPECT_EQ(step_at(kind->level, &format, entry),
			  wanted_step(&format, kind->level, entry),
			  "level %d: %#llx, width %u, execute-only %u, large up to level %u",
			  kind->level, entry, width, i % 2, format.large);
	}
}

/* Tables of L1 from one for level 4 down, anywhere in its memory. */
static struct {
	u64 eptp;
	u64 place[5];		/* by level */
	u64 table[5][512];
} l1;

/* An entry that no way leads through. */
#define NOWHERE		W

static unsigned int index_of(u64 address, int level)
{
	return address / sizes[level] % 512;
}

static u64 l1_read(u64 place)
{
	for (int level = 1; level <= 4; level++)
		if (place / 4096 * 4096 == l1.place[level] && place % 8 == 0)
			return l1.table[level][place % 4096 / 8];
	EXPECT(false, "%#llx is not in a table", place);
	return NOWHERE;
}

static u64 random_permissions(void)
{
	static const u8 good[] = { R, R | W, X, R | X, RWX };

	return good[unit_random() % ARRAY_SIZE(good)];
}

/* The only way, to a page that an entry of @page_level maps: which entry. */
static u64 make_way(u64 address, int page_level)
{
	u64 *entry = NULL;

	for (int level = 4; level >= page_level; level--) {
		for (unsigned int i = 0; i < 512; i++)
			l1.table[level][i] = NOWHERE;
		l1.place[level] = random_address(46, 0x1000);
		if (entry)
			*entry |= l1.place[level];
		entry = &l1.table[level][index_of(address, level)];
		*entry = random_permissions() | (unit_random() & 0xfff0000000000f00);
	}
	l1.eptp = l1.place[4] | (unit_random() & 0xfff0000000000fff);
	*entry |= random_address(46, sizes[page_level]) | WB | (page_level > 1 ? LARGE : 0);
	return *entry;
}

static const struct ept_format walk_format = {
	.address_bits = 46, .execute_only = true, .large = 3,
};

TEST(ept_walk, "a walk leads from table to table, and each permits less than the one above")
{
	struct ept_walk walk;

	for (unsigned int i = 0; i < 1000; i++) {
		u64 address = random_address(48, 1);
		int page_level = i % 3 + 1;
		u8 permitted = RWX;

		make_way(address, page_level);
		ept_walk_begin(&walk, l1.eptp, address);
		for (int level = 4; level >= page_level; level--) {
			u64 place = l1.place[level] + 8 * index_of(address, level);
			u64 entry = l1.table[level][index_of(address, level)];

			EXPECT_EQ(walk.level, level, "%#llx", address);
			EXPECT_EQ(walk.table[level], l1.place[level], "level %d", level);
			EXPECT_EQ(walk.upper[level], permitted, "level %d", level);
			EXPECT_EQ(ept_walk_place(&walk), place, "level %d: %#llx", level, address);
			EXPECT_EQ(ept_walk_step(&walk, &walk_format, l1_read(place)),
				  level > page_level ? EPT_STEP_DOWN : EPT_STEP_PAGE,
				  "level %d: %#llx", level, entry);
			permitted &= entry;
			EXPECT_EQ(walk.entry, entry, "level %d", level);
			EXPECT_EQ(walk.access, permitted, "level %d", level);
		}
		EXPECT_EQ(walk.level, page_level, "at the end");
	}
}

static enum ept_step walk_on(struct ept_walk *walk)
{
	enum ept_step step;

	do
		step = ept_walk_step(walk, &walk_format, l1_read(ept_walk_place(walk)));
	while (step == EPT_STEP_DOWN);
	return step;
}

TEST(ept_target, "addresses on a page are as far from its beginning in L1's memory as in L2's")
{
	struct ept_walk walk;

	for (unsigned int i = 0; i < 1000; i++) {
		u64 address = random_address(48, 1), size = sizes[i % 3 + 1];
		u64 page = make_way(address, i % 3 + 1) % (1ull << 52) / size * size;
		u64 begin = address / size * size, other = begin + unit_random() % size;

		ept_walk_begin(&walk, l1.eptp, address);
		EXPECT_EQ(walk_on(&walk), EPT_STEP_PAGE, "%#llx", address);
		EXPECT_EQ(ept_walk_target(&walk, address), page + (address - begin), "%#llx",
			  address);
		EXPECT_EQ(ept_walk_target(&walk, other), page + (other - begin), "%#llx", other);
		EXPECT_EQ(ept_walk_target(&walk, begin), page, "%#llx", begin);
		EXPECT_EQ(ept_walk_target(&walk, begin + size - 1), page + size - 1, "%#llx",
			  begin);
	}
}

TEST(ept_end, "a walk ends where an entry leads nowhere, and says which")
{
	struct ept_walk walk;

	for (unsigned int i = 0; i < 400; i++) {
		u64 address = random_address(48, 1), *entry;
		int level = i % 4 + 1;

		make_way(address, 1);
		entry = &l1.table[level][index_of(address, level)];
		*entry = (*entry & ~7ull) | (i & 4 ? 0 : NOWHERE);
		ept_walk_begin(&walk, l1.eptp, address);
		EXPECT_EQ(walk_on(&walk), i & 4 ? EPT_STEP_ABSENT : EPT_STEP_MISCONFIGURED,
			  "level %d: %#llx", level, *entry);
		EXPECT_EQ(walk.level, level, "%#llx", *entry);
		EXPECT_EQ(walk.entry, *entry, "level %d", level);
	}
}

/* SDM volume 3, "Accessed and Dirty Flags for EPT": which accesses have no flag to set. */
static u8 wanted_access(const struct ept_format *format, int level, u8 upper, u64 entry)
{
	bool accessed = !format->ad || entry & ACCESSED, dirty = !format->ad || entry & DIRTY;
	u8 access = 0;

	if (wanted_step(format, level, entry) != EPT_STEP_PAGE || !accessed)
		return 0;
	if (entry & R && upper & R)
		access += R;
	if (entry & W && upper & W && dirty)
		access += W;
	if (entry & X && upper & X)
		access += X;
	return is_good(access, format->execute_only) ? access : 0;
}

static void check_accesses(const struct ept_format *format, int level, u8 upper,
			   const u64 *entries, unsigned int nr)
{
	u8 access[512];

	memset(access, 0xff, sizeof(access));
	ept_leaf_accesses(format, level, upper, entries, nr, access);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_EQ(access[i], wanted_access(format, level, upper, entries[i]),
			  "level %d: %#llx, upper %u, flags %u, execute-only %u", level, entries[i],
			  upper, format->ad, format->execute_only);
	for (unsigned int i = nr; i < ARRAY_SIZE(access); i++)
		EXPECT_EQ(access[i], 0xff, "entry %u of %u", i, nr);
}

/* What may be wrong with the entry of a page, which bits to flip for it; nothing at first. */
static const u64 faults[] = {
	0, LARGE, MEMORY_TYPE(2) ^ WB, MEMORY_TYPE(3) ^ WB, MEMORY_TYPE(7) ^ WB,
	1ull << 12, 1ull << 20, 1ull << 29, 1ull << 46,
};

/* By permissions, both flags and a fault. */
static u64 page_entry(const struct kind *kind, unsigned int how)
{
	u64 flags = (how & 8 ? ACCESSED : 0) | (how & 16 ? DIRTY : 0);
	u64 entry = random_entry(kind, 46) & ~(ACCESSED | DIRTY);

	return (entry | flags | how % 8) ^ faults[how / 32];
}

/* Nobody asks about pages of a size that is not offered. */
TEST(ept_accesses, "L2 may do what all entries permit and no flag has to be set for")
{
	u64 entries[8 * 4 * ARRAY_SIZE(faults)];
	const struct kind *kind;

	for_each_kind(kind) {
		if (kind->step != EPT_STEP_PAGE)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
			entries[i] = page_entry(kind, i);
		for (unsigned int i = 0; i < 8 * 2 * 2; i++) {
			struct ept_format format = format_of(46, i / 8 % 2, kind->level);

			format.ad = i / 16;
			check_accesses(&format, kind->level, i % 8, entries, ARRAY_SIZE(entries));
		}
	}
}

TEST(ept_accesses_number, "no more entries of a table are looked at than are to be")
{
	static const unsigned int numbers[] = { 0, 1, 64, 511, 512 };
	struct ept_format format = format_of(46, false, 1);
	u64 entries[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = WB | RWX;
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		check_accesses(&format, 1, RWX, entries, numbers[i]);
}

/* Bits of an entry's kind, and software's. */
#define OTHERS	0xfff0000000000cf8ull

TEST(ept_copies, "a copy has all of a page's entry that means something, below 512 GB")
{
	for (unsigned int i = 0; i < 10000; i++) {
		u64 flags = unit_random() & (RWX | ACCESSED | DIRTY);
		u64 entry = random_address(39, 0x1000) | flags | (unit_random() & OTHERS);
		unsigned int bit = unit_random() % 39;

		EXPECT(ept_can_copy(entry), "%#llx", entry);
		EXPECT_EQ(ept_copied(ept_copy(entry)), entry & 0xfffffffffff07ull & ~OTHERS,
			  "%#llx", entry);
		EXPECT(!ept_can_copy(entry | 1ull << (39 + i % 13)), "%#llx, large", entry);
		EXPECT_EQ(ept_copy(entry) == ept_copy(entry ^ 1ull << bit),
			  !!(1ull << bit & OTHERS), "%#llx, bit %u", entry, bit);
	}
}

TEST(ept_kinds, "an entry of another memory type maps its page still, if there is that type")
{
	for (unsigned int type = 0; type < 8; type++)
		for (int level = 1; level < 3; level++) {
			u64 entry = MEMORY_TYPE(type) | RWX | 0x12345000;

			EXPECT_EQ(ept_is_good_kind(entry, level),
				  is_memory_type[type] && level == 1, "type %u, level %d", type,
				  level);
			EXPECT_EQ(ept_is_good_kind(entry | LARGE, level), is_memory_type[type],
				  "type %u, large, level %d", type, level);
		}
}

TEST(ept_flags, "a page is read when it was accessed, and written when it is dirty")
{
	static const struct {
		u8 upper;
		u64 entry;
		u8 access[2];	/* without flags, and with them */
	} cases[] = {
		{ RWX, WB | RWX, { RWX, 0 } },
		{ RWX, WB | RWX | DIRTY, { RWX, 0 } },
		{ RWX, WB | RWX | ACCESSED, { RWX, R | X } },
		{ RWX, WB | RWX | ACCESSED | DIRTY, { RWX, RWX } },
		{ R, WB | RWX | ACCESSED | DIRTY, { R, R } },
		{ R | W, WB | R | X | ACCESSED | DIRTY, { R, R } },
		{ R | W, WB | R | W | ACCESSED, { R | W, R } },
		{ X, WB | RWX | ACCESSED | DIRTY, { 0, 0 } },
		{ RWX, WB | X | ACCESSED | DIRTY, { 0, 0 } },
		{ 0, WB | RWX | ACCESSED | DIRTY, { 0, 0 } },
	};
	struct ept_format format = format_of(46, false, 1);

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		u8 access;

		format.ad = i % 2;
		ept_leaf_accesses(&format, 1, cases[i / 2].upper, &cases[i / 2].entry, 1, &access);
		EXPECT_EQ(access, cases[i / 2].access[i % 2], "%#llx, upper %u, flags %u",
			  cases[i / 2].entry, cases[i / 2].upper, i % 2);
	}
}
