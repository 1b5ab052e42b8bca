/* SPDX-License-Identifier: GPL-2.0-only */
/* Switching to an L2 and back, from L1. */
#ifndef KNBENCH_L2_H
#define KNBENCH_L2_H

#include "vmx.h"

enum l2_gpr { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, NR_GPRS };

struct l2 {
	uint64_t l1_rsp;	/* first, and so what HOST_RSP points at */
	uint64_t gprs[NR_GPRS];
	bool launched;
};

/* Make the VMCS of @vmx current and ready for l2_enter(); L1 must be in VMX operation. */
void l2_init(struct l2 *l2, struct vmx_pages *vmx, void *rip, void *stack_top);

/* Let L2 use the shadow VMCS of @vmx, whose bitmaps are all zeroes: each field of it. */
void l2_give_shadow_vmcs(struct vmx_pages *vmx);

/* Run @l2 until its next exit.  HOST_RSP and HOST_RIP are as l2_init() left them. */
void l2_enter(struct l2 *l2);

/* Let L2 go on behind the instruction that it exited at. */
static inline void l2_skip_instruction(void)
{
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
}

#endif /* KNBENCH_L2_H */
