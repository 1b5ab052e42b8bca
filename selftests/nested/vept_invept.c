// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2 sees what L1 has changed in EPT12, in an entry of any level, once L1 has executed
 * INVEPT, for one EPT pointer or for all; whether L2 is small or large, whether L1 alternates
 * between EPT pointers or whether two vCPUs share one; and that nothing else changes.
 */
#include "ept12.h"

#define NR_PAGES	512
#define NR_TIMES	3

/* Pages of L2, each in a table of its own. */
#define FEW		2
#define MANY		24

/* Pages of the same table. */
#define SIDE(_i)	(KN_L2_AREA + 0x100000 + (_i) * PAGE_SIZE)

enum { OLD, NEW, NR_VERSIONS };

#define CONTENT(_version, _i)	KN_CONTENT(1 + (_version) * MANY + (_i))

static struct kn_l2 l2s[2];
static uint64_t pages[NR_VERSIONS][MANY], pml4[NR_VERSIONS];

static uint64_t gpa_of(unsigned int i)
{
	return KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M);
}

static uint64_t *entry_of(int version, unsigned int i, int level)
{
	return kn_ept12_entry(pml4[version], gpa_of(i), level);
}

static void set_entry(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

/* Whether the entry of @level for the first page is one for the page @i, too. */
static bool is_shared(int level, unsigned int i)
{
	return gpa_of(0) >> PG_LEVEL_SHIFT(level) == gpa_of(i) >> PG_LEVEL_SHIFT(level);
}

static void set_contents(unsigned int nr)
{
	for (int version = OLD; version < NR_VERSIONS; version++)
		for (unsigned int i = 0; i < nr; i++)
			*(uint64_t *)pages[version][i] = CONTENT(version, i);
}

/* L2 reads them, and the first one it writes as well. */
static void expect_pages(struct kn_check *check, struct kn_l2 *l2, unsigned int nr, int changed,
			 uint64_t at)
{
	uint64_t value = ~0ull;

	for (unsigned int i = 0; i < nr; i++)
		kn_l2_expect_value(check, l2, gpa_of(i),
				   CONTENT(changed && is_shared(changed, i) ? NEW : OLD, i),
				   at << 8 | i);

	kn_l2_expect_write(check, l2, gpa_of(0), value, at);
	kn_expect_at(check, "the page written to", *(uint64_t *)pages[changed ? NEW : OLD][0],
		     value, at);
	kn_expect_at(check, "the other page", *(uint64_t *)pages[changed ? OLD : NEW][0],
		     CONTENT(changed ? OLD : NEW, 0), at);
	set_contents(nr);
}

static void check_changes(struct kn_check *check, enum kn_invept_type type, unsigned int nr)
{
	uint64_t eptp = kn_ept12_pointer(pml4[OLD], false);

	for (int level = 1; level <= KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(OLD, 0, level), old = *entry;
		uint64_t at = type << 12 | nr << 4 | level;

		for (unsigned int i = 0; i < NR_TIMES; i++) {
			expect_pages(check, &l2s[0], nr, 0, at);
			set_entry(entry, *entry_of(NEW, 0, level));
			kn_invept(type, eptp);
			expect_pages(check, &l2s[0], nr, level, at);
			set_entry(entry, old);
			kn_invept(type, eptp);
		}
		expect_pages(check, &l2s[0], nr, 0, at);
	}
}

/* Less is permitted for the first page, or nothing, and the others are as before. */
static void check_lowered(unsigned int nr)
{
	uint64_t eptp = kn_ept12_pointer(pml4[OLD], false);

	for (int level = 1; level <= KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(OLD, 0, level), old = *entry, at = nr << 4 | level;

		expect_pages(KN_SITE("all is permitted"), &l2s[0], nr, 0, at);
		set_entry(entry, old & ~KN_EPT_WRITE);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		for (unsigned int i = 0; i < nr; i++)
			kn_l2_expect_value(KN_SITE("L2 still reads what it may no longer write"),
					   &l2s[0], gpa_of(i), CONTENT(OLD, i), at << 8 | i);
		for (unsigned int i = 0; i < nr; i++)
			if (is_shared(level, i))
				kn_l2_expect_violation(KN_SITE("... and does not write it"),
						       &l2s[0], KN_EPT_WRITE, gpa_of(i),
						       KN_EPT_READ | KN_EPT_EXECUTE, at << 8 | i);
			else
				kn_l2_expect_write(KN_SITE("L2 writes what it may write"), &l2s[0],
						   gpa_of(i), CONTENT(OLD, i), at << 8 | i);

		set_entry(entry, 0);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		for (unsigned int i = 0; i < nr; i++)
			if (is_shared(level, i))
				kn_l2_expect_violation(KN_SITE("L2 does not read what is gone"),
						       &l2s[0], KN_EPT_READ, gpa_of(i), 0,
						       at << 8 | i);
			else
				kn_l2_expect_value(KN_SITE("L2 reads what is not"), &l2s[0],
						   gpa_of(i), CONTENT(OLD, i), at << 8 | i);
		set_entry(entry, old);
	}
	expect_pages(KN_SITE("what is back is there without INVEPT"), &l2s[0], nr, 0, nr);
}

/* INVEPT for an EPT pointer that L2 does not use, or that nobody does. */
static void check_others(unsigned int nr)
{
	struct kn_check *check = KN_SITE("INVEPT for another EPT pointer leaves this one alone");
	uint64_t others[] = {
		kn_ept12_pointer(pml4[NEW], false),
		kn_ept12_pointer(pages[OLD][0], false),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		expect_pages(check, &l2s[0], nr, 0, i);
		kn_invept(KN_INVEPT_SINGLE, others[i]);
		expect_pages(check, &l2s[0], nr, 0, i);
	}
}

static void expect_alternated(struct kn_check *check, unsigned int nr, int version, uint64_t at)
{
	vmwrite(EPT_POINTER, kn_ept12_pointer(pml4[version], false));
	for (unsigned int i = 0; i < nr; i++)
		kn_l2_expect_value(check, &l2s[0], gpa_of(i), CONTENT(version, i), at << 8 | i);
}

static void check_alternated(unsigned int nr)
{
	struct kn_check *check = KN_SITE("L1 alternates between two EPTs");
	uint64_t *entry = entry_of(NEW, 0, 1), old = *entry;

	for (unsigned int i = 0; i < 4 * NR_TIMES; i++)
		expect_alternated(check, nr, i & 1 ? NEW : OLD, i);

	/* Changed while the other one is in use. */
	expect_alternated(check, nr, OLD, 100);
	set_entry(entry, *entry_of(OLD, 0, 1));
	kn_invept(KN_INVEPT_SINGLE, kn_ept12_pointer(pml4[NEW], false));
	expect_alternated(check, nr, OLD, 101);
	vmwrite(EPT_POINTER, kn_ept12_pointer(pml4[NEW], false));
	kn_l2_expect_value(KN_SITE("the EPT that has not been in use has changed"), &l2s[0],
			   gpa_of(0), CONTENT(OLD, 0), nr);
	for (unsigned int i = 1; i < nr; i++)
		kn_l2_expect_value(check, &l2s[0], gpa_of(i), CONTENT(NEW, i), i);
	set_entry(entry, old);
	kn_invept(KN_INVEPT_GLOBAL, 0);
	expect_alternated(check, nr, NEW, 102);
	expect_alternated(check, nr, OLD, 103);
}

/* Two vCPUs, one after the other, use the same EPT, and one of them at a time changes it. */
static void change_in_turn(struct kn_l2 *l2, bool first)
{
	struct kn_check *check = KN_SITE("two vCPUs share an EPT");
	uint64_t eptp = kn_ept12_pointer(pml4[OLD], false);

	for (int level = 1; level <= KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(OLD, 0, level), old = *entry;

		expect_pages(check, l2, MANY, 0, level);
		GUEST_SYNC(10 * level + 1);
		if (first)
			set_entry(entry, *entry_of(NEW, 0, level));
		kn_invept(KN_INVEPT_SINGLE, eptp);
		expect_pages(check, l2, MANY, level, level);
		GUEST_SYNC(10 * level + 2);
		if (first)
			set_entry(entry, old);
		kn_invept(KN_INVEPT_SINGLE, eptp);
	}
}

/* L2 needs both pages for one instruction. */
static void l2_copy_word(void)
{
	const uint64_t *from = (uint64_t *)SIDE(0);
	uint64_t *to = (uint64_t *)SIDE(1);

	asm volatile("movsq\n\tvmcall" : "+S"(from), "+D"(to) : : "memory");
}

/* Pages of one table, with any memory types that there are; and with one that there is not. */
static void check_memory_types(void)
{
	static const uint8_t types[] = { 6, 0, 1, 4, 5 };
	struct kn_check *copied = KN_SITE("L2 uses pages of any two memory types at once");
	struct kn_check *refused = KN_SITE("... and none of a type that there is not");
	uint64_t eptp = kn_ept12_pointer(pml4[OLD], false), *entries[2], from[2];

	for (unsigned int i = 0; i < 2; i++) {
		from[i] = kn_ept12_alloc(1);
		entries[i] = kn_ept12_entry(pml4[OLD], SIDE(i), 1);
		set_entry(entries[i], from[i] | KN_EPT_RWX | KN_EPT_WB);
	}
	for (unsigned int both = 0; both < ARRAY_SIZE(types) * ARRAY_SIZE(types); both++) {
		uint64_t value = 1000 + both;

		set_entry(entries[0], from[0] | KN_EPT_RWX | types[both % 5] << 3);
		set_entry(entries[1], from[1] | KN_EPT_RWX | types[both / 5] << 3);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		*(uint64_t *)from[0] = value;
		kn_l2_expect_run(copied, &l2s[0], l2_copy_word, both);
		kn_expect_at(copied, "word", *(uint64_t *)from[1], value, both);

		/* No other page is used meanwhile. */
		set_entry(entries[0], from[0] | KN_EPT_RWX | 3 << 3);
		kn_invept(KN_INVEPT_SINGLE, eptp);
		kn_expect_at(refused, "exit", kn_l2_run(&l2s[0], l2_copy_word),
			     EXIT_REASON_EPT_MISCONFIG, both);
	}
}

static void map_pages(void)
{
	for (int version = OLD; version < NR_VERSIONS; version++) {
		pml4[version] = kn_ept12_create();
		for (unsigned int i = 0; i < MANY; i++) {
			pages[version][i] = kn_ept12_alloc(1);
			*entry_of(version, i, 1) = pages[version][i] | KN_EPT_RWX | KN_EPT_WB;
		}
	}
	set_contents(MANY);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	map_pages();
	kn_ept12_setup(vmx, &l2s[0], pml4[OLD], false);

	for (unsigned int nr = FEW; nr <= MANY; nr += MANY - FEW) {
		check_changes(KN_SITE("single-context INVEPT"), KN_INVEPT_SINGLE, nr);
		check_changes(KN_SITE("global INVEPT"), KN_INVEPT_GLOBAL, nr);
		check_lowered(nr);
		check_others(nr);
		check_alternated(nr);
	}

	check_memory_types();

	GUEST_SYNC(1);
	change_in_turn(&l2s[0], true);
	GUEST_DONE();
}

static void other_l1_guest_code(struct vmx_pages *vmx)
{
	kn_ept12_setup(vmx, &l2s[1], pml4[OLD], false);
	change_in_turn(&l2s[1], false);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu, *other;
	vm_vaddr_t vmx_gva;
	struct kvm_vm *vm;
	uint64_t stage;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_PAGES);
	stage = kn_run(vcpu);
	KN_VEPT_COUNTED(vm, "vept.faults", 100);
	KN_VEPT_COUNTED(vm, "vept.filled", MANY * NR_VERSIONS);
	KN_VEPT_COUNTED(vm, "vept.invalidated", 2 * NR_TIMES * KN_EPT_LEVELS * 4);
	KN_VEPT_COUNTED(vm, "vept.kept", MANY);
	KN_VEPT_COUNTED(vm, "vept.checked", MANY);
	KN_VEPT_COUNTED(vm, "vept.dropped", KN_EPT_LEVELS);

	other = vm_vcpu_add(vm, 1, other_l1_guest_code);
	vcpu_init_descriptor_tables(other);
	vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(other, 1, vmx_gva);
	while (stage) {
		stage = kn_run(vcpu);
		kn_expect(KN_SITE("both vCPUs come as far"), kn_run(other), stage);
	}
	kn_finish(vm);
}
