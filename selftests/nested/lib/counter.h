/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module seen from user space: is it there, and what did it count.
 */
#ifndef SELFTEST_NESTED_COUNTER_H
#define SELFTEST_NESTED_COUNTER_H

#include "check.h"

/* Does the module handle VMREAD and VMWRITE of the VMs to come? */
bool kn_engaged(void);

/* Does it also learn which fields to shadow, so that accesses cease to trap? */
bool kn_learning(void);

/* The value of counter @name of @vm; 0 if the module counted nothing under that name. */
uint64_t kn_counter(struct kvm_vm *vm, const char *name);

/* The check that the module counted at least @_min under @_name; skipped without the module. */
#define KN_COUNTED(_vm, _name, _min)						\
	kn_counted(KN_SITE("the module counts " _name), _vm, _name, _min)

void kn_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min);

#endif
