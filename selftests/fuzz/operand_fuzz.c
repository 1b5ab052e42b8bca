// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands: decoding, effective and linear addresses, against the SDM's sentences in numbers that
 * can't wrap.
 */
#include "operand.h"
#include "fuzz.h"

#define u128 unsigned __int128

/* Vectors and segment numbers of the SDM, on purpose not those of operand.h. */
enum { SS_FAULT = 12, GP_FAULT = 13 };
enum { SS = 2, FS = 4, GS = 5 };

/* Bits 0 to 3 of access rights: accessed; writable or readable; expand-down; code. */
enum { AR_WR = 2, AR_DOWN = 4, AR_CODE = 8, AR_UNUSABLE = 0x10000 };

struct operand {
	u32 word;
	u64 displacement;
	u64 base;
	u64 index;
	struct operand_segment segment;
	struct operand_access access;
};

/* The lowest @nr bits of *@word, which go. */
static unsigned int shift_out(u32 *word, unsigned int nr)
{
	unsigned int value = *word % (1u << nr);

	*word >>= nr;
	return value;
}

static void check_decode(u32 word, const struct operand_info *info)
{
	u32 rest = word;

	FUZZ_EXPECT_EQ(info->scaling, shift_out(&rest, 2), "%#x", word);
	shift_out(&rest, 1);
	FUZZ_EXPECT_EQ(info->reg1, shift_out(&rest, 4), "%#x", word);
	FUZZ_EXPECT_EQ(info->address_size, shift_out(&rest, 3), "%#x", word);
	FUZZ_EXPECT_EQ(info->is_reg, shift_out(&rest, 1), "%#x", word);
	shift_out(&rest, 4);
	FUZZ_EXPECT_EQ(info->segment, shift_out(&rest, 3), "%#x", word);
	FUZZ_EXPECT_EQ(info->index, shift_out(&rest, 4), "%#x", word);
	FUZZ_EXPECT_EQ(info->has_index, !shift_out(&rest, 1), "%#x", word);
	FUZZ_EXPECT_EQ(info->base, shift_out(&rest, 4), "%#x", word);
	FUZZ_EXPECT_EQ(info->has_base, !shift_out(&rest, 1), "%#x", word);
	FUZZ_EXPECT_EQ(info->reg2, rest, "%#x", word);
}

static u64 model_offset(const struct operand *o)
{
	static const unsigned int sizes[] = { 16, 32, 64, 64, 64, 64, 64, 64 };
	u128 sum = o->displacement;

	if (!(o->word >> 27 & 1))
		sum += o->base;
	if (!(o->word >> 22 & 1))
		sum += (u128)o->index * (1 << o->word % 4);
	return sum % ((u128)1 << sizes[o->word >> 7 & 7]);
}

/* The highest bit of the linear address is repeated in all above it. */
static bool canonical(u64 address, unsigned int bits)
{
	s64 low = -(s64)(1ull << (bits - 1)), high = (s64)((1ull << (bits - 1)) - 1);

	return (s64)address >= low && (s64)address <= high;
}

static int model_long_mode(const struct operand *o, unsigned int segment, u64 offset, u64 *linear)
{
	*linear = offset + (segment == FS || segment == GS ? o->segment.base : 0);
	if (canonical(*linear, o->access.linear_bits))
		return OPERAND_OK;
	return segment == SS ? SS_FAULT : GP_FAULT;
}

/*
 * Stock KVM takes every segment for one that expands up, and so does the module; a flat one has no
 * limit, but the segment has to expand up for that.
 */
static int model_protected_mode(const struct operand *o, unsigned int segment, u64 offset,
				u64 *linear)
{
	u32 rights = o->segment.access_rights, type = rights % 16;
	int fault = segment == SS ? SS_FAULT : GP_FAULT;
	bool readable = !(type & AR_CODE) || type & AR_WR;
	bool writable = !(type & AR_CODE) && type & AR_WR;
	bool expands_down = !(type & AR_CODE) && type & AR_DOWN;
	bool flat = !o->segment.base && o->segment.limit == 0xffffffff && !expands_down;
	u128 last = (u128)offset + o->access.size - 1;

	*linear = (u32)(o->segment.base + offset);
	if (o->access.write ? !writable : !readable)
		return GP_FAULT;
	if (rights & AR_UNUSABLE)
		return fault;
	if (!flat && last > o->segment.limit)
		return fault;
	return OPERAND_OK;
}

/* Numbers around which something changes, or any. */
static u64 take_address(struct fuzz_input *input)
{
	u8 how = fuzz_u8(input);

	if (how & 1)
		return fuzz_u64(input);
	return (1ull << how / 4) + (s64)(signed char)fuzz_u8(input) - (how & 2 ? 1ull << 63 : 0);
}

static struct operand take_operand(struct fuzz_input *input)
{
	struct operand o = { .word = fuzz_u32(input) };
	u8 mode = fuzz_u8(input);

	o.displacement = take_address(input);
	o.base = take_address(input);
	o.index = take_address(input);
	o.segment.base = mode & 1 ? 0 : take_address(input);
	o.segment.limit = mode & 2 ? 0xffffffff : take_address(input);
	o.segment.access_rights = fuzz_u32(input) & 0x1f0ff;
	o.access.long_mode = mode & 4;
	o.access.write = mode & 8;
	o.access.linear_bits = mode & 16 ? 57 : 48;
	o.access.size = o.access.long_mode ? 8 : 4;
	return o;
}

static void check(const struct operand *o)
{
	struct operand_info info = operand_decode(o->word);
	unsigned int segment = o->word >> 15 & 7;
	u64 offset, linear = 0, want_linear;
	int vector, want;

	check_decode(o->word, &info);
	offset = operand_offset(&info, o->displacement, o->base, o->index);
	FUZZ_EXPECT_EQ(offset, model_offset(o), "%#x: %#llx %#llx %#llx", o->word, o->displacement,
		       o->base, o->index);

	/* Outside long mode no address is longer than 32 bits. */
	if (!o->access.long_mode && info.address_size >= OPERAND_ADDRESS_64)
		offset = (u32)offset;
	want = o->access.long_mode ? model_long_mode(o, segment, offset, &want_linear) :
	       model_protected_mode(o, segment, offset, &want_linear);
	vector = operand_linear(&info, &o->segment, &o->access, offset, &linear);
	FUZZ_EXPECT_EQ(vector, want, "%#x: offset %#llx base %#llx limit %#x rights %#x", o->word,
		       offset, o->segment.base, o->segment.limit, o->segment.access_rights);
	if (vector == OPERAND_OK)
		FUZZ_EXPECT_EQ(linear, want_linear, "%#x: offset %#llx", o->word, offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };

	while (input.size) {
		struct operand operand = take_operand(&input);

		check(&operand);
	}
	return 0;
}
