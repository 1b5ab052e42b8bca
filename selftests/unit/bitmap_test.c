// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify the VMREAD and VMWRITE bitmaps.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>

#include "bitmap.h"
#include "unit.h"

/* SDM volume 3, "VMCS Shadowing Bitmap Addresses": bit x%8 of byte x/8, for encoding x. */
static bool bit_is_set(const u64 *bitmap, unsigned int encoding)
{
	return ((const u8 *)bitmap)[encoding / 8] / (1u << encoding % 8) % 2;
}

/* A page of the heap, so that an access beyond it is seen. */
static u64 *new_bitmap(void)
{
	u64 *bitmap = malloc(VMCS_BITMAP_SIZE);

	if (!bitmap)
		abort();
	memset(bitmap, 0, VMCS_BITMAP_SIZE);
	vmcs_bitmap_init(bitmap);
	return bitmap;
}

static void open_fields(u64 *bitmap, const unsigned long *fields)
{
	u64 words[VMCS_BITMAP_NR_WORDS];

	/* Whatever was there before is gone. */
	memset(words, 0x5a, sizeof(words));
	vmcs_bitmap_build(words, fields);
	vmcs_bitmap_load(bitmap, words);
}

static unsigned int nr_clear(const u64 *bitmap)
{
	unsigned int nr = 0;

	for (unsigned int encoding = 0; encoding < 8 * VMCS_BITMAP_SIZE; encoding++)
		nr += !bit_is_set(bitmap, encoding);
	return nr;
}

TEST(bitmap_init, "a new bitmap lets no encoding through")
{
	u64 *bitmap = new_bitmap();

	EXPECT_EQ(nr_clear(bitmap), 0, "encodings let through");
	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++)
		EXPECT(vmcs_bitmap_traps(bitmap, field), "%s", vmcs12_fields[field].name);

	free(bitmap);
}

/* Halves of 64-bit fields are two encodings side by side. */
static bool is_same_field(unsigned int one, unsigned int other)
{
	unsigned int encoding = vmcs12_fields[one].encoding;

	return one == other ||
	       (encoding >> 13 == 1 && (encoding ^ vmcs12_fields[other].encoding) == 1);
}

static bool is_high(unsigned int field)
{
	return vmcs12_fields[field].encoding & 1;
}

/* Exactly the fields of @set are open, and encodings that are none trap. */
static void check_bitmap(const u64 *bitmap, const unsigned long *set, unsigned int step)
{
	unsigned int nr = 0;

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++) {
		bool open = vmcs12_set_has(set, is_high(field) ? field - 1 : field);

		nr += open;
		EXPECT_EQ(vmcs_bitmap_traps(bitmap, field), !open, "%u: %s", step,
			  vmcs12_fields[field].name);
		EXPECT_EQ(bit_is_set(bitmap, vmcs12_fields[field].encoding), !open, "%u: %s", step,
			  vmcs12_fields[field].name);
	}
	EXPECT_EQ(nr_clear(bitmap), nr, "%u: encodings let through", step);
}

TEST(bitmap_one_field, "a field opens with its high half and with nothing else, and closes again")
{
	static const unsigned long none[VMCS12_SET_LONGS];
	u64 *bitmap = new_bitmap();

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++) {
		unsigned long set[VMCS12_SET_LONGS] = {};

		if (is_high(field))
			continue;

		vmcs12_set_add(set, field);
		open_fields(bitmap, set);
		for (unsigned int other = 0; other < VMCS12_NR_FIELDS; other++)
			EXPECT_EQ(vmcs_bitmap_traps(bitmap, other), !is_same_field(field, other),
				  "%s with %s open", vmcs12_fields[other].name,
				  vmcs12_fields[field].name);
		check_bitmap(bitmap, set, field);
		/* Twice is as good as once. */
		open_fields(bitmap, set);
		check_bitmap(bitmap, set, field);
		/* Every other time the next field closes it. */
		if (field % 2) {
			open_fields(bitmap, none);
			check_bitmap(bitmap, none, field);
		}
	}

	free(bitmap);
}

TEST(bitmap_sets, "any set of fields opens, whatever was open before")
{
	unsigned long set[VMCS12_SET_LONGS] = {};
	u64 *bitmap = new_bitmap();

	for (unsigned int step = 0; step < 1000; step++) {
		unsigned int field = unit_random() % VMCS12_NR_FIELDS;

		if (is_high(field))
			field--;
		if (vmcs12_set_has(set, field))
			vmcs12_set_remove(set, field);
		else
			vmcs12_set_add(set, field);
		open_fields(bitmap, set);
		check_bitmap(bitmap, set, step);
	}

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++)
		if (!is_high(field))
			vmcs12_set_add(set, field);
	open_fields(bitmap, set);
	check_bitmap(bitmap, set, 1000);
	EXPECT_EQ(nr_clear(bitmap), VMCS12_NR_FIELDS, "all fields");

	free(bitmap);
}
