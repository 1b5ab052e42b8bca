/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fields that an L1 writes at each turn of its L2, with values of that turn: the module learns
 * them, and both L1 and L2 can tell whether one is lost.
 */
#ifndef SELFTEST_NESTED_LEARNT_H
#define SELFTEST_NESTED_LEARNT_H

#include "l2.h"

/* Those without an effect on L2 first, the last KN_LEARNT_IN_L2 as L2 has them. */
#define KN_LEARNT_NR	13
#define KN_LEARNT_IN_L2	4
extern const uint32_t kn_learnt_fields[KN_LEARNT_NR];

/* L1: VMWRITE all of them; the controls must not let L2's MSR accesses exit. */
void kn_learnt_setup(struct vmx_pages *vmx, void *l2_guest_code, void *l2_stack);
void kn_learnt_write(uint64_t turn);

/* L1: they are as kn_learnt_write() left them. */
void kn_learnt_expect(struct kn_check *check, uint64_t turn);

/* L2: its state is what they say. */
void kn_learnt_expect_in_l2(struct kn_check *check, uint64_t turn);

#endif
