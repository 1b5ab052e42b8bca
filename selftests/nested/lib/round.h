/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An endless round through an L2, whose every step checks itself: for tests that let something
 * happen at the same time.
 */
#ifndef SELFTEST_NESTED_ROUND_H
#define SELFTEST_NESTED_ROUND_H

#include "l2.h"

/* One vCPU's rounds; lies in guest memory. */
struct kn_rounds {
	struct vmx_pages *vmx;
	uint64_t limit;			/* how many rounds */
	volatile uint64_t stop;		/* user space: end now */
	volatile uint64_t done;		/* L1: rounds so far */
	uint64_t value;			/* L1's, to be seen by L2 */
	bool shadows;			/* the other VMCS is L2's shadow VMCS */
	uint64_t other[2];		/* what is in it */
	uint64_t stack[KN_L2_STACK_SIZE];
};

/* Adds what a vCPU of @vm needs for its rounds. */
struct kn_rounds *kn_rounds_alloc(struct kvm_vm *vm, struct kvm_vcpu *vcpu, uint64_t limit);

/* The L1 of such a vCPU. */
void kn_rounds_guest_code(struct kn_rounds *rounds);

#endif
