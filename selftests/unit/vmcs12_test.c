// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify the VMCS12 field table, look-up, and typed access.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/errno.h>
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
		EXPECT_EQ(info->mask, line_mask(line), "%s", line->name);
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

TEST(runs, "runs have the launch state and each field, and no eight bytes without")
{
	bool run[VMCS12_NR_PLACES] = {}, used[VMCS12_NR_PLACES] = { false, true };

#define RUN(first, nr)						\
	for (unsigned int i = (first); i < (first) + (nr); i++) {	\
		EXPECT(i < VMCS12_NR_PLACES && !run[i], "%u", i);	\
		run[i] = true;						\
	}
	VMCS12_RUNS(RUN)
#undef RUN
	for (unsigned int i = 0; i < NR_LINES; i++)
		used[lines[i].offset / 8] = true;
	for (unsigned int i = 0; i < VMCS12_NR_PLACES; i++)
		EXPECT_EQ(run[i], used[i], "place %u", i);
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

TEST(last_bytes, "a write touches no memory behind its field")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		size_t size = lines[field].offset + line_size(&lines[field]);
		u8 *memory = malloc(size);

		if (!memory)
			abort();
		vmcs12_field_write(memory, field, ~0ull);
		EXPECT_EQ(bytes_read(memory, &lines[field]), line_mask(&lines[field]), "%s",
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

TEST(lazy, "segments, descriptor tables and one more are lazy, access rights of CS and SS are not")
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
	EXPECT_EQ(found, 8 + 8 + 2 + 1 + 5 + 8 + 2 + 1, "lazy fields");
	EXPECT(!vmcs12_field_is_lazy(VMCS12_NO_FIELD), "an encoding without a field");
}

TEST(effect, "writes that a VM entry looks at only when VMCS12 is dirty")
{
	static const struct {
		u16 first, last;
		enum vmcs12_effect effect;
	} ranges[] = {
		{ 0x0800, 0x080e, VMCS12_EFFECT_COPIED },	/* selectors */
		{ 0x2006, 0x2007, VMCS12_EFFECT_TRIGGER },	/* MSR-store address */
		{ 0x201c, 0x2023, VMCS12_EFFECT_DERIVED },	/* EOI-exit bitmaps */
		{ 0x202c, 0x202d, VMCS12_EFFECT_DERIVED },	/* XSS-exiting bitmap */
		{ 0x280a, 0x2813, VMCS12_EFFECT_TRIGGER },	/* PDPTEs, BNDCFGS */
		{ 0x4006, 0x4008, VMCS12_EFFECT_DERIVED },	/* page-fault error codes */
		{ 0x400e, 0x400e, VMCS12_EFFECT_TRIGGER },	/* MSR-store count */
		{ 0x4012, 0x4012, VMCS12_EFFECT_DERIVED },	/* VM-entry controls */
		{ 0x401e, 0x401e, VMCS12_EFFECT_DERIVED },	/* secondary controls */
		{ 0x4800, 0x4822, VMCS12_EFFECT_COPIED },	/* limits, access rights */
		{ 0x482a, 0x482a, VMCS12_EFFECT_COPIED },	/* SYSENTER_CS */
		{ 0x6002, 0x6002, VMCS12_EFFECT_DERIVED },	/* CR4 guest/host mask */
		{ 0x6806, 0x6818, VMCS12_EFFECT_COPIED },	/* bases */
		{ 0x6822, 0x6826, VMCS12_EFFECT_COPIED },	/* debug exceptions, SYSENTER */
	};

	for (unsigned int field = 0; field < NR_LINES; field++) {
		enum vmcs12_effect want = VMCS12_EFFECT_ALWAYS;
		unsigned int encoding = lines[field].encoding;

		for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++)
			if (encoding >= ranges[i].first && encoding <= ranges[i].last)
				want = ranges[i].effect;
		EXPECT_EQ(vmcs12_field_effect(field), want, "%s", lines[field].name);
	}
}

TEST(base, "a high half belongs to the field before it, any other field to itself")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		const struct line *line = &lines[field];

		EXPECT_EQ(vmcs12_field_base(field), field - line->high, "%s", line->name);
		EXPECT_EQ(vmcs12_fields[field].high, line->high, "%s", line->name);
		EXPECT_EQ(vmcs12_fields[field].has_high, is_full_64(line), "%s", line->name);
	}
}

TEST(access_rights, "access rights of ES, CS, SS, DS, FS, GS, LDTR and TR and no other field")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		unsigned int encoding = lines[field].encoding;

		EXPECT_EQ(vmcs12_field_is_access_rights(field),
			  encoding >= 0x4814 && encoding <= 0x4822, "%s", lines[field].name);
	}
}

/* On both sides of each border between the words of a set, and at its ends. */
static const unsigned int borders[] = { 0, 1, 63, 64, 127, 128, NR_LINES - 1 };

TEST(set_one, "a field is in the sets that it was added to, with no other")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		unsigned long set[VMCS12_SET_LONGS] = {};

		EXPECT(vmcs12_set_is_empty(set), "before %u", field);
		vmcs12_set_add(set, field);
		vmcs12_set_add(set, field);
		EXPECT(!vmcs12_set_is_empty(set), "field %u", field);
		for (unsigned int other = 0; other < NR_LINES; other++)
			EXPECT_EQ(vmcs12_set_has(set, other), other == field, "%u and %u", other,
				  field);
		vmcs12_set_remove(set, field);
		vmcs12_set_remove(set, field);
		EXPECT(vmcs12_set_is_empty(set), "after %u", field);
	}
}

TEST(set_remove, "a field that is removed leaves the others")
{
	for (unsigned int i = 0; i < ARRAY_SIZE(borders); i++) {
		unsigned long set[VMCS12_SET_LONGS] = {};

		for (unsigned int field = 0; field < NR_LINES; field++)
			vmcs12_set_add(set, field);
		vmcs12_set_remove(set, borders[i]);
		for (unsigned int field = 0; field < NR_LINES; field++)
			EXPECT_EQ(vmcs12_set_has(set, field), field != borders[i], "%u without %u",
				  field, borders[i]);
	}
}

TEST(set_pairs, "sets meet in what both have, contain it, and differ by what one has")
{
	for (unsigned int i = 0; i < ARRAY_SIZE(borders); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(borders); j++) {
			unsigned long one[VMCS12_SET_LONGS] = {}, other[VMCS12_SET_LONGS] = {};
			unsigned long result[VMCS12_SET_LONGS];
			bool same = i == j;

			vmcs12_set_add(one, borders[i]);
			vmcs12_set_add(other, borders[j]);
			EXPECT_EQ(vmcs12_sets_meet(one, other), same, "%u, %u", borders[i],
				  borders[j]);
			EXPECT_EQ(vmcs12_set_contains(one, other), same, "%u, %u", borders[i],
				  borders[j]);

			/* Whatever was in the result is gone. */
			memset(result, 0xff, sizeof(result));
			EXPECT_EQ(vmcs12_set_subtract(result, one, other), !same, "%u, %u",
				  borders[i], borders[j]);
			vmcs12_set_remove(one, borders[j]);
			EXPECT_EQ(memcmp(result, one, sizeof(one)), 0, "%u without %u",
				  borders[i], borders[j]);
		}
}

static void check_iteration(const unsigned long *set)
{
	enum vmcs12_field field;
	unsigned int next = 0;

	vmcs12_for_each_field(field, set) {
		for (; next < field && next < NR_LINES; next++)
			EXPECT(!vmcs12_set_has(set, next), "%u was left out", next);
		EXPECT_EQ(field, next, "each field once, in ascending order");
		EXPECT(field < NR_LINES && vmcs12_set_has(set, field), "%u is no member", field);
		next = field + 1;
	}
	for (; next < NR_LINES; next++)
		EXPECT(!vmcs12_set_has(set, next), "%u was left out", next);
}

TEST(iteration, "iterating over a set meets its fields and no others, in ascending order")
{
	unsigned long set[VMCS12_SET_LONGS] = {};

	check_iteration(set);
	for (unsigned int i = 0; i < ARRAY_SIZE(borders); i++) {
		unsigned long one[VMCS12_SET_LONGS] = {};

		vmcs12_set_add(one, borders[i]);
		check_iteration(one);
		vmcs12_set_add(set, borders[i]);
		check_iteration(set);
	}
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int field = unit_random() % NR_LINES;

		if (vmcs12_set_has(set, field))
			vmcs12_set_remove(set, field);
		else
			vmcs12_set_add(set, field);
		check_iteration(set);
	}
	for (unsigned int field = 0; field < NR_LINES; field++)
		vmcs12_set_add(set, field);
	check_iteration(set);
}

TEST(iteration_changes, "a set may lose the field that an iteration is at")
{
	unsigned long set[VMCS12_SET_LONGS] = {};
	enum vmcs12_field field;
	unsigned int met = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(borders); i++)
		vmcs12_set_add(set, borders[i]);
	vmcs12_for_each_field(field, set) {
		vmcs12_set_remove(set, field);
		met++;
	}
	EXPECT_EQ(met, ARRAY_SIZE(borders), "fields met");
	EXPECT(vmcs12_set_is_empty(set), "fields left");
}

TEST(set_parse, "names with commas between them are a set")
{
	static const struct {
		const char *names;
		unsigned int nr;
		enum vmcs12_field fields[3];
	} good[] = {
		{ "", 0, {} },
		{ "\n", 0, {} },
		{ "HOST_RIP", 1, { VMCS12_HOST_RIP } },
		{ "HOST_RIP\n", 1, { VMCS12_HOST_RIP } },
		{ "VIRTUAL_PROCESSOR_ID,HOST_RIP", 2,
		  { VMCS12_VIRTUAL_PROCESSOR_ID, VMCS12_HOST_RIP } },
		{ "HOST_RIP,TSC_MULTIPLIER,GUEST_CS_AR_BYTES\n", 3,
		  { VMCS12_HOST_RIP, VMCS12_TSC_MULTIPLIER, VMCS12_GUEST_CS_AR_BYTES } },
		{ "GUEST_CR0,GUEST_CR0", 1, { VMCS12_GUEST_CR0 } },
		{ "HOST_RIP,", 1, { VMCS12_HOST_RIP } },
		{ "HOST_RIP,\n", 1, { VMCS12_HOST_RIP } },
		{ "TSC_OFFSET_HIGH", 1, { VMCS12_TSC_OFFSET } },
		{ "TSC_OFFSET,TSC_OFFSET_HIGH", 1, { VMCS12_TSC_OFFSET } },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		unsigned long set[VMCS12_SET_LONGS], want[VMCS12_SET_LONGS] = {};

		memset(set, 0xff, sizeof(set));
		for (unsigned int j = 0; j < good[i].nr; j++)
			vmcs12_set_add(want, good[i].fields[j]);
		EXPECT_EQ(vmcs12_set_parse(set, good[i].names), 0, "%s", good[i].names);
		EXPECT_EQ(memcmp(set, want, sizeof(set)), 0, "%s", good[i].names);
	}
}

TEST(set_parse_each, "each name means its field, and is needed to the last letter")
{
	for (unsigned int field = 0; field < NR_LINES; field++) {
		unsigned long set[VMCS12_SET_LONGS], want[VMCS12_SET_LONGS] = {};
		const char *name = lines[field].name;
		char longer[64];

		vmcs12_set_add(want, field - lines[field].high);
		EXPECT_EQ(vmcs12_set_parse(set, name), 0, "%s", name);
		EXPECT_EQ(memcmp(set, want, sizeof(set)), 0, "%s", name);

		snprintf(longer, sizeof(longer), "%s_", name);
		EXPECT_EQ(vmcs12_set_parse(set, longer), -EINVAL, "%s", longer);
		EXPECT_EQ(vmcs12_set_parse(set, name + 1), -EINVAL, "%s", name + 1);
		longer[strlen(name) - 1] = '\0';
		EXPECT_EQ(vmcs12_set_parse(set, longer), -EINVAL, "%s", longer);
	}
}

TEST(set_parse_bad, "a list with something unknown is refused, and changes nothing")
{
	static const char * const bad[] = {
		"HOST", "HOST_RI", "HOST_RIPP", "host_rip", "0x6c16", " HOST_RIP", "HOST_RIP ",
		",", ",HOST_RIP", "HOST_RIP,,HOST_RSP", "HOST_RIP,HOST", "HOST_RIP HOST_RSP",
		"HOST,HOST_RIP", "HOST_RIP;HOST_RSP",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		unsigned long set[VMCS12_SET_LONGS] = {}, want[VMCS12_SET_LONGS] = {};

		vmcs12_set_add(set, VMCS12_GUEST_CR3);
		vmcs12_set_add(want, VMCS12_GUEST_CR3);
		EXPECT_EQ(vmcs12_set_parse(set, bad[i]), -EINVAL, "%s", bad[i]);
		EXPECT_EQ(memcmp(set, want, sizeof(set)), 0, "%s", bad[i]);
	}
}
