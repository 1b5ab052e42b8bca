// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way from a linear address of L1 to its memory, remembered.
 *
 * Memory operands of VMX instructions lie mostly on the same few pages.  To read
 * one, stock KVM looks the page tables of L1 up in the VM's memslots, level by
 * level, and works out what the entries permit.  What it finds is the same as the
 * last time if the entries are, where they were; these are compared each time, so
 * that nothing is taken from a translation that L1 has changed.
 *
 * Only what is simple is remembered: pages that belong to the supervisor, which it
 * may always read, through entries that are marked as accessed already.
 */
#include <linux/bits.h>
#include <linux/uaccess.h>

#include "kvm_intel.h"
#include "vcpu.h"
#include "walk.h"

bool kn_walk_enable = true;

/* SDM volume 3, "4-Level Paging and 5-Level Paging": what the bits of an entry mean. */
#define ENTRY_PRESENT	BIT_ULL(0)
#define ENTRY_USER	BIT_ULL(2)
#define ENTRY_ACCESSED	BIT_ULL(5)
#define ENTRY_LARGE	BIT_ULL(7)

#define LEVEL_BITS	9
#define LARGE_LEVEL	1	/* of those that map pages of 2 MB, counted from the last */
#define LARGE_RESERVED	GENMASK_ULL(20, 13)

static u64 address_bits(struct kvm_vcpu *vcpu)
{
	return GENMASK_ULL(kn_address_bits(vcpu) - 1, PAGE_SHIFT);
}

/* Bits 62:52 are software's, and 63 has a meaning while EFER.NXE is 1. */
static u64 reserved_bits(struct kvm_vcpu *vcpu)
{
	return GENMASK_ULL(51, PAGE_SHIFT) & ~address_bits(vcpu);
}

static bool may_walk(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(kn_walk_enable) && !kn_in_l2(vcpu) && !kn_in_smm(vcpu) && kn_has_cr3(vcpu);
}

static bool can_be_remembered(struct kvm_vcpu *vcpu)
{
	return may_walk(vcpu) && kn_in_long_mode(vcpu) && kn_efer(vcpu) & EFER_NX &&
	       kn_linear_bits(vcpu) == 48;
}

static bool is_valid(struct kvm_vcpu *vcpu, const struct kn_walk *walk, gva_t gva)
{
	/* With CR4 and EFER, the mode and the number of levels are the same. */
	return walk->nr && walk->page == (gva & PAGE_MASK) && may_walk(vcpu) &&
	       walk->cr3 == kn_read_cr3(vcpu) && walk->cr4 == kn_cr4(vcpu) &&
	       walk->efer == kn_efer(vcpu) &&
	       walk->generation == kvm_vcpu_memslots(vcpu)->generation;
}

/* False if L1 has changed an entry, or its memory can't be reached. */
static bool read_target(const struct kn_walk *walk, gva_t gva, u64 *to)
{
	const u64 __user *from = walk->target + offset_in_page(gva);
	u64 value;
	int i;

	if (!user_read_access_begin(from, sizeof(*from)))
		return false;
	for (i = 0; i < walk->nr; i++) {
		unsafe_get_user(value, walk->entry[i], fault);
		if (value != walk->value[i])
			goto fault;
	}
	unsafe_get_user(*to, from, fault);
	user_read_access_end();
	return true;

fault:
	user_read_access_end();
	return false;
}

static const void __user *user_address(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	void __user *page = kn_find_user_page(vcpu, gpa).words;

	return page ? page + offset_in_page(gpa) : NULL;
}

/* Follow @gva down to an entry that maps a page.  False if it is not one to remember. */
static bool follow(struct kvm_vcpu *vcpu, struct kn_walk *walk, gva_t gva)
{
	gpa_t table = walk->cr3 & address_bits(vcpu);
	bool user = true;
	u64 value = 0;
	int level;

	for (level = KN_WALK_LEVELS - 1; level >= 0; level--) {
		unsigned int shift = PAGE_SHIFT + level * LEVEL_BITS;
		unsigned int index = gva >> shift & (BIT(LEVEL_BITS) - 1);
		const u64 __user *entry;

		entry = user_address(vcpu, table + index * sizeof(u64));
		if (!entry || get_user(value, entry))
			return false;
		if (!(value & ENTRY_PRESENT) || !(value & ENTRY_ACCESSED) ||
		    value & reserved_bits(vcpu))
			return false;

		walk->entry[walk->nr] = entry;
		walk->value[walk->nr++] = value;
		user = user && value & ENTRY_USER;
		table = value & address_bits(vcpu);
		if (!level || !(value & ENTRY_LARGE))
			continue;

		if (level != LARGE_LEVEL || value & LARGE_RESERVED)
			return false;
		table &= ~(BIT_ULL(shift) - 1);
		table |= gva & (BIT_ULL(shift) - 1) & PAGE_MASK;
		break;
	}

	walk->target = user_address(vcpu, table);
	return walk->target && !user;
}

/* L1's memory at @gva could be read. */
static void remember(struct kn_vcpu *kv, struct kn_walk *walk, gva_t gva)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	walk->nr = 0;
	if (!can_be_remembered(vcpu))
		return;

	walk->page = gva & PAGE_MASK;
	walk->cr3 = kn_read_cr3(vcpu);
	walk->cr4 = kn_cr4(vcpu);
	walk->efer = kn_efer(vcpu);
	walk->generation = kvm_vcpu_memslots(vcpu)->generation;
	if (!follow(vcpu, walk, gva))
		walk->nr = 0;
}

/*
 * Read an operand of an instruction at privilege level 0, at a VM exit.  Returns
 * what kvm_read_guest_virt() does.
 */
int kn_walk_read(struct kn_vcpu *kv, gva_t gva, void *to, unsigned int size,
		 struct x86_exception *e)
{
	struct kn_walk *walk = &kv->walks[(gva >> PAGE_SHIFT) % KN_NR_WALKS];
	struct kvm_vcpu *vcpu = kv->vcpu;
	bool one_page;
	int r;

	one_page = size == sizeof(u64) && offset_in_page(gva) <= PAGE_SIZE - sizeof(u64);
	if (one_page && is_valid(vcpu, walk, gva) && read_target(walk, gva, to)) {
		kv->counters.walk_known++;
		return 0;
	}

	kv->counters.walk_new++;
	r = kn_call(kvm_read_guest_virt)(vcpu, gva, to, size, e);
	if (!r && one_page)
		remember(kv, walk, gva);
	return r;
}
