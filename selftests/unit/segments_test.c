// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify which segment registers of an L2 are valid: each in all its forms, beside valid ones.
 */
#include <linux/kernel.h>

#include "segments.h"
#include "unit.h"

/* The VMCS's order, on purpose not that of segments.h. */
enum { ES, CS, SS, DS, FS, GS, LDTR, TR, NR };

/* One form of a segment register. */
struct form {
	unsigned int type, s, dpl, unusable, rpl, ti;
};

/* Neither index nor P, AVL, L, D/B, G, nor the bits above matter. */
static u16 selector_of(const struct form *form)
{
	return form->rpl | form->ti << 2 | (unit_random() & 0xfff8);
}

static u32 rights_of(const struct form *form)
{
	u32 others = unit_random() & 0xfffeff80;

	return form->type | form->s << 4 | form->dpl << 5 | form->unusable << 16 | others;
}

static bool is_code(unsigned int type)
{
	return type >= 8;
}

static bool is_conforming(unsigned int type)
{
	return type >= 12;
}

/* SDM volume 3, "Checks on Guest Segment Registers", as far as stock KVM makes them. */
static bool wanted(unsigned int reg, const struct form *form)
{
	switch (reg) {
	case CS:
		if (form->unusable || !form->s || !is_code(form->type) || form->type % 2 == 0)
			return false;
		return is_conforming(form->type) ? form->dpl <= form->rpl : form->dpl == form->rpl;
	case SS:
		return form->unusable ||
		       (form->s && (form->type == 3 || form->type == 7) && form->dpl == form->rpl);
	case TR:
		return !form->unusable && !form->ti && (form->type == 3 || form->type == 11);
	case LDTR:
		return form->unusable || (!form->ti && form->type == 2);
	default:
		return form->unusable ||
		       (form->s && (is_conforming(form->type) || form->dpl >= form->rpl));
	}
}

static void set_form(struct segments *segments, unsigned int reg, const struct form *form)
{
	segments->selector[reg] = selector_of(form);
	segments->access_rights[reg] = rights_of(form);
}

/* Valid ones for code at privilege level @rpl. */
static void set_valid(struct segments *segments, unsigned int rpl)
{
	const struct form code = { .type = 11, .s = 1, .dpl = rpl, .rpl = rpl };
	const struct form stack = { .type = 3, .s = 1, .dpl = rpl, .rpl = rpl };
	const struct form data = { .type = 3, .s = 1, .dpl = 3, .rpl = rpl };
	const struct form task = { .type = 11, .rpl = rpl };
	const struct form ldt = { .type = 2, .rpl = rpl };

	for (unsigned int reg = 0; reg < NR; reg++)
		set_form(segments, reg, reg == CS ? &code : reg == SS ? &stack :
					reg == TR ? &task : reg == LDTR ? &ldt : &data);
}

static void check_form(unsigned int reg, const struct form *form)
{
	struct segments segments;

	set_valid(&segments, form->rpl);
	EXPECT_EQ(segments_are_valid(&segments), true, "beside register %u", reg);
	set_form(&segments, reg, form);
	EXPECT_EQ(segments_are_valid(&segments), wanted(reg, form),
		  "register %u: type %u, S %u, DPL %u, unusable %u, RPL %u, TI %u", reg,
		  form->type, form->s, form->dpl, form->unusable, form->rpl, form->ti);
}

TEST(segments_forms, "each segment register is valid in the forms that it should be")
{
	for (unsigned int i = 0; i < 16 * 2 * 4 * 2 * 4 * 2; i++) {
		const struct form form = {
			.type = i % 16,
			.s = i / 16 % 2,
			.dpl = i / 32 % 4,
			.unusable = i / 128 % 2,
			.rpl = i / 256 % 4,
			.ti = i / 1024,
		};

		for (unsigned int reg = 0; reg < NR; reg++)
			check_form(reg, &form);
	}
}

TEST(segments_rpl, "CS and SS have the same RPL")
{
	struct segments segments;

	for (unsigned int i = 0; i < 16; i++) {
		const struct form stack = { .unusable = 1, .rpl = i / 4 };

		set_valid(&segments, i % 4);
		set_form(&segments, SS, &stack);
		EXPECT_EQ(segments_are_valid(&segments), i % 4 == i / 4, "%u and %u", i % 4, i / 4);
	}
}
