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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/smp.h>

#include "bitmap.h"
#include "kvm_intel.h"
#include "shadow.h"
#include "vcpu.h"
#include "vmcs02.h"

bool kn_shadow_enable = true;
unsigned int kn_shadow_fields = 128;
unsigned int kn_shadow_learn = 3;
unsigned int kn_shadow_review = 256;

/* The fields that stock KVM lets L1 at, see take_stock(). */
static unsigned long stock_open[LEARN_NR_ACCESSES][VMCS12_SET_LONGS];
static bool stock_taken;

/* The shadow VMCS of a vCPU that was just taken: everything traps. */
static const struct kn_choice nothing;

/* Between these two the shadow VMCS is current. */

static void enter_shadow(struct kvm_vcpu *vcpu)
{
	kn_vmptrld(kn_shadow_region(vcpu));
}

/*
 * A shadow VMCS may stay active on this CPU, where L1 goes on using it.  KVM
 * clears it when VMCS01 leaves the CPU, but only if that was launched there.
 */
static void leave_shadow(struct kvm_vcpu *vcpu)
{
	if (!kn_vmcs_launched(kn_vmcs01(vcpu)))
		kn_vmclear(kn_shadow_region(vcpu));
	kn_vmptrld(kn_vmcs_region(kn_vmcs01(vcpu)));
}

/* L1 has a current VMCS12, and the shadow VMCS has what L1 wrote to it. */
static bool shadow_is_live(struct kvm_vcpu *vcpu)
{
	return kn_current_vmptr(vcpu) != KN_INVALID_GPA && !kn_uses_evmcs(vcpu) &&
	       !kn_in_l2(vcpu) && !*kn_shadow_stale(vcpu);
}

/* With the shadow VMCS current: bring what L1 has changed to VMCS12. */
static void read_changes(struct kn_vcpu *kv, unsigned long *changed)
{
	const struct kn_choice *choice = kv->shadow.choice;
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	struct kn_shadow *shadow = &kv->shadow;
	u64 value;
	int i;

	for (i = 0; i < choice->nr_written; i++) {
		enum vmcs12_field field = choice->written[i];

		value = kn_vmcs_read(vmcs12_fields[field].encoding);
		if (value == shadow->image[field])
			continue;

		shadow->image[field] = value;
		if (vmcs12_field_is_access_rights(field))
			value &= VMCS12_AR_BYTES_MASK;
		vmcs12_field_write(vmcs12, field, value);
		vmcs12_set_add(changed, field);
	}
	kv->counters.shadow_read += choice->nr_written;
}

/* See that what read_changes() has found gets where L2 sees it. */
static void changes_take_effect(struct kn_vcpu *kv, unsigned long *changed)
{
	unsigned long copy[VMCS12_SET_LONGS];

	if (!vmcs12_sets_meet(changed, kn_classes.late))
		return;

	if (bitmap_and(copy, changed, kn_classes.copied, VMCS12_NR_FIELDS))
		kn_vmcs02_store(kv, copy);
	if (vmcs12_sets_meet(changed, kn_classes.derived)) {
		kn_vmcs02_complete(kv);
		*kn_vmcs12_dirty(kv->vcpu) = true;
	}
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
	if (active && shadow_is_live(vcpu) && shadow->choice->nr_written) {
		kv->counters.shadow_copied_in++;
		enter_shadow(vcpu);
		read_changes(kv, changed);
		leave_shadow(vcpu);
	}
	local_irq_restore(flags);

	changes_take_effect(kv, changed);
	return active;
}

/* VMCS12 becomes the truth for every field, until the shadow VMCS is copied out. */
void kn_shadow_reload(struct kn_vcpu *kv)
{
	unsigned long flags;

	kn_shadow_copy_in(kv);

	local_irq_save(flags);
	if (kv->shadow.active && shadow_is_live(kv->vcpu)) {
		*kn_shadow_stale(kv->vcpu) = true;
		kv->shadow.again = true;
	}
	local_irq_restore(flags);
}

/* L1's read of @field has trapped; if it can write the field, VMCS12 lags behind. */
void kn_shadow_fetch(struct kn_vcpu *kv, enum vmcs12_field field)
{
	struct kn_shadow *shadow = &kv->shadow;

	if (shadow->active &&
	    vmcs12_set_has(shadow->choice->open[LEARN_WRITE], vmcs12_field_base(field)))
		kn_shadow_reload(kv);
}

/* The processor has no such field: nobody is to ask for it again. */
static void withdraw(struct kn_shadow *shadow, enum vmcs12_field field)
{
	int i;

	kn_choice_withdraw(field);
	for (i = 0; i < LEARN_NR_SETS; i++)
		learn_drop(&shadow->learn.sets[i], field);
	shadow->fixed_generation = kn_choice_fixed_generation() - 1;
}

/* The fields that the current VMCS12 shall have open; NULL if the ones in use shall stay. */
static const struct kn_choice *choose(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kn_choice *choice;
	u32 fixed_generation;
	struct learn_set *set;

	set = learn_find(&shadow->learn, kn_current_vmptr(kv->vcpu));
	if (!shadow->again &&
	    learn_use(set, READ_ONCE(kn_shadow_review), READ_ONCE(kn_shadow_fields)) !=
	    VMCS12_NO_FIELD)
		kv->counters.shadow_left++;
	shadow->again = false;

	choice = &shadow->choices[set - shadow->learn.sets];
	fixed_generation = kn_choice_fixed_generation();
	if (fixed_generation != shadow->fixed_generation) {
		shadow->fixed_generation = fixed_generation;
		memset(shadow->choices, 0, sizeof(shadow->choices));
	} else if (choice->made && (choice->fixed || choice->generation == set->generation)) {
		return choice == shadow->choice ? NULL : choice;
	}

	kn_choice_make(choice, kv->vcpu, set);
	return choice;
}

/* Bring what differs from the shadow VMCS there.  False if it can't have one of the fields. */
static bool write_changes(struct kn_vcpu *kv)
{
	const struct kn_choice *choice = kv->shadow.choice;
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	struct kn_shadow *shadow = &kv->shadow;
	bool entered = false;
	bool all = true;
	u64 value;
	int i;

	for (i = 0; i < choice->nr_fields; i++) {
		enum vmcs12_field field = choice->fields[i];

		value = vmcs12_field_read(vmcs12, field);
		if (value == shadow->image[field])
			continue;

		if (!entered) {
			kv->counters.shadow_copied_out++;
			enter_shadow(kv->vcpu);
			entered = true;
		}
		kv->counters.shadow_written++;
		if (!kn_vmcs_write(vmcs12_fields[field].encoding, value)) {
			withdraw(shadow, field);
			all = false;
			continue;
		}
		shadow->image[field] = value;
		vmcs12_set_add(shadow->known, field);
	}

	if (entered)
		leave_shadow(kv->vcpu);
	return all;
}

/* Let L1 at the fields that were chosen, and at no others. */
static void open_fields(struct kn_vcpu *kv, const struct kn_choice *choice)
{
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	struct kn_shadow *shadow = &kv->shadow;
	unsigned long unknown[VMCS12_SET_LONGS];
	enum vmcs12_field field;
	int i;

	for (i = 0; i < LEARN_NR_ACCESSES; i++)
		vmcs_bitmap_load(shadow->bitmap[i], choice->words[i]);
	shadow->choice = choice;

	/* An image that differs for sure lets write_changes() write the field. */
	if (vmcs12_set_subtract(unknown, choice->any, shadow->known))
		vmcs12_for_each_field(field, unknown)
			shadow->image[field] = ~vmcs12_field_read(vmcs12, field);
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

static void remove_bitmaps(struct kn_shadow *shadow)
{
	if (!shadow->installed)
		return;

	kn_vmcs_write(VMREAD_BITMAP, shadow->stock_bitmap[LEARN_READ]);
	kn_vmcs_write(VMWRITE_BITMAP, shadow->stock_bitmap[LEARN_WRITE]);
	shadow->installed = false;
}

/*
 * Preemption is off, and the current VMCS is about to be entered.  Returns false
 * if the shadow VMCS is not the module's.
 */
bool kn_shadow_copy_out(struct kn_vcpu *kv)
{
	unsigned long missing[VMCS12_SET_LONGS];
	struct kn_shadow *shadow = &kv->shadow;
	const struct kn_choice *choice;
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
		choice = choose(kv);
		if (choice)
			open_fields(kv, choice);
		/* Mostly L2's exit has saved them. */
		if (*kn_vmcs12_lazy(kv->vcpu) &&
		    vmcs12_set_subtract(missing, shadow->choice->saved, kv->fresh))
			kn_vmcs02_fetch(kv, missing);

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
	kn_vmcs02_save(kv, (kv->shadow.active ? kv->shadow.choice : &nothing)->saved);
}

/* An access of L1 to @field of its current VMCS12 has trapped. */
void kn_shadow_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct learn_set *set;

	field = vmcs12_field_base(field);
	if (!shadow->active || kn_choice_is_fixed() ||
	    !kn_choice_may_open(kv->vcpu, access, field))
		return;

	set = learn_find(&shadow->learn, kn_current_vmptr(kv->vcpu));
	/* Reading comes first: an L1 that does not cache what it reads does so often. */
	if (access == LEARN_WRITE && kn_choice_is_exclusive(field) &&
	    vmcs12_set_has(set->members[LEARN_READ], field))
		return;

	switch (learn_trapped(set, access, field, READ_ONCE(kn_shadow_learn),
			      READ_ONCE(kn_shadow_fields))) {
	case LEARN_JOINED:
		if (access == LEARN_READ && kn_choice_is_exclusive(field))
			vmcs12_set_remove(set->members[LEARN_WRITE], field);
		kv->counters.shadow_joined++;
		kn_shadow_reload(kv);
		break;
	case LEARN_FULL:
		kv->counters.shadow_full++;
		break;
	case LEARN_WAITS:
		break;
	}
}

/* With VMCS01 current as stock KVM has it: which fields this stock KVM shadows. */
static void take_stock(void)
{
	static const u16 bitmaps[] = {
		[LEARN_READ] = VMREAD_BITMAP,
		[LEARN_WRITE] = VMWRITE_BITMAP,
	};
	unsigned long open[LEARN_NR_ACCESSES][VMCS12_SET_LONGS] = {};
	enum vmcs12_field field;
	int i;

	/* Pairs with the release below.  Whoever comes second finds the same. */
	if (smp_load_acquire(&stock_taken))
		return;

	for (i = 0; i < LEARN_NR_ACCESSES; i++) {
		const u64 *bitmap = phys_to_virt(kn_vmcs_read(bitmaps[i]));

		for (field = 0; field < VMCS12_NR_FIELDS; field++)
			if (field == vmcs12_field_base(field) && !vmcs_bitmap_traps(bitmap, field))
				vmcs12_set_add(open[i], field);
	}

	memcpy(stock_open, open, sizeof(open));
	smp_store_release(&stock_taken, true);
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
	unsigned long flags;
	bool in_shadow;
	u64 value;

	/* If it is given back right after this, the field is handed over with the others. */
	field = vmcs12_field_base(field);
	if (!kn_has_shadow_vmcs(vcpu) || (shadow->active && !vmcs12_set_has(shadow->known, field)))
		return;

	local_irq_save(flags);
	if (!shadow->installed)
		take_stock();
	in_shadow = vmcs12_set_has(shadow->active ? shadow->known : stock_open[LEARN_READ], field);
	if (shadow_is_live(vcpu) && in_shadow) {
		value = vmcs12_field_read(kn_cached_vmcs12(vcpu), field);
		enter_shadow(vcpu);
		kn_vmcs_write(vmcs12_fields[field].encoding, value);
		shadow->image[field] = value;
		/* Stock KVM wants it clear whenever it is not in use. */
		if (!shadow->active)
			kn_vmclear(kn_shadow_region(vcpu));
		leave_shadow(vcpu);
	}
	local_irq_restore(flags);
}

void kn_shadow_create(struct kn_vcpu *kv)
{
	raw_spin_lock_init(&kv->shadow.lock);
	learn_init(&kv->shadow.learn);
	kv->shadow.choice = &nothing;
}

/* Nobody uses the kn_vcpu any more. */
void kn_shadow_free(struct kn_vcpu *kv)
{
	free_page((unsigned long)kv->shadow.bitmap[LEARN_READ]);
	free_page((unsigned long)kv->shadow.bitmap[LEARN_WRITE]);
}

static bool alloc_bitmaps(struct kn_shadow *shadow)
{
	int i;

	for (i = 0; i < LEARN_NR_ACCESSES; i++)
		if (!shadow->bitmap[i])
			shadow->bitmap[i] = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);

	return shadow->bitmap[LEARN_READ] && shadow->bitmap[LEARN_WRITE];
}

/* With the shadow VMCS current: what happens to bits that access rights don't have. */
static void probe_access_rights(void)
{
	kn_vmcs_write(GUEST_ES_AR_BYTES, U32_MAX);
	kn_choice_mixes_access_rights(kn_vmcs_read(GUEST_ES_AR_BYTES) != VMCS12_AR_BYTES_MASK);
}

/* At a VM exit of L1: take the shadow VMCS over from stock KVM, if that has one. */
void __kn_shadow_take(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	enum vmcs12_field field;
	unsigned long flags;

	if (!kn_vcpu_is_adopting() || !READ_ONCE(kn_shadow_enable) || kn_in_l2(vcpu) ||
	    !kn_has_shadow_vmcs(vcpu) || !kn_in_vmx_operation(vcpu) || kn_uses_evmcs(vcpu) ||
	    !alloc_bitmaps(shadow))
		return;

	local_irq_save(flags);
	take_stock();
	enter_shadow(vcpu);
	if (shadow_is_live(vcpu)) {
		vmcs12_for_each_field(field, stock_open[LEARN_WRITE])
			vmcs12_field_write(kn_cached_vmcs12(vcpu), field,
					   kn_vmcs_read(vmcs12_fields[field].encoding));
		*kn_shadow_stale(vcpu) = true;
	}
	probe_access_rights();
	leave_shadow(vcpu);

	vmcs_bitmap_init(shadow->bitmap[LEARN_READ]);
	vmcs_bitmap_init(shadow->bitmap[LEARN_WRITE]);
	memset(shadow->known, 0, sizeof(shadow->known));
	shadow->choice = &nothing;
	shadow->active = true;
	local_irq_restore(flags);
}

/* The vCPU leaves VMX operation, with VMCS01 current: its shadow VMCS goes as it is. */
void kn_shadow_leave(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	unsigned long flags;

	local_irq_save(flags);
	remove_bitmaps(shadow);
	shadow->active = false;
	local_irq_restore(flags);
}

/* The vCPU dies. */
void kn_shadow_destroy(struct kn_vcpu *kv)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kv->shadow.lock, flags);
	kv->shadow.gone = true;
	kv->shadow.active = false;
	raw_spin_unlock_irqrestore(&kv->shadow.lock, flags);
}

/* Whether VMCS02 may be needed: L1 can write fields that matter for it. */
static bool needs_vmcs02(struct kn_vcpu *kv)
{
	return kv->shadow.active && shadow_is_live(kv->vcpu) && !*kn_vmcs12_dirty(kv->vcpu) &&
	       vmcs12_sets_meet(kv->shadow.choice->open[LEARN_WRITE], kn_classes.late);
}

/* The same as changes_take_effect() where VMCS02 is known not to be active elsewhere. */
static void changes_take_effect_here(struct kn_vcpu *kv, unsigned long *changed)
{
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	void *vmcs02 = kn_vmcs02(kv->vcpu);
	unsigned long copy[VMCS12_SET_LONGS];
	enum vmcs12_field field;

	if (!vmcs12_sets_meet(changed, kn_classes.late) || *kn_vmcs12_dirty(kv->vcpu))
		return;

	kn_vmptrld(kn_vmcs_region(vmcs02));
	bitmap_and(copy, changed, kn_classes.copied, VMCS12_NR_FIELDS);
	vmcs12_for_each_field(field, copy)
		kn_vmcs_write(vmcs12_fields[field].encoding, vmcs12_field_read(vmcs12, field));

	if (vmcs12_sets_meet(changed, kn_classes.derived)) {
		if (*kn_vmcs12_lazy(kv->vcpu))
			vmcs12_for_each_field(field, kn_classes.lazy)
				vmcs12_field_write(vmcs12, field,
						   kn_vmcs_read(vmcs12_fields[field].encoding));
		*kn_vmcs12_lazy(kv->vcpu) = false;
		*kn_vmcs12_dirty(kv->vcpu) = true;
	}

	if (kn_vmcs_cpu(vmcs02) == -1)
		kn_vmclear(kn_vmcs_region(vmcs02));
}

/*
 * With VMCS01 current: a VMWRITE of L1 has trapped that no hook has seen.  If the
 * shadow VMCS is given back now, stock KVM emulates it, and does not expect a field
 * there that it shadows for writing itself: the new value would not last.
 */
static bool vmwrite_is_pending(struct kn_vcpu *kv)
{
	return kn_vmcs_read(VM_EXIT_REASON) == EXIT_REASON_VMWRITE &&
	       (kn_exit_is_new(kv->vcpu) || kv->shadow.vmwrite_seen != kn_nr_exits(kv->vcpu));
}

/* With VMCS01 current.  Leaves the shadow VMCS as stock KVM would have it. */
static void hand_over(struct kn_vcpu *kv)
{
	unsigned long changed[VMCS12_SET_LONGS] = {};
	struct kvm_vcpu *vcpu = kv->vcpu;
	void *vmcs12 = kn_cached_vmcs12(vcpu);
	enum vmcs12_field field;

	remove_bitmaps(&kv->shadow);

	if (kv->shadow.active && shadow_is_live(vcpu)) {
		enter_shadow(vcpu);
		read_changes(kv, changed);
		vmcs12_for_each_field(field, stock_open[LEARN_READ])
			kn_vmcs_write(vmcs12_fields[field].encoding,
				      vmcs12_field_read(vmcs12, field));
		kn_vmclear(kn_shadow_region(vcpu));
		changes_take_effect_here(kv, changed);
	}
	kv->shadow.active = false;
}

/*
 * Interrupts are off, and neither VMCS01 nor, if that is needed, VMCS02 is active
 * on another CPU.  Returns whether it is done; whatever was current is so again.
 */
static bool give_back_here(struct kn_vcpu *kv)
{
	u64 vmcs01 = kn_vmcs_region(kn_vmcs01(kv->vcpu));
	u64 current_region = kn_vmptrst();
	bool done;

	kn_vmptrld(vmcs01);
	done = !vmwrite_is_pending(kv);
	if (done)
		hand_over(kv);

	if (kn_vmcs_cpu(kn_vmcs01(kv->vcpu)) == -1)
		kn_vmclear(vmcs01);
	if (current_region != KN_INVALID_GPA)
		kn_vmptrld(current_region);
	return done;
}

/*
 * Locks against the vCPU's death, with interrupts off, while the VMCSs of a vCPU
 * are handled that is not the current task's.
 */
struct give_back {
	struct kn_vcpu *kv;
	bool done;
	bool vmcs02_is_far;	/* active on another CPU than VMCS01 */
};

static void try_give_back(struct give_back *request)
{
	int cpu = kn_vmcs_cpu(kn_vmcs02(request->kv->vcpu));

	request->vmcs02_is_far = needs_vmcs02(request->kv) && cpu != smp_processor_id() &&
				 cpu != -1;
	if (!request->vmcs02_is_far)
		request->done = give_back_here(request->kv);
}

static void give_back_on_cpu(void *info)
{
	struct give_back *request = info;
	struct kn_vcpu *kv = request->kv;

	raw_spin_lock(&kv->shadow.lock);
	if (kv->shadow.gone)
		request->done = true;
	else if (kn_vmcs_cpu(kn_vmcs01(kv->vcpu)) == smp_processor_id())
		try_give_back(request);
	raw_spin_unlock(&kv->shadow.lock);
}

/* VMCS01 is active nowhere: do it here while nobody can make it active. */
static void give_back_inactive(struct give_back *request)
{
	struct kvm_vcpu *vcpu = request->kv->vcpu;

	if (!mutex_trylock(&vcpu->mutex))
		return;

	if (kn_vmcs_cpu(kn_vmcs01(vcpu)) == -1)
		try_give_back(request);
	mutex_unlock(&vcpu->mutex);
}

/* Let VMCS02 be active nowhere, if nobody is about to use it. */
static void clear_vmcs02_on_cpu(void *info)
{
	struct kn_vcpu *kv = info;
	void *vmcs02;

	raw_spin_lock(&kv->shadow.lock);
	vmcs02 = kv->shadow.gone ? NULL : kn_vmcs02(kv->vcpu);
	if (vmcs02 && kn_vmcs_cpu(vmcs02) == smp_processor_id() &&
	    *kn_current_vmcs(kv->vcpu) != vmcs02 && kn_vmptrst() != kn_vmcs_region(vmcs02))
		kn_call(__loaded_vmcs_clear)(vmcs02);
	raw_spin_unlock(&kv->shadow.lock);
}

/*
 * Must hold kn_srcu.  Gives the shadow VMCS back to stock KVM, wherever the vCPU
 * is and whatever it does; nothing may take it again.  Returns false if it can't
 * be done now: the VMCSs are on the move all the time.
 */
bool kn_shadow_give_back(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	unsigned long flags;
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		struct give_back request = { .kv = kv };
		int cpu01 = -1, cpu02 = -1;

		raw_spin_lock_irqsave(&shadow->lock, flags);
		if (shadow->gone || (!shadow->active && !shadow->installed)) {
			request.done = true;
		} else {
			cpu01 = kn_vmcs_cpu(kn_vmcs01(kv->vcpu));
			cpu02 = kn_vmcs_cpu(kn_vmcs02(kv->vcpu));
			if (cpu01 == -1)
				give_back_inactive(&request);
		}
		raw_spin_unlock_irqrestore(&shadow->lock, flags);

		if (cpu01 != -1)
			smp_call_function_single(cpu01, give_back_on_cpu, &request, true);
		if (request.done)
			return true;
		if (request.vmcs02_is_far && cpu02 != -1)
			smp_call_function_single(cpu02, clear_vmcs02_on_cpu, kv, true);
		else
			usleep_range(500, 1000);
	}

	return false;
}
