/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual EPT: tables of the module's, EPT02, that translate an L2's physical
 * addresses to the host's, made from EPT12 and from where the VM's memory is.
 */
#ifndef _KVM_NESTED_VEPT_H
#define _KVM_NESTED_VEPT_H

#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "vept_walk.h"

struct kn_counters;
struct kn_vcpu;
struct kn_vm;

/* Why all EPT02s of a VM are emptied. */
#define KN_VEPT_WHYS(X)							\
	X(FULL, full)		/* of tables: the parameter */		\
	X(RECLAIM, reclaim)	/* the host is short of memory */	\
	X(SHARED, shared)	/* a page goes that several entries map */ \
	X(MEMSLOTS, memslots)						\
	X(ROOTS, roots)		/* L1 has many EPT pointers */		\
	X(HUGE_PAGES, huge_pages) /* KVM is to map large pages, or none */ \
	X(OFF, off)							\
	X(OWNER, owner)		/* ends */

enum kn_vept_why {
#define X(symbol, name) KN_VEPT_WHY_##symbol,
	KN_VEPT_WHYS(X)
#undef X
};

#define KN_VEPT_NR_ROOTS	16	/* of EPT pointers of one VM */
#define KN_VEPT_WINDOW		64	/* entries that are filled together, at most */

/* A table takes about two pages, with what leads to its entries. */
#define KN_VEPT_TABLE_PAGES	2

/* Of tables. */
#define KN_VEPT_MAX_ID		GENMASK(22, 0)

/* A page of EPT02. */
struct kn_vept_table {
	struct list_head node;		/* in kn_vept.tables */
	spinlock_t lock;		/* against others who fill it */
	u64 *entries;			/* what processors walk */
	u32 *copies;			/* at levels 1 and 2: what page entries were made from */
	u32 id;				/* ... and what leads to the table again */
	u64 kind;			/* of most that is copied */
	u64 source;			/* ... in this table of L1; or a large page's entry */
	u64 address;			/* of L2, translated by one of its entries */
	struct kn_vept_root *root;
	u8 source_level;		/* higher than the table's, if it is part of a large page */
	u8 upper;			/* what the entries above this source permit */
	u8 level;
	bool ad;			/* processors set accessed and dirty flags in it */
	u64 used;			/* groups of eight entries of which any has been filled */
};

/* The EPT02 of one EPT pointer of L1. */
struct kn_vept_root {
	u64 eptp12;			/* as far as it matters */
	u64 eptp02;
	unsigned int nr;
	u64 used;			/* when, by kn_vept.clock */
	bool stale;			/* L1 has executed INVEPT since all of it was looked at */
	struct kn_vept_table top;
};

/*
 * Of one VM.  @lock is held for reading by who fills tables, and for writing by who
 * takes something away that processors may use.  It nests inside KVM's mmu_lock.
 */
struct kn_vept {
	struct list_head node;		/* in the list of all */
	rwlock_t lock;			/* of everything below but where it has a lock of its own */
	struct kvm *kvm;		/* NULL once it dies */
	struct mmu_notifier notifier;
	struct mm_struct *mm;
	unsigned long seq;		/* what was found out at another may not hold any more */
	unsigned long in_progress;	/* changes of the owner's page tables, of these addresses */
	unsigned long change_begin, change_end;
	bool flush_pending;		/* TLBs may have what is no longer in the tables */
	bool write_back;		/* memory is, as KVM maps it without non-coherent DMA */
	bool logged;			/* KVM logs which pages are written */
	int nx_huge_pages;		/* KVM's, when pages were mapped */
	struct list_head tables;
	spinlock_t tables_lock;		/* of the list */
	atomic_t nr_tables;
	atomic_long_t reclaimed;	/* tables, when the host was short of memory */
	struct xarray small;		/* of addresses of the VM's owner, see vept_rmap.c */
	struct xarray large;
	spinlock_t roots_lock;		/* of adding one */
	u64 clock;			/* counts roots that are loaded, more or less */
	unsigned int nr_roots;		/* only grows */
	struct kn_vept_root *roots[KN_VEPT_NR_ROOTS];
};

/* What the bits EPT_COPY_LOW of copies stand for, with the kind that most have. */
struct kn_low_bits {
	u64 kind;
	u64 of[EPT_COPY_LOW + 1];
};

/* Pages for new tables, kept ready. */
#define KN_VEPT_NR_SPARE	(EPT_LEVELS - 1)

/* What a fault is about. */
struct kn_vept_fill {
	struct ept_format format;
	struct ept_walk walk;
	unsigned long seq;
	int level;			/* of the entries to fill */
	unsigned int first;		/* their index */
	unsigned int nr;
	unsigned int target;		/* the one that is needed, counted from the first */
	u64 wanted;			/* which of them; for these: */
	u64 entry[KN_VEPT_WINDOW];	/* the entry of EPT12 */
	u8 access[KN_VEPT_WINDOW];	/* what it and the host permit */
	gfn_t gfn[KN_VEPT_WINDOW];	/* the page of L1 */
	struct kvm_memory_slot *slot[KN_VEPT_WINDOW];
	unsigned long hva[KN_VEPT_WINDOW];
	unsigned long pfn[KN_VEPT_WINDOW];	/* the page of the host */
	struct kn_vept_table *spare[KN_VEPT_NR_SPARE];
	struct kn_low_bits low;		/* of the last table that was compared */
};

/* Of one vCPU. */
struct kn_vept_vcpu {
	struct kn_vept_root *root;	/* what VMCS02 refers to; NULL if that is KVM's */
	u32 seen;			/* roots of which no TLB has what they replace */
	struct kn_vept_fill *fill;
	gfn_t again;			/* page for which stock KVM was asked last */
	u8 tries;			/* how often in a row */
	bool refused;			/* until L1 enters L2 again: KVM's root */
	struct {			/* the EPT violation that L1 handles */
		u64 eptp12, gpa;
		u8 access;		/* 0 for none */
	} reflected;
};

extern bool kn_vept_enable;
extern unsigned int kn_vept_window;
extern unsigned int kn_vept_max_tables;

/* vept.c: what a vCPU does. */
void kn_vept_load(struct kn_vcpu *kv);
int kn_vept_violation(struct kn_vcpu *kv);
void kn_vept_reflected(struct kn_vcpu *kv);
void kn_vept_enter(struct kn_vcpu *kv);
void kn_vept_invept(struct kn_vcpu *kv);
void kn_vept_free_vcpu(struct kn_vcpu *kv);

/* vept_vm.c: what a VM has. */
struct kn_vept *kn_vept_get(struct kn_vcpu *kv);
void kn_vept_give_back_all(void);
void kn_vept_close(void);
void kn_vept_forget(struct kn_vept *vept);
struct kn_vept_root *kn_vept_recycle(struct kn_vept *vept, u64 eptp12, u64 eptp02);
void kn_vept_dies(struct kvm *kvm);
void kn_vept_free(struct kn_vept *vept);
void kn_vept_memslots_change(struct kvm *kvm, bool committed);
void kn_vept_write_protect(struct kvm *kvm, unsigned long hva);
void kn_vept_drop(struct kn_vept *vept, enum kn_vept_why why);
void kn_vept_add_counters(const struct kn_vept *vept, struct kn_counters *sum);
int kn_vept_init(void);
void kn_vept_exit(void);

/* vept_map.c: the tables. */
void kn_vept_set_root(struct kn_vept_root *root, u64 eptp12, u64 eptp02);
struct kn_vept_root *kn_vept_root(struct kn_vept *vept, u64 eptp12, u64 eptp02);
bool kn_vept_spare(struct kn_vept_fill *fill);
void kn_vept_free_fill(struct kn_vept_fill *fill);
void kn_vept_free_tables(struct list_head *tables);
struct kn_vept_table *kn_vept_table_by_id(u32 id);
void kn_vept_refresh(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		     struct kn_vept_fill *fill,
		     bool (*walk)(struct kn_vcpu *, struct kn_vept_fill *));
bool kn_vept_knows(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		   struct kn_vept_fill *fill, u8 need);
void kn_vept_find_wanted(struct kn_vept *vept, struct kn_vept_root *root,
			 struct kn_vept_fill *fill);
bool kn_vept_install(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
		     struct kn_vept_fill *fill, bool accessed);
void kn_vept_make_stale(struct kn_vept *vept, struct kn_vept_root *root);
void kn_vept_detach_tables(struct kn_vept *vept, struct list_head *tables);

/* Software's bit in entries of EPT02: it maps a page. */
#define KN_VEPT_PAGE		BIT_ULL(52)

/* Pages of 1 GB are mapped in parts. */
#define KN_VEPT_PAGE_LEVELS	2

static inline bool kn_vept_is_page(u64 entry)
{
	return entry & KN_VEPT_PAGE;
}

/* The table that an entry leads to; NULL if it maps a page, or nothing. */
static inline struct kn_vept_table *kn_vept_child(u64 entry)
{
	if (!entry || kn_vept_is_page(entry))
		return NULL;
	return (void *)page_private(pfn_to_page((entry & EPT_ADDRESS) >> PAGE_SHIFT));
}

static inline struct kn_vept_table *kn_vept_table_of(const u64 *entry)
{
	return (void *)page_private(virt_to_page(entry));
}

/* vept_host.c: what the page tables of the VM's owner have. */
void kn_host_find_pages(struct mm_struct *mm, struct kn_vept_fill *fill);

/* vept_rmap.c: from the memory of the VM's owner to the entries that map it. */
bool kn_rmap_prepare(struct kn_vept *vept, unsigned long hva, int level);
struct kn_rmap_place {			/* where the last one was, to begin with zeros */
	unsigned long index;
	u32 *slots;
};

/* Of a table, whose id is not 0, and an entry in it. */
static inline u32 kn_rmap_slot(const struct kn_vept_table *table, unsigned int index)
{
	return table->id * EPT_NR_ENTRIES + index;
}

/* What kn_rmap_set() does most: false if it has to. */
static inline bool kn_rmap_set_first(const struct kn_rmap_place *place, unsigned long hva,
				     const struct kn_vept_table *table, unsigned int index)
{
	u32 old = 0;

	return place->slots && place->index == hva >> PMD_SHIFT &&
	       try_cmpxchg(&place->slots[hva >> PAGE_SHIFT & (PTRS_PER_PTE - 1)], &old,
			   kn_rmap_slot(table, index));
}

void kn_rmap_set(struct kn_vept *vept, struct kn_rmap_place *place, unsigned long hva,
		 struct kn_vept_table *table, unsigned int index);
bool kn_rmap_zap(struct kn_vept *vept, unsigned long begin, unsigned long end, bool *all);
bool kn_rmap_age(struct kn_vept *vept, unsigned long begin, unsigned long end, bool clear);
void kn_rmap_detach(struct kn_vept *vept, struct list_head *chunks);
void kn_rmap_free_chunks(struct list_head *chunks);

#endif /* _KVM_NESTED_VEPT_H */
