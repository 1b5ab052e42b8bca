// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel memory by /proc/meminfo.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kvm_util.h"
#include "memory.h"

#define SETTLED		32	/* KiB */
#define MAX_TRIES	20

static int64_t kernel_memory(void)
{
	static const char * const names[] = {
		"SUnreclaim:", "VmallocUsed:", "Percpu:", "PageTables:", "SecPageTables:",
	};
	FILE *file = fopen("/proc/meminfo", "r");
	int64_t sum = 0, value;
	char line[128], name[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", name, &value) != 2)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
			if (!strcmp(name, names[i]))
				sum += value;
	}
	if (file)
		fclose(file);
	return sum;
}

int64_t kn_kernel_memory(void)
{
	int64_t before, now = kernel_memory();
	unsigned int tries = 0;

	do {
		before = now;
		usleep(100000);
		now = kernel_memory();
	} while (before - now > SETTLED && ++tries < MAX_TRIES);
	return now;
}
