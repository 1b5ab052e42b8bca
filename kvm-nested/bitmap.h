/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMREAD and VMWRITE bitmaps: a page with a bit for each encoding up to 15 bits.
 * Set, the access exits; clear, it goes to the shadow VMCS.  (SDM volume 3,
 * "VMCS Shadowing Bitmap Addresses".)
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_BITMAP_H
#define _KVM_NESTED_BITMAP_H

#include <linux/types.h>

#include "vmcs12.h"

#define VMCS_BITMAP_SIZE	4096

/* The words of a bitmap that have bits of fields, one for each width and type. */
#define VMCS_BITMAP_NR_WORDS	16

#define VMCS_BITMAP_TYPE_BITS	1024	/* of the encodings that have a type in common */

/* Where in a bitmap word number @word of these is, counted in words. */
#define VMCS_BITMAP_PLACE(word)	(((word) / 4 * 8 + (word) % 4) * (VMCS_BITMAP_TYPE_BITS / 64))

void vmcs_bitmap_init(u64 *bitmap);
void vmcs_bitmap_build(u64 *words, const unsigned long *fields);
void vmcs_bitmap_load(u64 *bitmap, const u64 *words);
bool vmcs_bitmap_traps(const u64 *bitmap, enum vmcs12_field field);

#endif /* _KVM_NESTED_BITMAP_H */
