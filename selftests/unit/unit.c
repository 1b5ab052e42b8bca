// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run every unit test that is linked, report in TAP.
 */
#include <stdarg.h>
#include <stdio.h>

#include "unit.h"

/* What one broken rule has to say is said after a few cases. */
#define MAX_MESSAGES 5

static struct unit_test *tests;
static struct unit_test **tests_end = &tests;
static unsigned long failures;	/* of the running test */

void unit_register(struct unit_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void unit_expect_eq(const char *file, int line, const char *what, u64 got, u64 want,
		    const char *about, ...)
{
	va_list args;

	if (got == want || ++failures > MAX_MESSAGES)
		return;

	printf("# %s:%d: %s is %#llx, not %#llx: ", file, line, what, got, want);
	va_start(args, about);
	vprintf(about, args);
	va_end(args);
	putchar('\n');
}

/* Steele, Lea and Flood's SplitMix64. */
u64 unit_random(void)
{
	static u64 state;
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int main(void)
{
	unsigned int number = 0, failed = 0;

	/* What was printed before a sanitizer ends the program must not be lost. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13");

	for (struct unit_test *test = tests; test; test = test->next) {
		failures = 0;
		test->run();
		if (failures) {
			printf("# %lu failures\n", failures);
			failed++;
		}
		printf("%s %u %s\n", failures ? "not ok" : "ok", ++number, test->name);
	}

	printf("1..%u\n", number);
	printf("%u passed, %u failed\n", number - failed, failed);
	return failed != 0;
}
