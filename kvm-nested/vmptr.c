// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMPTRLD and VMCLEAR of an L1 that goes from one of its VMCS12s to another.
 *
 * Stock KVM has a copy of the current VMCS12 only.  It writes all of that page to
 * L1's memory and reads all of the next one, rebuilds VMCS02 whatever is entered
 * next, and forgets where the EPT02s of all VMCS12s are.
 *
 * The module keeps the copies of a few VMCS12s.  L1's memory is brought up to date
 * at the same moments as by stock KVM, and is the truth for a VMCS12 that is not
 * current: nothing has to be done about one that is only kept, by whoever saves the
 * VM or takes the vCPU back.  So no more is saved than the bytes that fields are
 * not in, and what depends on whether a VMCS12 has changed: if nobody has written
 * to it, and no other was entered, VMCS02 is still right.  EPT02s stay: VMPTRLD and
 * VMCLEAR don't invalidate mappings (SDM volume 3, "Operations that Invalidate
 * Cached Mappings").
 *
 * What is out of the ordinary is left to stock KVM before anything has changed, but
 * for what stock KVM does first itself.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "insn.h"
#include "kvm_intel.h"
#include "memory12.h"
#include "vcpu.h"
#include "vmaccess.h"
#include "vmcs02.h"

bool kn_vmptr_enable = true;

static struct kn_kept *find_kept(struct kn_vmptr *vmptr, gpa_t gpa)
{
	int i;

#pragma GCC unroll 7
	for (i = 0; i < KN_NR_KEPT; i++)
		if (vmptr->kept[i].gpa == gpa)
			return &vmptr->kept[i];

	return NULL;
}

static struct kn_kept *oldest_kept(struct kn_vmptr *vmptr)
{
	struct kn_kept *oldest = &vmptr->kept[0];
	int i;

	for (i = 1; i < KN_NR_KEPT; i++)
		if (vmptr->kept[i].used < oldest->used)
			oldest = &vmptr->kept[i];

	return oldest;
}

/* The revision, and that it is no shadow VMCS or that this L1 may have these. */
static bool has_good_header(struct kvm_vcpu *vcpu, const u64 *page)
{
	u32 header = page[0];

	return (header & ~BIT(31)) == kn_vmcs12_revision(vcpu) &&
	       (!(header & BIT(31)) || kn_may_shadow(vcpu));
}

/* Stock KVM does, or has done, what it likes. */
void kn_vmptr_forget(struct kn_vcpu *kv)
{
	kv->vmptr.vmcs02_owner = KN_INVALID_GPA;
	kv->vmptr.cleared = KN_INVALID_GPA;
	kv->vmptr.linked = KN_INVALID_GPA;
	kv->vmptr.left = 0;
}

/* Whether it is for stock KVM in any case. */
static bool needs_stock(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	return !READ_ONCE(kn_vmptr_enable) || !kv->shadow.active || kn_in_l2(vcpu) ||
	       kn_in_smm(vcpu) || kn_uses_hyperv(vcpu);
}

/* It may put another VMCS12 into its page, or write to the memory of one that is kept. */
static int leave_to_stock(struct kn_vcpu *kv)
{
	kn_vmptr_forget(kv);
	kv->counters.vmptr_stock++;
	return KN_STOCK;
}

/* The operand of the instruction, if it can be a VMCS12; else what the hook is to return. */
static int read_pointer(struct kn_vcpu *kv, gpa_t *gpa)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct operand_info info;
	struct x86_exception e;
	gva_t gva;
	int r;

	if (needs_stock(kv))
		return leave_to_stock(kv);

	info = operand_decode(kn_vmcs_read(VMX_INSTRUCTION_INFO));
	if (!kn_insn_translates(vcpu, &info))
		return leave_to_stock(kv);
	if (!kn_insn_permitted(vcpu) ||
	    !kn_insn_translate(vcpu, &info, sizeof(*gpa), false, &gva))
		return 1;

	r = kn_walk_read(kv, gva, gpa, sizeof(*gpa), &e);
	if (r)
		return kn_call(kvm_handle_memory_failure)(vcpu, r, &e);

	if (!PAGE_ALIGNED(*gpa) || !kn_is_legal_gpa(vcpu, *gpa) || *gpa == kn_vmxon_ptr(vcpu))
		return leave_to_stock(kv);
	return 0;
}

/*
 * The current VMCS12 as L1's memory is to have it, and L1's memory.  False if stock
 * KVM has to go on: then it does what has been done here once more, in vain.
 */
static bool release_current(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	kn_vmcs02_complete(kv);
	if (!kn_shadow_copy_in(kv) ||
	    !kn_memory12_write(vcpu, kn_current_vmptr(vcpu), kn_cached_vmcs12(vcpu)))
		return false;

	kv->vmptr.left = kn_shadow_left(kv);
	return true;
}

/* With interrupts off: KVM's page and the kept one change places. */
static void swap_pages(struct kn_vcpu *kv, struct kn_kept *kept)
{
	struct kn_vmptr *vmptr = &kv->vmptr;
	struct kvm_vcpu *vcpu = kv->vcpu;
	void *page = kn_cached_vmcs12(vcpu);
	gpa_t gpa = kn_current_vmptr(vcpu);
	bool dirty = *kn_vmcs12_dirty(vcpu);
	struct kn_kept *other;

	if (gpa == KN_INVALID_GPA) {
		gpa = vmptr->cleared;
		dirty = vmptr->cleared_dirty;
	}
	/* Stock KVM may have loaded what was kept. */
	other = find_kept(vmptr, gpa);
	if (other)
		other->gpa = KN_INVALID_GPA;
	kn_set_cached_vmcs12(vcpu, kept->page);
	kept->page = page;
	kept->gpa = gpa;
	kept->dirty = dirty;
	kept->left = vmptr->left;
	kept->used = ++vmptr->clock;
	vmptr->cleared = KN_INVALID_GPA;
	vmptr->left = 0;
}

/* Make the kept VMCS12 the current one. */
static void make_current(struct kn_vcpu *kv, struct kn_kept *kept, bool dirty)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	gpa_t gpa = kept->gpa;
	unsigned long flags;

	local_irq_save(flags);
	swap_pages(kv, kept);
	if (kn_current_vmptr(vcpu) == KN_INVALID_GPA)
		kn_enable_shadow_vmcs(vcpu);
	kn_set_current_vmptr(vcpu, gpa);
	*kn_shadow_stale(vcpu) = true;
	*kn_vmcs12_dirty(vcpu) = dirty;
	local_irq_restore(flags);
}

/*
 * The VMCS12 at @gpa is not kept yet.  Stock KVM loads it, to a page of its own, so
 * that the one of the current VMCS12 can be kept.
 */
static int load_new(struct kn_vcpu *kv, gpa_t gpa)
{
	struct kn_kept *kept = oldest_kept(&kv->vmptr);
	struct kvm_vcpu *vcpu = kv->vcpu;
	unsigned long flags;

	kv->counters.vmptr_new++;
	if (kn_current_vmptr(vcpu) == KN_INVALID_GPA && kv->vmptr.cleared == KN_INVALID_GPA)
		return KN_STOCK;

	if (!kept->page)
		kept->page = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!kept->page)
		return KN_STOCK;

	/*
	 * Stock KVM is about to release the current VMCS12, if there is one, from there.
	 * Whoever gives the shadow VMCS back may bring changes to the old page until then.
	 */
	local_irq_save(flags);
	memcpy(kept->page, kn_cached_vmcs12(vcpu), PAGE_SIZE);
	swap_pages(kv, kept);
	local_irq_restore(flags);
	return KN_STOCK;
}

int kn_vmptrld_insn(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	enum memory12_state state;
	struct kn_kept *kept;
	gpa_t gpa;
	bool dirty;
	u64 left;
	int r;

	r = read_pointer(kv, &gpa);
	if (r)
		return r;
	if (gpa == kn_current_vmptr(vcpu))
		return kn_insn_succeed(vcpu);

	kept = find_kept(&kv->vmptr, gpa);
	if (!kept && gpa == kv->vmptr.cleared)
		return leave_to_stock(kv);
	if (!kept)
		return load_new(kv, gpa);

	/* It was current the last time it was entered, so that VMCS02 can be its. */
	dirty = kept->dirty || kv->vmptr.vmcs02_owner != gpa;
	if (kn_current_vmptr(vcpu) != KN_INVALID_GPA && !release_current(kv))
		return leave_to_stock(kv);

	state = kn_memory12_read(vcpu, gpa, kept->page);
	if (state == MEMORY12_UNUSABLE || !has_good_header(vcpu, kept->page)) {
		kept->gpa = KN_INVALID_GPA;
		return leave_to_stock(kv);
	}

	left = kept->left;
	make_current(kv, kept, dirty || state == MEMORY12_CHANGED);
	kv->shadow.back = state == MEMORY12_SAME ? left : 0;
	kn_shadow_prepare(kv);
	kv->counters.vmptr_kept++;
	return kn_insn_succeed(vcpu);
}

/* Only of the current VMCS12: of another one it does little. */
int kn_vmclear_insn(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	unsigned long flags;
	gpa_t gpa;
	int r;

	r = read_pointer(kv, &gpa);
	if (r)
		return r;
	if (gpa != kn_current_vmptr(vcpu))
		return leave_to_stock(kv);

	*kn_launch_state(vcpu) = 0;
	if (!release_current(kv))
		return leave_to_stock(kv);

	local_irq_save(flags);
	kv->vmptr.cleared = gpa;
	kv->vmptr.cleared_dirty = *kn_vmcs12_dirty(vcpu);
	kn_disable_shadow_vmcs(vcpu);
	*kn_shadow_stale(vcpu) = false;
	kn_set_current_vmptr(vcpu, KN_INVALID_GPA);
	local_irq_restore(flags);

	kv->counters.vmptr_kept++;
	return kn_insn_succeed(vcpu);
}

/*
 * The VMCS12 that L2 has as its shadow VMCS: stock KVM reads all of its page at a
 * VM entry and writes it back at L2's exit.  These two are called where nothing may
 * sleep, and return false if stock KVM has to.
 */

bool kn_vmptr_read_linked(struct kn_vcpu *kv, gpa_t gpa)
{
	bool done = false;

	if (READ_ONCE(kn_vmptr_enable) && kv->vmptr.linked == gpa) {
		pagefault_disable();
		done = kn_memory12_read(kv->vcpu, gpa, kn_cached_shadow_vmcs12(kv->vcpu)) !=
		       MEMORY12_UNUSABLE;
		pagefault_enable();
	}

	if (done)
		kv->counters.vmptr_linked++;
	else
		kv->counters.vmptr_linked_stock++;
	/* Stock KVM reads it, with the bytes that are not looked at here. */
	kv->vmptr.linked = gpa;
	return done;
}

bool kn_vmptr_write_linked(struct kn_vcpu *kv, gpa_t gpa)
{
	bool done = false;

	if (READ_ONCE(kn_vmptr_enable) && kv->vmptr.linked == gpa) {
		pagefault_disable();
		done = kn_memory12_write(kv->vcpu, gpa, kn_cached_shadow_vmcs12(kv->vcpu));
		pagefault_enable();
	}

	if (done)
		kv->counters.vmptr_linked++;
	else
		kv->counters.vmptr_linked_stock++;
	return done;
}

/* VMX operation ends, and KVM frees its page.  Callable where nothing may sleep. */
void kn_vmptr_leave(struct kn_vcpu *kv)
{
	int i;

	for (i = 0; i < KN_NR_KEPT; i++) {
		kfree(kv->vmptr.kept[i].page);
		kv->vmptr.kept[i].page = NULL;
		kv->vmptr.kept[i].gpa = KN_INVALID_GPA;
		kv->vmptr.kept[i].used = 0;
	}
	kn_vmptr_forget(kv);
}
