// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMREAD and VMWRITE bitmaps, against a page whose bits are cleared one by one.
 */
#include "bitmap.h"
#include "fuzz.h"

static const u16 encodings[] = {
#define VMCS_FIELD(name, encoding, member, offset, shadow) encoding,
#include <kvm-nested/vmcs_fields.h>
};

#define NR_FIELDS	ARRAY_SIZE(encodings)

/* Bits 14:13 are the width, and 1 the one of 64 bits; bit 0 is the high half. */
static bool has_high_half(unsigned int encoding)
{
	return encoding / 0x2000 == 1 && encoding % 2 == 0;
}

static void open_encoding(u8 *want, unsigned int encoding)
{
	want[encoding / 8] &= ~(1u << encoding % 8);
}

static void check_page(const u8 *page, const u8 *want)
{
	for (unsigned int at = 0; at < VMCS_BITMAP_SIZE; at++)
		FUZZ_EXPECT_EQ(page[at], want[at], "byte %#x", at);
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		FUZZ_EXPECT_EQ(vmcs_bitmap_traps((const u64 *)page, i),
			       want[encodings[i] / 8] >> encodings[i] % 8 & 1, "encoding %#x",
			       encodings[i]);
}

/* Some fields, or all but some, and the page that lets L1 at them. */
static void take_set(struct fuzz_input *input, unsigned long *set, u8 *want)
{
	u8 how = fuzz_u8(input);
	unsigned int nr = how % 32;

	memset(set, 0, VMCS12_SET_LONGS * sizeof(*set));
	memset(want, 0xff, VMCS_BITMAP_SIZE);
	for (unsigned int i = 0; i < NR_FIELDS && how & 64; i++)
		vmcs12_set_add(set, i);
	while (nr--) {
		unsigned int i = fuzz_u8(input) % NR_FIELDS;

		if (how & 64)
			vmcs12_set_remove(set, i);
		else
			vmcs12_set_add(set, i);
	}
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		if (vmcs12_set_has(set, i)) {
			open_encoding(want, encodings[i]);
			if (has_high_half(encodings[i]))
				open_encoding(want, encodings[i] + 1);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	u8 *page = aligned_alloc(64, VMCS_BITMAP_SIZE);
	static u8 want[VMCS_BITMAP_SIZE];
	u64 *words = malloc(VMCS_BITMAP_NR_WORDS * sizeof(u64));
	unsigned long set[VMCS12_SET_LONGS];

	FUZZ_EXPECT(page && words, "no memory");
	memset(page, fuzz_u8(&input), VMCS_BITMAP_SIZE);
	memset(words, fuzz_u8(&input), VMCS_BITMAP_NR_WORDS * sizeof(u64));
	memset(want, 0xff, sizeof(want));
	vmcs_bitmap_init((u64 *)page);
	check_page(page, want);

	/* Each replaces the one before. */
	while (input.size) {
		take_set(&input, set, want);
		vmcs_bitmap_build(words, set);
		vmcs_bitmap_load((u64 *)page, words);
		check_page(page, want);
	}
	free(words);
	free(page);
	return 0;
}
