// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2 has the right memory of L1 at each address, whatever the size of the pages in
 * EPT12 and the size of those of the host, and after each change from one size to another.
 */
#include <sys/mman.h>

#include "ept12.h"

#define NR_PAGES	256

/* Two memslots of two large pages each. */
#define SIZE		(4ull << 20)
#define NR		(SIZE / PAGE_SIZE)
#define STRIDE		7	/* not each page of them, and not the same ones each time */
#define SLOT(_nr)	(6 + (_nr))
#define BASE(_nr)	(0x140000000ull + (_nr) * 0x40000000ull)

enum { SMALL, HUGE, NR_BACKINGS };

/* That L2 writes to, another one in each page. */
#define WORD(_page)	(128 + (_page) % 128)

/* So many tables more that not all are looked at by VM entries. */
#define NR_OTHERS	24
#define OTHERS		(KN_L2_AREA + (1ull << 30))

/* How L2's addresses are mapped. */
static const struct kind {
	int level;
	unsigned int moved;	/* L2's page is L1's page ^ this */
} kinds[] = {
	{ 1, 0 }, { 1, NR - 1 }, { 2, 0 }, { 2, NR / 2 }, { 3, 0 },
};

#define NR_KINDS	ARRAY_SIZE(kinds)

static struct kn_l2 l2;
static uint64_t eptp, pml4, other;
static uint64_t tables[2];	/* a table for each large page, which is used again */
static uint64_t large_table;

/* What L2 is to find and to do. */
static volatile uint64_t base, turn;
static volatile unsigned int moved;
static struct kn_check *check_l2;

static uint64_t content(uint64_t where, unsigned int page)
{
	return KN_CONTENT(1 + page) ^ where;
}

static uint64_t written(unsigned int page)
{
	return turn << 32 | page;
}

static void l2_access_pages(void)
{
	for (unsigned int i = turn % STRIDE; i < NR; i += STRIDE) {
		volatile uint64_t *words = (uint64_t *)(KN_L2_AREA + i * PAGE_SIZE);

		kn_expect_at(check_l2, "the first word", words[0], content(base, i ^ moved),
			     turn << 16 | i);
		kn_expect_at(check_l2, "the last word", words[511], ~content(base, i ^ moved),
			     turn << 16 | i);
		words[WORD(i)] = written(i);
	}
	asm volatile("vmcall" : : : "memory");
}

static void l2_access_others(void)
{
	for (unsigned int i = 0; i < NR_OTHERS; i++)
		*(volatile uint64_t *)(OTHERS + i * PG_LEVEL_SIZE(PG_LEVEL_2M)) = i;
	asm volatile("vmcall" : : : "memory");
}

static void set_entry(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

static void map_kind(const struct kind *kind)
{
	if (kind->level == 3) {
		set_entry(kn_ept12_entry(pml4, KN_L2_AREA, 3),
			  base | KN_EPT_RWX | KN_EPT_WB | KN_EPT_LARGE);
		return;
	}

	set_entry(kn_ept12_entry(pml4, KN_L2_AREA, 3), large_table | KN_EPT_RWX);
	for (unsigned int i = 0; i < SIZE >> 21; i++)
		set_entry(kn_ept12_entry(pml4, KN_L2_AREA + ((uint64_t)i << 21), 2),
			  kind->level == 1 ? tables[i] | KN_EPT_RWX :
			  (base + (((uint64_t)i << 21) ^ kind->moved * PAGE_SIZE)) | KN_EPT_RWX |
			  KN_EPT_WB | KN_EPT_LARGE);
	if (kind->level == 1)
		for (unsigned int i = 0; i < NR; i++)
			set_entry(kn_ept12_entry(pml4, KN_L2_AREA + i * PAGE_SIZE, 1),
				  (base + (i ^ kind->moved) * PAGE_SIZE) | KN_EPT_RWX | KN_EPT_WB);
}

static void access_pages(struct kn_check *check, const struct kind *kind)
{
	turn++;
	moved = kind->moved;
	check_l2 = check;
	kn_l2_expect_run(check, &l2, l2_access_pages, turn);
	for (unsigned int i = turn % STRIDE; i < NR; i += STRIDE)
		kn_expect_at(KN_SITE("L1 finds what L2 has written"), "word",
			     *(uint64_t *)(base + (i ^ moved) * PAGE_SIZE + WORD(i) * 8),
			     written(i), turn << 16 | i);
}

static void check_kinds(struct kn_check *check, unsigned int nr_kinds, bool many)
{
	for (unsigned int both = 0; both < nr_kinds * nr_kinds; both++) {
		const struct kind *to = &kinds[both % nr_kinds], *from = &kinds[both / nr_kinds];

		map_kind(from);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		access_pages(check, from);
		if (many)
			kn_l2_expect_run(check, &l2, l2_access_others, turn);
		map_kind(to);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		access_pages(check, to);
		access_pages(check, to);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	unsigned int nr_kinds = NR_KINDS;

	if (!(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & KN_CAP_1GB))
		nr_kinds--;

	pml4 = kn_ept12_create();
	eptp = kn_ept12_pointer(pml4, false);
	other = kn_ept12_alloc(1);
	large_table = kn_ept12_alloc(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
		tables[i] = kn_ept12_alloc(1);
	*kn_ept12_entry(pml4, KN_L2_AREA, 3) = large_table | KN_EPT_RWX;
	for (unsigned int i = 0; i < NR_OTHERS; i++)
		*kn_ept12_entry(pml4, OTHERS + i * PG_LEVEL_SIZE(PG_LEVEL_2M), 1) =
			other | KN_EPT_RWX | KN_EPT_WB;
	kn_ept12_setup(vmx, &l2, pml4, false);

	base = BASE(SMALL);
	check_kinds(KN_SITE("small pages of the host"), nr_kinds, false);
	base = BASE(HUGE);
	check_kinds(KN_SITE("huge pages of the host"), nr_kinds, false);
	base = BASE(SMALL);
	check_kinds(KN_SITE("small pages of the host, and a large L2"), nr_kinds, true);
	base = BASE(HUGE);
	check_kinds(KN_SITE("huge pages of the host, and a large L2"), nr_kinds, true);
	GUEST_DONE();
}

static void add_memory(struct kvm_vm *vm, unsigned int nr)
{
	uint8_t *hva;

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS_THP, BASE(nr), SLOT(nr), NR, 0);
	hva = addr_gpa2hva(vm, BASE(nr));
	if (nr == SMALL)
		TEST_ASSERT(!madvise(hva, SIZE, MADV_NOHUGEPAGE), "madvise of a memslot");
	for (unsigned int i = 0; i < NR; i++) {
		uint64_t *words = (uint64_t *)(hva + i * PAGE_SIZE);

		words[0] = content(BASE(nr), i);
		words[511] = ~content(BASE(nr), i);
	}
	virt_map_level(vm, BASE(nr), BASE(nr), SIZE, PG_LEVEL_2M);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_PAGES);
	kn_ept12_map_linear(vm, OTHERS, NR_OTHERS * PG_LEVEL_SIZE(PG_LEVEL_2M));
	for (unsigned int i = SMALL; i < NR_BACKINGS; i++)
		add_memory(vm, i);
	kn_run(vcpu);

	KN_VEPT_COUNTED(vm, "vept.faults", 100);
	KN_VEPT_COUNTED(vm, "vept.filled", 100);
	KN_VEPT_COUNTED(vm, "vept.invalidated", 20);
	kn_finish(vm);
}
