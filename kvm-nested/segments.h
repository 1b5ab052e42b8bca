/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segment registers of an L2 in protected mode.
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_SEGMENTS_H
#define _KVM_NESTED_SEGMENTS_H

#include <linux/types.h>

/* Numbered as the VMCS's fields. */
enum segment {
	SEGMENT_ES,
	SEGMENT_CS,
	SEGMENT_SS,
	SEGMENT_DS,
	SEGMENT_FS,
	SEGMENT_GS,
	SEGMENT_LDTR,
	SEGMENT_TR,
	NR_SEGMENTS,
};

/* As the VMCS's guest-state area has them. */
struct segments {
	u16 selector[NR_SEGMENTS];
	u32 access_rights[NR_SEGMENTS];
};

bool segments_are_valid(const struct segments *segments);

#endif /* _KVM_NESTED_SEGMENTS_H */
