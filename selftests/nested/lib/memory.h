/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel uses for itself.
 */
#ifndef SELFTEST_NESTED_MEMORY_H
#define SELFTEST_NESTED_MEMORY_H

#include <stdint.h>

/* KiB of kernel memory, what is to be freed after a grace period not among it. */
int64_t kn_kernel_memory(void);

#endif
