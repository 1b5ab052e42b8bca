// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify the VMCS12 field table, look-up, and typed access.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>

#include "unit.h"
#include "vmcs12.h"

#define VMCS12_SIZE	4096

/* What no field may lie on: revision, abort indicator, and KVM's launch state. */
#define VMCS12_HEADER	12

/* SDM volume 3, "Field Encoding in VMCS": bits 14:13. */
static const unsigned int full_size[] = { 2, 8, 4, 8 };

/* The lines of vmcs_fields.h in their order, which is that of the numbers too. */
struct line {
	const char *name;
	const char *member;
	unsigned int encoding;
	unsigned int offset;
	enum vmcs12_shadow shadow;
	bool high;
};

static const struct line lines[] = {
#define LINE(_name, _encoding, _member, _offset, _shadow, _high)	\
	{								\
		.name = #_name,						\
		.member = #_member,					\
		.encoding = _encoding,					\
		.offset = _offset,					\
		.shadow = VMCS12_SHADOW_##_shadow,			\
		.high = _high,						\
	},
#define VMCS_FIELD(...)		LINE(__VA_ARGS__, false)
#define VMCS_FIELD_HIGH(...)	LINE(__VA_ARGS__, true)
#include <kvm-nested/vmcs_fields.h>
};

#define NR_LINES	ARRAY_SIZE(lines)

static unsigned int line_size(const struct line *line)
{
	return line->high ? 4 : full_size[line->encoding >> 13];
}

static u64 line_mask(const struct line *line)
{
	return ~0ull >> (64 - 8 * line_size(line));
}

static bool is_full_64(const struct line *line)
{
	return line->encoding >> 13 == 1 && !line->high;
}

TEST(fields_by_encoding, "each field is found by its encoding, and no other encoding finds one")
{
	unsigned int found = 0;

	EXPECT_EQ(VMCS12_NR_FIELDS, NR_LINES, "the dense numbers");

	for (unsigned int encoding = 0; encoding < 1 << 15; encoding++) {
		enum vmcs12_field want = VMCS12_NO_FIELD;

		for (unsigned int i = 0; i < NR_LINES; i++)
			if (lines[i].encoding == encoding) {
				want = i;
				found++;
			}
		EXPECT_EQ(vmcs12_field_find(encoding), want, "encoding %#x", encoding);
	}
	EXPECT_EQ(found, NR_LINES, "fields found");
}

TEST(reserved_encoding_bits, "no operand above 15 bits finds a field")
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		unsigned long encoding = lines[i].encoding;

		for (unsigned int bit = 15; bit < 64; bit++)
			EXPECT_EQ(vmcs12_field_find(encoding | 1ul << bit), VMCS12_NO_FIELD,
				  "%s with bit %u", lines[i].name, bit);
	}

	for (unsigned int i = 0; i < 1000000; i++) {
		unsigned long operand = unit_random() >> unit_random() % 49;

		if (operand >= 1 << 15)
			EXPECT_EQ(vmcs12_field_find(operand), VMCS12_NO_FIELD, "%#lx", operand);
	}
	EXPECT_EQ(vmcs12_field_find(~0ul), VMCS12_NO_FIELD, "all ones");
}

TEST(table, "the table repeats the list and gives each field the size of its encoding")
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		const struct vmcs12_field_info *info = &vmcs12_fields[i];
		const struct line *line = &lines[i];

		EXPECT_EQ(strcmp(info->name, line->name), 0, "%s", line->name);
		EXPECT_EQ(info->encoding, line->encoding, "%s", line->name);
		EXPECT_EQ(info->offset, line->offset, "%s", line->name);
		EXPECT_EQ(info->shadow, line->shadow, "%s", line->name);
		EXPECT_EQ(info->size, line_size(line), "%s", line->name);
	}
}

TEST(list, "names and encodings are unique, and encodings have no reserved bit")
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		EXPECT_EQ(lines[i].encoding & ~0x6fffu, 0, "%s", lines[i].name);
		for (unsigned int j = 0; j < i; j++) {
			EXPECT(strcmp(lines[i].name, lines[j].name), "%s", lines[i].name);
			EXPECT(lines[i].encoding != lines[j].encoding, "%s and %s",
			       lines[i].name, lines[j].name);
		}
	}
}

TEST(high_halves, "each 64-bit field and no other has a high half, its upper 32 bits")
{
	for (unsigned int i = 0; i < NR_LINES; i++) {
		const struct line *full = &lines[i], *high = &lines[i + 1];
		size_t length = strlen(full->name);

		EXPECT_EQ(full->encoding & 1, full->high, "%s", full->name);

		if (!is_full_64(full)) {
			if (full->high)
				EXPECT(i && is_full_64(full - 1), "%s", full->name);
			continue;
		}

		EXPECT(i + 1 < NR_LINES && high->high, "%s", full->name);
		if (i + 1 == NR_LINES)
			break;
		EXPECT(!strncmp(high->name, full->name, length) &&
		       !strcmp(high->name + length, "_HIGH"), "%s", high->name);
		EXPECT_EQ(strcmp(high->member, full->member), 0, "%s", high->name);
		EXPECT_EQ(high->encoding, full->encoding + 1, "%s", high->name);
		EXPECT_EQ(high->offset, full->offset + 4, "%s", high->name);
		EXPECT_EQ(high->shadow, full->shadow, "%s", high->name);
	}
}

TEST(layout, "fields lie aligned inside the page and none on another")
{
	static const struct line *owner[VMCS12_SIZE];

	for (unsigned int i = 0; i < NR_LINES; i++) {
		const struct line *line = &lines[i];
		unsigned int end = line->offset + line_size(line);

		EXPECT_EQ(line->offset % line_size(line), 0, "%s", line->name);
		EXPECT(line->offset >= VMCS12_HEADER && end <= VMCS12_SIZE, "%s", line->name);
		if (line->high || end > VMCS12_SIZE)
			continue;

		for (unsigned int at = line->offset; at < end; at++) {
			EXPECT(!owner[at], "byte %u of %s and %s", at, line->name,
			       owner[at] ? owner[at]->name : "");
			owner[at] = line;
		}
	}
}

/* A page of the heap, so that an access beyond it is seen. */
static u8 *alloc_page(void)
{
	u8 *page = malloc(VMCS12_SIZE);

	if (!page)
		abort();
	for (unsigned int i = 0; i < VMCS12_SIZE; i++)
		page[i] = unit_random();
	return page;
}

/* The value as little-endian bytes at @page. */
static u64 bytes_read(const u8 *page, const struct line *line)
{
	u64 value = 0;

	for (unsigned int i = 0; i < line_size(line); i++)
		value |= (u64)page[line->offset + i] << 8 * i;
	return value;
}

static void bytes_write(u8 *page, const struct line *line, u64 value)
{
	for (unsigned int i = 0; i < line_size(line); i++)
		page[line->offset + i] = value >> 8 * i;
}

static void write_and_read(u8 *page, u8 *want, unsigned int field, u64 value)
{
	const struct line *line = &lines[field];

	bytes_write(want, line, value);
	vmcs12_field_write(page, field, value);
	EXPECT_EQ(memcmp(page, want, VMCS12_SIZE), 0, "%s = %#llx", line->name, value);
	EXPECT_EQ(vmcs12_field_read(page, field), value & line_mask(line), "%s = %#llx",
		  line->name, value);
}

TEST(round_trip, "a write changes its field and nothing else, cut to the field's width")
{
	static const u64 values[] = {
		0, 1, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		1ull << 32, 1ull << 63, ~1ull, ~0ull, 0x0123456789abcdef,
	};
	u8 *page = alloc_page(), *want = alloc_page();

	memcpy(want, page, VMCS12_SIZE);
	for (unsigned int field = 0; field < NR_LINES; field++) {
		EXPECT_EQ(vmcs12_field_read(page, field), bytes_read(page, &lines[field]), "%s",
			  lines[field].name);
		for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
			write_and_read(page, want, field, values[i]);
	}
	for (unsigned int i = 0; i < 20000; i++)
		write_and_read(page, want, unit_random() % NR_LINES, unit_random());

	free(page);
	free(want);
}

TEST(halves, "a 64-bit field and its high half are two views of one value")
{
	u8 *page = alloc_page();

	for (unsigned int field = 0; field < NR_LINES; field++) {
		u64 whole = unit_random(), half = unit_random();

		if (!is_full_64(&lines[field]))
			continue;

		vmcs12_field_write(page, field, whole);
		EXPECT_EQ(vmcs12_field_read(page, field + 1), whole >> 32, "%s",
			  lines[field].name);

		vmcs12_field_write(page, field + 1, half);
		EXPECT_EQ(vmcs12_field_read(page, field), half << 32 | (u32)whole, "%s",
			  lines[field].name);
	}

	free(page);
}

TEST(last_bytes, "the last field ends with the memory it needs")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		size_t size = lines[field].offset + line_size(&lines[field]);
		u8 *memory = malloc(size);

		if (!memory)
			abort();
		vmcs12_field_write(memory, field, ~0ull);
		EXPECT_EQ(vmcs12_field_read(memory, field), line_mask(&lines[field]), "%s",
			  lines[field].name);
		free(memory);
	}
}

static bool is_among(unsigned int encoding, const u16 *encodings, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (encodings[i] == encoding)
			return true;
	return false;
}

TEST(readonly, "VM-exit information and nothing else is read-only, and never shadowed for writing")
{
	static const u16 exit_information[] = {
		0x2400, 0x2401, /* guest-physical address */
		0x4400, 0x4402, 0x4404, 0x4406, 0x4408, 0x440a, 0x440c, 0x440e,
		0x6400, 0x640a, /* exit qualification, guest-linear address */
	};
	unsigned int found = 0;

	for (unsigned int field = 0; field < NR_LINES; field++) {
		bool want = is_among(lines[field].encoding, exit_information,
				     ARRAY_SIZE(exit_information));

		found += want;
		EXPECT_EQ(vmcs12_field_is_readonly(field), want, "%s", lines[field].name);
		if (want)
			EXPECT(lines[field].shadow != VMCS12_SHADOW_RW, "%s", lines[field].name);
	}
	EXPECT_EQ(found, ARRAY_SIZE(exit_information), "read-only fields");
	EXPECT_EQ(vmcs12_fields[VMCS12_VM_INSTRUCTION_ERROR].shadow, VMCS12_SHADOW_NO,
		  "L0 changes the error number while it emulates");
}

TEST(lazy, "segments, descriptor tables and two more are lazy, access rights of CS and SS are not")
{
	static const struct {
		u16 first, last;
	} ranges[] = {
		{ 0x0800, 0x080e },	/* selectors of ES, CS, SS, DS, FS, GS, LDTR, TR */
		{ 0x4800, 0x480e },	/* their limits */
		{ 0x4810, 0x4812 },	/* limits of GDTR and IDTR */
		{ 0x4814, 0x4814 },	/* access rights of ES */
		{ 0x481a, 0x4822 },	/* access rights of DS, FS, GS, LDTR, TR */
		{ 0x6806, 0x6814 },	/* bases of ES ... TR */
		{ 0x6816, 0x6818 },	/* bases of GDTR and IDTR */
		{ 0x2812, 0x2812 },	/* BNDCFGS; stock KVM forgets its high half */
		{ 0x6822, 0x6822 },	/* pending debug exceptions */
	};
	unsigned int found = 0;

	for (unsigned int field = 0; field < NR_LINES; field++) {
		unsigned int encoding = lines[field].encoding;
		bool want = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
			want |= encoding >= ranges[i].first && encoding <= ranges[i].last;

		found += want;
		EXPECT_EQ(vmcs12_field_is_lazy(field), want, "%s", lines[field].name);
	}
	EXPECT_EQ(found, 8 + 8 + 2 + 1 + 5 + 8 + 2 + 1 + 1, "lazy fields");
	EXPECT(!vmcs12_field_is_lazy(VMCS12_NO_FIELD), "an encoding without a field");
}
