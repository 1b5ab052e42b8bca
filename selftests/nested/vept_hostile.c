// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an EPT12 that no sane L1 has does what it says: one that contains itself, and that L2
 * edits; one that leads to no memory, to a VMCS or to the local APIC, on any level; one that has a
 * page, or a table, hundreds of times; more of them than the module keeps.
 */
#include <sys/mman.h>
#include <sys/utsname.h>

#include "ept12.h"
#include "shadow.h"

#define NR_PAGES	1024
#define NR_TIMES	3
#define NR_ALIASES	512
#define NR_TABLES	24
#define NR_EPTS		40
#define GB		BIT_ULL(30)

#define NOWHERE		0x4000000000ull		/* no memslot is there */
#define APIC		0xfee00000ull
#define APIC_LVR	0x30

/* GUEST_SYNC(). */
enum { DROP = 1, FEW_TABLES, END };

static struct kn_l2 l2;
static uint64_t pml4, eptp;
static uint64_t shared_page;	/* that user space drops */
static uint64_t address_bits;
static bool roots_are_checked;

static uint64_t *entry_of(uint64_t gpa, int level)
{
	return kn_ept12_entry(pml4, gpa, level);
}

static void set_entry(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

static void invalidate(void)
{
	kn_invept(KN_INVEPT_SINGLE, eptp);
}

static uint64_t page_entry(uint64_t page)
{
	return page | KN_EPT_RWX | KN_EPT_WB;
}

/* As good as a new one. */
static void expect_sane(void)
{
	static uint64_t page;

	if (!page)
		page = kn_ept12_alloc_content(9);
	set_entry(entry_of(KN_L2_AREA + GB - PAGE_SIZE, 1), page_entry(page));
	invalidate();
	kn_l2_expect_value(KN_SITE("then what is sane works again"), &l2,
			   KN_L2_AREA + GB - PAGE_SIZE, KN_CONTENT(9), 0);
}

/*
 * A table of @level whose second entry leads to itself: L2 sees it as a page where all indices
 * from there on are 1. L2 then changes what the third entry leads to.
 */
static void check_self(int level)
{
	struct kn_check *edited = KN_SITE("L2 sees what it has made of it, after an INVEPT of L1");
	struct kn_check *check = KN_SITE("L2 sees a table that contains itself");
	uint64_t index = 1ull << PG_LEVEL_SHIFT(level), gpa = KN_L2_AREA, old;
	uint64_t *table = (uint64_t *)((uint64_t)entry_of(gpa, level) & ~(PAGE_SIZE - 1));
	uint64_t pages[2], tables[2];

	for (int i = level; i; i--)
		gpa |= 1ull << PG_LEVEL_SHIFT(i);
	old = table[1];
	set_entry(&table[1], (uint64_t)table | KN_EPT_RWX);
	invalidate();
	for (unsigned int i = 0; i < 3; i++)
		kn_l2_expect_value(check, &l2, gpa + 8 * i, table[i], level << 4 | i);
	kn_l2_expect_write(check, &l2, gpa + 8 * 511, KN_CONTENT(level) & ~KN_EPT_RWX, level);
	kn_expect_at(check, "memory", table[511], KN_CONTENT(level) & ~KN_EPT_RWX, level);
	table[511] = 0;

	/* There is but one more entry that L2's addresses can reach in the PML4. */
	for (unsigned int i = 0; i < 2 && level < KN_EPT_LEVELS; i++) {
		tables[i] = pages[i] = kn_ept12_alloc_content(100 + i);
		for (int l = 1; l < level; l++) {
			uint64_t above = kn_ept12_alloc(1);

			*(uint64_t *)above = tables[i] | KN_EPT_RWX;
			tables[i] = above;
		}
	}
	for (unsigned int i = 0; i < NR_TIMES * 2 && level < KN_EPT_LEVELS; i++) {
		kn_l2_expect_write(edited, &l2, gpa + 8 * 2, tables[i % 2] | KN_EPT_RWX, i);
		invalidate();
		kn_l2_expect_value(edited, &l2, KN_L2_AREA + 2 * index, KN_CONTENT(100 + i % 2),
				   level << 4 | i);
	}
	if (level < KN_EPT_LEVELS) {
		kn_l2_expect_write(edited, &l2, gpa + 8 * 2, 0, level);
		invalidate();
		kn_l2_expect_violation(KN_SITE("... or that it has made nothing of it"), &l2,
				       KN_EPT_READ, KN_L2_AREA + 2 * index, 0, level);
	}

	set_entry(&table[1], old);
	invalidate();
	expect_sane();
}

/* L2 lets go of its way to the table. */
static void check_cut_off(void)
{
	uint64_t *entry = entry_of(KN_L2_AREA + PAGE_SIZE, 1);
	uint64_t table = (uint64_t)entry & ~(PAGE_SIZE - 1);

	set_entry(entry, page_entry(table));
	invalidate();
	kn_l2_expect_write(KN_SITE("L2 unmaps the table"), &l2, KN_L2_AREA + PAGE_SIZE + 8, 0, 0);
	kn_expect(KN_SITE("... which is in memory"), *entry, 0);
	invalidate();
	kn_l2_expect_violation(KN_SITE("... and it is unmapped"), &l2, KN_EPT_WRITE,
			       KN_L2_AREA + PAGE_SIZE, 0, 0);
	expect_sane();
}

/* What leads to no memory: user space gives what L2 reads, that is the address. */
static void check_devices(void)
{
	struct kn_check *check = KN_SITE("a page without memory is user space's device");
	uint64_t places[] = { NOWHERE, (1ull << address_bits) - PAGE_SIZE };

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		set_entry(entry_of(KN_L2_AREA, 1), page_entry(places[i]));
		invalidate();
		for (unsigned int j = 0; j < 2 * NR_TIMES; j++)
			kn_l2_expect_value(check, &l2, KN_L2_AREA + 8 * j, places[i] + 8 * j, j);
		kn_l2_expect_write(KN_SITE("... also for writes"), &l2, KN_L2_AREA, places[i], i);
	}
	set_entry(entry_of(KN_L2_AREA, 1), 0);
	invalidate();

	for (int level = 2; level <= KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(KN_L2_AREA, level), old = *entry;
		uint64_t reason;

		set_entry(entry, NOWHERE | KN_EPT_RWX);
		invalidate();
		reason = kn_l2_access(&l2, KN_EPT_READ, KN_L2_AREA, NULL);
		kn_expect_at(KN_SITE("a table without memory: EPT violation"), "reason", reason,
			     EXIT_REASON_EPT_VIOLATION, level);
		kn_expect_at(KN_SITE("... of L2's address"), "GUEST_PHYSICAL_ADDRESS",
			     vmreadz(GUEST_PHYSICAL_ADDRESS), KN_L2_AREA, level);
		set_entry(entry, old);
		invalidate();
		expect_sane();
	}
}

static void check_bad_addresses(void)
{
	for (int level = 1; level <= KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(KN_L2_AREA, level), old = *entry;

		for (unsigned int bit = address_bits; bit < 52; bit++) {
			set_entry(entry, page_entry(BIT_ULL(bit)));
			invalidate();
			kn_expect_at(KN_SITE("an address that can't be: EPT misconfiguration"),
				     "reason", kn_l2_access(&l2, KN_EPT_READ, KN_L2_AREA, NULL),
				     EXIT_REASON_EPT_MISCONFIG, level << 8 | bit);
		}
		set_entry(entry, old);
		invalidate();
		expect_sane();
	}
}

static void check_bad_pointers(void)
{
	uint64_t bad[] = {
		eptp | BIT_ULL(address_bits), eptp | BIT_ULL(51), eptp | BIT_ULL(7),
		eptp & ~7ull, eptp & ~(7ull << 3), 0,
	};
	struct kn_check *nowhere = KN_SITE("an EPT pointer to no memory: EPT violation");

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		/* Write-back or uncacheable: the latter may be possible. */
		if (i == 3 && rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & BIT_ULL(8))
			continue;
		vmwrite(EPT_POINTER, bad[i]);
		kn_expect_at(KN_SITE("an EPT pointer that can't be: VMfailValid"), "outcome",
			     kn_l2_access(&l2, KN_EPT_READ, KN_L2_AREA, NULL), ~VM_FAIL_VALID, i);
		kn_expect_at(KN_SITE("... error 7"), "error", vmreadz(VM_INSTRUCTION_ERROR),
			     ERR_ENTRY_CONTROL, i);
	}

	vmwrite(EPT_POINTER, NOWHERE | (eptp & 0xfff));
	if (!roots_are_checked)
		kn_skip(nowhere, "this kernel warns, and the VM ends");
	else
		kn_expect(nowhere, kn_l2_access(&l2, KN_EPT_READ, KN_L2_AREA, NULL),
			  EXIT_REASON_EPT_VIOLATION);
	vmwrite(EPT_POINTER, eptp);
	expect_sane();
}

/* The current VMCS as a page, and as a table: its first word is no entry that is present. */
static void check_vmcs(struct vmx_pages *vmx)
{
	uint64_t value = 0;

	vmwrite(TSC_OFFSET, 0x12345678);
	set_entry(entry_of(KN_L2_AREA, 1), page_entry(vmx->vmcs_gpa));
	invalidate();
	kn_expect(KN_SITE("L2 reads L1's VMCS"),
		  kn_l2_access(&l2, KN_EPT_READ, KN_L2_AREA, &value), EXIT_REASON_VMCALL);
	kn_expect(KN_SITE("... its revision"), (uint32_t)value, vmcs_revision());
	for (unsigned int i = 8; i < PAGE_SIZE / 8; i += 8)
		kn_l2_expect_write(KN_SITE("L2 writes to it"), &l2, KN_L2_AREA + i * 8, ~0ull, i);
	kn_expect(KN_SITE("... which does not reach the VMCS"), vmreadz(TSC_OFFSET), 0x12345678);
	kn_expect(KN_SITE("... not even when L1 leaves it"), kn_vmclear(vmx->vmcs_gpa), VM_SUCCEED);
	kn_expect(KN_SITE("... and comes back"), kn_vmptrld(vmx->vmcs_gpa), VM_SUCCEED);
	kn_expect(KN_SITE("... does it reach the VMCS"), vmreadz(TSC_OFFSET), 0x12345678);
	l2.launched = false;
	vmwrite(TSC_OFFSET, 0);
	set_entry(entry_of(KN_L2_AREA, 1), 0);

	for (int level = 2; level < KN_EPT_LEVELS; level++) {
		uint64_t *entry = entry_of(KN_L2_AREA, level), old = *entry;

		set_entry(entry, vmx->vmcs_gpa | KN_EPT_RWX);
		invalidate();
		kn_l2_expect_violation(KN_SITE("a VMCS as a table"), &l2, KN_EPT_READ, KN_L2_AREA,
				       0, level);
		set_entry(entry, old);
	}
	expect_sane();
}

void l2_read_4_bytes(void);

asm(".pushsection .text\n"
	"l2_read_4_bytes:\n\t"
	"mov (%rdi), %eax\n\t"
	"vmcall\n\t"
	".popsection");

static void check_apic(void)
{
	set_entry(entry_of(KN_L2_AREA, 1), page_entry(APIC));
	invalidate();
	for (unsigned int i = 0; i < NR_TIMES; i++) {
		l2.gprs.rdi = KN_L2_AREA + APIC_LVR;
		kn_l2_expect_run(KN_SITE("L2 can be given L1's local APIC"), &l2, l2_read_4_bytes,
				 i);
		kn_expect_at(KN_SITE("... which is no memory"), "version", l2.gprs.rax,
			     *(volatile uint32_t *)(APIC + APIC_LVR), i);
	}
	set_entry(entry_of(KN_L2_AREA, 1), 0);
	expect_sane();
}

static void expect_aliases(struct kn_check *check, unsigned int step, uint64_t want)
{
	for (unsigned int i = 0; i < NR_ALIASES; i += step)
		kn_l2_expect_value(check, &l2, KN_L2_AREA + i * PAGE_SIZE, want, i);
}

/* One page at hundreds of addresses, and in a large page as well. */
static void check_aliases(void)
{
	struct kn_check *dropped = KN_SITE("... that user space drops");
	struct kn_check *written = KN_SITE("... that L2 writes to by one of its addresses");
	uint64_t large = KN_L2_AREA + 2 * PG_LEVEL_SIZE(PG_LEVEL_2M);
	uint64_t old[NR_ALIASES];

	for (unsigned int i = 0; i < NR_ALIASES; i++) {
		old[i] = *entry_of(KN_L2_AREA + i * PAGE_SIZE, 1);
		set_entry(entry_of(KN_L2_AREA + i * PAGE_SIZE, 1), page_entry(shared_page));
	}
	set_entry(entry_of(large, 2), page_entry(KN_MEMORY) | KN_EPT_LARGE);
	large += shared_page - KN_MEMORY;
	invalidate();

	for (unsigned int i = 0; i < NR_TIMES; i++) {
		*(uint64_t *)shared_page = KN_CONTENT(i);
		expect_aliases(KN_SITE("a page that L2 has many times"), i ? 31 : 1, KN_CONTENT(i));
		kn_l2_expect_value(KN_SITE("... and once in a large page"), &l2, large,
				   KN_CONTENT(i), i);
		GUEST_SYNC(DROP);
		kn_l2_expect_value(dropped, &l2, large, 0, i);
		expect_aliases(dropped, i ? 31 : 1, 0);
		GUEST_SYNC(DROP);
		kn_l2_expect_write(written, &l2, KN_L2_AREA + (i + 3) * PAGE_SIZE,
				   KN_CONTENT(50 + i), i);
		kn_l2_expect_value(written, &l2, large, KN_CONTENT(50 + i), i);
		expect_aliases(written, 31, KN_CONTENT(50 + i));
		kn_expect_at(written, "memory", *(uint64_t *)shared_page, KN_CONTENT(50 + i), i);
		kn_l2_expect_write(written, &l2, large, KN_CONTENT(60 + i), i);
		expect_aliases(written, 63, KN_CONTENT(60 + i));
	}

	for (unsigned int i = 0; i < NR_ALIASES; i++)
		set_entry(entry_of(KN_L2_AREA + i * PAGE_SIZE, 1), old[i]);
	set_entry(entry_of(large, 2), 0);
	expect_sane();
}

/* One table in many places. */
static void check_shared_table(void)
{
	struct kn_check *check = KN_SITE("a table that L2 has many times");
	uint64_t pages[2] = { kn_ept12_alloc_content(70), kn_ept12_alloc_content(71) };
	uint64_t table = kn_ept12_alloc(1);

	for (unsigned int i = 1; i < NR_TABLES; i++)
		set_entry(entry_of(KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M), 2),
			  table | KN_EPT_RWX);
	for (unsigned int time = 0; time < 2 * NR_TIMES; time++) {
		set_entry((uint64_t *)table, page_entry(pages[time % 2]));
		invalidate();
		for (unsigned int i = 1; i < NR_TABLES; i++)
			kn_l2_expect_value(check, &l2, KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M),
					   KN_CONTENT(70 + time % 2), time << 8 | i);
		/* By the first of them it can be written no more. */
		set_entry((uint64_t *)table, pages[time % 2] | KN_EPT_READ | KN_EPT_WB);
		invalidate();
		for (unsigned int i = 1; i < NR_TABLES; i++)
			kn_l2_expect_violation(KN_SITE("... and whose page becomes read only"),
					       &l2, KN_EPT_WRITE,
					       KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M),
					       KN_EPT_READ, time << 8 | i);
	}
	for (unsigned int i = 1; i < NR_TABLES; i++)
		set_entry(entry_of(KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M), 2), 0);
	expect_sane();
}

/* A new EPT each time, the first ones again at last. */
static void check_many(void)
{
	struct kn_check *check = KN_SITE("more EPTs than can be kept");
	uint64_t roots[NR_EPTS];

	for (unsigned int i = 0; i < NR_EPTS; i++) {
		roots[i] = kn_ept12_alloc(1);
		*(uint64_t *)roots[i] = *(uint64_t *)pml4;
		*kn_ept12_entry(roots[i], KN_L2_AREA, 1) = page_entry(kn_ept12_alloc_content(i));
	}
	for (unsigned int i = 0; i < 2 * NR_EPTS; i++) {
		vmwrite(EPT_POINTER, kn_ept12_pointer(roots[i % NR_EPTS], false));
		kn_l2_expect_value(check, &l2, KN_L2_AREA, KN_CONTENT(i % NR_EPTS), i);
		if (i % 3 == 0)
			kn_invept(KN_INVEPT_GLOBAL, 0);
	}
	vmwrite(EPT_POINTER, eptp);
	expect_sane();
}

/* The module has room for fewer tables than L2 has. */
static void check_few_tables(void)
{
	struct kn_check *check = KN_SITE("more tables than may be kept");
	uint64_t page = kn_ept12_alloc_content(80);

	for (unsigned int i = 1; i < NR_TABLES; i++)
		set_entry(entry_of(KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M), 1),
			  page_entry(page));
	for (unsigned int time = 0; time < NR_TIMES; time++) {
		for (unsigned int i = 1; i < NR_TABLES; i++)
			kn_l2_expect_value(check, &l2, KN_L2_AREA + i * PG_LEVEL_SIZE(PG_LEVEL_2M),
					   KN_CONTENT(80), i);
		invalidate();
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	shared_page = kn_ept12_alloc(1);
	pml4 = kn_ept12_create();
	eptp = kn_ept12_pointer(pml4, false);
	entry_of(KN_L2_AREA, 1);
	kn_ept12_setup(vmx, &l2, pml4, false);

	for (int level = 1; level <= KN_EPT_LEVELS; level++)
		check_self(level);
	check_cut_off();
	check_devices();
	check_bad_addresses();
	check_bad_pointers();
	check_vmcs(vmx);
	check_apic();
	check_aliases();
	check_shared_table();
	check_many();
	GUEST_SYNC(FEW_TABLES);
	check_few_tables();
	GUEST_SYNC(END);
	GUEST_DONE();
}

/* Where there is no memory, L2 reads the address. */
static void device(struct kvm_run *state)
{
	if (!state->mmio.is_write)
		memcpy(state->mmio.data, &state->mmio.phys_addr, state->mmio.len);
}

/* Stock KVM can cope with a root in no memory since Linux 6.6. */
static bool kernel_checks_roots(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 6);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t stage;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_PAGES);
	kn_ept12_map_linear(vm, KN_L2_AREA + GB, 2 * GB);
	virt_pg_map(vm, APIC, APIC);
	roots_are_checked = kernel_checks_roots();
	sync_global_to_guest(vm, roots_are_checked);
	address_bits = vm->pa_bits;
	sync_global_to_guest(vm, address_bits);

	for (;;) {
		int error = kn_run_with_device(vcpu, device, &stage);

		TEST_ASSERT(!error, "KVM_RUN failed, errno %d", error);
		if (stage == END)
			break;
		if (stage == FEW_TABLES)
			kn_parameter_set("vept_tables", "8");
		sync_global_from_guest(vm, shared_page);
		TEST_ASSERT(!madvise(addr_gpa2hva(vm, shared_page), PAGE_SIZE, MADV_DONTNEED),
			    "MADV_DONTNEED");
	}

	KN_VEPT_COUNTED(vm, "vept.faults", 100);
	KN_VEPT_COUNTED(vm, "vept.filled", 100);
	KN_VEPT_COUNTED(vm, "vept.invalidated", 50);
	KN_VEPT_COUNTED(vm, "vept.full", NR_TIMES);
	kn_run(vcpu);
	kn_finish(vm);
}
