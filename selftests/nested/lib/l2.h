/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running an L2 whose general-purpose registers survive its exits.
 */
#ifndef SELFTEST_NESTED_L2_H
#define SELFTEST_NESTED_L2_H

#include "l1.h"

#define KN_L2_STACK_SIZE	512

/*
 * Enters L2 with @gprs (RSP is the VMCS's) by VMLAUNCH or VMRESUME and returns when it exits, with
 * its registers in @gprs. VM_SUCCEED is a VM exit, also that of a VM entry that failed.
 */
uint64_t kn_l2_enter(struct gpr64_regs *gprs, bool launch);

static inline uint64_t kn_l2_launch(struct gpr64_regs *gprs)
{
	return kn_l2_enter(gprs, true);
}

static inline uint64_t kn_l2_resume(struct gpr64_regs *gprs)
{
	return kn_l2_enter(gprs, false);
}

/* Resumes L2 behind the instruction that it exited by. */
static inline uint64_t kn_l2_skip_and_resume(struct gpr64_regs *gprs)
{
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
	return kn_l2_resume(gprs);
}

/* Enters L2, expects that it exits by VMCALL, and leaves it behind that; @at says which time. */
static inline void kn_l2_expect_vmcall(struct kn_check *check, struct gpr64_regs *gprs, bool launch,
				       uint64_t at)
{
	kn_expect_at(check, "outcome", kn_l2_enter(gprs, launch), VM_SUCCEED, at);
	kn_expect_at(check, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL, at);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
}

/* Expects the VM exit that @_enter is to lead to. */
#define kn_expect_exit(_check, _enter, _reason, _length)			\
do {										\
	struct kn_check *__check = (_check);					\
										\
	kn_expect(__check, _enter, VM_SUCCEED);					\
	kn_expect(__check, vmreadz(VM_EXIT_REASON), _reason);			\
	kn_expect(__check, vmreadz(VM_EXIT_INSTRUCTION_LEN), _length);		\
} while (0)

/* A register operand of a VMX instruction leaves the qualification undefined: hence this one. */
#define KN_CHECK_VMX_EXIT(_name, _enter, _reason, _length)			\
	kn_expect_exit(KN_SITE(_name), _enter, _reason, _length)

#define KN_CHECK_EXIT(_name, _enter, _reason, _qualification, _length)		\
do {										\
	struct kn_check *__site = KN_SITE(_name);				\
										\
	kn_expect_exit(__site, _enter, _reason, _length);			\
	kn_expect(__site, vmreadz(EXIT_QUALIFICATION), _qualification);		\
} while (0)

#endif
