// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named checks: recording them in the guest, merging and printing them in user space.
 */
#define _GNU_SOURCE /* on_exit() */
#include <stdlib.h>

#include "check.h"

#define ASSERT_EXIT_STATUS	254	/* what a failed TEST_ASSERT() exits with */

extern const struct kn_group __start_kn_groups[], __stop_kn_groups[];

/* Guest code too: must not call into libc. Two vCPUs may raise the state of one check at once. */
void kn_expect_at(struct kn_check *check, const char *what, uint64_t got, uint64_t want,
		  uint64_t at)
{
	if (got == want) {
		if (check->state == KN_UNREACHED)
			check->state = KN_PASSED;
		return;
	}

	if (check->state == KN_FAILED)
		return;

	check->what = what;
	check->got = got;
	check->want = want;
	check->at = at;
	check->state = KN_FAILED;
}

void kn_skip(struct kn_check *check, const char *why)
{
	if (check->state >= KN_SKIPPED)
		return;

	check->what = why;
	check->state = KN_SKIPPED;
}

/* A failed TEST_ASSERT() ends the program: say so in TAP and use the exit code of a failure. */
static void bail_out(int status, void *arg)
{
	if (status != ASSERT_EXIT_STATUS)
		return;

	printf("Bail out! test assertion failed, see stderr\n");
	fflush(stdout);
	_exit(KSFT_FAIL);
}

void kn_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	on_exit(bail_out, NULL);
	ksft_print_header();
}

/* Merges what @vm's guest recorded. Before the VM is freed. */
void kn_collect(struct kvm_vm *vm)
{
	const struct kn_group *group;

	for (group = __start_kn_groups; group < __stop_kn_groups; group++) {
		const struct kn_check *seen = addr_gva2hva(vm, (vm_vaddr_t)group->checks);

		for (uint32_t i = 0; i < group->nr; i++) {
			struct kn_check *check = &group->checks[i];
			const char *name = check->name;

			if (seen[i].state <= check->state)
				continue;
			*check = seen[i];
			check->name = name;
		}
	}
}

static void report(const struct kn_check *check, uint32_t line)
{
	switch (check->state) {
	case KN_PASSED:
		ksft_test_result_pass("%s\n", check->name);
		break;
	case KN_SKIPPED:
		ksft_test_result_skip("%s: %s\n", check->name, check->what);
		break;
	case KN_UNREACHED:
		ksft_test_result_fail("%s\n", check->name);
		ksft_print_msg("line %u: never reached\n", line);
		break;
	default:
		ksft_test_result_fail("%s\n", check->name);
		ksft_print_msg("line %u: %s: got %#lx, want %#lx (at %#lx)\n", line, check->what,
			       check->got, check->want, check->at);
	}
}

static int compare_groups(const void *a, const void *b)
{
	const struct kn_group *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* Prints the plan and every check, in the order of the source, and exits. */
void kn_report(void)
{
	size_t nr = __stop_kn_groups - __start_kn_groups;
	struct kn_group groups[nr];
	unsigned int plan = 0;

	memcpy(groups, __start_kn_groups, sizeof(groups));
	qsort(groups, nr, sizeof(*groups), compare_groups);

	for (size_t i = 0; i < nr; i++)
		plan += groups[i].nr;
	ksft_set_plan(plan);

	for (size_t i = 0; i < nr; i++)
		for (uint32_t j = 0; j < groups[i].nr; j++)
			report(&groups[i].checks[j], groups[i].line);

	ksft_finished();
}

void kn_finish(struct kvm_vm *vm)
{
	kn_collect(vm);
	kvm_vm_free(vm);
	kn_report();
}
