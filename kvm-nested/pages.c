// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of L1 that VM entries need, remembered from one entry to the next.
 *
 * A VM entry of stock KVM looks up each page that VMCS12 refers to (MSR bitmap,
 * APIC-access page, virtual APIC) in the page tables of the VM's owner, and gives
 * it back when it is done, or at L2's exit.  Most of that is the look-up, which
 * finds what it found the last time.
 *
 * That is so as long as the VM's memslots are the same and KVM's MMU notifier has
 * been told of no change to any of the VM's memory: a page is unmapped, moved, or
 * write-protected only between its two calls.  It counts them, and the first takes
 * mmu_lock for writing.  With the lock held for reading, and no change since the
 * look-up, the page is still mapped, and so there is a reference to take: the same
 * that the look-up would have returned.
 */
#include "kvm_intel.h"
#include "pages.h"
#include "vcpu.h"

bool kn_pages_enable = true;

static struct kn_page *find_page(struct kn_pages *pages, gfn_t gfn)
{
	unsigned int i = pages->last, tries;

	for (tries = 0; tries < pages->nr; tries++) {
		i = i + 1 < pages->nr ? i + 1 : 0;
		if (pages->page[i].map.gfn == gfn) {
			pages->last = i;
			return &pages->page[i];
		}
	}

	return NULL;
}

static struct kn_page *new_page(struct kn_pages *pages)
{
	if (pages->nr < KN_NR_PAGES)
		return &pages->page[pages->nr++];

	pages->replaced = (pages->replaced + 1) % KN_NR_PAGES;
	return &pages->page[pages->replaced];
}

/* Returns true with a reference to the page. */
static bool get_page_if_unchanged(struct kvm *kvm, const struct kn_page *page)
{
	bool unchanged;

	read_lock(&kvm->mmu_lock);
	unchanged = !kvm->mmu_invalidate_in_progress &&
		    kvm->mmu_invalidate_seq == page->invalidations;
	if (unchanged)
		get_page(page->map.page);
	read_unlock(&kvm->mmu_lock);

	return unchanged;
}

/* On the vCPU's thread.  What kvm_vcpu_map() does, if that is known; false if not. */
bool kn_pages_map(struct kn_vcpu *kv, gfn_t gfn, struct kvm_host_map *map)
{
	struct kvm *kvm = kv->vcpu->kvm;
	struct kn_page *page;

	if (!READ_ONCE(kn_pages_enable)) {
		kv->counters.pages_off++;
		return false;
	}

	page = find_page(&kv->pages, gfn);
	if (!page) {
		kv->counters.pages_new++;
		return false;
	}

	if (page->generation != kvm_memslots(kvm)->generation ||
	    !get_page_if_unchanged(kvm, page)) {
		kv->counters.pages_stale++;
		return false;
	}

	*map = page->map;
	kv->counters.pages_kept++;
	return true;
}

/* Before kvm_vcpu_map() looks a page up that kn_pages_keep() is to remember. */
unsigned long kn_pages_begin(struct kn_vcpu *kv)
{
	struct kvm *kvm = kv->vcpu->kvm;
	unsigned long begin;

	/* While a change goes on, the count is still that of before: it doesn't match later. */
	begin = READ_ONCE(kvm->mmu_invalidate_seq);
	/* The look-up comes after; a change that it does not see is counted after. */
	smp_rmb();
	return begin;
}

/* kvm_vcpu_map() has mapped a page. */
void kn_pages_keep(struct kn_vcpu *kv, const struct kvm_host_map *map, unsigned long begin)
{
	struct kn_page *page;

	/* No page at all, or one whose references KVM may not count. */
	if (map->page == KVM_UNMAPPED_PAGE || PageReserved(map->page) ||
	    is_zone_device_page(map->page))
		return;

	page = find_page(&kv->pages, map->gfn) ?: new_page(&kv->pages);
	page->map = *map;
	page->generation = kvm_memslots(kv->vcpu->kvm)->generation;
	page->invalidations = begin;
}
