// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware shadow VMCS of an L2 that is a hypervisor itself.
 *
 * L1 may let its L2 read and write fields of a shadow VMCS12 without an exit to
 * L1.  Stock KVM keeps a copy of that VMCS12 while L2 runs, and does each access
 * there after an exit to L0.  The module lets the processor do it: VMCS02 refers
 * to a VMCS with the fields that this L2 was seen to use, and to bitmaps that let
 * through what L1's let through, of these fields.
 *
 * It is open from a VM entry of L1, or an access that trapped, to the next time
 * that anybody looks at stock's copy: L2's exit to L1, an access that traps, the
 * saving of the vCPU's state.  Only then, and for fields open for writing, does
 * the copy lag behind.  Whatever else enters L2 finds it closed, and accesses trap.
 *
 * It is opened and closed with interrupts off, on the CPU where VMCS02 is active,
 * so that an interrupt there can close it whatever the vCPU does, see handover.c.
 * While it is open it is stock KVM's to clear, should VMCS02 leave the CPU.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bitmap.h"
#include "kvm_intel.h"
#include "shadow02.h"
#include "vcpu.h"

bool kn_shadow02_enable = true;

static void free_shadow02(struct kn_shadow02 *shadow02)
{
	kn_image_free(shadow02->image);
	free_page((unsigned long)shadow02->bitmap[LEARN_READ]);
	free_page((unsigned long)shadow02->bitmap[LEARN_WRITE]);
	kvfree(shadow02);
}

static void *alloc_page_accounted(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/* With the shadow VMCS or VMCS02 current. */
static void leave(struct kn_vcpu *kv, struct kn_shadow02 *shadow02)
{
	kn_vmclear(virt_to_phys(shadow02->image->region));
	kn_vmptrld(kn_vmcs_region(kn_vmcs02(kv->vcpu)));
}

/* With VMCS02 current.  Where L1 has no shadow VMCS of the module's, nobody else has done it. */
static void probe(struct kn_vcpu *kv, struct kn_shadow02 *shadow02)
{
	unsigned long flags;

	local_irq_save(flags);
	kn_vmptrld(virt_to_phys(shadow02->image->region));
	kn_choice_probe();
	leave(kv, shadow02);
	local_irq_restore(flags);
}

static struct kn_shadow02 *create(struct kn_vcpu *kv)
{
	struct kn_shadow02 *shadow02;

	shadow02 = kvzalloc(sizeof(*shadow02), GFP_KERNEL_ACCOUNT);
	if (!shadow02)
		return NULL;

	shadow02->image = kn_image_create(kn_shadow_vmcs(kv->vcpu));
	shadow02->bitmap[LEARN_READ] = alloc_page_accounted();
	shadow02->bitmap[LEARN_WRITE] = alloc_page_accounted();
	if (!shadow02->image || !shadow02->bitmap[LEARN_READ] || !shadow02->bitmap[LEARN_WRITE]) {
		free_shadow02(shadow02);
		return NULL;
	}

	vmcs_bitmap_init(shadow02->bitmap[LEARN_READ]);
	vmcs_bitmap_init(shadow02->bitmap[LEARN_WRITE]);
	kn_habits_init(&shadow02->habits);
	probe(kv, shadow02);

	/* Whoever gives vCPUs back finds it complete. */
	smp_store_release(&kv->shadow02, shadow02);
	return shadow02;
}

/* Nobody uses the kn_vcpu any more. */
void kn_shadow02_free(struct kn_vcpu *kv)
{
	if (kv->shadow02)
		free_shadow02(kv->shadow02);
}

/*
 * Bring one of L1's bitmaps, as it is now, to one of the module's, but for what
 * @words close.  False if there is no such memory.
 */
static bool load_bitmap(struct kvm_vcpu *vcpu, enum vmcs12_field pointer, const u64 *words,
			u64 *bitmap)
{
	u64 gpa = vmcs12_field_read(kn_cached_vmcs12(vcpu), pointer);
	const u64 __user *from = kn_find_user_page(vcpu, gpa).words;
	u64 word;
	int i;

	if (!from || !user_read_access_begin(from, VMCS_BITMAP_SIZE))
		return false;
#pragma GCC unroll 16
	for (i = 0; i < VMCS_BITMAP_NR_WORDS; i++) {
		unsafe_get_user(word, &from[VMCS_BITMAP_PLACE(i)], fault);
		bitmap[VMCS_BITMAP_PLACE(i)] = word | words[i];
	}
	user_read_access_end();
	return true;

fault:
	user_read_access_end();
	return false;
}

/* Open what is chosen, as far as L1 does.  False if L1's bitmaps can't be read. */
static bool load_bitmaps(struct kn_vcpu *kv, const struct kn_choice *choice)
{
	u64 **bitmap = kv->shadow02->bitmap;

	return load_bitmap(kv->vcpu, VMCS12_VMREAD_BITMAP, choice->words[LEARN_READ],
			   bitmap[LEARN_READ]) &&
	       load_bitmap(kv->vcpu, VMCS12_VMWRITE_BITMAP, choice->words[LEARN_WRITE],
			   bitmap[LEARN_WRITE]);
}

/* With VMCS02 current: bring what differs to the shadow VMCS.  See kn_image_write(). */
static bool write_changes(struct kn_vcpu *kv)
{
	struct kn_shadow02 *shadow02 = kv->shadow02;
	const void *vmcs12 = kn_cached_shadow_vmcs12(kv->vcpu);
	struct kn_image *image = shadow02->image;
	bool all;
	int i;

	i = kn_image_find_change(image, vmcs12, 0);
	if (i == image->choice->nr_places)
		return true;

	kv->counters.shadow_l2.copied_out++;
	kn_vmptrld(virt_to_phys(shadow02->image->region));
	all = kn_image_write(image, vmcs12, i, &shadow02->habits, &kv->counters.shadow_l2);
	leave(kv, shadow02);
	return all;
}

/* With VMCS02 current. */
static void refer_to(struct kn_shadow02 *shadow02, void *vmcs02)
{
	kn_vmcs_write(VMREAD_BITMAP, virt_to_phys(shadow02->bitmap[LEARN_READ]));
	kn_vmcs_write(VMWRITE_BITMAP, virt_to_phys(shadow02->bitmap[LEARN_WRITE]));
	kn_vmcs_write(VMCS_LINK_POINTER, virt_to_phys(shadow02->image->region));
	kn_vmcs_write(SECONDARY_VM_EXEC_CONTROL,
		      kn_vmcs_read(SECONDARY_VM_EXEC_CONTROL) | SECONDARY_EXEC_SHADOW_VMCS);
	kn_set_shadow_vmcs(vmcs02, shadow02->image->region);
	WRITE_ONCE(shadow02->open, true);
}

/*
 * L2 may use VMCS shadowing, and is about to run, or to go on: let it at the fields
 * that it uses.  @entered: L1 has just entered it.
 */
void __kn_shadow02_open(struct kn_vcpu *kv, bool entered)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	const struct kn_choice *choice;
	struct kn_shadow02 *shadow02;
	unsigned long flags;

	/* There is nothing to open before an access has trapped. */
	shadow02 = kv->shadow02;
	if (!shadow02 || kn_link_pointer(vcpu) == KN_INVALID_GPA || kn_uses_evmcs(vcpu) ||
	    !kn_vcpu_is_adopting() || !READ_ONCE(kn_shadow02_enable) ||
	    !kn_has_shadow_vmcs(vcpu))
		return;

	choice = kn_habits_choose(&shadow02->habits, vcpu, kn_link_pointer(vcpu), entered,
				  &kv->counters.shadow_l2);
	if (!choice->nr_places)
		return;
	if (!load_bitmaps(kv, choice)) {
		kv->counters.shadow_l2_unreadable++;
		return;
	}
	kn_image_open(shadow02->image, choice, false, kn_cached_shadow_vmcs12(vcpu));

	/* Where the processor lacks a field, the next time will do. */
	local_irq_save(flags);
	if (write_changes(kv))
		refer_to(shadow02, kn_vmcs02(vcpu));
	local_irq_restore(flags);
}

/* Interrupts are off, and VMCS02 is current. */
void kn_shadow02_close_here(struct kn_vcpu *kv)
{
	struct kn_shadow02 *shadow02 = kv->shadow02;
	unsigned long changed[VMCS12_SET_LONGS] = {};

	if (!kn_shadow02_is_open(shadow02))
		return;

	WRITE_ONCE(shadow02->open, false);
	kn_vmcs_write(SECONDARY_VM_EXEC_CONTROL,
		      kn_vmcs_read(SECONDARY_VM_EXEC_CONTROL) & ~SECONDARY_EXEC_SHADOW_VMCS);
	kn_vmcs_write(VMCS_LINK_POINTER, KN_INVALID_GPA);

	if (kn_image_nr_written(shadow02->image)) {
		kv->counters.shadow_l2.copied_in++;
		kn_vmptrld(virt_to_phys(shadow02->image->region));
		kn_image_read(shadow02->image, kn_cached_shadow_vmcs12(kv->vcpu), changed,
			      &kv->counters.shadow_l2);
	}
	leave(kv, shadow02);
	kn_set_shadow_vmcs(kn_vmcs02(kv->vcpu), NULL);
}

/* On the vCPU's thread, with VMCS02 current if L2 is: stock's copy has to be complete. */
void __kn_shadow02_close(struct kn_vcpu *kv)
{
	unsigned long flags;

	local_irq_save(flags);
	kn_shadow02_close_here(kv);
	local_irq_restore(flags);
}

/* An access of L2 to @field of its shadow VMCS12 has trapped, and L1 does not get it. */
void kn_shadow02_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field)
{
	struct kn_shadow02 *shadow02;

	if (!READ_ONCE(kn_shadow02_enable) || !kn_has_shadow_vmcs(kv->vcpu))
		return;

	shadow02 = kv->shadow02 ?: create(kv);
	if (shadow02)
		kn_habits_trapped(&shadow02->habits, kv->vcpu, kn_link_pointer(kv->vcpu), access,
				  field, &kv->counters.shadow_l2);
}
