// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose the hardware shadow VMCSs are: taken from stock KVM, and given back.
 *
 * It is given back wherever the vCPU is and whatever it does, by an interrupt on
 * the CPU where VMCS01 is active, see shadow.c, or with all CPUs stopped.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>

#include "bitmap.h"
#include "kvm_intel.h"
#include "shadow.h"
#include "vcpu.h"
#include "vmcs02.h"

bool kn_shadow_enable = true;

/* The fields that stock KVM lets L1 at, see take_stock(). */
static unsigned long stock_open[LEARN_NR_ACCESSES][VMCS12_SET_LONGS];
static bool stock_taken;

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

	/* Pairs with the release below.  Two who come first find the same. */
	if (smp_load_acquire(&stock_taken))
		return;

	for (i = 0; i < LEARN_NR_ACCESSES; i++) {
		const u64 *bitmap = phys_to_virt(kn_vmcs_read(bitmaps[i]));

		for (field = 0; field < VMCS12_NR_FIELDS; field++)
			if (field == vmcs12_field_base(field) && !vmcs_bitmap_traps(bitmap, field))
				vmcs12_set_add(open[i], field);
	}

	memcpy(stock_open, open, sizeof(open));
	/* Whoever sees that it is taken sees it. */
	smp_store_release(&stock_taken, true);
}

/* At a VM exit of L1, the shadow VMCS being stock KVM's: what L1 can read there. */
const unsigned long *kn_shadow_stock_open(struct kn_vcpu *kv)
{
	if (!kv->shadow.installed)
		take_stock();
	return stock_open[LEARN_READ];
}

static void remove_bitmaps(struct kn_shadow *shadow)
{
	if (!shadow->installed)
		return;

	kn_vmcs_write(VMREAD_BITMAP, shadow->stock_bitmap[LEARN_READ]);
	kn_vmcs_write(VMWRITE_BITMAP, shadow->stock_bitmap[LEARN_WRITE]);
	shadow->installed = false;
}

void kn_shadow_create(struct kn_vcpu *kv)
{
	raw_spin_lock_init(&kv->shadow.lock);
	kn_habits_init(&kv->shadow.habits);
	kn_image_init(&kv->shadow.base, NULL);
	kv->shadow.image = &kv->shadow.base;
}

/* Nobody uses the kn_vcpu any more. */
void kn_shadow_free(struct kn_vcpu *kv)
{
	int i;

	for (i = 0; i < LEARN_NR_SETS; i++)
		kn_image_free(kv->shadow.images[i]);
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

/* At a VM exit of L1: take the shadow VMCS over from stock KVM, if that has one. */
void __kn_shadow_take(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	unsigned long flags;
	int i;

	if (!kn_vcpu_is_adopting() || !READ_ONCE(kn_shadow_enable) || kn_in_l2(vcpu) ||
	    !kn_has_shadow_vmcs(vcpu) || !kn_in_vmx_operation(vcpu) || kn_uses_evmcs(vcpu) ||
	    !alloc_bitmaps(shadow))
		return;

	local_irq_save(flags);
	take_stock();
	kn_shadow_enter(vcpu);
	if (kn_shadow_is_live(vcpu)) {
		kn_vmcs_save(vcpu, stock_open[LEARN_WRITE]);
		kn_checks_forget(kv);
		*kn_shadow_stale(vcpu) = true;
	}
	kn_choice_probe();
	kn_shadow_exit(vcpu);

	vmcs_bitmap_init(shadow->bitmap[LEARN_READ]);
	vmcs_bitmap_init(shadow->bitmap[LEARN_WRITE]);
	kn_image_init(&shadow->base, kn_shadow_vmcs(vcpu));
	/* They may be from another VMX operation, or not have been written once opened. */
	for (i = 0; i < LEARN_NR_SETS; i++)
		kn_image_forget(shadow->images[i]);
	shadow->active = true;
	local_irq_restore(flags);
}

/*
 * The vCPU leaves VMX operation, with VMCS01 current: KVM's shadow VMCS goes as it is.
 * What L1 wrote last to one of the others does not get to VMCS12.
 */
void kn_shadow_leave(struct kn_vcpu *kv)
{
	struct kn_shadow *shadow = &kv->shadow;
	unsigned long flags;

	local_irq_save(flags);
	remove_bitmaps(shadow);
	kn_shadow_use(kv, &shadow->base);
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
	return kv->shadow.active && kn_shadow_is_live(kv->vcpu) && !*kn_vmcs12_dirty(kv->vcpu) &&
	       vmcs12_sets_meet(kn_image_open_for_writing(kv->shadow.image), kn_classes.late);
}

/* The same as changes_take_effect() where VMCS02 is known not to be active elsewhere. */
static void changes_take_effect_here(struct kn_vcpu *kv, unsigned long *changed)
{
	void *vmcs02 = kn_vmcs02(kv->vcpu);
	unsigned long copy[VMCS12_SET_LONGS];

	if (!vmcs12_sets_meet(changed, kn_classes.late) || *kn_vmcs12_dirty(kv->vcpu))
		return;

	kn_vmptrld(kn_vmcs_region(vmcs02));
	bitmap_and(copy, changed, kn_classes.copied, VMCS12_NR_FIELDS);
	kn_vmcs_load(kv->vcpu, copy);

	if (vmcs12_sets_meet(changed, kn_classes.derived)) {
		if (*kn_vmcs12_lazy(kv->vcpu))
			kn_vmcs_save(kv->vcpu, kn_classes.lazy);
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
	struct kn_shadow *shadow = &kv->shadow;
	struct kvm_vcpu *vcpu = kv->vcpu;
	bool live;

	remove_bitmaps(shadow);

	live = shadow->active && kn_shadow_is_live(vcpu);
	if (live) {
		kn_shadow_enter(vcpu);
		kn_shadow_read_changes(kv, changed);
		kn_checks_forget(kv);
		kn_shadow_exit(vcpu);
	}
	kn_shadow_use(kv, &shadow->base);
	if (live) {
		kn_shadow_enter(vcpu);
		kn_vmcs_load(vcpu, stock_open[LEARN_READ]);
		kn_vmclear(kn_shadow_region(vcpu));
		changes_take_effect_here(kv, changed);
	}
	shadow->active = false;
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
 * From here on the vCPU is not the current task's: its VMCSs are touched with
 * kn_shadow.lock held, against its death.
 */

/* What to do on the CPU where one of the vCPU's VMCSs is active. */
struct give_back {
	struct kn_vcpu *kv;
	void *vmcs;
	void (*attempt)(struct give_back *request);
	bool done;
	bool vmcs02_is_far;	/* active on another CPU than VMCS01 */
};

/* Interrupts are off, and the VMCS stays active on CPU @cpu, or nowhere for -1, if it is now. */
static void give_back_while_on(struct give_back *request, int cpu)
{
	struct kn_vcpu *kv = request->kv;

	raw_spin_lock(&kv->shadow.lock);
	if (kv->shadow.gone)
		request->done = true;
	else if (kn_vmcs_cpu(request->vmcs) == cpu)
		request->attempt(request);
	raw_spin_unlock(&kv->shadow.lock);
}

static void give_back_on_cpu(void *info)
{
	give_back_while_on(info, smp_processor_id());
}

/*
 * With all CPUs stopped nobody makes the VMCS active.  Nothing less will do: after
 * its CPU has been taken offline, the vCPU's thread may sleep in KVM_RUN, and hold
 * the vCPU's mutex, for ever.
 */
static int give_back_inactive(void *info)
{
	give_back_while_on(info, -1);
	return 0;
}

/* Nothing is done yet if the VMCS has gone elsewhere meanwhile. */
static void attempt_where_active(struct give_back *request)
{
	struct kn_vcpu *kv = request->kv;
	unsigned long flags;
	int cpu = -1;

	raw_spin_lock_irqsave(&kv->shadow.lock, flags);
	if (kv->shadow.gone)
		request->done = true;
	else
		cpu = kn_vmcs_cpu(request->vmcs);
	raw_spin_unlock_irqrestore(&kv->shadow.lock, flags);

	if (request->done)
		return;
	if (cpu != -1)
		smp_call_function_single(cpu, give_back_on_cpu, request, true);
	else
		stop_machine(give_back_inactive, request, NULL);
}

/* Let VMCS02 be active nowhere, if nobody is about to use it. */
static void clear_vmcs02(struct give_back *request)
{
	void *vmcs02 = request->vmcs;

	request->done = true;
	if (kn_vmcs_cpu(vmcs02) != -1 && *kn_current_vmcs(request->kv->vcpu) != vmcs02 &&
	    kn_vmptrst() != kn_vmcs_region(vmcs02))
		kn_call(__loaded_vmcs_clear)(vmcs02);
}

static void try_give_back(struct give_back *request)
{
	struct kn_vcpu *kv = request->kv;
	int cpu = kn_vmcs_cpu(kn_vmcs02(kv->vcpu));

	/* VMX operation may have ended, and the VMCSs with it. */
	if (!kv->shadow.active && !kv->shadow.installed) {
		request->done = true;
		return;
	}

	request->vmcs02_is_far = needs_vmcs02(kv) && cpu != smp_processor_id() && cpu != -1;
	if (!request->vmcs02_is_far)
		request->done = give_back_here(kv);
}

/*
 * Must hold kn_srcu.  Gives the shadow VMCS back to stock KVM, wherever the vCPU
 * is and whatever it does; nothing may take it again.  Returns false if it can't
 * be done now: the VMCSs are on the move all the time.
 */
bool kn_shadow_give_back(struct kn_vcpu *kv)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		struct give_back clear = { kv, kn_vmcs02(kv->vcpu), clear_vmcs02 };
		struct give_back request = { kv, kn_vmcs01(kv->vcpu), try_give_back };

		if (!READ_ONCE(kv->shadow.active) && !READ_ONCE(kv->shadow.installed))
			return true;

		attempt_where_active(&request);
		if (request.done)
			return true;
		if (request.vmcs02_is_far)
			attempt_where_active(&clear);
		else
			usleep_range(500, 1000);
	}

	return false;
}

static void try_close(struct give_back *request)
{
	u64 vmcs02 = kn_vmcs_region(request->vmcs);
	u64 current_region;

	request->done = true;
	if (!kn_shadow02_is_open(request->kv->shadow02))
		return;

	current_region = kn_vmptrst();
	kn_vmptrld(vmcs02);
	kn_shadow02_close_here(request->kv);
	if (kn_vmcs_cpu(request->vmcs) == -1)
		kn_vmclear(vmcs02);
	if (current_region != KN_INVALID_GPA)
		kn_vmptrld(current_region);
}

/* The same for the shadow VMCS of L2, which nobody may open again. */
bool kn_shadow02_give_back(struct kn_vcpu *kv)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		struct give_back request = { kv, kn_vmcs02(kv->vcpu), try_close };

		/* Pairs with the creation of it. */
		if (!kn_shadow02_is_open(smp_load_acquire(&kv->shadow02)))
			return true;

		attempt_where_active(&request);
		if (request.done)
			return true;
		usleep_range(500, 1000);
	}

	return false;
}
