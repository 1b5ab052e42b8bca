// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that memory operands are read where L1's page tables lead now: whatever has changed since
 * the last time in an entry of any level, in CR3, or in the memory of the VM.
 */
#include <sys/mman.h>

#include <linux/compiler.h>

#include "l1.h"
#include "shadow.h"

#define NR_TIMES	3	/* each read: so that a way that is remembered is used */

/* An address whose tables map nothing else, and a memslot of 2 MB with what it is mapped to. */
#define OPERAND		0x8000000000ull
#define SLOT		7
#define SLOT_GPA	0x100000000ull
#define SLOT_SIZE	(2ull << 20)
#define PAGE_OF(_nr)	(SLOT_GPA + (_nr) * PAGE_SIZE)

#define PTE_RESERVED	BIT_ULL(51)
#define PF_PRESENT	BIT(0)
#define PF_RESERVED	BIT(3)

/* The pages at @SLOT_GPA hold the addresses of these VMCSs. */
enum { FIRST, SECOND, NR_VMCSS };

static uint64_t vmcs_gpa[NR_VMCSS];
static uint8_t *vmcs[NR_VMCSS];
static uint64_t cr3;		/* that L1 is to have; 0 leaves it */
static uint64_t outcome, error_code, pointer;
static bool done;

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		memcpy(vmcs[i], vmx->vmcs, sizeof(uint32_t));
		GUEST_ASSERT(kn_vmclear(vmcs_gpa[i]) == VM_SUCCEED);
	}

	while (!READ_ONCE(done)) {
		if (READ_ONCE(cr3))
			asm volatile("mov %0, %%cr3" : : "r" (cr3) : "memory");
		asm volatile("invlpg (%0)" : : "r" (OPERAND) : "memory");
		outcome = kn_vmptrld_at((void *)OPERAND);
		error_code = kn_fault.error_code;
		pointer = vmptrstz();
		GUEST_SYNC(1);
	}
	GUEST_DONE();
}

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static uint8_t *memory;

static void read_operand(void)
{
	TEST_ASSERT(kn_run(vcpu) == 1, "L1 has ended");
	sync_global_from_guest(vm, outcome);
	sync_global_from_guest(vm, error_code);
	sync_global_from_guest(vm, pointer);
}

static void expect_vmcs(struct kn_check *check, unsigned int nr)
{
	for (unsigned int i = 0; i < NR_TIMES; i++) {
		read_operand();
		kn_expect_at(check, "outcome", outcome, VM_SUCCEED, i);
		kn_expect_at(check, "VMCS", pointer, vmcs_gpa[nr], i);
	}
}

static void expect_fault(struct kn_check *check, uint64_t want)
{
	for (unsigned int i = 0; i < NR_TIMES; i++) {
		read_operand();
		kn_expect_at(check, "outcome", outcome, VM_FAULT(PF_VECTOR), i);
		kn_expect_at(check, "error code", error_code, want, i);
	}
}

/* The entry of @level, 4 to 1, on the way from @table to the operand. */
static uint64_t *entry_of(uint64_t table, int level)
{
	for (int i = 4; ; i--) {
		uint64_t *entries = addr_gpa2hva(vm, table);
		uint64_t *entry = &entries[OPERAND >> PG_LEVEL_SHIFT(i) & 0x1ff];

		if (i == level)
			return entry;
		table = *entry & PHYSICAL_PAGE_MASK;
	}
}

static uint64_t new_table(void)
{
	return vm_phy_page_alloc(vm, KVM_UTIL_MIN_VADDR, 0);
}

static void set_slot(void *hva, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static uint8_t *map_memory(void *where)
{
	uint8_t *hva = mmap(where, SLOT_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);

	TEST_ASSERT(hva != MAP_FAILED, "mmap of the memslot");
	return hva;
}

static void fill(uint8_t *hva, unsigned int first, unsigned int second)
{
	*(uint64_t *)hva = vmcs_gpa[first];
	*(uint64_t *)(hva + PAGE_SIZE) = vmcs_gpa[second];
}

static void check_entries(void)
{
	uint64_t *entry = entry_of(vm->pgd, 1);
	uint64_t flags = *entry & ~PHYSICAL_PAGE_MASK;

	expect_vmcs(KN_SITE("a page"), FIRST);
	*entry = PAGE_OF(SECOND) | flags;
	expect_vmcs(KN_SITE("another page"), SECOND);
	*entry = 0;
	expect_fault(KN_SITE("no page: #PF"), 0);
	*entry = PAGE_OF(FIRST) | flags | PTE_RESERVED;
	expect_fault(KN_SITE("a reserved bit: #PF"), PF_PRESENT | PF_RESERVED);
	*entry = PAGE_OF(FIRST) | flags;
	expect_vmcs(KN_SITE("the page again"), FIRST);

	*entry &= ~PTE_ACCESSED_MASK;
	expect_vmcs(KN_SITE("a page that is not accessed"), FIRST);
	KN_CHECK("... becomes so", *entry & PTE_ACCESSED_MASK);
	for (int level = 4; level; level--)
		*entry_of(vm->pgd, level) |= PTE_USER_MASK;
	expect_vmcs(KN_SITE("a page of the user"), FIRST);
	for (int level = 4; level; level--)
		*entry_of(vm->pgd, level) &= ~PTE_USER_MASK;
}

static void check_tables(void)
{
	uint64_t *entry = entry_of(vm->pgd, 2), old = *entry, other_root = new_table();
	uint64_t flags = old & ~PHYSICAL_PAGE_MASK, table;

	table = new_table();
	*entry = table | flags;
	*entry_of(vm->pgd, 1) = PAGE_OF(SECOND) | flags;
	expect_vmcs(KN_SITE("another page table"), SECOND);
	*entry = SLOT_GPA | flags | PTE_LARGE_MASK;
	expect_vmcs(KN_SITE("a page of 2 MB"), FIRST);
	*entry |= PTE_RESERVED;
	expect_fault(KN_SITE("a page of 2 MB with a reserved bit: #PF"), PF_PRESENT | PF_RESERVED);
	*entry = old;
	expect_vmcs(KN_SITE("the page table again"), FIRST);

	memcpy(addr_gpa2hva(vm, other_root), addr_gpa2hva(vm, vm->pgd), PAGE_SIZE);
	*entry_of(other_root, 4) = new_table() | flags;
	*entry_of(other_root, 3) = new_table() | flags;
	*entry_of(other_root, 2) = table | flags;
	cr3 = other_root;
	sync_global_to_guest(vm, cr3);
	expect_vmcs(KN_SITE("another CR3"), SECOND);
	cr3 = vm->pgd;
	sync_global_to_guest(vm, cr3);
	expect_vmcs(KN_SITE("the CR3 again"), FIRST);
}

static void check_memory(void)
{
	uint8_t *other = map_memory(NULL);

	fill(memory, SECOND, FIRST);
	expect_vmcs(KN_SITE("another value"), SECOND);

	fill(other, FIRST, SECOND);
	set_slot(NULL, 0);
	set_slot(other, SLOT_SIZE);
	expect_vmcs(KN_SITE("another memslot"), FIRST);
	map_memory(other);
	fill(other, SECOND, FIRST);
	expect_vmcs(KN_SITE("other memory in the memslot"), SECOND);
}

int main(int argc, char *argv[])
{
	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_VMCSS; i++)
		vmcs[i] = kn_alloc_page(vm, &vmcs_gpa[i]);
	sync_global_to_guest(vm, vmcs);
	sync_global_to_guest(vm, vmcs_gpa);

	memory = map_memory(NULL);
	fill(memory, FIRST, SECOND);
	set_slot(memory, SLOT_SIZE);
	virt_pg_map(vm, OPERAND, PAGE_OF(FIRST));

	check_entries();
	check_tables();
	check_memory();
	done = true;
	sync_global_to_guest(vm, done);
	kn_run(vcpu);
	KN_SHADOW_COUNTED(vm, "walk.known", 2 * (NR_TIMES - 1));
	KN_SHADOW_COUNTED(vm, "walk.new", 10);
	kn_finish(vm);
}
