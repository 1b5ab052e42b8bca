/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a program: user space's side.
 */
#ifndef SELFTEST_ORACLE_HOST_H
#define SELFTEST_ORACLE_HOST_H

#include <stdbool.h>

#include "arena.h"

#define IMAGE	0x400000	/* where the linker puts the program, and the guest sees it */

/* arena.c */
void arena_create(void);
void arena_reset(void);

/* host.c: how a run ended. */
enum ending {
	CAME_TO_END,
	TIMED_OUT,
};

void host_init(void);
/* Runs what is in the arena; the log is complete then. */
enum ending host_run(void);

/* parameters.c: the module's, as @seed wants them, if it is there. */
void parameters_set(uint64_t seed);
void parameters_toggle(const char *name);
/* Switches the module off, so that stock KVM does everything, or on. */
void parameters_enable(bool on);

#endif
