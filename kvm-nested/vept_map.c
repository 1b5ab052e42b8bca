// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of EPT02: make them, fill them, and find out whether what is in them
 * still holds.
 *
 * EPT12 may differ from EPT02 until L1 executes INVEPT (SDM volume 3, "Operations
 * that Invalidate Cached Mappings").  INVEPT makes what is below a root stale: its
 * entries lose their permissions, not what they lead to.  An access of L2 comes across
 * the first of them.  The table that it leads to hands this on to the tables below,
 * or, where it maps pages, is compared with what L1 has now.  So INVEPT costs the
 * same however large L2 is, and what is used again costs a comparison.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_mmu.h"
#include "memory12.h"
#include "vcpu.h"
#include "vept.h"

static void init_table(struct kn_vept_table *table, int level, bool ad)
{
	spin_lock_init(&table->lock);
	table->level = level;
	table->ad = ad;
	set_page_private(virt_to_page(table->entries), (unsigned long)table);
}

/* Tables of all VMs that map pages. */
static DEFINE_XARRAY_FLAGS(tables_by_id, XA_FLAGS_ALLOC1);

/* The caller sees to it that there is one. */
struct kn_vept_table *kn_vept_table_by_id(u32 id)
{
	return xa_load(&tables_by_id, id);
}

static void free_table(struct kn_vept_table *table)
{
	if (table->id)
		xa_erase(&tables_by_id, table->id);
	free_page((unsigned long)table->entries);
	kfree(table->copies);
	kfree(table);
}

static bool let_map_pages(struct kn_vept_table *table)
{
	table->copies = kcalloc(EPT_NR_ENTRIES, sizeof(*table->copies), GFP_KERNEL_ACCOUNT);
	return table->copies && !xa_alloc(&tables_by_id, &table->id, table,
					  XA_LIMIT(1, KN_VEPT_MAX_ID), GFP_KERNEL_ACCOUNT);
}

static struct kn_vept_table *alloc_table(int level)
{
	struct kn_vept_table *table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);

	if (!table)
		return NULL;
	table->entries = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!table->entries || (level <= KN_VEPT_PAGE_LEVELS && !let_map_pages(table))) {
		free_table(table);
		return NULL;
	}
	return table;
}

/* As many tables as a fault can need.  May sleep.  False without memory. */
bool kn_vept_spare(struct kn_vept_fill *fill)
{
	int i;

	for (i = 0; i < KN_VEPT_NR_SPARE; i++) {
		if (!fill->spare[i])
			fill->spare[i] = alloc_table(i + 1);
		if (!fill->spare[i])
			return false;
	}
	return true;
}

void kn_vept_free_fill(struct kn_vept_fill *fill)
{
	int i;

	if (!fill)
		return;
	for (i = 0; i < KN_VEPT_NR_SPARE; i++)
		if (fill->spare[i])
			free_table(fill->spare[i]);
	kvfree(fill);
}

void kn_vept_free_tables(struct list_head *tables)
{
	struct kn_vept_table *table, *next;

	list_for_each_entry_safe(table, next, tables, node)
		free_table(table);
}

/* Nobody uses the root, or it is about to be looked for again. */
void kn_vept_set_root(struct kn_vept_root *root, u64 eptp12, u64 eptp02)
{
	root->top.ad = eptp12 & EPTP_AD;
	root->eptp12 = eptp12;
	root->eptp02 = virt_to_phys(root->top.entries) | EPTP_LENGTH_4 |
		       (eptp02 & ~(EPT_ADDRESS | EPTP_LENGTH));
}

/* The root for an EPT pointer of L1.  May sleep.  NULL without memory. */
struct kn_vept_root *kn_vept_root(struct kn_vept *vept, u64 eptp12, u64 eptp02)
{
	struct kn_vept_root *root = NULL, *new;
	unsigned int i, nr;

	/* Pairs with the release below. */
	nr = smp_load_acquire(&vept->nr_roots);
	for (i = 0; i < nr; i++)
		if (vept->roots[i]->eptp12 == eptp12)
			return vept->roots[i];
	if (i == KN_VEPT_NR_ROOTS)
		return kn_vept_recycle(vept, eptp12, eptp02);

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	new->top.entries = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!new->top.entries) {
		kfree(new);
		return NULL;
	}
	init_table(&new->top, EPT_LEVELS, false);
	kn_vept_set_root(new, eptp12, eptp02);

	spin_lock(&vept->roots_lock);
	for (; i < vept->nr_roots; i++)
		if (vept->roots[i]->eptp12 == eptp12)
			root = vept->roots[i];
	if (!root && vept->nr_roots < KN_VEPT_NR_ROOTS) {
		root = new;
		root->nr = vept->nr_roots;
		vept->roots[vept->nr_roots] = new;
		/* Who sees the number sees the root. */
		smp_store_release(&vept->nr_roots, vept->nr_roots + 1);
	}
	spin_unlock(&vept->roots_lock);

	if (root != new) {
		free_page((unsigned long)new->top.entries);
		kfree(new);
	}
	return root;
}

#define GROUP_SIZE	(EPT_NR_ENTRIES / BITS_PER_TYPE(u64))

/* Must hold the table's lock. */
static void use_entry(struct kn_vept_table *table, unsigned int index)
{
	table->used |= BIT_ULL(index / GROUP_SIZE);
}

/* The first entry of the next such group, and one group less. */
static unsigned int take_group(u64 *groups)
{
	unsigned int first = __ffs64(*groups) * GROUP_SIZE;

	*groups &= *groups - 1;
	return first;
}

/* Whether a table was made from what the walk has come across. */
static void find_source(const struct ept_walk *walk, int level, u64 *source, u8 *source_level,
			u8 *upper)
{
	*source_level = max(walk->level, level);
	*source = *source_level > level ? walk->entry : walk->table[level];
	*upper = walk->upper[*source_level];
}

static bool has_source(const struct kn_vept_table *table, const struct ept_walk *walk)
{
	u8 source_level, upper;
	u64 source;

	find_source(walk, table->level, &source, &source_level, &upper);
	return table->source == source && table->source_level == source_level &&
	       table->upper == upper;
}

/* Must hold the table's lock. */
static void empty_entry(struct kn_vcpu *kv, struct kn_vept *vept, u64 *entry)
{
	xchg(entry, 0);
	WRITE_ONCE(vept->flush_pending, true);
	kv->counters.vept_dropped++;
}

static void set_low_bits(struct kn_low_bits *low, u64 kind)
{
	int i;

	if (low->kind == kind && low->of[1])
		return;
	low->kind = kind;
	/* No copy of a page has the first: absent entries agree with what is not filled. */
	low->of[0] = 0;
	for (i = 1; i < ARRAY_SIZE(low->of); i++)
		low->of[i] = ept_copied(i) | kind;
}

/* With user access begun: zero if the word in memory is what was copied, with that kind. */
static __always_inline u64 unsafe_differs(const u64 __user *word, u64 copy,
					  const struct kn_low_bits *low)
{
	u64 copied = (copy & ~EPT_COPY_LOW) << 7 | low->of[copy & EPT_COPY_LOW];

	return kn_unsafe_difference(copied, word) & (EPT_COPIED | EPT_KIND);
}

/* With user access begun: whether it is so, of any kind. */
static __always_inline bool unsafe_agrees(const u64 __user *word, u32 copy, int level)
{
	u64 copied = ept_copied(copy), difference = kn_unsafe_difference(copied, word);

	return !(difference & EPT_COPIED) && ept_is_good_kind(copied ^ difference, level);
}

/*
 * With user access begun: which entries of a table don't agree with what is in memory,
 * where L1's table may not be any more.
 */
static __always_inline void unsafe_compare(const u64 __user *words,
					   const struct kn_vept_table *table,
					   const struct kn_low_bits *low,
					   unsigned long *differ)
{
	u64 groups = table->used, differences;
	const u64 __user *word;
	unsigned int first;
	const u32 *copy;
	int i;

	while (groups) {
		first = take_group(&groups);
		word = &words[first];
		copy = &table->copies[first];
		differences = 0;
#pragma GCC unroll 8
		for (i = 0; i < GROUP_SIZE; i++)
			differences |= unsafe_differs(&word[i], copy[i], low);
		if (likely(!differences))
			continue;
		for (i = 0; i < GROUP_SIZE; i++)
			if (!unsafe_agrees(&word[i], copy[i], table->level))
				__set_bit(first + i, differ);
	}
}

/* The entries that map pages, compared with those of EPT12 that they were made from. */
static void compare_pages(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *table)
{
	const u64 __user *words = kn_find_user_page(kv->vcpu, table->source).words;
	unsigned long differ[BITS_TO_LONGS(EPT_NR_ENTRIES)] = {};
	struct kn_low_bits *low = &kv->vept.fill->low;
	unsigned int i;

	set_low_bits(low, table->kind);
	/* If L1's table can't be read, nothing agrees with it. */
	if (words && user_read_access_begin(words, PAGE_SIZE)) {
		unsafe_compare(words, table, low, differ);
		user_read_access_end();
	} else {
		bitmap_fill(differ, EPT_NR_ENTRIES);
	}
	for_each_set_bit(i, differ, EPT_NR_ENTRIES)
		if (kn_vept_is_page(table->entries[i]))
			empty_entry(kv, vept, &table->entries[i]);
}

/* Must hold the table's lock. */
static void empty_table(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *table)
{
	u64 groups = table->used;
	unsigned int first, i;

	while (groups) {
		first = take_group(&groups);
		for (i = first; i < first + GROUP_SIZE; i++)
			if (kn_vept_is_page(table->entries[i]))
				empty_entry(kv, vept, &table->entries[i]);
	}
}

/* The table has pages of something else.  Must hold its lock. */
static void set_source(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *table,
		       const struct ept_walk *walk)
{
	empty_table(kv, vept, table);
	find_source(walk, table->level, &table->source, &table->source_level, &table->upper);
}

/* Links lead somewhere only once they have been looked at. */
static void make_links_stale(struct kn_vept_table *table)
{
	u64 groups = table->used, *entry;
	unsigned int i;

	while (groups) {
		entry = &table->entries[take_group(&groups)];
		for (i = 0; i < GROUP_SIZE; i++)
			if (kn_vept_child(entry[i]))
				WRITE_ONCE(entry[i], entry[i] & ~EPT_RWX);
	}
}

/*
 * A link that is stale: so are those in the table that it leads to, and pages that
 * this maps are compared.  Must hold the table's lock.
 */
static void refresh_table(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *table,
			  const struct ept_walk *walk)
{
	kv->counters.vept_checked++;
	if (table->level > 1)
		make_links_stale(table);
	if (table->level > KN_VEPT_PAGE_LEVELS)
		return;
	if (!has_source(table, walk))
		set_source(kv, vept, table, walk);
	else if (table->source_level == table->level)
		compare_pages(kv, vept, table);
}

static u64 link_to(const struct kn_vept_table *table)
{
	return virt_to_phys(table->entries) | EPT_RWX;
}

/* Must hold the lock of @parent. */
static struct kn_vept_table *add_table(struct kn_vept *vept, struct kn_vept_root *root,
				       struct kn_vept_table *parent, u64 *entry,
				       struct kn_vept_fill *fill)
{
	struct kn_vept_table *table = fill->spare[parent->level - 2];

	fill->spare[parent->level - 2] = NULL;
	init_table(table, parent->level - 1, parent->ad);
	table->address = fill->walk.address;
	table->root = root;
	find_source(&fill->walk, table->level, &table->source, &table->source_level, &table->upper);

	spin_lock(&vept->tables_lock);
	list_add(&table->node, &vept->tables);
	spin_unlock(&vept->tables_lock);
	atomic_inc(&vept->nr_tables);

	use_entry(parent, entry - parent->entries);
	/* Processors may walk it as soon as they see the link. */
	smp_store_release(entry, link_to(table));
	return table;
}

static void refresh_link(struct kn_vcpu *kv, struct kn_vept *vept, u64 *entry,
			 struct kn_vept_table *child, const struct ept_walk *walk)
{
	if (READ_ONCE(*entry) & EPT_RWX)
		return;

	spin_lock(&child->lock);
	/* Unless somebody was faster, or has a large page there now. */
	if (kn_vept_child(READ_ONCE(*entry)) == child && !(READ_ONCE(*entry) & EPT_RWX)) {
		refresh_table(kv, vept, child, walk);
		/* Processors may walk it as soon as they see the link. */
		smp_store_release(entry, link_to(child));
	}
	spin_unlock(&child->lock);
}

/* The way down to the table that is to be filled, new where there is none. */
static struct kn_vept_table *descend(struct kn_vcpu *kv, struct kn_vept *vept,
				     struct kn_vept_root *root, struct kn_vept_fill *fill)
{
	struct kn_vept_table *table = &root->top, *child;
	u64 *entry;

	while (table->level > fill->level) {
		entry = &table->entries[ept_index(fill->walk.address, table->level)];

		spin_lock(&table->lock);
		if (kn_vept_is_page(*entry))
			empty_entry(kv, vept, entry);
		child = kn_vept_child(*entry) ?: add_table(vept, root, table, entry, fill);
		spin_unlock(&table->lock);

		refresh_link(kv, vept, entry, child, &fill->walk);
		table = child;
	}
	return table;
}

/* The table that is to be filled, if it is there.  Must hold kn_vept.lock for reading. */
static struct kn_vept_table *find_table(struct kn_vcpu *kv, struct kn_vept *vept,
					struct kn_vept_root *root, struct kn_vept_fill *fill)
{
	struct kn_vept_table *table = &root->top;
	u64 *entry;

	while (table && table->level > fill->level) {
		entry = &table->entries[ept_index(fill->walk.address, table->level)];
		table = kn_vept_child(READ_ONCE(*entry));
		if (table)
			refresh_link(kv, vept, entry, table, &fill->walk);
	}
	return table && has_source(table, &fill->walk) ? table : NULL;
}

/*
 * What INVEPT has made stale, all at once: if there is little of it, this costs less
 * than L2 coming across it.  @walk tells where EPT12 leads, or that it leads nowhere.
 */
void kn_vept_refresh(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		     struct kn_vept_fill *fill,
		     bool (*walk)(struct kn_vcpu *, struct kn_vept_fill *))
{
	struct kn_vept_table *table;

	pagefault_disable();
	read_lock(&vept->lock);
	if (vept->seq != fill->seq)
		goto unlock;
	/* Others may add tables, in front; none is removed. */
	spin_lock(&vept->tables_lock);
	table = list_first_entry(&vept->tables, struct kn_vept_table, node);
	spin_unlock(&vept->tables_lock);
	list_for_each_entry_from(table, &vept->tables, node) {
		if (table->root != root || table->level > 1)
			continue;
		ept_walk_begin(&fill->walk, root->eptp12, table->address);
		fill->level = 1;
		if (walk(kv, fill))
			find_table(kv, vept, root, fill);
	}
	WRITE_ONCE(root->stale, false);
unlock:
	read_unlock(&vept->lock);
	pagefault_enable();
}

static __always_inline bool is_filled(const struct kn_vept_table *table, unsigned int index,
				      u64 entry12, u8 need)
{
	u64 entry = READ_ONCE(table->entries[index]);

	return kn_vept_is_page(entry) && !(need & ~entry) &&
	       (entry12 & EPT_COPIED) == ept_copied(table->copies[index]);
}

/* Whether the page that the walk has led to is mapped, INVEPT having made that stale maybe. */
bool kn_vept_knows(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		   struct kn_vept_fill *fill, u8 need)
{
	struct kn_vept_table *table = NULL;
	bool known;

	pagefault_disable();
	read_lock(&vept->lock);
	if (vept->seq == fill->seq)
		table = find_table(kv, vept, root, fill);
	known = table && is_filled(table, ept_index(fill->walk.address, fill->level),
				   fill->walk.entry, need);
	read_unlock(&vept->lock);
	pagefault_enable();
	return known;
}

/* Which of the entries are not there already; the one that is needed is not. */
void kn_vept_find_wanted(struct kn_vept *vept, struct kn_vept_root *root,
			 struct kn_vept_fill *fill)
{
	struct kn_vept_table *table = &root->top;
	u64 wanted = GENMASK_ULL(fill->nr - 1, 0);
	unsigned int i;

	read_lock(&vept->lock);
	while (table && table->level > fill->level)
		table = kn_vept_child(READ_ONCE(table->entries[ept_index(fill->walk.address,
									 table->level)]));
	for (i = 0; table && i < fill->nr; i++)
		if (i != fill->target && is_filled(table, fill->first + i, fill->entry[i], 0))
			wanted &= ~BIT_ULL(i);
	read_unlock(&vept->lock);
	fill->wanted = wanted;
}

static bool is_changing(const struct kn_vept *vept, unsigned long hva)
{
	return vept->in_progress && hva >= (vept->change_begin & PMD_MASK) &&
	       hva < vept->change_end;
}

/*
 * A large page where there have been small ones.  Their table is left to itself, and
 * nobody takes its link for stale meanwhile.  Must hold the lock of the entry's table.
 */
static void replace_table(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *child,
			  u64 *entry, u64 new)
{
	spin_lock_nested(&child->lock, SINGLE_DEPTH_NESTING);
	empty_table(kv, vept, child);
	WRITE_ONCE(vept->flush_pending, true);
	xchg(entry, new);
	spin_unlock(&child->lock);
}

/* Must hold the table's lock. */
static void fill_table(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_table *table,
		       const struct kn_vept_fill *fill, bool accessed)
{
	u64 flags = KN_MT_WRITE_BACK | KN_VEPT_PAGE | (table->level > 1 ? EPT_LARGE : 0);
	u32 *copy = &table->copies[fill->first];
	u64 *entry = &table->entries[fill->first];
	u64 wanted = fill->wanted, dirty = table->ad ? EPT_DIRTY : 0, old, new;
	struct kn_rmap_place place = {};
	unsigned int i;

	for (i = 0; i < fill->nr; i++) {
		if (!(wanted & BIT_ULL(i))) {
			/* So that it agrees, too, until L1 changes it. */
			if (!kn_vept_is_page(entry[i]))
				copy[i] = ept_copy(fill->entry[i]);
			continue;
		}
		if (is_changing(vept, fill->hva[i]))
			continue;

		old = READ_ONCE(entry[i]);
		new = PFN_PHYS(fill->pfn[i]) | fill->access[i] | flags;
		/* The owner knows that the page may be written to. */
		if (new & EPT_WRITE)
			new |= dirty;
		if (table->ad && accessed && i == fill->target)
			new |= EPT_ACCESSED;
		/* TLBs may have another page, or more than is permitted now. */
		if (old && ((old ^ new) & EPT_ADDRESS || old & ~new & EPT_RWX))
			WRITE_ONCE(vept->flush_pending, true);
		copy[i] = ept_copy(fill->entry[i]);
		if (kn_vept_child(old))
			replace_table(kv, vept, kn_vept_child(old), &entry[i], new);
		else
			xchg(&entry[i], new);
		if (!kn_rmap_set_first(&place, fill->hva[i], table, fill->first + i))
			kn_rmap_set(vept, &place, fill->hva[i], table, fill->first + i);
	}
	for (i = 0; i < fill->nr; i += GROUP_SIZE)
		if (wanted >> i & GENMASK_ULL(GROUP_SIZE - 1, 0))
			use_entry(table, fill->first + i);
}

/*
 * Fill what is wanted.  @accessed: L2 is about to access the target.  False if that
 * has to be looked up again.
 */
bool kn_vept_install(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		     struct kn_vept_fill *fill, bool accessed)
{
	struct kn_vept_table *table;
	bool done = false;

	pagefault_disable();
	read_lock(&vept->lock);
	if (vept->seq != fill->seq || !vept->kvm || is_changing(vept, fill->hva[fill->target]))
		goto unlock;

	table = descend(kv, vept, root, fill);
	spin_lock(&table->lock);
	if (!has_source(table, &fill->walk))
		set_source(kv, vept, table, &fill->walk);
	table->kind = fill->entry[fill->target] & EPT_KIND;
	fill_table(kv, vept, table, fill, accessed);
	spin_unlock(&table->lock);
	done = true;
unlock:
	read_unlock(&vept->lock);
	pagefault_enable();
	return done;
}

/* Must hold kn_vept.lock for writing.  L1 has invalidated what it has of this EPT pointer. */
void kn_vept_make_stale(struct kn_vept *vept, struct kn_vept_root *root)
{
	vept->seq++;
	root->stale = true;
	make_links_stale(&root->top);
}

/* Must hold kn_vept.lock for writing.  Tables are freed when no processor walks them any more. */
void kn_vept_detach_tables(struct kn_vept *vept, struct list_head *tables)
{
	unsigned int i;

	for (i = 0; i < vept->nr_roots; i++) {
		struct kn_vept_table *top = &vept->roots[i]->top;

		memset(top->entries, 0, PAGE_SIZE);
		top->used = 0;
	}
	list_splice_init(&vept->tables, tables);
	atomic_set(&vept->nr_tables, 0);
}
