// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2 can read, write and execute exactly what all entries of EPT12 on the way permit;
 * that L1 is told of anything else by an EPT violation or an EPT misconfiguration that says where
 * and why; and that what L1 permits more is permitted without INVEPT.
 */
#include "ept12.h"

#define NR_PAGES	64
#define PAGE		1	/* content of the page that L2 accesses */
#define WRITTEN		2

#define NO_ADDRESS	BIT_ULL(51)	/* beyond what processors can have */

static const uint64_t accesses[] = { KN_EPT_READ, KN_EPT_WRITE, KN_EPT_EXECUTE };

static struct kn_l2 l2;
static uint64_t eptp, pml4, capabilities;
static uint64_t page, gpa;	/* with the same offset, in pages of all sizes */

static uint64_t *entry_at(int level)
{
	return kn_ept12_entry(pml4, gpa, level);
}

/* The entry that maps @page at @level, at first with all permissions. */
static uint64_t page_entry(int level)
{
	return (page & ~(PG_LEVEL_SIZE(level) - 1)) | KN_EPT_RWX | KN_EPT_WB |
	       (level > 1 ? KN_EPT_LARGE : 0);
}

static void set_entry(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

static void set_permissions(uint64_t *entry, uint64_t permitted)
{
	set_entry(entry, (*entry & ~KN_EPT_RWX) | permitted);
}

static bool can_be(uint64_t permitted)
{
	return permitted & KN_EPT_READ || !permitted ||
	       (permitted == KN_EPT_EXECUTE && capabilities & KN_CAP_EXECUTE_ONLY);
}

static void expect_possible(struct kn_check *check, uint64_t access, uint64_t at)
{
	uint64_t value = KN_CONTENT(WRITTEN);

	*(uint64_t *)page = KN_CONTENT(PAGE);
	kn_expect_at(check, "reason", kn_l2_access(&l2, access, gpa, &value), EXIT_REASON_VMCALL,
		     at);
	if (access == KN_EPT_READ)
		kn_expect_at(check, "value", value, KN_CONTENT(PAGE), at);
	if (access == KN_EPT_WRITE)
		kn_expect_at(check, "memory", *(uint64_t *)page, KN_CONTENT(WRITTEN), at);
	if (access == KN_EPT_EXECUTE)
		kn_expect_at(check, "RIP", vmreadz(GUEST_RIP), gpa, at);
}

static void expect_accesses(uint64_t permitted, uint64_t at)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(accesses); i++) {
		if (accesses[i] & permitted) {
			expect_possible(KN_SITE("L2 does what is permitted"), accesses[i],
					at << 4 | accesses[i]);
			continue;
		}
		*(uint64_t *)page = KN_CONTENT(PAGE);
		kn_l2_expect_violation(KN_SITE("L1 is told of what is not"), &l2, accesses[i], gpa,
				       permitted, at << 4 | accesses[i]);
		kn_expect_at(KN_SITE("the memory stays as it is"), "memory", *(uint64_t *)page,
			     KN_CONTENT(PAGE), at << 4 | accesses[i]);
	}
}

/* All permissions in a page's entry with all in one above it. */
static void check_matrix(int level)
{
	for (int upper = level + 1; upper <= KN_EPT_LEVELS; upper++) {
		for (uint64_t both = 0; both < 64; both++) {
			uint64_t here = both & 7, above = both >> 3;

			if (!can_be(here) || !can_be(above))
				continue;
			set_permissions(entry_at(level), here);
			set_permissions(entry_at(upper), above);
			kn_invept(KN_INVEPT_SINGLE, eptp);
			expect_accesses(here & above, level << 12 | upper << 8 | above << 4 | here);
		}
		set_permissions(entry_at(level), KN_EPT_RWX);
		set_permissions(entry_at(upper), KN_EPT_RWX);
	}
	kn_invept(KN_INVEPT_SINGLE, eptp);
}

/* From nothing to everything, in an entry of each level, and no INVEPT. */
static void check_raised(int level)
{
	struct kn_check *check = KN_SITE("what is permitted anew is so without INVEPT");
	static const uint64_t steps[] = { KN_EPT_READ, KN_EPT_READ | KN_EPT_WRITE, KN_EPT_RWX };

	for (int changed = level; changed <= KN_EPT_LEVELS; changed++) {
		uint64_t permitted = 0;

		set_permissions(entry_at(changed), 0);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
			uint64_t at = level << 8 | changed << 4 | i;

			kn_l2_expect_violation(check, &l2, accesses[i], gpa, permitted, at);
			permitted = steps[i];
			set_permissions(entry_at(changed), permitted);
			expect_possible(check, accesses[i], at);
		}
	}
}

static void expect_misconfigured(struct kn_check *check, int level, uint64_t value, uint64_t at)
{
	uint64_t *entry = entry_at(level), old = *entry;

	set_entry(entry, value);
	kn_invept(KN_INVEPT_SINGLE, eptp);
	for (unsigned int i = 0; i < ARRAY_SIZE(accesses); i++) {
		kn_expect_at(check, "reason", kn_l2_access(&l2, accesses[i], gpa, NULL),
			     EXIT_REASON_EPT_MISCONFIG, at << 4 | i);
		kn_expect_at(check, "GUEST_PHYSICAL_ADDRESS", vmreadz(GUEST_PHYSICAL_ADDRESS), gpa,
			     at << 4 | i);
	}
	/* What is misconfigured is in no TLB. */
	set_entry(entry, old);
	expect_possible(KN_SITE("what L1 has put right works without INVEPT"), KN_EPT_READ, at);
}

/* @level has a page, or a table. */
static void check_misconfigurations(int level, bool is_page)
{
	uint64_t entry = *entry_at(level), at = level << 8 | is_page << 12;

	for (uint64_t permitted = 1; permitted < 8; permitted++)
		if (!can_be(permitted))
			expect_misconfigured(KN_SITE("permissions that no entry can have"), level,
					     (entry & ~KN_EPT_RWX) | permitted, at | permitted);

	expect_misconfigured(KN_SITE("addresses that no memory can have"), level,
			     entry | NO_ADDRESS, at);

	if (!is_page) {
		for (unsigned int bit = 3; bit < 7; bit++)
			expect_misconfigured(KN_SITE("reserved bits of a table's entry"), level,
					     entry | BIT_ULL(bit), at | bit);
		if (level == KN_EPT_LEVELS)
			expect_misconfigured(KN_SITE("... that no page can have"), level,
					     entry | KN_EPT_LARGE, at);
		return;
	}

	for (uint64_t type = 0; type < 8; type++)
		if (type == 2 || type == 3 || type == 7)
			expect_misconfigured(KN_SITE("memory types that do not exist"), level,
					     (entry & ~(7ull << 3)) | type << 3, at | type);
	for (unsigned int bit = 12; bit < PG_LEVEL_SHIFT(level); bit++)
		expect_misconfigured(KN_SITE("an address that is not one of a large page"), level,
				     entry | BIT_ULL(bit), at | bit);
}

static void check_ignored_bits(int level)
{
	struct kn_check *check = KN_SITE("ignored bits are ignored");

	for (int changed = level; changed <= KN_EPT_LEVELS; changed++) {
		uint64_t *entry = entry_at(changed), old = *entry;

		/* Accessed and dirty flags as well: this EPT pointer has none. */
		set_entry(entry, old | 0xffull << 52 | 0xfull << 8);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		for (unsigned int i = 0; i < ARRAY_SIZE(accesses); i++)
			expect_possible(check, accesses[i], level << 8 | changed << 4 | i);
		set_entry(entry, old);
	}
}

static void check_page(int level)
{
	set_entry(entry_at(level), page_entry(level));
	kn_invept(KN_INVEPT_SINGLE, eptp);

	check_matrix(level);
	check_raised(level);
	check_ignored_bits(level);
	check_misconfigurations(level, true);
	for (int table = level + 1; table <= KN_EPT_LEVELS; table++)
		check_misconfigurations(table, false);
	set_entry(entry_at(level), 0);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	capabilities = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	pml4 = kn_ept12_create();
	eptp = kn_ept12_pointer(pml4, false);
	page = kn_ept12_alloc(1);
	gpa = KN_L2_AREA | (page - KN_MEMORY);
	kn_ept12_setup(vmx, &l2, pml4, false);

	for (int level = capabilities & KN_CAP_1GB ? 3 : 2; level; level--)
		check_page(level);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_PAGES);
	kn_run(vcpu);

	KN_VEPT_COUNTED(vm, "vept.faults", 100);
	KN_VEPT_COUNTED(vm, "vept.filled", 100);
	KN_VEPT_COUNTED(vm, "vept.invalidated", 100);
	KN_VEPT_COUNTED(vm, "vept.stock.l1", 100);
	kn_finish(vm);
}
