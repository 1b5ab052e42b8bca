// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMREAD and VMWRITE bitmaps: build and query.
 *
 * Type and width of a field are bits 11:10 and 14:13 of its encoding, bit 12 is
 * reserved, and no field has an index so high that the bits below reached 64: one
 * word for each width and type has the bits of all fields.
 */
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "bitmap.h"

#define WORD_OF(encoding)	(((encoding) >> 13) * 4 + (((encoding) >> 10) & 3))

#define VMCS_FIELD(name, encoding, member, offset, shadow)			\
	static_assert((encoding) % VMCS_BITMAP_TYPE_BITS < 64 &&		\
		      WORD_OF(encoding) < VMCS_BITMAP_NR_WORDS &&		\
		      VMCS_BITMAP_PLACE(WORD_OF(encoding)) == (encoding) / 64);
#include <kvm-nested/vmcs_fields.h>

/* Everything traps. */
void vmcs_bitmap_init(u64 *bitmap)
{
	memset(bitmap, 0xff, VMCS_BITMAP_SIZE);
}

/* The words of a bitmap that opens @fields.  A 64-bit field goes with its high half. */
void vmcs_bitmap_build(u64 *words, const unsigned long *fields)
{
	enum vmcs12_field field;

	memset(words, 0xff, VMCS_BITMAP_NR_WORDS * sizeof(*words));
	vmcs12_for_each_field(field, fields) {
		const struct vmcs12_field_info *info = &vmcs12_fields[field];
		u64 bits = info->has_high ? 3 : 1;

		words[WORD_OF(info->encoding)] &= ~(bits << info->encoding % 64);
	}
}

void vmcs_bitmap_load(u64 *bitmap, const u64 *words)
{
	unsigned int i;

#pragma GCC unroll 16
	for (i = 0; i < VMCS_BITMAP_NR_WORDS; i++)
		bitmap[VMCS_BITMAP_PLACE(i)] = words[i];
}

/* Whether an access to @field leads to a VM exit. */
bool vmcs_bitmap_traps(const u64 *bitmap, enum vmcs12_field field)
{
	u16 encoding = vmcs12_fields[field].encoding;

	return bitmap[encoding / 64] >> encoding % 64 & 1;
}
