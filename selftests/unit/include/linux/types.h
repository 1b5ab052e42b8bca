/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure files of the module use of the kernel's headers, for user space: one header of
 * the kernel's name for each that they include.
 */
#ifndef _UNIT_LINUX_TYPES_H
#define _UNIT_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#endif
