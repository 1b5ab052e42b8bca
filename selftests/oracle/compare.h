/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Logs of runs.
 */
#ifndef SELFTEST_ORACLE_COMPARE_H
#define SELFTEST_ORACLE_COMPARE_H

#include <stddef.h>

#include "program.h"

#define NO_DIFFERENCE	((size_t)-1)

/* One run of a seed's program; in a file the items follow. */
struct run {
	uint64_t seed;
	uint64_t ending;
	uint64_t nr;
	struct item *items;
};

size_t first_difference(const struct run *one, const struct run *other);
void print_item(const char *who, const struct item *item);
void print_difference(const struct run *one, const struct run *other, size_t at);

#endif
