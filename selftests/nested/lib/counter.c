// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's parameters and counters.
 */
#include <limits.h>

#include "counter.h"

#define COUNTERS	"/sys/kernel/debug/kvm_nested/"

void kn_read_line(const char *path, char *value, size_t size)
{
	FILE *file = fopen(path, "r");

	value[0] = '\0';
	if (!file)
		return;
	if (!fgets(value, size, file))
		value[0] = '\0';
	value[strcspn(value, "\n")] = '\0';
	fclose(file);
}

static bool parameter_is_set(const char *path)
{
	char value[2];

	kn_read_line(path, value, sizeof(value));
	return value[0] == 'Y';
}

bool kn_engaged(void)
{
	return parameter_is_set(KN_PARAMETERS "enable") &&
	       parameter_is_set(KN_PARAMETERS "vmaccess");
}

bool kn_learning(void)
{
	return kn_engaged() && parameter_is_set(KN_PARAMETERS "shadow");
}

uint64_t kn_sum_counters(struct kvm_vm *vm, bool (*wanted)(const char *name, const void *arg),
			 const void *arg)
{
	char path[PATH_MAX], line[128], name[100];
	uint64_t value, sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), COUNTERS "%d-%d/counters", getpid(), vm->fd);
	file = fopen(path, "r");
	if (!file)
		return 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%99s %lu", name, &value) == 2 && wanted(name, arg))
			sum += value;
	fclose(file);
	return sum;
}

static bool is_name(const char *name, const void *arg)
{
	return !strcmp(name, arg);
}

uint64_t kn_counter(struct kvm_vm *vm, const char *name)
{
	return kn_sum_counters(vm, is_name, name);
}

void kn_expect_counter(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	uint64_t counted = kn_counter(vm, name);

	kn_expect_at(check, name, counted < min ? counted : min, min, 0);
}

void kn_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	if (!kn_engaged()) {
		kn_skip(check, "the module is not loaded");
		return;
	}

	if (kn_learning() && (strstr(name, "VMREAD") || strstr(name, "VMWRITE") ||
			      strstr(name, "vmread") || strstr(name, "vmwrite"))) {
		kn_skip(check, "with shadow=1, few accesses trap");
		return;
	}

	kn_expect_counter(check, vm, name, min);
}
