// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stock KVM wants of the segment registers of an L2 that is no unrestricted
 * guest: some of the rules of SDM volume 3, "Checks on Guest Segment Registers",
 * which leaves the others to the processor.  A segment that is usable counts as
 * present.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>

#include "segments.h"

#define SELECTOR_RPL	GENMASK(1, 0)
#define SELECTOR_TI	BIT(2)

/* SDM volume 3, "Guest Register State": format of access rights. */
#define AR_TYPE		GENMASK(3, 0)
#define AR_CODE		BIT(3)
#define AR_CONFORMING	BIT(2)	/* of a code segment */
#define AR_ACCESSED	BIT(0)
#define AR_S		BIT(4)
#define AR_DPL		GENMASK(6, 5)
#define AR_UNUSABLE	BIT(16)

/* Types of system segments, and of a stack, whose other bit says that it expands down. */
#define TYPE_LDT	2
#define TYPE_TSS16	3
#define TYPE_TSS64	11
#define TYPE_STACK	3
#define TYPE_STACK_DOWN	7

static bool code_is_valid(u16 selector, u32 rights)
{
	unsigned int rpl = FIELD_GET(SELECTOR_RPL, selector);
	unsigned int dpl = FIELD_GET(AR_DPL, rights);

	if (rights & AR_UNUSABLE || !(rights & AR_S) || !(rights & AR_CODE) ||
	    !(rights & AR_ACCESSED))
		return false;
	return rights & AR_CONFORMING ? dpl <= rpl : dpl == rpl;
}

static bool stack_is_valid(u16 selector, u32 rights)
{
	unsigned int type = FIELD_GET(AR_TYPE, rights);

	if (rights & AR_UNUSABLE)
		return true;
	return (type == TYPE_STACK || type == TYPE_STACK_DOWN) && rights & AR_S &&
	       FIELD_GET(AR_DPL, rights) == FIELD_GET(SELECTOR_RPL, selector);
}

static bool data_is_valid(u16 selector, u32 rights)
{
	if (rights & AR_UNUSABLE)
		return true;
	if (!(rights & AR_S))
		return false;
	/* Conforming code may be read at any level. */
	return (rights & AR_CODE && rights & AR_CONFORMING) ||
	       FIELD_GET(AR_DPL, rights) >= FIELD_GET(SELECTOR_RPL, selector);
}

static bool task_is_valid(u16 selector, u32 rights)
{
	unsigned int type = FIELD_GET(AR_TYPE, rights);

	return !(rights & AR_UNUSABLE) && !(selector & SELECTOR_TI) &&
	       (type == TYPE_TSS16 || type == TYPE_TSS64);
}

static bool ldt_is_valid(u16 selector, u32 rights)
{
	return rights & AR_UNUSABLE ||
	       (!(selector & SELECTOR_TI) && FIELD_GET(AR_TYPE, rights) == TYPE_LDT);
}

bool segments_are_valid(const struct segments *segments)
{
	const u16 *selector = segments->selector;
	const u32 *rights = segments->access_rights;

	return FIELD_GET(SELECTOR_RPL, selector[SEGMENT_CS] ^ selector[SEGMENT_SS]) == 0 &&
	       code_is_valid(selector[SEGMENT_CS], rights[SEGMENT_CS]) &&
	       stack_is_valid(selector[SEGMENT_SS], rights[SEGMENT_SS]) &&
	       data_is_valid(selector[SEGMENT_DS], rights[SEGMENT_DS]) &&
	       data_is_valid(selector[SEGMENT_ES], rights[SEGMENT_ES]) &&
	       data_is_valid(selector[SEGMENT_FS], rights[SEGMENT_FS]) &&
	       data_is_valid(selector[SEGMENT_GS], rights[SEGMENT_GS]) &&
	       task_is_valid(selector[SEGMENT_TR], rights[SEGMENT_TR]) &&
	       ldt_is_valid(selector[SEGMENT_LDTR], rights[SEGMENT_LDTR]);
}
