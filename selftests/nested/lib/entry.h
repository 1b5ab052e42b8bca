/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM entries that have to fail: what to do to a field, and how the failure looks.
 */
#ifndef SELFTEST_NESTED_ENTRY_H
#define SELFTEST_NESTED_ENTRY_H

#include "l2.h"

#define NONCANONICAL	0x800000000000ull

enum kn_how {
	NOTHING,
	SET,
	ADD,
	CLEAR,
};

enum kn_want {
	CONTROL,	/* VMfailValid, error 7 */
	HOST,		/* VMfailValid, error 8 */
	STATE,		/* exit 33, qualification 0 */
	LINK,		/* exit 33, qualification 4 */
	MSR,		/* exit 34, the qualification counts from 1 */
};

/* What @how and @value make of a field that is @old. */
static inline uint64_t kn_changed(enum kn_how how, uint64_t old, uint64_t value)
{
	return how == SET ? value : how == ADD ? old | value : old & ~value;
}

/* Enters L2 as kn_l2_enter() does, and expects that it fails. */
void kn_expect_entry_fails(struct kn_check *check, enum kn_want want, struct gpr64_regs *gprs,
			   bool launch, uint64_t at);

#endif
