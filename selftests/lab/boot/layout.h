/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers shared by the boot stub's two halves. diskimage.py writes what is described here.
 */
#ifndef LAB_BOOT_LAYOUT_H
#define LAB_BOOT_LAYOUT_H

#define SECTOR			512
#define STUB_ADDRESS		0x7c00	/* where a BIOS loads the first sector */
#define STUB_SECTORS		8	/* from the start of the boot disk */
#define MEMORY_MAP_MAX		32

#define CODE_SELECTOR		8
#define DATA_SELECTOR		16

#endif
