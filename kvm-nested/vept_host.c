// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages the VM's owner has at some addresses, without taking references.
 *
 * What is found holds until an MMU notifier is told otherwise: the caller has to see
 * that none was, from before the look-up until the entries that use it are filled.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "vept.h"

#define NO_PFN	(~0ul)

/* One look at each entry: a table may become a large page meanwhile. */
static pmd_t find_pmd(struct mm_struct *mm, unsigned long hva)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;

	if (!pgd_present(pgd))
		return __pmd(0);
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (!p4d_present(p4d))
		return __pmd(0);
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (!pud_present(pud) || pud_leaf(pud))
		return __pmd(0);
	return READ_ONCE(*pmd_offset(&pud, hva));
}

/* Where the entries are for the 2 MB around @hva; NULL if one entry maps all of it, or none. */
static const pte_t *find_table(const pmd_t *pmd, unsigned long hva)
{
	if (!pmd_present(*pmd) || pmd_leaf(*pmd))
		return NULL;
	return pte_offset_kernel((pmd_t *)pmd, hva & PMD_MASK);
}

/* An entry that user space may use as it likes. */
static bool is_usable(u64 entry)
{
	return (entry & (_PAGE_PRESENT | _PAGE_USER)) == (_PAGE_PRESENT | _PAGE_USER) &&
	       !(entry & (_PAGE_SPECIAL | _PAGE_DEVMAP | _PAGE_PKEY_MASK));
}

/* The owner need not be told of a write. */
static bool is_written(u64 entry)
{
	return (entry & (_PAGE_RW | _PAGE_DIRTY)) == (_PAGE_RW | _PAGE_DIRTY);
}

/* Memory as other VMs have it, too: anonymous or shared, and the kernel can reach it. */
static bool is_plain(unsigned long pfn)
{
	return folio_test_swapbacked(page_folio(pfn_to_page(pfn)));
}

/*
 * Find the pages that are wanted but for the one that is needed.  There may be none
 * that can be had so: then it is not wanted any more.
 */
void kn_host_find_pages(struct mm_struct *mm, struct kn_vept_fill *fill)
{
	unsigned long flags, hva, index, pfn, found = NO_PFN;
	u64 wanted = fill->wanted & ~BIT_ULL(fill->target);
	const pte_t *table = NULL;
	pmd_t pmd = __pmd(0);
	unsigned int i;
	u64 entry;

	/* Page tables stay as long as interrupts are off. */
	local_irq_save(flags);
	for (i = 0; i < fill->nr; i++) {
		if (!(wanted & BIT_ULL(i)))
			continue;

		hva = fill->hva[i];
		if (hva >> PMD_SHIFT != found) {
			found = hva >> PMD_SHIFT;
			pmd = find_pmd(mm, hva);
			table = find_table(&pmd, hva);
		}
		/* One entry of a table, or the one for all of them. */
		index = hva >> PAGE_SHIFT & (PTRS_PER_PTE - 1);
		if (table) {
			entry = native_pte_val(READ_ONCE(table[index]));
			pfn = (entry & PTE_PFN_MASK) >> PAGE_SHIFT;
		} else {
			entry = native_pmd_val(pmd);
			pfn = ((entry & PHYSICAL_PMD_PAGE_MASK) >> PAGE_SHIFT) + index;
		}
		if (!is_usable(entry) || !is_plain(pfn)) {
			wanted &= ~BIT_ULL(i);
			continue;
		}
		if (!is_written(entry))
			fill->access[i] &= ~EPT_WRITE;
		fill->pfn[i] = pfn;
	}
	local_irq_restore(flags);
	fill->wanted = wanted | BIT_ULL(fill->target);
}
