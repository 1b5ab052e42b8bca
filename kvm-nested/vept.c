// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vCPU does with virtual EPT: its L2 runs on an EPT02 of the module's, which
 * EPT violations fill.
 *
 * KVM's own EPT02 stays as it is, and serves what is not filled here: accesses that
 * L1 is to be told of, memory that is none, or that KVM has plans for.  Such a
 * violation is left to stock KVM, which may emulate the instruction, or fill its own
 * EPT02.  If that does not get L2 any further, L2 runs on KVM's until L1 enters it
 * again.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "insn.h"
#include "kvm_mmu.h"
#include "trace.h"
#include "vcpu.h"
#include "vept.h"
#include "vmaccess.h"

unsigned int kn_vept_window = 64;

/* How often stock KVM is asked for the same page before L2 runs on KVM's EPT02. */
#define MAX_TRIES	3

/* Of L2, as four levels translate them. */
#define MAX_ADDRESS_BITS	48

/* That are looked at again at once, after an INVEPT. */
#define FEW_TABLES	16

/* SDM volume 3, "Exit Qualification for EPT Violations": the accesses, and this. */
#define QUALIFICATION_NMI_UNBLOCKING	BIT(12)

enum outcome {
	FILLED,
	AGAIN,		/* something has changed meanwhile */
	STOCK,
};

static enum outcome leave(struct kn_vcpu *kv, enum kn_vept_cause cause)
{
	kv->counters.vept_stock[cause]++;
	trace_vept_stock(kv->vcpu->vcpu_id, kv->vept.fill->walk.address, cause);
	return STOCK;
}

/* Where the entries are that a walk has come across, to set flags there. */
struct way {
	struct kvm_memory_slot *slot[EPT_LEVELS + 1];
	u64 __user *place[EPT_LEVELS + 1];
	u64 entry[EPT_LEVELS + 1];
};

/* Walk EPT12.  Anything but a page is stock KVM's. */
static enum outcome walk(struct kn_vcpu *kv, struct kn_vept_fill *fill, struct way *way)
{
	struct ept_walk *walk = &fill->walk;
	struct kn_user_page page;
	enum ept_step step;
	int level;
	u64 entry;

	do {
		level = walk->level;
		page = kn_find_user_page(kv->vcpu, ept_walk_place(walk));
		if (!page.words || page.slot->id >= KVM_USER_MEM_SLOTS)
			return leave(kv, KN_VEPT_TABLE);
		way->slot[level] = page.slot;
		way->place[level] = page.words + ept_index(walk->address, level);
		if (__get_user(entry, way->place[level]))
			return leave(kv, KN_VEPT_TABLE);
		way->entry[level] = entry;
		step = ept_walk_step(walk, &fill->format, entry);
	} while (step == EPT_STEP_DOWN);

	return step == EPT_STEP_PAGE ? FILLED : leave(kv, KN_VEPT_L1);
}

/* Nothing has to be set above the page, and it has been accessed before. */
static bool has_flags(const struct kn_vept_fill *fill, const struct way *way)
{
	int level;

	for (level = EPT_LEVELS; fill->format.ad && level >= fill->walk.level; level--)
		if (!(way->entry[level] & EPT_ACCESSED))
			return false;
	return true;
}

/* Set the flags that this access sets.  SDM volume 3, "Accessed and Dirty Flags for EPT". */
static enum outcome set_flags(struct kn_vcpu *kv, struct kn_vept_fill *fill, struct way *way,
			      bool write)
{
	struct ept_walk *walk = &fill->walk;
	struct kvm_vcpu *vcpu = kv->vcpu;
	u64 old, new;
	int level, r;

	for (level = EPT_LEVELS; level >= walk->level; level--) {
		old = way->entry[level];
		new = old | EPT_ACCESSED;
		if (write && level == walk->level)
			new |= EPT_DIRTY;
		if (new == old)
			continue;
		/* L1 has a log of its pages that become dirty. */
		if (new & ~old & EPT_DIRTY && kn_vmcs12_logs_pages(vcpu))
			return leave(kv, KN_VEPT_PML);
		r = __try_cmpxchg_user(way->place[level], &old, new, fault);
		if (r)
			return r < 0 ? leave(kv, KN_VEPT_TABLE) : AGAIN;
		kn_call(mark_page_dirty_in_slot)(vcpu->kvm, way->slot[level],
						 gpa_to_gfn(walk->table[level]));
		if (level == walk->level)
			walk->entry = new;
	}
	return FILLED;
}

/* Pages of L1 that L2 may be given.  Others are stock KVM's. */
static bool is_plain(const struct kvm_memory_slot *slot)
{
	return slot && slot->id < KVM_USER_MEM_SLOTS && !slot->flags;
}

/* The size of the entry: the smaller one of EPT12's page and the host's. */
static int entry_level(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_fill *fill)
{
	u64 gpa = ept_walk_target(&fill->walk, fill->walk.address);
	struct kn_user_page page;

	if (fill->walk.level < KN_VEPT_PAGE_LEVELS || vept->nx_huge_pages)
		return 1;
	page = kn_find_user_page(kv->vcpu, gpa);
	if (!page.words || !is_plain(page.slot))
		return 1;
	return kn_page_level(kv->vcpu, page.slot, gpa_to_gfn(gpa)) > 1 ? 2 : 1;
}

/* The entries that are filled at once: those around the one that is needed. */
static void set_window(struct kn_vept_fill *fill, bool demand)
{
	unsigned int index = ept_index(fill->walk.address, fill->level);

	fill->nr = demand && fill->level == 1 ? READ_ONCE(kn_vept_window) : 1;
	fill->first = index & ~(fill->nr - 1);
	fill->target = index - fill->first;
}

/* What EPT12 has for each of them.  False if it can't be read. */
static bool read_entries(struct kn_vcpu *kv, struct kn_vept_fill *fill)
{
	struct ept_walk *walk = &fill->walk;
	const u64 __user *words;
	unsigned int i;

	/* All are part of the same page of L1. */
	if (walk->level > fill->level) {
		for (i = 0; i < fill->nr; i++)
			fill->entry[i] = walk->entry;
		return true;
	}

	words = kn_find_user_page(kv->vcpu, walk->table[walk->level]).words;
	if (!words || !user_read_access_begin(words, PAGE_SIZE))
		return false;
	for (i = 0; i < fill->nr; i++)
		unsafe_get_user(fill->entry[i], &words[fill->first + i], fault);
	user_read_access_end();
	/* As it was found by the walk. */
	fill->entry[fill->target] = walk->entry;
	return true;
fault:
	user_read_access_end();
	return false;
}

/* Where the pages of L1 are that EPT12 lets L2 at. */
static void find_memory(struct kn_vcpu *kv, struct kn_vept_fill *fill)
{
	const struct ept_walk *walk = &fill->walk;
	bool is_part = walk->level > fill->level;
	struct kvm_memory_slot *slot = NULL;
	unsigned int shift, i;
	u64 address, wanted;
	gfn_t gfn;

	ept_leaf_accesses(&fill->format, walk->level, walk->upper[walk->level], fill->entry,
			  fill->nr, fill->access);
	shift = ept_shift(fill->level);
	address = walk->address >> shift << shift & ~(((u64)fill->nr << shift) - 1);
	wanted = fill->wanted;
	for (i = 0; i < fill->nr; i++) {
		if (!(wanted & BIT_ULL(i)))
			continue;

		gfn = gpa_to_gfn(is_part ? ept_walk_target(walk, address + ((u64)i << shift)) :
					   fill->entry[i] & EPT_ADDRESS);
		if (!slot || gfn - slot->base_gfn >= slot->npages)
			slot = kn_find_user_page(kv->vcpu, gfn_to_gpa(gfn)).slot;
		if (!fill->access[i] || !is_plain(slot) ||
		    !ept_can_copy(fill->entry[i])) {
			wanted &= ~BIT_ULL(i);
			continue;
		}
		fill->gfn[i] = gfn;
		fill->slot[i] = slot;
		fill->hva[i] = slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
	}
	fill->wanted = wanted;
}

/*
 * The page that is needed, with a reference; read only, for now, if that is how it is
 * there.  Does not sleep.
 */
static bool get_target(struct kn_vept_fill *fill)
{
	unsigned long hva = fill->hva[fill->target];
	u8 *access = &fill->access[fill->target];
	struct page *page;

	if (!(*access & EPT_WRITE) ||
	    get_user_pages_fast_only(hva, 1, FOLL_WRITE, &page) != 1) {
		*access &= ~EPT_WRITE;
		if (get_user_pages_fast_only(hva, 1, 0, &page) != 1)
			return false;
	}
	fill->pfn[fill->target] = page_to_pfn(page);
	return true;
}

/*
 * The same for a page that can't be had so, or not to be written to.  Stock KVM has been
 * asked before, which may have let L1 do something else until the page is there.
 */
static bool wait_for_target(struct kn_vept_fill *fill, u8 need)
{
	struct page *page;

	if (!(need & EPT_WRITE))
		fill->access[fill->target] &= ~EPT_WRITE;
	if (get_user_pages_unlocked(fill->hva[fill->target], 1, &page,
				    need & EPT_WRITE ? FOLL_WRITE : 0) != 1)
		return false;
	fill->pfn[fill->target] = page_to_pfn(page);
	return true;
}

static void put_target(struct kn_vept_fill *fill, bool filled)
{
	struct page *page = pfn_to_page(fill->pfn[fill->target]);

	/* The owner has to be told; until it is, L2 can't have written to it. */
	if (filled && fill->access[fill->target] & EPT_WRITE && !PageReserved(page))
		SetPageDirty(page);
	put_page(page);
}

/*
 * Take away what KVM would have to see, since it may have a copy of what L1 has there;
 * and make room for the rest.
 */
static bool prepare(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_fill *fill)
{
	unsigned long prepared = ~0ul;
	u64 wanted = fill->wanted;
	gfn_t area = ~0ull;
	bool copied = true;
	unsigned int i;

	for (i = 0; i < fill->nr; i++) {
		if (!(wanted & BIT_ULL(i)))
			continue;
		if (fill->gfn[i] >> (PMD_SHIFT - PAGE_SHIFT) != area) {
			area = fill->gfn[i] >> (PMD_SHIFT - PAGE_SHIFT);
			copied = kn_may_be_copied(fill->slot[i], fill->gfn[i]);
		}
		if (copied && fill->level == 1 && fill->access[i] & EPT_WRITE &&
		    !kn_may_map_writable(kv->vcpu, fill->slot[i], fill->gfn[i],
					 i == fill->target))
			fill->access[i] &= ~EPT_WRITE;
		if (fill->hva[i] >> PMD_SHIFT == prepared)
			continue;
		prepared = fill->hva[i] >> PMD_SHIFT;
		if (!kn_rmap_prepare(vept, fill->hva[i], fill->level))
			return false;
	}
	return kn_vept_spare(fill);
}

/* A page of the host's own size, or part of one. */
static bool fits(const struct kn_vept_fill *fill)
{
	return fill->level == 1 ||
	       !(fill->pfn[0] & (BIT_ULL(ept_shift(fill->level) - PAGE_SHIFT) - 1));
}

static enum outcome install(struct kn_vcpu *kv, struct kn_vept *vept, struct kn_vept_root *root,
			    struct kn_vept_fill *fill, u8 need, bool demand)
{
	if (!prepare(kv, vept, fill))
		return leave(kv, KN_VEPT_MEMORY);
	if (need & ~fill->access[fill->target])
		return leave(kv, KN_VEPT_WRITE);
	return fits(fill) && kn_vept_install(kv, vept, root, fill, demand) ? FILLED : AGAIN;
}

/*
 * An access of L2 to @gpa that needs the permissions @need.  @demand: it has been
 * made; otherwise it will be, and is only prepared for.
 */
static enum outcome fill(struct kn_vcpu *kv, struct kn_vept_root *root, u64 gpa, u8 need,
			 bool demand)
{
	struct kn_vept *vept = kv->vm->vept;
	struct kn_vept_fill *fill = kv->vept.fill;
	enum outcome outcome;
	struct way way;
	bool asked;

	ept_walk_begin(&fill->walk, root->eptp12, gpa);
	if (gpa >> MAX_ADDRESS_BITS || !kn_is_legal_gpa(kv->vcpu, gpa))
		return leave(kv, KN_VEPT_L1);
	if (atomic_read(&vept->nr_tables) > READ_ONCE(kn_vept_max_tables)) {
		kv->counters.vept_full++;
		kn_vept_drop(vept, KN_VEPT_WHY_FULL);
	}

	/* Pairs with the lock's release by who changed it. */
	fill->seq = smp_load_acquire(&vept->seq);
	fill->format = kn_ept_format(kv->vcpu, root->eptp12 & EPTP_AD);

	outcome = walk(kv, fill, &way);
	if (outcome != FILLED)
		return outcome;
	if (need & ~fill->walk.access)
		return leave(kv, KN_VEPT_L1);
	if (!demand && !has_flags(fill, &way))
		return STOCK;
	if (demand && fill->format.ad) {
		outcome = set_flags(kv, fill, &way, need & EPT_WRITE);
		if (outcome != FILLED)
			return outcome;
	}

	fill->level = entry_level(kv, vept, fill);
	if (kn_vept_knows(kv, vept, root, fill, need)) {
		kv->counters.vept_kept++;
		return FILLED;
	}

	set_window(fill, demand);
	if (!read_entries(kv, fill))
		return leave(kv, KN_VEPT_TABLE);
	kn_vept_find_wanted(vept, root, fill);
	find_memory(kv, fill);
	if (!(fill->wanted & BIT_ULL(fill->target)))
		return leave(kv, KN_VEPT_SLOT);

	asked = demand && kv->vept.tries && kv->vept.again == gpa_to_gfn(gpa);
	if (asked ? !wait_for_target(fill, need) : !get_target(fill))
		return leave(kv, KN_VEPT_HOST);
	kn_host_find_pages(kv->vcpu->kvm->mm, fill);
	outcome = install(kv, vept, root, fill, need, demand);
	put_target(fill, outcome == FILLED);
	if (outcome == FILLED) {
		kv->counters.vept_filled += hweight64(fill->wanted);
		trace_vept_fill(kv->vcpu->vcpu_id, gpa, need, fill->level,
				hweight64(fill->wanted), !demand);
	}
	return outcome;
}

/* An IRET has ended the blocking of NMIs, and will be executed again. */
static void keep_nmis_blocked(void)
{
	if (!(kn_vmcs_read(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK) &&
	    kn_vmcs_read(PIN_BASED_VM_EXEC_CONTROL) & PIN_BASED_VIRTUAL_NMIS)
		kn_vmcs_write(GUEST_INTERRUPTIBILITY_INFO,
			      kn_vmcs_read(GUEST_INTERRUPTIBILITY_INFO) | GUEST_INTR_STATE_NMI);
}

/* Stock KVM is asked: if that has not helped the last times, it gets L2 as a whole. */
static int ask_stock(struct kn_vcpu *kv, u64 gpa)
{
	struct kn_vept_vcpu *v = &kv->vept;

	if (v->again != gpa_to_gfn(gpa))
		v->tries = 0;
	v->again = gpa_to_gfn(gpa);
	if (++v->tries > MAX_TRIES) {
		v->tries = 0;
		v->refused = true;
		kv->counters.vept_refused++;
		kn_reload_root(kv->vcpu);
	}
	return KN_STOCK;
}

/* An EPT violation of L2, with VMCS02 current.  Must hold kn_srcu. */
int kn_vept_violation(struct kn_vcpu *kv)
{
	struct kn_vept_root *root = kv->vept.root;
	u64 qualification, gpa;

	if (!root || !kn_has_ept12(kv->vcpu))
		return KN_STOCK;

	qualification = kn_vmcs_read(EXIT_QUALIFICATION);
	gpa = kn_vmcs_read(GUEST_PHYSICAL_ADDRESS);
	if (fill(kv, root, gpa, qualification & EPT_RWX, true) == STOCK)
		return ask_stock(kv, gpa);

	kv->vept.again = ~0ull;
	if (qualification & QUALIFICATION_NMI_UNBLOCKING)
		keep_nmis_blocked();
	kv->counters.vept_faults++;
	return 1;
}

/* L1 has been given the EPT violation of its L2 on the module's EPT02: it may fill EPT12. */
void kn_vept_reflected(struct kn_vcpu *kv)
{
	const void *vmcs12 = kn_cached_vmcs12(kv->vcpu);

	if (kn_vmcs12_member(vmcs12, vm_exit_reason, u32) != EXIT_REASON_EPT_VIOLATION)
		return;
	kv->vept.again = ~0ull;
	kv->vept.reflected.eptp12 = kn_vept_key(kv->vcpu);
	kv->vept.reflected.gpa = kn_vmcs12_member(vmcs12, guest_physical_address, u64);
	kv->vept.reflected.access = kn_vmcs12_member(vmcs12, exit_qualification, u64) & EPT_RWX;
}

/* Whether L2 runs on an EPT02 of the module's; if so, its VM has them. */
static bool may_use(struct kn_vcpu *kv, struct kn_vept **vept)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	if (!READ_ONCE(kn_vept_enable) || !kn_vcpu_is_adopting() || kv->vept.refused ||
	    kn_in_smm(vcpu) || kn_uses_evmcs(vcpu) || kn_has_noncoherent_dma(vcpu->kvm) ||
	    (kn_eptp12(vcpu) & EPTP_LENGTH) != EPTP_LENGTH_4)
		return false;

	if (!kv->vept.fill)
		kv->vept.fill = kvzalloc(sizeof(*kv->vept.fill), GFP_KERNEL_ACCOUNT);
	*vept = kn_vept_get(kv);
	return kv->vept.fill && *vept && (*vept)->write_back && !READ_ONCE((*vept)->logged);
}

static struct kn_vept_root *choose_root(struct kn_vcpu *kv)
{
	struct kn_vept *vept;

	if (!may_use(kv, &vept))
		return NULL;

	/* KVM has dropped all it had, too; and so it does when it is to map no large pages. */
	if (vept->nx_huge_pages != kn_nx_huge_pages()) {
		vept->nx_huge_pages = kn_nx_huge_pages();
		kn_vept_drop(vept, KN_VEPT_WHY_HUGE_PAGES);
	}
	return kn_vept_root(vept, kn_vept_key(kv->vcpu), kn_vmcs_read(EPT_POINTER));
}

/* Find the entries of one table, without sleeping: as far as EPT12 leads. */
static bool walk_again(struct kn_vcpu *kv, struct kn_vept_fill *fill)
{
	struct way way;

	return walk(kv, fill, &way) == FILLED && has_flags(fill, &way);
}

/* L1 has executed INVEPT, and L2 is not large. */
static void refresh(struct kn_vcpu *kv, struct kn_vept_root *root)
{
	struct kn_vept *vept = kv->vm->vept;
	struct kn_vept_fill *fill = kv->vept.fill;

	if (!READ_ONCE(root->stale) || atomic_read(&vept->nr_tables) > FEW_TABLES)
		return;
	/* Pairs with the lock's release by who changed it. */
	fill->seq = smp_load_acquire(&vept->seq);
	fill->format = kn_ept_format(kv->vcpu, root->eptp12 & EPTP_AD);
	kn_vept_refresh(kv, vept, root, fill, walk_again);
}

/*
 * KVM has just loaded a root into the current VMCS, for an L2 that L1 has an EPT for.  Let
 * it run on one of the module's.  Must hold kn_srcu.
 */
void kn_vept_load(struct kn_vcpu *kv)
{
	struct kn_vept_vcpu *v = &kv->vept;
	struct kn_vept_root *root;

	root = choose_root(kv);
	v->root = root;
	if (!root) {
		kv->counters.vept_loaded_stock++;
		return;
	}
	kv->counters.vept_loaded++;
	kn_vmcs_write(EPT_POINTER, root->eptp02);

	/*
	 * TLBs know roots by their address, which was something else's before.  On other CPUs
	 * KVM has the vCPU begin with empty ones.
	 */
	if (!(v->seen & BIT(root->nr))) {
		v->seen |= BIT(root->nr);
		kn_invept(root->eptp02);
	}
	root->used = ++kv->vm->vept->clock;

	refresh(kv, root);
	if (v->reflected.access && v->reflected.eptp12 == root->eptp12 &&
	    fill(kv, root, v->reflected.gpa, v->reflected.access, false) == FILLED)
		kv->counters.vept_prefilled++;
	v->reflected.access = 0;
}

/* L1 enters an L2. */
void kn_vept_enter(struct kn_vcpu *kv)
{
	kv->vept.refused = false;
	kv->vept.tries = 0;
}

/*
 * L1 executes INVEPT.  For which EPT pointer is in memory; if that can't be told, for
 * all of them.
 */
void kn_vept_invept(struct kn_vcpu *kv)
{
	/* Pairs with its creation. */
	struct kn_vept *vept = smp_load_acquire(&kv->vm->vept);
	u64 eptp12 = KN_INVALID_GPA;
	unsigned int i;

	if (!vept || !vept->nr_roots)
		return;

	if (!kn_insn_read_invept(kv, &eptp12))
		eptp12 = KN_INVALID_GPA;
	eptp12 &= EPT_ADDRESS;
	trace_vept_invept(kv->vcpu->vcpu_id, eptp12);

	write_lock(&vept->lock);
	for (i = 0; i < vept->nr_roots; i++) {
		struct kn_vept_root *root = vept->roots[i];

		if (eptp12 == (KN_INVALID_GPA & EPT_ADDRESS) ||
		    eptp12 == (root->eptp12 & EPT_ADDRESS)) {
			kn_vept_make_stale(vept, root);
			kn_invept(root->eptp02);
			kv->counters.vept_invalidated++;
		}
	}
	write_unlock(&vept->lock);
}

/* Nobody uses the kn_vcpu any more. */
void kn_vept_free_vcpu(struct kn_vcpu *kv)
{
	kn_vept_free_fill(kv->vept.fill);
}
