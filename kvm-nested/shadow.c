// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware shadow VMCS that L1 reads and writes without VM exits.
 *
 * Stock KVM decides when it is copied: to VMCS12 before anything looks there
 * ("in"), and from VMCS12 before L1 runs again ("out").  The module decides
 * which fields are, by what L1 uses, and moves only what has changed.
 *
 * While the shadow VMCS is the module's, VMCS12 is the truth for every field but
 * those open for writing, and for these as well while the shadow VMCS is stale.
 *
 * What happens with the shadow VMCS and VMCS01 happens with interrupts off, on
 * the CPU where VMCS01 is active: so that kn_shadow_give_back() can interrupt a
 * vCPU anywhere else and find everything as stock KVM may have left it.
 */
#include <linux/bitmap.h>

#include "bitmap.h"
#include "kvm_intel.h"
#include "shadow.h"
#include "vcpu.h"
#include "vmcs02.h"

/* Between these two the shadow VMCS is current. */

void kn_shadow_enter(struct kvm_vcpu *vcpu)
{
	kn_vmptrld(kn_shadow_region(vcpu));
}

/*
 * A shadow VMCS may stay active on this CPU, where L1 goes on using it.  KVM
 * clears it when VMCS01 leaves the CPU, but only if that was launched there.
 */
void kn_shadow_exit(struct kvm_vcpu *vcpu)
{
	if (!kn_vmcs_launched(kn_vmcs01(vcpu)))
		kn_vmclear(kn_shadow_region(vcpu));
	kn_vmptrld(kn_vmcs_region(kn_vmcs01(vcpu)));
}

/*
 * With VMCS01 current, and interrupts off: let it refer to @image.  No other may be
 * active, for KVM clears no other when VMCS01 leaves the CPU.
 */
void kn_shadow_use(struct kn_vcpu *kv, struct kn_image *image)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	if (image == kv->shadow.image)
		return;

	kn_vmclear(kn_shadow_region(vcpu));
	kn_set_shadow_vmcs(kn_vmcs01(vcpu), image->region);
	if (kn_current_vmptr(vcpu) != KN_INVALID_GPA)
		kn_vmcs_write(VMCS_LINK_POINTER, virt_to_phys(image->region));
	kv->shadow.image = image;
}

/*
 * L1 has come back to a VMCS12: let that have a shadow VMCS of its own, lest each
 * change of VMCS12s write most of it.  Without memory for that, so it is.
 */
void kn_shadow_prepare(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kn_image **image;

	image = &shadow->images[kn_habits_number(&shadow->habits, kn_current_vmptr(kv->vcpu))];
	if (*image)
		return;

	*image = kn_image_create(shadow->base.region);
	if (*image)
		kv->counters.shadow_own++;
}

/* L1 has a current VMCS12, and the shadow VMCS has what L1 wrote to it. */
bool kn_shadow_is_live(struct kvm_vcpu *vcpu)
{
	return kn_current_vmptr(vcpu) != KN_INVALID_GPA && !kn_uses_evmcs(vcpu) &&
	       !kn_in_l2(vcpu) && !*kn_shadow_stale(vcpu);
}

/* With the shadow VMCS current: bring what L1 has changed to VMCS12. */
void kn_shadow_read_changes(struct kn_vcpu *kv, unsigned long *changed)
{
	kn_image_read(kv->shadow.image, kn_cached_vmcs12(kv->vcpu), changed,
		      &kv->counters.shadow);
}

/* Not for everybody, nor is its stack frame. */
static noinline void late_changes_take_effect(struct kn_vcpu *kv, unsigned long *changed)
{
	unsigned long copy[VMCS12_SET_LONGS];

	if (bitmap_and(copy, changed, kn_classes.copied, VMCS12_NR_FIELDS))
		kn_vmcs02_store(kv, copy);
	if (vmcs12_sets_meet(changed, kn_classes.derived)) {
		kn_vmcs02_complete(kv);
		*kn_vmcs12_dirty(kv->vcpu) = true;
	}
	if (vmcs12_sets_meet(changed, kn_classes.checked))
		kn_checks_forget(kv);
}

/* See that what kn_shadow_read_changes() has found gets where L2 sees it. */
static void changes_take_effect(struct kn_vcpu *kv, unsigned long *changed)
{
	if (vmcs12_sets_meet(changed, kn_classes.late))
		late_changes_take_effect(kv, changed);
}

/* Returns false if the shadow VMCS is not the module's. */
bool kn_shadow_copy_in(struct kn_vcpu *kv)
{
	unsigned long changed[VMCS12_SET_LONGS] = {};
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	unsigned long flags;
	bool active;

	local_irq_save(flags);
	active = shadow->active;
	if (active && kn_shadow_is_live(vcpu) && kn_image_nr_written(shadow->image)) {
		kv->counters.shadow.copied_in++;
		kn_shadow_enter(vcpu);
		kn_shadow_read_changes(kv, changed);
		kn_shadow_exit(vcpu);
	}
	local_irq_restore(flags);

	changes_take_effect(kv, changed);
	return active;
}

/*
 * L1 leaves the current VMCS12, behind kn_shadow_copy_in(): a number for this, or 0
 * if the shadow VMCS may have something else than VMCS12.  If L1 comes back and both
 * still have the number, they agree.  Giving the shadow VMCS back at any moment makes
 * it lose the number when it is taken again.
 */
u64 kn_shadow_left(struct kn_vcpu *kv)
{
	struct kn_image *image = kv->shadow.image;

	if (!kv->shadow.active || !kn_shadow_is_live(kv->vcpu) || !image->exact)
		return 0;

	image->left = ++kv->shadow.departures;
	return image->left;
}

/* VMCS12 becomes the truth for every field, until the shadow VMCS is copied out. */
void kn_shadow_reload(struct kn_vcpu *kv)
{
	unsigned long flags;

	kn_shadow_copy_in(kv);

	local_irq_save(flags);
	if (kv->shadow.active && kn_shadow_is_live(kv->vcpu)) {
		*kn_shadow_stale(kv->vcpu) = true;
		kv->shadow.again = true;
	}
	local_irq_restore(flags);
}

/* L1's read of @field has trapped; if it can write the field, VMCS12 lags behind. */
void kn_shadow_fetch(struct kn_vcpu *kv, enum vmcs12_field field)
{
	unsigned long changed[VMCS12_SET_LONGS] = {};
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	unsigned long flags;

	field = vmcs12_field_base(field);
	if (!vmcs12_set_has(kn_image_open_for_writing(shadow->image), field))
		return;

	local_irq_save(flags);
	if (shadow->active && kn_shadow_is_live(vcpu)) {
		kv->counters.shadow.copied_in++;
		kn_shadow_enter(vcpu);
		kn_image_read_field(shadow->image, kn_cached_vmcs12(vcpu), field, changed,
				    &kv->counters.shadow);
		kn_shadow_exit(vcpu);
	}
	local_irq_restore(flags);

	changes_take_effect(kv, changed);
}

/* Choose the fields of the current VMCS12 and let L1 at them, and at no others. */
static void open_fields(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	const struct kn_choice *choice;
	bool clean = !*kn_vmcs12_dirty(vcpu);
	struct kn_image *image;
	unsigned long flags;

	choice = kn_habits_choose(&shadow->habits, vcpu, kn_current_vmptr(vcpu), !shadow->again,
				  &kv->counters.shadow);
	shadow->again = false;
	/* Before VMCS12 is looked at.  Mostly L2's exit has saved them. */
	if (*kn_vmcs12_lazy(vcpu) && !vmcs12_set_contains(kv->fresh, choice->saved))
		kn_vmcs02_fetch(kv, choice->saved);

	image = shadow->images[choice->number] ?: &shadow->base;
	if (image == shadow->image && kn_image_is_open(image, choice, clean))
		return;

	local_irq_save(flags);
	if (shadow->active)
		kn_shadow_use(kv, image);
	local_irq_restore(flags);

	vmcs_bitmap_load(shadow->bitmap[LEARN_READ], choice->words[LEARN_READ]);
	vmcs_bitmap_load(shadow->bitmap[LEARN_WRITE],
			 clean ? choice->words_clean : choice->words[LEARN_WRITE]);
	if (!kn_image_is_open(image, choice, clean))
		kn_image_open(image, choice, clean, kn_cached_vmcs12(vcpu));
}

/* Bring what differs from the shadow VMCS there.  False if it can't have one of the fields. */
static bool write_changes(struct kn_vcpu *kv)
{
	struct kn_image *image = kv->shadow.image;
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	bool same, all;
	int i;

	same = kv->shadow.back && image->left == kv->shadow.back;
	kv->shadow.back = 0;
	image->left = 0;
	if (same)
		return true;
	image->exact = true;

	i = kn_image_find_change(image, vmcs12, 0);
	if (i == image->choice->nr_places)
		return true;

	kv->counters.shadow.copied_out++;
	kn_shadow_enter(kv->vcpu);
	all = kn_image_write(image, vmcs12, i, &kv->shadow.habits, &kv->counters.shadow);
	kn_shadow_exit(kv->vcpu);
	return all;
}

static void install_bitmaps(struct kn_shadow *shadow)
{
	if (shadow->installed)
		return;

	shadow->stock_bitmap[LEARN_READ] = kn_vmcs_read(VMREAD_BITMAP);
	shadow->stock_bitmap[LEARN_WRITE] = kn_vmcs_read(VMWRITE_BITMAP);
	kn_vmcs_write(VMREAD_BITMAP, virt_to_phys(shadow->bitmap[LEARN_READ]));
	kn_vmcs_write(VMWRITE_BITMAP, virt_to_phys(shadow->bitmap[LEARN_WRITE]));
	shadow->installed = true;
}

/*
 * Preemption is off, and the current VMCS is about to be entered.  Returns false
 * if the shadow VMCS is not the module's.
 */
bool kn_shadow_copy_out(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	unsigned long flags;
	bool all, active;

	if (!shadow->active || kn_uses_evmcs(kv->vcpu))
		return false;

	/* L1 runs again only after an exit of L2, which lets the shadow VMCS be stale anew. */
	if (kn_in_l2(kv->vcpu)) {
		*kn_shadow_stale(kv->vcpu) = false;
		return true;
	}

	do {
		open_fields(kv);
		local_irq_save(flags);
		active = shadow->active;
		all = !active || write_changes(kv);
		if (active && all) {
			install_bitmaps(shadow);
			*kn_shadow_stale(kv->vcpu) = false;
		}
		local_irq_restore(flags);
	} while (!all);

	return active;
}

/* VMCS02 is current: L2 has exited, to L1.  Keep what L1 will read of the lazy fields. */
void kn_shadow_l2_exit(struct kn_vcpu *kv)
{
	const struct kn_choice *choice = kv->shadow.active ? kv->shadow.image->choice :
							     &kn_choice_nothing;

	kn_vmcs02_save(kv, choice);
}

/* An access of L1 to @field of its current VMCS12 has trapped. */
void kn_shadow_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field)
{
	struct kn_shadow *shadow = &kv->shadow;

	if (shadow->active &&
	    kn_habits_trapped(&shadow->habits, kv->vcpu, kn_current_vmptr(kv->vcpu), access, field,
			      &kv->counters.shadow) == LEARN_JOINED)
		kn_shadow_reload(kv);
}

/*
 * L0 has written @field of the current VMCS12, whose access had trapped: L1 may
 * read it in the shadow VMCS.  If that was given back meanwhile, L1 may even
 * write it there.
 */
void kn_shadow_written(struct kn_vcpu *kv, enum vmcs12_field field)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	const unsigned long *in_shadow;
	unsigned long flags;
	u64 value;

	/* If it is given back right after this, the field is handed over with the others. */
	field = vmcs12_field_base(field);
	if (!kn_has_shadow_vmcs(vcpu) ||
	    (shadow->active && !vmcs12_set_has(shadow->image->known, field)))
		return;

	local_irq_save(flags);
	in_shadow = shadow->active ? shadow->image->known : kn_shadow_stock_open(kv);
	if (kn_shadow_is_live(vcpu) && vmcs12_set_has(in_shadow, field)) {
		value = vmcs12_field_read(kn_cached_vmcs12(vcpu), field);
		kn_shadow_enter(vcpu);
		kn_vmcs_write(vmcs12_fields[field].encoding, value);
		kn_image_set(shadow->image, field, value);
		/* Stock KVM wants it clear whenever it is not in use. */
		if (!shadow->active)
			kn_vmclear(kn_shadow_region(vcpu));
		kn_shadow_exit(vcpu);
	}
	local_irq_restore(flags);
}
