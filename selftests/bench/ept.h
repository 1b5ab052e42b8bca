/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of L2 that L1 maps by its own EPT, page by page. */
#ifndef KNBENCH_EPT_H
#define KNBENCH_EPT_H

#include "kvm_util.h"
#include "vmx.h"

/* Where the memory lies for L0's user space, L1 and L2 alike (physical and virtual). */
#define REGION		0x40000000ul
/* Where L1 finds the last-level tables of its EPT for it, one entry a page. */
#define REGION_EPT12	0x80000000ul

#define EPT12_ENTRY(pa)		((pa) | 0x37)	/* all permissions, write-back */
#define EPTP_AD			0x40ull

/*
 * Give @vm @nr_pages pages at REGION, resident in L0, and @vmx an EPT that maps all else of @vm and
 * has tables for these pages: full if @mapped, otherwise empty.
 */
void region_create(struct kvm_vm *vm, struct vmx_pages *vmx, uint64_t nr_pages, bool mapped);

/* Let the current VMCS's EPT do without accessed and dirty flags, region_create() sets none. */
static inline void ept12_disable_ad(void)
{
	GUEST_ASSERT(!vmwrite(EPT_POINTER, vmreadz(EPT_POINTER) & ~EPTP_AD));
}

static inline volatile uint64_t *region_ept12_entry(uint64_t pa)
{
	return (volatile uint64_t *)REGION_EPT12 + (pa - REGION) / 4096;
}

static __always_inline void touch(uint64_t address)
{
	*(volatile uint8_t *)address = 1;
}

#endif /* KNBENCH_EPT_H */
