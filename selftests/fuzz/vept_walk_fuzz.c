// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks through EPT12, and what L2 may do by one of its tables, against the SDM's sentences in its
 * own notation: bits HIGH:LOW of an entry.
 */
#include "vept_walk.h"
#include "fuzz.h"

enum { READ = 1, WRITE = 2, EXECUTE = 4 };

static u64 bits(u64 word, int high, int low)
{
	return low > high ? 0 : word << (63 - high) >> (63 - high + low);
}

static bool is_page(const struct ept_format *format, int level, u64 entry)
{
	return level == 1 || (bits(entry, 7, 7) && level <= format->large);
}

static bool is_permission(const struct ept_format *format, u8 access)
{
	if (!(access & READ) && access & WRITE)
		return false;
	return access & READ || !(access & EXECUTE) || format->execute_only;
}

/* SDM volume 3, "EPT Misconfigurations". */
static enum ept_step model_step(const struct ept_format *format, int level, u64 entry)
{
	u64 type = bits(entry, 5, 3);

	if (!bits(entry, 2, 0))
		return EPT_STEP_ABSENT;
	if (!is_permission(format, bits(entry, 2, 0)) || bits(entry, 51, format->address_bits))
		return EPT_STEP_MISCONFIGURED;
	if (!is_page(format, level, entry))
		return bits(entry, 7, 3) ? EPT_STEP_MISCONFIGURED : EPT_STEP_DOWN;
	if (type == 2 || type == 3 || type == 7)
		return EPT_STEP_MISCONFIGURED;
	if ((level == 3 && bits(entry, 29, 12)) || (level == 2 && bits(entry, 20, 12)))
		return EPT_STEP_MISCONFIGURED;
	return EPT_STEP_PAGE;
}

/* SDM volume 3, "EPT Translation Mechanism". */
static u64 model_place(u64 table, u64 address, int level)
{
	static const int high[] = { 0, 20, 29, 38, 47 }, low[] = { 0, 12, 21, 30, 39 };

	return table << 12 | bits(address, high[level], low[level]) << 3;
}

static u64 model_target(u64 entry, u64 address, int level)
{
	switch (level) {
	case 3:
		return bits(entry, 51, 30) << 30 | bits(address, 29, 0);
	case 2:
		return bits(entry, 51, 21) << 21 | bits(address, 20, 0);
	default:
		return bits(entry, 51, 12) << 12 | bits(address, 11, 0);
	}
}

/* SDM volume 3, "Accessed and Dirty Flags for EPT": who has to set a flag is noticed. */
static u8 model_access(const struct ept_format *format, int level, u8 upper, u64 entry)
{
	u8 access = 0;

	if (model_step(format, level, entry) != EPT_STEP_PAGE)
		return 0;
	for (u8 one = READ; one <= EXECUTE; one *= 2) {
		bool sets = format->ad && (!bits(entry, 8, 8) ||
					   (one == WRITE && !bits(entry, 9, 9)));

		if (upper & one && entry & one && !sets)
			access |= one;
	}
	return is_permission(format, access) ? access : 0;
}

static struct ept_format take_format(struct fuzz_input *input)
{
	u8 how = fuzz_u8(input);

	return (struct ept_format){
		.address_bits = 36 + how / 8 % 17,
		.execute_only = how & 1,
		.ad = how & 2,
		.large = 1 + fuzz_u8(input) % 3,
	};
}

/* Any, or one that is valid at the level, but for a bit maybe. */
static u64 take_entry(struct fuzz_input *input, const struct ept_format *format, int level)
{
	static const int shifts[] = { 0, 12, 21, 30, 12 };
	u8 how = fuzz_u8(input), flip = fuzz_u8(input);
	u64 entry = fuzz_u64(input);
	int shift = how & 1 && level <= format->large ? shifts[level] : 12;

	if (how & 2)
		return entry;
	entry = bits(entry, format->address_bits - 1, shift) << shift | bits(entry, 63, 52) << 52 |
		bits(entry, 11, 8) << 8 | bits(entry, 2, 0);
	if (how & 1 && level <= format->large)
		entry |= 6 << 3 | (level > 1 ? 1 << 7 : 0);
	return flip & 64 ? entry ^ 1ull << flip % 64 : entry;
}

static void check_walk(struct fuzz_input *input)
{
	struct ept_format format = take_format(input);
	u64 address = bits(fuzz_u64(input), 47, 0), eptp = fuzz_u64(input);
	u64 table = bits(eptp, 51, 12);
	struct ept_walk walk;
	u8 access = 7;

	ept_walk_begin(&walk, eptp, address);
	for (int level = 4; ; level--) {
		u64 entry = take_entry(input, &format, level);
		enum ept_step step = model_step(&format, level, entry);

		FUZZ_EXPECT_EQ(walk.level, level, "%#llx", address);
		FUZZ_EXPECT_EQ(walk.table[level], table << 12, "level %d", level);
		FUZZ_EXPECT_EQ(walk.upper[level], access, "level %d", level);
		FUZZ_EXPECT_EQ(ept_walk_place(&walk), model_place(table, address, level),
			       "level %d: %#llx", level, address);
		FUZZ_EXPECT_EQ(ept_walk_step(&walk, &format, entry), step,
			       "level %d: %#llx, width %u, execute-only %u, large up to level %u",
			       level, entry, format.address_bits, format.execute_only,
			       format.large);
		access &= entry;
		FUZZ_EXPECT_EQ(walk.entry, entry, "level %d", level);
		FUZZ_EXPECT_EQ(walk.access, access, "level %d: %#llx", level, entry);
		if (step == EPT_STEP_PAGE)
			FUZZ_EXPECT_EQ(ept_walk_target(&walk, address),
				       model_target(entry, address, level),
				       "level %d: %#llx of %#llx", level, address, entry);
		if (step != EPT_STEP_DOWN)
			break;
		table = bits(entry, 51, 12);
	}
}

/* Of a level where pages are offered. */
static void check_accesses(struct fuzz_input *input)
{
	struct ept_format format = take_format(input);
	u8 how = fuzz_u8(input), upper = how % 8, nr = how / 8;
	int level = 1 + fuzz_u8(input) % format.large;
	u64 *entries = malloc(nr * sizeof(*entries));
	u8 *access = malloc(nr);

	FUZZ_EXPECT(!nr || (entries && access), "no memory");
	for (unsigned int i = 0; i < nr; i++) {
		entries[i] = take_entry(input, &format, level);
		access[i] = 0xff;
	}
	ept_leaf_accesses(&format, level, upper, entries, nr, access);
	for (unsigned int i = 0; i < nr; i++)
		FUZZ_EXPECT_EQ(access[i], model_access(&format, level, upper, entries[i]),
			       "level %d: %#llx, upper %u, width %u, execute-only %u, flags %u",
			       level, entries[i], upper, format.address_bits, format.execute_only,
			       format.ad);
	free(access);
	free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	while (input.size) {
		if (fuzz_u8(&input) % 2)
			check_walk(&input);
		else
			check_accesses(&input);
	}
	return 0;
}
