/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's learning seen from user space: its parameters, and whether accesses trap.
 */
#ifndef SELFTEST_NESTED_SHADOW_H
#define SELFTEST_NESTED_SHADOW_H

#include "counter.h"

/* Does the module choose what the hardware shadow VMCSs of the VMs to come contain? */
bool kn_shadowing(void);

/*
 * Sets parameter @name of the module until the program ends, and returns 0 or the error number.
 * Without the module it does nothing. For one thread at a time.
 */
int kn_parameter_set(const char *name, const char *value);

/* The same for how the module learns: shadow_learn, shadow_fields and shadow_review. */
void kn_set_learning(const char *learn, const char *fields, const char *review);

/* The value of parameter @name, without its newline; empty without the module. */
void kn_parameter_get(const char *name, char *value, size_t size);

/* How often VMREAD and VMWRITE of @nr @fields, by encoding, have trapped in @vm. */
uint64_t kn_traps(struct kvm_vm *vm, const uint32_t *fields, unsigned int nr);

/* Expects that counter @name of @vm is at least @min; skipped where the module doesn't shadow. */
#define KN_SHADOW_COUNTED(_vm, _name, _min)					\
	kn_shadow_counted(KN_SITE("the module counts " _name), _vm, _name, _min)

void kn_shadow_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min);

/* Expects @_cond about the module's counters; skipped where it doesn't shadow. */
#define KN_SHADOW_CHECK_EQ(_name, _got, _want)					\
do {										\
	struct kn_check *__check = KN_SITE(_name);				\
										\
	if (kn_shadowing())							\
		kn_expect(__check, _got, _want);				\
	else									\
		kn_skip(__check, "the module shadows nothing");			\
} while (0)

#endif
