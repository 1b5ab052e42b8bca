/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What modes.c and its guest, modes_guest.S, have to agree on.
 */
#ifndef _MODES_H
#define _MODES_H

/* The guest's memory. */
#define CODE		0x1000
#define PML4		0x4000
#define PDPT		0x5000
#define PD		0x6000
#define DATA		0x10000
#define DATA_SIZE	0x10000

/* Ports that take results, 32 bits each. */
#define REAL		0
#define PROTECTED	1
#define LONG_LOW	2
#define LONG_HIGH	3
#define RESULTS		4

#endif /* _MODES_H */
