/* SPDX-License-Identifier: GPL-2.0-only */
#include "layout.h"

ENTRY(entry)
SECTIONS
{
	. = STUB_ADDRESS;
	.text : { *(.entry) *(.text .text.*) *(.rodata .rodata.*) *(.data .data.*) }
	.bss : { *(.bss .bss.*) }
	/* Nobody clears .bss: it must lie where the boot disk's padding is read to. */
	ASSERT(. <= STUB_ADDRESS + STUB_SECTORS * SECTOR, "the stub has outgrown STUB_SECTORS")
	/DISCARD/ : { *(.note* .comment .eh_frame*) }
}
