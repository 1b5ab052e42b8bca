// SPDX-License-Identifier: GPL-2.0-only
/* Memory of L2 that L1 maps by its own EPT, page by page. */
#include <sys/mman.h>

#include "ept.h"
#include "test_util.h"

#define REGION_SLOT	1

/* The last-level EPT table that maps @gpa, which nested_map() made. */
static uint64_t *ept12_table(struct kvm_vm *vm, struct vmx_pages *vmx, uint64_t gpa)
{
	uint64_t *table = vmx->eptp_hva;
	int shift;

	for (shift = 39; shift > 12; shift -= 9)
		table = addr_gpa2hva(vm, table[gpa >> shift & 511] & PHYSICAL_PAGE_MASK);
	return table;
}

void region_create(struct kvm_vm *vm, struct vmx_pages *vmx, uint64_t nr_pages, bool mapped)
{
	uint64_t size = nr_pages * 4096, gpa;
	uint64_t *table;
	void *hva;

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, REGION, REGION_SLOT, nr_pages, 0);
	hva = addr_gpa2hva(vm, REGION);
	/* Whether an address happens to be aligned for huge pages must not decide what L0 does. */
	TEST_ASSERT(!madvise(hva, size, MADV_NOHUGEPAGE), "madvise() failed, errno: %i", errno);
	memset(hva, 1, size);

	virt_map(vm, REGION, REGION, nr_pages);
	prepare_eptp(vmx, vm, 0);
	nested_map(vmx, vm, REGION, REGION, size);

	for (gpa = REGION; gpa < REGION + size; gpa += 4096) {
		table = ept12_table(vm, vmx, gpa);
		if (gpa % (512 * 4096) == 0)
			virt_map(vm, (uintptr_t)region_ept12_entry(gpa),
				 addr_hva2gpa(vm, table), 1);
		table[gpa >> 12 & 511] = mapped ? EPT12_ENTRY(gpa) : 0;
	}

	/* Last, as it maps L1's own page tables, too. */
	nested_map_memslot(vmx, vm, 0);
}
