// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's parameters and counters.
 */
#include <limits.h>

#include "counter.h"

#define PARAMETERS	"/sys/module/kvm_nested/parameters/"
#define COUNTERS	"/sys/kernel/debug/kvm_nested/"

static bool parameter_is_set(const char *path)
{
	char value = 'N';
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = 'N';
	close(fd);
	return value == 'Y';
}

bool kn_engaged(void)
{
	return parameter_is_set(PARAMETERS "enable") && parameter_is_set(PARAMETERS "vmaccess");
}

bool kn_learning(void)
{
	return kn_engaged() && parameter_is_set(PARAMETERS "shadow");
}

uint64_t kn_counter(struct kvm_vm *vm, const char *name)
{
	char path[PATH_MAX], line[128], key[100];
	uint64_t value, found = 0;
	FILE *file;

	snprintf(path, sizeof(path), COUNTERS "%d-%d/counters", getpid(), vm->fd);
	file = fopen(path, "r");
	if (!file)
		return 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%99s %lu", key, &value) == 2 && !strcmp(key, name))
			found = value;
	fclose(file);
	return found;
}

void kn_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	uint64_t counted;

	if (!kn_engaged()) {
		kn_skip(check, "the module is not loaded");
		return;
	}

	if (kn_learning() && (strstr(name, "VMREAD") || strstr(name, "VMWRITE") ||
			      strstr(name, "vmread") || strstr(name, "vmwrite"))) {
		kn_skip(check, "with shadow=1, few accesses trap");
		return;
	}

	counted = kn_counter(vm, name);
	if (counted >= min)
		counted = min;
	kn_expect_at(check, name, counted, min, 0);
}
