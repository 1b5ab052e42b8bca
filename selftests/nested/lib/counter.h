/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module seen from user space: is it there, and what did it count.
 */
#ifndef SELFTEST_NESTED_COUNTER_H
#define SELFTEST_NESTED_COUNTER_H

#include "check.h"

#define KN_PARAMETERS	"/sys/module/kvm_nested/parameters/"

/* The first line of a file, without its newline; empty if there is none. */
void kn_read_line(const char *path, char *value, size_t size);

/* Does the module handle VMREAD and VMWRITE of the VMs to come? */
bool kn_engaged(void);

/* Does it also learn which fields to shadow, so that accesses cease to trap? */
bool kn_learning(void);

/* The value of counter @name of @vm; 0 if the module counted nothing under that name. */
uint64_t kn_counter(struct kvm_vm *vm, const char *name);

/* The sum of those counters of @vm that @wanted says yes to, in one pass through the file. */
uint64_t kn_sum_counters(struct kvm_vm *vm, bool (*wanted)(const char *name, const void *arg),
			 const void *arg);

/* Expects that counter @name of @vm is at least @min. */
void kn_expect_counter(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min);

/* The check that the module counted at least @_min under @_name; skipped without the module. */
#define KN_COUNTED(_vm, _name, _min)						\
	kn_counted(KN_SITE("the module counts " _name), _vm, _name, _min)

void kn_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min);

#endif
