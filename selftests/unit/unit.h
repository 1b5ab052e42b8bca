/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Harness of the unit tests: TEST() defines one, and unit.c runs all that are linked.
 */
#ifndef _UNIT_H
#define _UNIT_H

#include <linux/types.h>

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

/* A test passes if every expectation in it holds.  @what says what is tested. */
#define TEST(function, what)						\
static void function(void);						\
static struct unit_test function##_test = {				\
	.name = what,							\
	.run = function,						\
};									\
__attribute__((constructor)) static void function##_register(void)	\
{									\
	unit_register(&function##_test);				\
}									\
static void function(void)

void unit_register(struct unit_test *test);

/* Compare as 64-bit integers.  @about, in the manner of printf, tells the case. */
#define EXPECT_EQ(got, want, about, ...)				\
	unit_expect_eq(__FILE__, __LINE__, #got, (u64)(got), (u64)(want), about, ##__VA_ARGS__)

#define EXPECT(condition, about, ...)	EXPECT_EQ(!!(condition), true, about, ##__VA_ARGS__)

__attribute__((format(printf, 6, 7)))
void unit_expect_eq(const char *file, int line, const char *what, u64 got, u64 want,
		    const char *about, ...);

/* The same numbers in every run. */
u64 unit_random(void);

#endif /* _UNIT_H */
