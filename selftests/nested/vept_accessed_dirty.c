// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2's accesses set accessed and dirty flags in EPT12 as processors do: the former on
 * all levels, the latter for writes and only in the entry of the page; again once L1 has cleared
 * them and executed INVEPT; nowhere else; and nowhere if the EPT pointer does without.
 */
#include "ept12.h"

#define NR_PAGES	256
#define NR_NEIGHBOURS	64
#define NR_TIMES	3

#define FLAGS		(KN_EPT_ACCESSED | KN_EPT_DIRTY)

static struct kn_l2 l2;
static uint64_t eptp, pml4;
static uint64_t page, gpa;

/* Each entry on the way to @address: its flags, and nothing else, are as they should be. */
static void expect_flags(struct kn_check *check, uint64_t address, int level, bool accessed,
			 bool dirty, uint64_t at)
{
	for (int i = KN_EPT_LEVELS; i >= level; i--) {
		uint64_t flags = (accessed ? KN_EPT_ACCESSED : 0) |
				 (dirty && i == level ? KN_EPT_DIRTY : 0);

		kn_expect_at(check, "flags", *kn_ept12_entry(pml4, address, i) & FLAGS, flags,
			     at << 4 | i);
	}
}

static void clear_flags(uint64_t address, int level, uint64_t flags)
{
	for (int i = KN_EPT_LEVELS; i >= level; i--)
		*kn_ept12_entry(pml4, address, i) &= ~flags;
	kn_invept(KN_INVEPT_SINGLE, eptp);
}

static void expect_access(uint64_t access, uint64_t address)
{
	uint64_t value = KN_CONTENT(1);

	kn_expect_at(KN_SITE("L2 accesses the page"), "reason",
		     kn_l2_access(&l2, access, address, &value), EXIT_REASON_VMCALL, address);
}

static void map_page(int level)
{
	*kn_ept12_entry(pml4, gpa, level) = (page & ~(PG_LEVEL_SIZE(level) - 1)) | KN_EPT_RWX |
					    KN_EPT_WB | (level > 1 ? KN_EPT_LARGE : 0);
	clear_flags(gpa, level, FLAGS);
}

static void check_page(int level)
{
	map_page(level);
	expect_flags(KN_SITE("no access, no flags"), gpa, level, false, false, level);

	for (unsigned int i = 0; i < NR_TIMES; i++) {
		uint64_t at = level << 8 | i;

		clear_flags(gpa, level, FLAGS);
		expect_access(KN_EPT_READ, gpa);
		expect_flags(KN_SITE("a read: accessed"), gpa, level, true, false, at);
		expect_access(KN_EPT_WRITE, gpa);
		expect_flags(KN_SITE("... then a write: dirty"), gpa, level, true, true, at);

		clear_flags(gpa, level, KN_EPT_DIRTY);
		expect_access(KN_EPT_READ, gpa);
		expect_flags(KN_SITE("no longer dirty, then a read"), gpa, level, true, false, at);
		expect_access(KN_EPT_WRITE, gpa);
		expect_flags(KN_SITE("... then a write: dirty again"), gpa, level, true, true, at);

		clear_flags(gpa, level, FLAGS);
		expect_access(KN_EPT_EXECUTE, gpa);
		expect_flags(KN_SITE("a fetch: accessed"), gpa, level, true, false, at);

		clear_flags(gpa, level, FLAGS);
		expect_access(KN_EPT_WRITE, gpa);
		expect_flags(KN_SITE("a write: both"), gpa, level, true, true, at);
	}
	*kn_ept12_entry(pml4, gpa, level) = 0;
}

/* Accesses that fail say nothing of the page. */
static void check_violations(void)
{
	uint64_t *entry;

	map_page(1);
	entry = kn_ept12_entry(pml4, gpa, 1);
	*entry &= ~(KN_EPT_WRITE | KN_EPT_EXECUTE);
	kn_invept(KN_INVEPT_SINGLE, eptp);
	kn_l2_expect_violation(KN_SITE("a write that is not permitted"), &l2, KN_EPT_WRITE, gpa,
			       KN_EPT_READ, 0);
	kn_expect(KN_SITE("... is none"), *entry & FLAGS, 0);
	expect_access(KN_EPT_READ, gpa);
	kn_l2_expect_violation(KN_SITE("... also after a read"), &l2, KN_EPT_WRITE, gpa,
			       KN_EPT_READ, 0);
	expect_flags(KN_SITE("... which is one"), gpa, 1, true, false, 0);

	*entry |= KN_EPT_RWX;
	expect_access(KN_EPT_WRITE, gpa);
	expect_flags(KN_SITE("... and once it is permitted"), gpa, 1, true, true, 0);
}

/* Whatever is mapped together: each page has flags of its own. */
static void check_neighbours(void)
{
	struct kn_check *check = KN_SITE("each page has its own flags");
	uint64_t first = kn_ept12_alloc(NR_NEIGHBOURS), address = KN_L2_AREA;

	for (unsigned int i = 0; i < NR_NEIGHBOURS; i++)
		*kn_ept12_entry(pml4, address + i * PAGE_SIZE, 1) =
			(first + i * PAGE_SIZE) | KN_EPT_RWX | KN_EPT_WB;

	for (unsigned int time = 0; time < NR_TIMES; time++) {
		for (unsigned int i = 0; i < NR_NEIGHBOURS; i++)
			*kn_ept12_entry(pml4, address + i * PAGE_SIZE, 1) &= ~FLAGS;
		kn_invept(KN_INVEPT_SINGLE, eptp);

		/* Every other one is read, and of these every other one is written. */
		for (unsigned int i = 0; i < NR_NEIGHBOURS; i += 2)
			*(uint64_t *)(first + i * PAGE_SIZE) = KN_CONTENT(i);
		for (unsigned int i = 0; i < NR_NEIGHBOURS; i += 2)
			kn_l2_expect_value(check, &l2, address + i * PAGE_SIZE, KN_CONTENT(i), i);
		for (unsigned int i = 0; i < NR_NEIGHBOURS; i += 4)
			kn_l2_expect_write(check, &l2, address + i * PAGE_SIZE, KN_CONTENT(i), i);
		for (unsigned int i = 0; i < NR_NEIGHBOURS; i++)
			kn_expect_at(check, "flags",
				     *kn_ept12_entry(pml4, address + i * PAGE_SIZE, 1) & FLAGS,
				     (i % 2 ? 0 : KN_EPT_ACCESSED) | (i % 4 ? 0 : KN_EPT_DIRTY),
				     time << 8 | i);
	}
}

static void check_without(void)
{
	uint64_t with = eptp;

	eptp = kn_ept12_pointer(pml4, false);
	vmwrite(EPT_POINTER, eptp);
	map_page(1);
	expect_access(KN_EPT_READ, gpa);
	expect_access(KN_EPT_WRITE, gpa);
	expect_access(KN_EPT_EXECUTE, gpa);
	expect_flags(KN_SITE("an EPT pointer without flags"), gpa, 1, false, false, 0);

	/* The same tables, and no INVEPT. */
	eptp = with;
	vmwrite(EPT_POINTER, eptp);
	expect_access(KN_EPT_READ, gpa);
	expect_flags(KN_SITE("... and with them again"), gpa, 1, true, false, 0);
	expect_access(KN_EPT_WRITE, gpa);
	expect_flags(KN_SITE("... for writes as well"), gpa, 1, true, true, 0);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	pml4 = kn_ept12_create();
	eptp = kn_ept12_pointer(pml4, true);
	page = kn_ept12_alloc_content(1);
	/* At the offset of the page, in pages of all sizes. */
	gpa = KN_L2_AREA | (page - KN_MEMORY);
	kn_ept12_setup(vmx, &l2, pml4, true);

	for (int level = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & KN_CAP_1GB ? 3 : 2; level; level--)
		check_page(level);
	check_violations();
	check_neighbours();
	check_without();
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_PAGES);
	TEST_REQUIRE(vcpu_get_msr(vcpu, MSR_IA32_VMX_EPT_VPID_CAP) & KN_CAP_AD);
	kn_run(vcpu);

	KN_VEPT_COUNTED(vm, "vept.faults", 100);
	KN_VEPT_COUNTED(vm, "vept.filled", 100);
	KN_VEPT_COUNTED(vm, "vept.invalidated", 20);
	kn_finish(vm);
}
