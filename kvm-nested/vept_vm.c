// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPT02s of a VM: when they begin and end, and what happens to the VM's memory
 * meanwhile.
 *
 * Entries of EPT02 hold no reference to the page that they map.  What the host does
 * to that page is announced to an MMU notifier first, which empties the entries and
 * has all vCPUs leave the guest and forget.  An entry is filled only if nothing was
 * announced since the page was looked up.
 */
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "kvm_mmu.h"
#include "trace.h"
#include "vcpu.h"
#include "vept.h"

bool kn_vept_enable = true;
unsigned int kn_vept_max_tables = 16384;

/* Of all VMs.  Who searches it holds RCU. */
static LIST_HEAD(vepts);
static DEFINE_SPINLOCK(vepts_lock);

static struct kn_vept *of_notifier(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct kn_vept, notifier);
}

/* What is taken out of use under the lock, and freed when that is given back. */
struct litter {
	struct list_head tables;
	struct list_head chunks;	/* of the reverse map */
};

static void lock(struct kn_vept *vept, struct litter *litter)
	__acquires(&vept->lock)
{
	INIT_LIST_HEAD(&litter->tables);
	INIT_LIST_HEAD(&litter->chunks);
	write_lock(&vept->lock);
}

static void unlock(struct kn_vept *vept, struct litter *litter)
	__releases(&vept->lock)
{
	write_unlock(&vept->lock);
	kn_vept_free_tables(&litter->tables);
	kn_rmap_free_chunks(&litter->chunks);
}

/* Must hold kn_vept.lock for writing.  Processors forget what they have of the tables. */
static void flush_tlbs(struct kn_vept *vept)
{
	vept->flush_pending = false;
	if (vept->kvm)
		kn_flush_tlbs(vept->kvm);
}

/* Must hold kn_vept.lock for writing. */
static void detach_all(struct kn_vept *vept, struct litter *litter, enum kn_vept_why why)
{
	trace_vept_drop(vept->kvm, atomic_read(&vept->nr_tables), why);
	vept->seq++;
	kn_vept_detach_tables(vept, &litter->tables);
	kn_rmap_detach(vept, &litter->chunks);
	flush_tlbs(vept);
}

/* Empty all EPT02s. */
void kn_vept_drop(struct kn_vept *vept, enum kn_vept_why why)
{
	struct litter litter;

	lock(vept, &litter);
	detach_all(vept, &litter, why);
	unlock(vept, &litter);
}

/* Must hold kn_vept.lock for writing.  Nobody accesses this memory of the owner's any more. */
static void unmap(struct kn_vept *vept, unsigned long begin, unsigned long end,
		  struct litter *litter)
{
	bool all = false, zapped;

	zapped = kn_rmap_zap(vept, begin, end, &all);
	if (all)
		detach_all(vept, litter, KN_VEPT_WHY_SHARED);
	else if (zapped || vept->flush_pending)
		flush_tlbs(vept);
}

/* This memory is about to change, or be unmapped. */
static int change_begins(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct kn_vept *vept = of_notifier(notifier);
	struct litter litter;

	lock(vept, &litter);
	if (!vept->in_progress++) {
		vept->change_begin = range->start;
		vept->change_end = range->end;
	} else {
		vept->change_begin = min(vept->change_begin, range->start);
		vept->change_end = max(vept->change_end, range->end);
	}
	unmap(vept, range->start, range->end, &litter);
	unlock(vept, &litter);
	return 0;
}

static void change_ends(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct kn_vept *vept = of_notifier(notifier);

	write_lock(&vept->lock);
	vept->seq++;
	vept->in_progress--;
	write_unlock(&vept->lock);
}

static bool age(struct mmu_notifier *notifier, unsigned long begin, unsigned long end, bool clear,
		bool flush)
{
	struct kn_vept *vept = of_notifier(notifier);
	bool young;

	write_lock(&vept->lock);
	young = kn_rmap_age(vept, begin, end, clear);
	if (young && flush)
		flush_tlbs(vept);
	write_unlock(&vept->lock);
	return young;
}

static int clear_flush_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			     unsigned long begin, unsigned long end)
{
	return age(notifier, begin, end, true, true);
}

static int clear_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long begin,
		       unsigned long end)
{
	return age(notifier, begin, end, true, false);
}

static int test_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	return age(notifier, address, address + 1, false, false);
}

/* The owner ends. */
static void owner_ends(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	kn_vept_drop(of_notifier(notifier), KN_VEPT_WHY_OWNER);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = change_begins,
	.invalidate_range_end = change_ends,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = owner_ends,
};

static struct kn_vept *create(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;
	struct kn_vept *vept = kzalloc(sizeof(*vept), GFP_KERNEL_ACCOUNT);

	if (!vept)
		return NULL;
	rwlock_init(&vept->lock);
	spin_lock_init(&vept->tables_lock);
	spin_lock_init(&vept->roots_lock);
	INIT_LIST_HEAD(&vept->tables);
	xa_init(&vept->small);
	xa_init(&vept->large);
	vept->kvm = kvm;
	vept->mm = kvm->mm;
	vept->write_back = kn_forces_write_back(vcpu);
	vept->notifier.ops = &notifier_ops;
	if (mmu_notifier_register(&vept->notifier, kvm->mm)) {
		kfree(vept);
		return NULL;
	}

	spin_lock(&vepts_lock);
	list_add_rcu(&vept->node, &vepts);
	spin_unlock(&vepts_lock);

	/* With the VM's SRCU held: whoever changes it from now on finds this. */
	vept->logged = kn_logs_writes(kvm);
	vept->nx_huge_pages = kn_nx_huge_pages();
	return vept;
}

static DEFINE_MUTEX(create_mutex);

/* On the thread of a vCPU of the VM, where it may sleep.  NULL without memory. */
struct kn_vept *kn_vept_get(struct kn_vcpu *kv)
{
	struct kn_vm *vm = kv->vm;
	/* Pairs with the release below. */
	struct kn_vept *vept = smp_load_acquire(&vm->vept);

	if (vept)
		return vept;

	mutex_lock(&create_mutex);
	vept = vm->vept;
	if (!vept) {
		vept = create(kv->vcpu);
		/* Whoever sees it finds it complete. */
		smp_store_release(&vm->vept, vept);
	}
	mutex_unlock(&create_mutex);
	return vept;
}

/* The VM has died, and nobody uses it any more. */
void kn_vept_free(struct kn_vept *vept)
{
	struct litter litter;
	unsigned int i;

	if (!vept)
		return;

	spin_lock(&vepts_lock);
	list_del_rcu(&vept->node);
	spin_unlock(&vepts_lock);
	synchronize_rcu();
	mmu_notifier_unregister(&vept->notifier, vept->mm);

	lock(vept, &litter);
	kn_vept_detach_tables(vept, &litter.tables);
	kn_rmap_detach(vept, &litter.chunks);
	unlock(vept, &litter);
	for (i = 0; i < vept->nr_roots; i++) {
		free_page((unsigned long)vept->roots[i]->top.entries);
		kfree(vept->roots[i]);
	}
	kfree(vept);
}

/* Must hold RCU. */
static struct kn_vept *find(struct kvm *kvm)
{
	struct kn_vept *vept;

	list_for_each_entry_rcu(vept, &vepts, node)
		if (READ_ONCE(vept->kvm) == kvm)
			return vept;
	return NULL;
}

/* The VM dies: none of its vCPUs runs again.  Callable where nothing may sleep. */
void kn_vept_dies(struct kvm *kvm)
{
	struct kn_vept *vept;

	rcu_read_lock();
	vept = find(kvm);
	if (vept) {
		write_lock(&vept->lock);
		WRITE_ONCE(vept->kvm, NULL);
		write_unlock(&vept->lock);
	}
	rcu_read_unlock();
}

/*
 * Memory slots of the VM come, go, move, or are logged, as far as KVM is with it; or
 * all that it has mapped is wrong.  Callable where nothing may sleep.
 */
void kn_vept_memslots_change(struct kvm *kvm, bool committed)
{
	struct kn_vept *vept;

	rcu_read_lock();
	vept = find(kvm);
	if (vept) {
		if (committed)
			WRITE_ONCE(vept->logged, kn_logs_writes(kvm));
		kn_reload_roots(kvm);
		kn_vept_drop(vept, KN_VEPT_WHY_MEMSLOTS);
	}
	rcu_read_unlock();
}

/* KVM is to notice writes to this page.  Callable where nothing may sleep. */
void kn_vept_write_protect(struct kvm *kvm, unsigned long hva)
{
	struct litter litter;
	struct kn_vept *vept;

	rcu_read_lock();
	vept = find(kvm);
	if (vept) {
		lock(vept, &litter);
		vept->seq++;
		unmap(vept, hva, hva + PAGE_SIZE, &litter);
		unlock(vept, &litter);
	}
	rcu_read_unlock();
}

/*
 * No vCPU takes an EPT02 of the module any more: those that have one in VMCS02 leave the
 * guest, and let KVM load its own before they enter it again.
 */
void kn_vept_give_back_all(void)
{
	struct kn_vept *vept;

	rcu_read_lock();
	list_for_each_entry_rcu(vept, &vepts, node) {
		struct litter litter;

		lock(vept, &litter);
		if (vept->kvm)
			kn_reload_roots(vept->kvm);
		detach_all(vept, &litter, KN_VEPT_WHY_OFF);
		unlock(vept, &litter);
	}
	rcu_read_unlock();
}

/* The same for ever: the hooks are about to go that would tell of a VM's death. */
void kn_vept_close(void)
{
	struct kn_vept *vept;

	rcu_read_lock();
	list_for_each_entry_rcu(vept, &vepts, node) {
		write_lock(&vept->lock);
		WRITE_ONCE(vept->kvm, NULL);
		write_unlock(&vept->lock);
	}
	rcu_read_unlock();
}

/*
 * L1 has left VMX operation: whoever enters it next begins with nothing cached.
 * Callable where nothing may sleep.
 */
void kn_vept_forget(struct kn_vept *vept)
{
	unsigned int i;

	write_lock(&vept->lock);
	for (i = 0; i < vept->nr_roots; i++) {
		kn_vept_make_stale(vept, vept->roots[i]);
		kn_invept(vept->roots[i]->eptp02);
	}
	write_unlock(&vept->lock);
}

/*
 * The root that was used least is for another EPT pointer.  Who has it in VMCS02 leaves
 * the guest, and looks for its own again.
 */
struct kn_vept_root *kn_vept_recycle(struct kn_vept *vept, u64 eptp12, u64 eptp02)
{
	struct litter litter;
	struct kn_vept_root *root;
	unsigned int i;

	lock(vept, &litter);
	root = vept->roots[0];
	for (i = 1; i < vept->nr_roots; i++)
		if (vept->roots[i]->used < root->used)
			root = vept->roots[i];
	if (vept->kvm)
		kn_reload_roots(vept->kvm);
	detach_all(vept, &litter, KN_VEPT_WHY_ROOTS);
	kn_vept_set_root(root, eptp12, eptp02);
	unlock(vept, &litter);
	return root;
}

/* How many pages of tables there are. */
static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long nr = 0;
	struct kn_vept *vept;

	rcu_read_lock();
	list_for_each_entry_rcu(vept, &vepts, node)
		nr += KN_VEPT_TABLE_PAGES * atomic_read(&vept->nr_tables);
	rcu_read_unlock();
	return nr ?: SHRINK_EMPTY;
}

/* Must hold RCU.  NULL if none has tables. */
static struct kn_vept *find_largest(void)
{
	struct kn_vept *vept, *largest = NULL;
	int nr, most = 0;

	list_for_each_entry_rcu(vept, &vepts, node) {
		nr = atomic_read(&vept->nr_tables);
		if (nr > most) {
			largest = vept;
			most = nr;
		}
	}
	return largest;
}

/*
 * The host is short of memory.  A VM that has lost its tables fills those that it uses
 * again, many pages at a time; so they are not worth telling apart.
 */
static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *control)
{
	unsigned long freed = 0;
	struct kn_vept *vept;
	unsigned int nr;

	rcu_read_lock();
	while (freed < control->nr_to_scan) {
		vept = find_largest();
		if (!vept)
			break;
		nr = atomic_read(&vept->nr_tables);
		kn_vept_drop(vept, KN_VEPT_WHY_RECLAIM);
		atomic_long_add(nr, &vept->reclaimed);
		freed += KN_VEPT_TABLE_PAGES * nr;
	}
	rcu_read_unlock();
	return freed ?: SHRINK_STOP;
}

void kn_vept_add_counters(const struct kn_vept *vept, struct kn_counters *sum)
{
	if (vept)
		sum->vept_reclaimed += atomic_long_read(&vept->reclaimed);
}

static struct shrinker *shrinker;

/* Returns 0, or -ENOMEM. */
int kn_vept_init(void)
{
	shrinker = kn_shrinker_new(count_objects, scan_objects);
	return shrinker ? 0 : -ENOMEM;
}

/* Nobody reclaims tables any more. */
void kn_vept_exit(void)
{
	kn_shrinker_free(shrinker);
}
