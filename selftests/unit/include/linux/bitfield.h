/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_BITFIELD_H
#define _UNIT_LINUX_BITFIELD_H

#define FIELD_GET(mask, word)	(((word) & (mask)) >> __builtin_ctzll(mask))

#endif
