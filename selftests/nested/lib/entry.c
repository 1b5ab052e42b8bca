// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM entries that have to fail.
 */
#include "entry.h"

void kn_expect_entry_fails(struct kn_check *check, enum kn_want want, struct gpr64_regs *gprs,
			   bool launch, uint64_t at)
{
	uint64_t outcome = kn_l2_enter(gprs, launch);
	uint32_t reason = want == MSR ? EXIT_REASON_MSR_LOAD_FAIL : EXIT_REASON_INVALID_STATE;

	if (want == CONTROL || want == HOST) {
		kn_expect_at(check, "outcome", outcome, VM_FAIL_VALID, at);
		kn_expect_at(check, "error", vmreadz(VM_INSTRUCTION_ERROR),
			     want == HOST ? ERR_ENTRY_HOST_STATE : ERR_ENTRY_CONTROL, at);
		return;
	}

	kn_expect_at(check, "outcome", outcome, VM_SUCCEED, at);
	kn_expect_at(check, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_FAILED_VMENTRY | reason,
		     at);
	kn_expect_at(check, "qualification", vmreadz(EXIT_QUALIFICATION),
		     want == MSR ? 1 : want == LINK ? 4 : 0, at);
}
