// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named checks: recording them in the guest, merging and printing them in user space.
 */
#define _GNU_SOURCE /* on_exit() */
#include <stdlib.h>

#include "check.h"
#include "processor.h"

#define ASSERT_EXIT_STATUS	254	/* what a failed TEST_ASSERT() exits with */

extern const struct kn_group __start_kn_groups[], __stop_kn_groups[];

static struct kn_check guest_ends = { .name = "the guest code runs to its end" };
KN_GROUP(&guest_ends, 1);

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

static void guest_died(struct kvm_vcpu *vcpu, const char *why, uint64_t got)
{
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	ksft_print_msg("vCPU %u stopped: %s %#lx, exit reason %s, RIP %#llx\n", vcpu->id, why, got,
		       exit_reason_str(vcpu->run->exit_reason), regs.rip);
	kn_expect_at(&guest_ends, why, got, 0, 0);
}

/* Runs @vcpu to its next GUEST_SYNC() and returns that stage; 0 if the guest is done or dead. */
uint64_t kn_run(struct kvm_vcpu *vcpu)
{
	struct ucall uc;
	int ret;

	/* Not vcpu_run(): that one ends the program at an exception. */
	do {
		ret = __vcpu_run(vcpu);
	} while (ret && errno == EINTR);
	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_RUN, ret));

	if (vcpu->run->exit_reason != KVM_EXIT_IO) {
		guest_died(vcpu, "exit", vcpu->run->exit_reason);
		return 0;
	}

	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return uc.args[1];
	case UCALL_DONE:
		kn_expect(&guest_ends, 0, 0);
		return 0;
	case UCALL_ABORT:
		ksft_print_msg("%s at %s:%lu\n", (const char *)uc.args[GUEST_ERROR_STRING],
			       (const char *)uc.args[GUEST_FILE], uc.args[GUEST_LINE]);
		guest_died(vcpu, "assertion in line", uc.args[GUEST_LINE]);
		return 0;
	case UCALL_UNHANDLED:
		ksft_print_msg("unexpected exception %lu at %#lx\n", uc.args[0], uc.args[1]);
		guest_died(vcpu, "exception at", uc.args[1]);
		return 0;
	default:
		guest_died(vcpu, "I/O at port", vcpu->run->io.port);
		return 0;
	}
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

/* In the order of the source, the check of this file last. */
static int compare_groups(const void *a, const void *b)
{
	const struct kn_group *x = a, *y = b;

	if ((x->checks == &guest_ends) != (y->checks == &guest_ends))
		return x->checks == &guest_ends ? 1 : -1;
	return (int)x->line - (int)y->line;
}

/* Prints the plan and every check, and exits. */
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
