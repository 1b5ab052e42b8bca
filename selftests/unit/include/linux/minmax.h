/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_MINMAX_H
#define _UNIT_LINUX_MINMAX_H

#define min_t(type, a, b)				\
({							\
	type __a = (a);					\
	type __b = (b);					\
	__a < __b ? __a : __b;				\
})

#endif
