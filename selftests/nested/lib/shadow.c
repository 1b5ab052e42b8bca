// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's learning: parameters that are put back at the end, and trapped accesses.
 */
#include <limits.h>

#include "field.h"
#include "shadow.h"

#define PARAMETERS	"/sys/module/kvm_nested/parameters/"
#define SHADOW_VMCS	"/sys/module/kvm_intel/parameters/enable_shadow_vmcs"
#define COUNTERS	"/sys/kernel/debug/kvm_nested/"

#define MAX_VALUE	4096
#define MAX_CHANGED	8

/* What a parameter was when the program first changed it. */
static struct changed {
	char name[32];
	char value[MAX_VALUE];
} changed[MAX_CHANGED];
static unsigned int nr_changed;

static void read_line(const char *path, char *value, size_t size)
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

void kn_parameter_get(const char *name, char *value, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	read_line(path, value, size);
}

/* With a newline: an empty value without one would not be written at all. */
static int write_parameter(const char *name, const char *value)
{
	char path[PATH_MAX], line[MAX_VALUE + 1];
	int fd, length, r = 0;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	length = snprintf(line, sizeof(line), "%s\n", value);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return errno;
	if (write(fd, line, length) != length)
		r = errno;
	close(fd);
	return r;
}

static void restore_parameters(void)
{
	while (nr_changed) {
		struct changed *last = &changed[--nr_changed];

		if (write_parameter(last->name, last->value))
			ksft_print_msg("parameter %s could not be put back\n", last->name);
	}
}

static void remember(const char *name)
{
	struct changed *new = &changed[nr_changed];

	for (unsigned int i = 0; i < nr_changed; i++)
		if (!strcmp(changed[i].name, name))
			return;

	TEST_ASSERT(nr_changed < MAX_CHANGED, "too many parameters");
	if (!nr_changed)
		atexit(restore_parameters);
	snprintf(new->name, sizeof(new->name), "%s", name);
	kn_parameter_get(name, new->value, sizeof(new->value));
	nr_changed++;
}

int kn_parameter_set(const char *name, const char *value)
{
	if (access(PARAMETERS, F_OK))
		return 0;

	remember(name);
	return write_parameter(name, value);
}

bool kn_shadowing(void)
{
	char value[8];

	read_line(SHADOW_VMCS, value, sizeof(value));
	return kn_learning() && value[0] == 'Y';
}

static const char *field_name(uint32_t encoding)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		if (kn_fields[i].encoding == encoding)
			return kn_fields[i].name;

	TEST_FAIL("no field %#x", encoding);
	return NULL;
}

/* One pass through the file, which the kernel makes anew for each reader. */
uint64_t kn_traps(struct kvm_vm *vm, const uint32_t *fields, unsigned int nr)
{
	char path[PATH_MAX], line[128], name[100];
	uint64_t value, sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), COUNTERS "%d-%d/counters", getpid(), vm->fd);
	file = fopen(path, "r");
	if (!file)
		return 0;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "vmread.%99s %lu", name, &value) != 2 &&
		    sscanf(line, "vmwrite.%99s %lu", name, &value) != 2)
			continue;
		for (unsigned int i = 0; i < nr; i++)
			if (!strcmp(name, field_name(fields[i])))
				sum += value;
	}
	fclose(file);
	return sum;
}

void kn_shadow_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	uint64_t counted;

	if (!kn_shadowing()) {
		kn_skip(check, "the module shadows nothing");
		return;
	}

	counted = kn_counter(vm, name);
	kn_expect_at(check, name, counted < min ? counted : min, min, 0);
}
