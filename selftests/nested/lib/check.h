/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named checks that L2, L1 and user space share.
 *
 * A check is a static object of the test program, so L1 and L2 record into the guest's copy of the
 * program, and user space merges that copy into its own. The plan is the number of checks in the
 * program: one that was never reached is reported as a failure.
 */
#ifndef SELFTEST_NESTED_CHECK_H
#define SELFTEST_NESTED_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "test_util.h"
#include "kvm_util.h"

enum kn_check_state {
	KN_UNREACHED,
	KN_PASSED,
	KN_SKIPPED,
	KN_FAILED,
};

struct kn_check {
	const char *name;
	uint32_t state;		/* enum kn_check_state, the highest one seen */
	const char *what;	/* the expression that failed first, or why it was skipped */
	uint64_t got;
	uint64_t want;
	uint64_t at;		/* which turn of a loop failed first */
};

/* Checks defined at one place of one file, in a linker section of their own. */
struct kn_group {
	struct kn_check *checks;
	uint32_t nr;
	uint32_t line;
} __attribute__((aligned(16)));

/* For a table the names may be filled in by user space, before kn_report(). */
#define KN_GROUP(_checks, _nr)		__KN_GROUP(_checks, _nr, __LINE__)
#define __KN_GROUP(_checks, _nr, _line)	___KN_GROUP(_checks, _nr, _line)
#define ___KN_GROUP(_checks, _nr, _line)					\
	static const struct kn_group __kn_group_##_line				\
		__attribute__((used, section("kn_groups"))) = {			\
		.checks = (_checks), .nr = (_nr), .line = (_line),		\
	}

/* The check called @_name; it passes if every expectation on it holds. */
#define KN_SITE(_name)								\
({										\
	static struct kn_check __site = { .name = (_name) };			\
	KN_GROUP(&__site, 1);							\
										\
	&__site;								\
})

void kn_expect_at(struct kn_check *check, const char *what, uint64_t got, uint64_t want,
		  uint64_t at);
void kn_skip(struct kn_check *check, const char *why);

#define kn_expect(_check, _got, _want)						\
	kn_expect_at(_check, #_got, (uint64_t)(_got), (uint64_t)(_want), 0)

#define KN_CHECK_EQ(_name, _got, _want)	kn_expect(KN_SITE(_name), _got, _want)
#define KN_CHECK(_name, _cond)		kn_expect(KN_SITE(_name), !!(_cond), true)

/* User space only. */
void kn_begin(void);
void kn_collect(struct kvm_vm *vm);
void kn_report(void);
/* Collects from @vm, frees it and reports. */
void kn_finish(struct kvm_vm *vm);

#endif
