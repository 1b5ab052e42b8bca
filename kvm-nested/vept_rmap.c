// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the memory of the VM's owner to the entries of EPT02 that map it.
 *
 * For each 2 MB of user space there is a chunk that tells of each page of 4 KB which
 * entry maps it, and there is the entry that maps all of it, if one does.
 * A page that several entries map is only marked: the few that are unmapped or moved
 * later cost all of the VM's EPT02s.
 *
 * Entries that are emptied stay here.  What points to an entry that maps something
 * else does no harm: it is mapped anew.
 */
#include <linux/slab.h>

#include "vept.h"

#define NR_SMALL	(PMD_SIZE / PAGE_SIZE)

/* No slot of an entry. */
#define SEVERAL		1U

static_assert(KN_VEPT_MAX_ID <= U32_MAX / EPT_NR_ENTRIES);

union chunk {
	u32 slots[NR_SMALL];
	struct list_head node;	/* once nothing leads to it */
};

static u32 *small_slot(struct kn_vept *vept, unsigned long hva)
{
	u32 *slots = xa_load(&vept->small, hva >> PMD_SHIFT);

	return slots ? &slots[hva >> PAGE_SHIFT & (NR_SMALL - 1)] : NULL;
}

/* Of a slot that is neither empty nor marked.  Must hold kn_vept.lock. */
static u64 *entry_of(u32 slot)
{
	return &kn_vept_table_by_id(slot / EPT_NR_ENTRIES)->entries[slot % EPT_NR_ENTRIES];
}

/* So that kn_rmap_set() finds room.  May sleep.  False without memory. */
bool kn_rmap_prepare(struct kn_vept *vept, unsigned long hva, int level)
{
	unsigned long index = hva >> PMD_SHIFT;
	void *slots, *other;

	if (level > 1)
		return xa_load(&vept->large, index) ||
		       xa_reserve(&vept->large, index, GFP_KERNEL_ACCOUNT) == 0;

	if (xa_load(&vept->small, index))
		return true;
	slots = kzalloc(sizeof(union chunk), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return false;
	other = xa_cmpxchg(&vept->small, index, NULL, slots, GFP_KERNEL_ACCOUNT);
	if (other)
		kfree(slots);
	return !xa_is_err(other);
}

/* One entry or several: what is to be kept of @old and @new, which has just been filled. */
static u32 merge(u32 old, u32 new)
{
	if (!old || old == new)
		return new;
	if (old == SEVERAL ||
	    !((READ_ONCE(*entry_of(old)) ^ READ_ONCE(*entry_of(new))) & EPT_ADDRESS))
		return SEVERAL;
	return new;
}

static void set_large(struct kn_vept *vept, unsigned long index, u32 new)
{
	u64 *entry = entry_of(new);
	void *found;
	u32 old;

	xa_lock(&vept->large);
	found = xa_load(&vept->large, index);
	old = found ? xa_to_value(found) : 0;
	found = __xa_store(&vept->large, index, xa_mk_value(merge(old, new)), GFP_NOWAIT);
	xa_unlock(&vept->large);
	if (WARN_ON_ONCE(xa_is_err(found)))
		xchg(entry, 0);
}

/*
 * An entry maps @hva now.  Must hold kn_vept.lock for reading, as all the time since
 * the entry was filled, and the entry must be visible to all processors.
 *
 * An entry that maps something else is replaced.  Should somebody fill that one with
 * this page meanwhile, either they see that it has been replaced, or it is seen here
 * that they have: both write first, and then look.
 */
void kn_rmap_set(struct kn_vept *vept, struct kn_rmap_place *place, unsigned long hva,
		 struct kn_vept_table *table, unsigned int index)
{
	unsigned long area = hva >> PMD_SHIFT;
	u32 new = kn_rmap_slot(table, index), old;
	u32 *slot;

	if (table->level > 1) {
		set_large(vept, area, new);
		return;
	}

	if (!place->slots || place->index != area) {
		place->index = area;
		place->slots = xa_load(&vept->small, area);
		if (WARN_ON_ONCE(!place->slots)) {
			xchg(&table->entries[index], 0);
			return;
		}
	}
	slot = &place->slots[hva >> PAGE_SHIFT & (NR_SMALL - 1)];
	old = READ_ONCE(*slot);
	if (old == new)
		return;
	while (!try_cmpxchg(slot, &old, merge(old, new)))
		;
	if (old && merge(old, new) == SEVERAL)
		WRITE_ONCE(*slot, SEVERAL);
}

static void zap_entry(u64 *entry, bool *zapped)
{
	if (kn_vept_is_page(READ_ONCE(*entry))) {
		xchg(entry, 0);
		*zapped = true;
	}
}

/*
 * Must hold kn_vept.lock for writing.  Empties the entries that map this memory, and
 * returns whether there were any.  Sets *@all where that takes emptying all tables.
 */
bool kn_rmap_zap(struct kn_vept *vept, unsigned long begin, unsigned long end, bool *all)
{
	unsigned long index, first, last = (end - 1) >> PMD_SHIFT;
	bool zapped = false;
	void *found;

	xa_for_each_range(&vept->large, index, found, begin >> PMD_SHIFT, last) {
		if (xa_to_value(found) == SEVERAL)
			*all = true;
		else
			zap_entry(entry_of(xa_to_value(found)), &zapped);
	}

	xa_for_each_range(&vept->small, index, found, begin >> PMD_SHIFT, last) {
		unsigned long address = index << PMD_SHIFT;
		u32 *slots = found;

		first = begin > address ? (begin - address) >> PAGE_SHIFT : 0;
		for (address += first << PAGE_SHIFT; first < NR_SMALL && address < end;
		     first++, address += PAGE_SIZE) {
			if (!slots[first])
				continue;
			if (slots[first] == SEVERAL)
				*all = true;
			else
				zap_entry(entry_of(slots[first]), &zapped);
			slots[first] = 0;
		}
	}
	return zapped;
}

/*
 * Whether L2 has used what the entry maps.  Where processors don't say, an entry that
 * is emptied is filled again if it is used.
 */
static bool age_entry(struct kn_vept *vept, u64 *entry, bool clear)
{
	u64 value = READ_ONCE(*entry);

	if (!kn_vept_is_page(value))
		return false;
	if (kn_vept_table_of(entry)->ad) {
		if (clear && value & EPT_ACCESSED)
			clear_bit(ilog2(EPT_ACCESSED), (unsigned long *)entry);
		return value & EPT_ACCESSED;
	}
	if (clear) {
		xchg(entry, 0);
		vept->flush_pending = true;
	}
	return true;
}

/* The same for whether this memory is in use; with @clear it is not until it is again. */
bool kn_rmap_age(struct kn_vept *vept, unsigned long begin, unsigned long end, bool clear)
{
	bool young = false;
	unsigned long hva;
	void *found;

	for (hva = begin & PAGE_MASK; hva < end; hva += PAGE_SIZE) {
		u32 *slot = small_slot(vept, hva);

		if (slot && *slot == SEVERAL)
			young = true;
		else if (slot && *slot)
			young |= age_entry(vept, entry_of(*slot), clear);

		if (hva != (begin & PAGE_MASK) && hva & ~PMD_MASK)
			continue;
		found = xa_load(&vept->large, hva >> PMD_SHIFT);
		if (found && xa_to_value(found) == SEVERAL)
			young = true;
		else if (found)
			young |= age_entry(vept, entry_of(xa_to_value(found)), clear);
	}
	return young;
}

/* Must hold kn_vept.lock for writing.  The chunks are freed when no TLB has what they led to. */
void kn_rmap_detach(struct kn_vept *vept, struct list_head *chunks)
{
	unsigned long index;
	void *found;

	xa_for_each(&vept->small, index, found) {
		union chunk *chunk = found;

		xa_erase(&vept->small, index);
		list_add(&chunk->node, chunks);
	}
	xa_destroy(&vept->large);
}

void kn_rmap_free_chunks(struct list_head *chunks)
{
	union chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, chunks, node)
		kfree(chunk);
}
