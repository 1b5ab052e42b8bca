// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify decoding of instruction information, effective addresses, and segmentation.
 */
#include <linux/kernel.h>

#include "operand.h"
#include "unit.h"

#define NR_RANDOM	1000000

/* Vectors and segment numbers of the SDM, on purpose not those of operand.h. */
enum { SS_FAULT = 12, GP_FAULT = 13 };
enum { ES, CS, SS, DS, FS, GS, NR_SEGS };

/* Bits of access rights above the type that no rule may look at: S, DPL, P, AVL, L, D/B, G. */
#define AR_OTHERS	0xf0f0
#define AR_UNUSABLE	0x10000

/* SDM volume 3, "Code- and Data-Segment Types", by the type's four bits. */
static const struct {
	bool code, readable, writable, expand_down;
} types[] = {
	{ .readable = true },
	{ .readable = true },
	{ .readable = true, .writable = true },
	{ .readable = true, .writable = true },
	{ .readable = true, .expand_down = true },
	{ .readable = true, .expand_down = true },
	{ .readable = true, .writable = true, .expand_down = true },
	{ .readable = true, .writable = true, .expand_down = true },
	{ .code = true },
	{ .code = true },
	{ .code = true, .readable = true },
	{ .code = true, .readable = true },
	{ .code = true },
	{ .code = true },
	{ .code = true, .readable = true },
	{ .code = true, .readable = true },
};

#define DATA_RO		0x1
#define DATA_RW		0x3
#define DATA_RW_DOWN	0x7
#define CODE_X		0x9
#define CODE_XR		0xb

/* Bits @first to @last of @word, as the SDM's tables number them. */
static unsigned int bits(u32 word, unsigned int first, unsigned int last)
{
	unsigned int value = 0;

	for (unsigned int bit = last + 1; bit-- > first;)
		value = 2 * value + !!(word & 1u << bit);
	return value;
}

static void check_decode(u32 word)
{
	struct operand_info info = operand_decode(word);

	EXPECT_EQ(info.scaling, bits(word, 0, 1), "%#x", word);
	EXPECT_EQ(info.reg1, bits(word, 3, 6), "%#x", word);
	EXPECT_EQ(info.address_size, bits(word, 7, 9), "%#x", word);
	EXPECT_EQ(info.is_reg, bits(word, 10, 10), "%#x", word);
	EXPECT_EQ(info.segment, bits(word, 15, 17), "%#x", word);
	EXPECT_EQ(info.index, bits(word, 18, 21), "%#x", word);
	EXPECT_EQ(info.has_index, !bits(word, 22, 22), "%#x", word);
	EXPECT_EQ(info.base, bits(word, 23, 26), "%#x", word);
	EXPECT_EQ(info.has_base, !bits(word, 27, 27), "%#x", word);
	EXPECT_EQ(info.reg2, bits(word, 28, 31), "%#x", word);
}

TEST(decode_bits, "each bit of the instruction information goes to its member alone")
{
	check_decode(0);
	check_decode(~0u);
	for (unsigned int bit = 0; bit < 32; bit++) {
		check_decode(1u << bit);
		check_decode(~(1u << bit));
	}
}

TEST(decode_random, "random instruction information agrees with a decoder of single bits")
{
	for (unsigned int i = 0; i < NR_RANDOM / 10; i++)
		check_decode(unit_random());
}

static u64 offset_of(unsigned int address_size, int scaling, u64 displacement, u64 base, u64 index)
{
	struct operand_info info = {
		.address_size = address_size,
		.scaling = scaling < 0 ? 3 : scaling,
		.has_base = true,
		.has_index = scaling >= 0,
	};

	return operand_offset(&info, displacement, base, index);
}

TEST(offset_terms, "an effective address is the sum of the terms there are")
{
	struct operand_info info = { .address_size = OPERAND_ADDRESS_64, .scaling = 2 };

	EXPECT_EQ(operand_offset(&info, 0x1000, 0x200, 0x30), 0x1000, "displacement");
	info.has_base = true;
	EXPECT_EQ(operand_offset(&info, 0x1000, 0x200, 0x30), 0x1200, "base");
	info.has_index = true;
	EXPECT_EQ(operand_offset(&info, 0x1000, 0x200, 0x30), 0x12c0, "base and index");
	info.has_base = false;
	EXPECT_EQ(operand_offset(&info, 0x1000, 0x200, 0x30), 0x10c0, "index");

	for (int scaling = 0; scaling < 4; scaling++)
		EXPECT_EQ(offset_of(OPERAND_ADDRESS_64, scaling, 0, 0, 5), 5 << scaling,
			  "scaling %d", scaling);
}

TEST(offset_wrap, "an effective address wraps around at the address size")
{
	/* Displacements from a processor that extends their sign, and from one that doesn't. */
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_16, -1, -2, 1, 0), 0xffff, "16 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_16, -1, -2, 2, 0), 0, "16 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_16, -1, 0xfffe, 3, 0), 1, "16 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_16, 0, 0, 0x12340001, 0x5678ffff), 0, "16 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_32, -1, -2, 1, 0), 0xffffffff, "32 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_32, -1, -2, 2, 0), 0, "32 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_32, -1, 0xfffffffe, 3, 0), 1, "32 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_32, 3, 0, 0, 0x20000001), 8, "32 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_64, -1, -2, 1, 0), ~0ull, "64 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_64, -1, -2, 2, 0), 0, "64 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_64, 3, 0, 0, 0x2000000000000001), 8, "64 bits");
	EXPECT_EQ(offset_of(OPERAND_ADDRESS_64, 0, 0, 0xffffffff, 1), 1ull << 32, "64 bits");
}

static u64 model_offset(const struct operand_info *info, u64 displacement, u64 base, u64 index)
{
	static const unsigned int factors[] = { 1, 2, 4, 8 };
	u64 terms[] = {
		displacement,
		info->has_base ? base : 0,
		info->has_index ? index * factors[info->scaling] : 0,
	};
	u16 sum16 = 0;
	u32 sum32 = 0;
	u64 sum64 = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(terms); i++) {
		sum16 += (u16)terms[i];
		sum32 += (u32)terms[i];
		sum64 += terms[i];
	}

	switch (info->address_size) {
	case 0:
		return sum16;
	case 1:
		return sum32;
	default:
		return sum64;
	}
}

TEST(offset_random, "random effective addresses agree with sums in each width")
{
	for (unsigned int i = 0; i < NR_RANDOM / 10; i++) {
		struct operand_info info = operand_decode(unit_random());
		u64 displacement = unit_random(), base = unit_random(), index = unit_random();

		info.address_size %= 3;
		EXPECT_EQ(operand_offset(&info, displacement, base, index),
			  model_offset(&info, displacement, base, index),
			  "size %u, displacement %#llx, base %d %#llx, index %d %#llx << %u",
			  info.address_size, displacement, info.has_base, base, info.has_index,
			  index, info.scaling);
	}
}

/* One access; the address it expects has no meaning where it expects a fault. */
struct access {
	struct operand_info info;
	struct operand_segment seg;
	struct operand_access mode;
	u64 offset;
};

static void expect_linear(const struct access *a, int want, u64 want_linear)
{
	u64 linear = 0x5a5a5a5a5a5a5a5a;
	int got = operand_linear(&a->info, &a->seg, &a->mode, a->offset, &linear);

#define ABOUT "%s of %u bytes, segment %u: base %#llx, limit %#x, rights %#x; offset %#llx, %u bits%s"
#define CASE a->mode.write ? "write" : "read", a->mode.size, a->info.segment, a->seg.base,	\
	     a->seg.limit, a->seg.access_rights, a->offset, a->mode.linear_bits,		\
	     a->mode.long_mode ? ", long mode" : ""
	EXPECT_EQ(got, want, ABOUT, CASE);
	if (want == OPERAND_OK)
		EXPECT_EQ(linear, want_linear, ABOUT, CASE);
#undef ABOUT
#undef CASE
}

/* In long mode every kind of segment and access has the same outcome, but for SS. */
static void expect_canonical(unsigned int linear_bits, u64 offset, bool canonical)
{
	for (unsigned int seg = 0; seg < NR_SEGS; seg++)
		for (unsigned int write = 0; write < 2; write++) {
			struct access a = {
				.info.segment = seg,
				.mode = { true, write, linear_bits, 8 },
				.offset = offset,
			};
			int fault = seg == SS ? SS_FAULT : GP_FAULT;

			expect_linear(&a, canonical ? OPERAND_OK : fault, offset);
		}
}

TEST(canonical_48, "long mode faults between the canonical halves of 48 bits")
{
	expect_canonical(48, 0, true);
	expect_canonical(48, 0x00007fffffffffff, true);
	expect_canonical(48, 0x0000800000000000, false);
	expect_canonical(48, 0x0001000000000000, false);
	expect_canonical(48, 0x8000000000000000, false);
	expect_canonical(48, 0xfffeffffffffffff, false);
	expect_canonical(48, 0xffff7fffffffffff, false);
	expect_canonical(48, 0xffff800000000000, true);
	expect_canonical(48, ~0ull, true);
}

TEST(canonical_57, "long mode faults between the canonical halves of 57 bits")
{
	expect_canonical(57, 0, true);
	expect_canonical(57, 0x0000800000000000, true);
	expect_canonical(57, 0x00ffffffffffffff, true);
	expect_canonical(57, 0x0100000000000000, false);
	expect_canonical(57, 0x8000000000000000, false);
	expect_canonical(57, 0xfeffffffffffffff, false);
	expect_canonical(57, 0xff00000000000000, true);
	expect_canonical(57, 0xffff7fffffffffff, true);
	expect_canonical(57, ~0ull, true);
}

TEST(long_mode_bases, "long mode adds the bases of FS and GS, and no other")
{
	static const u64 base = 0x00007ffffffff000;

	for (unsigned int seg = 0; seg < NR_SEGS; seg++) {
		struct access a = {
			.info.segment = seg,
			.seg.base = base,
			.mode = { .long_mode = true, .linear_bits = 48, .size = 8 },
			.offset = 0xfff,
		};
		bool based = seg == FS || seg == GS;

		expect_linear(&a, OPERAND_OK, based ? base + 0xfff : 0xfff);
		a.offset = 0x1000;
		expect_linear(&a, based ? GP_FAULT : OPERAND_OK, 0x1000);

		/* The sum wraps around, and is what has to be canonical. */
		a.offset = -base;
		expect_linear(&a, OPERAND_OK, based ? 0 : -base);
		a.seg.base = 0xffff800000000000;
		a.offset = 0x0000800000000000;
		expect_linear(&a, based ? OPERAND_OK : seg == SS ? SS_FAULT : GP_FAULT, 0);
	}
}

TEST(long_mode_unchecked, "long mode ignores type, limit and usability")
{
	static const u32 rights[] = { 0, DATA_RO, CODE_X, AR_UNUSABLE, AR_UNUSABLE | AR_OTHERS };

	for (unsigned int seg = 0; seg < NR_SEGS; seg++)
		for (unsigned int i = 0; i < ARRAY_SIZE(rights); i++) {
			struct access a = {
				.info.segment = seg,
				.seg.access_rights = rights[i],
				.mode = { true, true, 48, 8 },
				.offset = 0x123456789abc,
			};

			expect_linear(&a, OPERAND_OK, a.offset);
		}
}

TEST(types_checked, "protected mode reads what is readable and writes what is writable, or #GP")
{
	for (unsigned int seg = 0; seg < NR_SEGS; seg++)
		for (unsigned int type = 0; type < ARRAY_SIZE(types); type++)
			for (unsigned int others = 0; others < 2; others++) {
				struct access a = {
					.info.segment = seg,
					.seg = { 0x1000, 0xffff, type | (others ? AR_OTHERS : 0) },
					.mode = { .linear_bits = 48, .size = 4 },
					.offset = 0x10,
				};

				expect_linear(&a, types[type].readable ? OPERAND_OK : GP_FAULT,
					      0x1010);
				a.mode.write = true;
				expect_linear(&a, types[type].writable ? OPERAND_OK : GP_FAULT,
					      0x1010);
			}
}

TEST(unusable, "protected mode faults on an unusable segment, after the type")
{
	for (unsigned int seg = 0; seg < NR_SEGS; seg++) {
		struct access a = {
			.info.segment = seg,
			.seg = { 0, ~0u, AR_UNUSABLE | DATA_RW },
			.mode = { .linear_bits = 48, .size = 4 },
		};

		expect_linear(&a, seg == SS ? SS_FAULT : GP_FAULT, 0);
		a.mode.write = true;
		expect_linear(&a, seg == SS ? SS_FAULT : GP_FAULT, 0);
		a.seg.access_rights = AR_UNUSABLE | DATA_RO;
		expect_linear(&a, GP_FAULT, 0);
	}
}

/* Type and segment vary, @limit and @offset are those of the test. */
static void expect_limit(u64 base, u32 limit, u64 offset, bool inside)
{
	static const u32 rights[] = { DATA_RO, DATA_RW, DATA_RW_DOWN, CODE_XR };

	for (unsigned int seg = 0; seg < NR_SEGS; seg++)
		for (unsigned int i = 0; i < ARRAY_SIZE(rights); i++) {
			struct access a = {
				.info.segment = seg,
				.seg = { base, limit, rights[i] | AR_OTHERS },
				.mode = { .linear_bits = 48, .size = 4 },
				.offset = offset,
			};
			int fault = seg == SS ? SS_FAULT : GP_FAULT;

			expect_linear(&a, inside ? OPERAND_OK : fault, (u32)(base + offset));
		}
}

TEST(limits, "protected mode faults where the last byte is beyond the limit")
{
	expect_limit(0, 3, 0, true);
	expect_limit(0, 2, 0, false);
	expect_limit(0, 0, 0, false);
	expect_limit(0x1000, 0xfff, 0xffc, true);
	expect_limit(0x1000, 0xfff, 0xffd, false);
	expect_limit(0x1000, 0xfff, 0xffff, false);
	expect_limit(0, 0xfffffffe, 0xfffffffb, true);
	expect_limit(0, 0xfffffffe, 0xfffffffc, false);

	/* Not flat, for its base: the last byte may not wrap around. */
	expect_limit(0x1000, 0xffffffff, 0xfffffffc, true);
	expect_limit(0x1000, 0xffffffff, 0xfffffffd, false);
	expect_limit(0x1000, 0xffffffff, 0xffffffff, false);
}

TEST(flat, "protected mode ignores the limit of flat segments, unless they expand down")
{
	for (unsigned int type = 0; type < ARRAY_SIZE(types); type++) {
		struct access a = {
			.info.segment = DS,
			.seg = { 0, 0xffffffff, type },
			.mode = { .linear_bits = 48, .size = 4 },
			.offset = 0xfffffffd,
		};

		if (!types[type].readable)
			continue;
		expect_linear(&a, types[type].expand_down ? GP_FAULT : OPERAND_OK, 0xfffffffd);
	}
}

TEST(expand_down, "protected mode checks expand-down segments as stock KVM does, from below")
{
	struct access a = {
		.info.segment = DS,
		.seg = { 0, 0xfff, DATA_RW_DOWN },
		.mode = { .linear_bits = 48, .size = 4 },
	};

	a.offset = 0xffc;
	expect_linear(&a, OPERAND_OK, 0xffc);
	a.offset = 0x1000;
	expect_linear(&a, GP_FAULT, 0);
}

TEST(protected_wrap, "protected mode cuts linear addresses to 32 bits")
{
	expect_limit(0xfffff000, 0xffff, 0x1234, true);
	expect_limit(0xffffffff, 0xffff, 1, true);
}

/* The rules once more, in other words than operand.c has them. */
static int model_linear(const struct access *a, u64 *linear)
{
	const struct operand_segment *seg = &a->seg;
	unsigned int type = seg->access_rights & 0xf;
	int fault = a->info.segment == SS ? SS_FAULT : GP_FAULT;
	bool flat;

	if (a->mode.long_mode) {
		unsigned int unused = 64 - a->mode.linear_bits;

		*linear = a->offset;
		if (a->info.segment >= FS)
			*linear = seg->base + a->offset;

		/* Canonical is what sign extension leaves as it is. */
		return (u64)((s64)(*linear << unused) >> unused) == *linear ? OPERAND_OK : fault;
	}

	*linear = (u32)seg->base + (u32)a->offset;
	*linear = (u32)*linear;

	if (a->mode.write && !types[type].writable)
		return GP_FAULT;
	if (!a->mode.write && !types[type].readable)
		return GP_FAULT;
	if (seg->access_rights & AR_UNUSABLE)
		return fault;

	flat = seg->base == 0 && seg->limit == 0xffffffff;
	if (flat && !types[type].expand_down)
		return OPERAND_OK;

	for (unsigned int byte = 0; byte < a->mode.size; byte++)
		if (a->offset + byte > seg->limit)
			return fault;
	return OPERAND_OK;
}

/* @middle or a few more or less. */
static u64 near(u64 middle)
{
	return middle + unit_random() % 24 - 12;
}

static u64 one_of(const u64 *values, unsigned int nr)
{
	return values[unit_random() % nr];
}

static u64 random_long_offset(const struct access *a)
{
	u64 edge = 1ull << (a->mode.linear_bits - 1);
	u64 places[] = { 0, edge, -edge, edge - a->seg.base, -edge - a->seg.base, -a->seg.base };

	return unit_random() % 4 ? near(one_of(places, ARRAY_SIZE(places))) : unit_random();
}

static u32 random_protected_offset(const struct access *a)
{
	u64 places[] = { 0, a->seg.limit, a->seg.limit, 0xffff, 0xffffffff };

	return unit_random() % 8 ? near(one_of(places, ARRAY_SIZE(places))) : unit_random();
}

static struct access random_access(void)
{
	static const u64 limits[] = { 0, 0xffff, 0x7fffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	struct access a = {
		.info.segment = unit_random() % NR_SEGS,
		.seg.access_rights = unit_random() & (AR_OTHERS | 0xf),
		.mode = {
			.long_mode = unit_random() % 3 == 0,
			.write = unit_random() % 2,
			.linear_bits = unit_random() % 2 ? 48 : 57,
		},
	};

	if (unit_random() % 8 == 0)
		a.seg.access_rights |= AR_UNUSABLE;

	if (a.mode.long_mode) {
		a.mode.size = 8;
		a.seg.base = unit_random() % 2 ? unit_random() : unit_random() % 2 * near(0);
		a.offset = random_long_offset(&a);
	} else {
		a.mode.size = 4;
		a.seg.limit = unit_random() % 8 ? near(one_of(limits, ARRAY_SIZE(limits))) :
						  unit_random();
		if (unit_random() % 2)
			a.seg.limit = one_of(limits, ARRAY_SIZE(limits));
		a.seg.base = unit_random() % 3 ? 0 : (u32)unit_random();
		a.offset = random_protected_offset(&a);
	}
	return a;
}

TEST(linear_random, "random accesses agree with a model of the rules, every outcome among them")
{
	unsigned int outcomes[2][GP_FAULT + 1] = {};

	for (unsigned int i = 0; i < NR_RANDOM; i++) {
		struct access a = random_access();
		u64 linear;
		int want;

		want = model_linear(&a, &linear);
		expect_linear(&a, want, linear);
		outcomes[a.mode.long_mode][want]++;
	}

	/* A comparison says something only where both sides are reached. */
	for (unsigned int mode = 0; mode < 2; mode++) {
		EXPECT(outcomes[mode][OPERAND_OK] > NR_RANDOM / 20, "mode %u", mode);
		EXPECT(outcomes[mode][SS_FAULT] > NR_RANDOM / 50, "mode %u", mode);
		EXPECT(outcomes[mode][GP_FAULT] > NR_RANDOM / 20, "mode %u", mode);
	}
}
