/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_NOSPEC_H
#define _UNIT_LINUX_NOSPEC_H

/* The kernel's clamps too, by a mask that no branch predictor can skip. */
static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	return index < size ? index : 0;
}

#endif
