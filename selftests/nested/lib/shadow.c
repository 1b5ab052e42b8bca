// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's learning: parameters that are put back at the end, and trapped accesses.
 */
#include <limits.h>

#include "field.h"
#include "shadow.h"

#define SHADOW_VMCS	"/sys/module/kvm_intel/parameters/enable_shadow_vmcs"

#define MAX_VALUE	4096
#define MAX_CHANGED	16

/* What a parameter was when the program first changed it. */
static struct changed {
	char name[32];
	char value[MAX_VALUE];
} changed[MAX_CHANGED];
static unsigned int nr_changed;

void kn_parameter_get(const char *name, char *value, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), KN_PARAMETERS "%s", name);
	kn_read_line(path, value, size);
}

/* With a newline: an empty value without one would not be written at all. */
static int write_parameter(const char *name, const char *value)
{
	char path[PATH_MAX], line[MAX_VALUE + 1];
	int fd, length, r = 0;

	snprintf(path, sizeof(path), KN_PARAMETERS "%s", name);
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
	if (access(KN_PARAMETERS, F_OK))
		return 0;

	remember(name);
	return write_parameter(name, value);
}

void kn_set_learning(const char *learn, const char *fields, const char *review)
{
	kn_parameter_set("shadow_learn", learn);
	kn_parameter_set("shadow_fields", fields);
	kn_parameter_set("shadow_review", review);
}

bool kn_shadowing(void)
{
	char value[8];

	kn_read_line(SHADOW_VMCS, value, sizeof(value));
	return kn_learning() && value[0] == 'Y';
}

static const char *field_name(uint32_t encoding)
{
	const struct kn_field *field = kn_field_find(encoding);

	TEST_ASSERT(field, "no field %#x", encoding);
	return field->name;
}

struct fields {
	const uint32_t *encodings;
	unsigned int nr;
};

static bool is_trap(const char *name, const void *arg)
{
	const struct fields *fields = arg;
	const char *field = strchr(name, '.');

	if (strncmp(name, "vmread.", 7) && strncmp(name, "vmwrite.", 8))
		return false;
	for (unsigned int i = 0; i < fields->nr; i++)
		if (!strcmp(field + 1, field_name(fields->encodings[i])))
			return true;
	return false;
}

uint64_t kn_traps(struct kvm_vm *vm, const uint32_t *fields, unsigned int nr)
{
	return kn_sum_counters(vm, is_trap, &(struct fields){ fields, nr });
}

void kn_shadow_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	if (!kn_shadowing()) {
		kn_skip(check, "the module shadows nothing");
		return;
	}

	kn_expect_counter(check, vm, name, min);
}
