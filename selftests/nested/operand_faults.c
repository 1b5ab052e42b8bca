// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMREAD and VMWRITE with a memory operand that cannot be accessed raise the right
 * exception with the right error code and address, change neither field, memory nor flags, and that
 * accesses set the accessed and dirty bits of L1's page tables.
 */
#include "counter.h"
#include "l1.h"

#define FIELD		TSC_OFFSET	/* no hardware shadows it */
#define PATTERN		0x0123456789abcdefull
#define NONCANONICAL	0x800000000000ull
#define SET_FLAGS	0x8d7ull

/* Virtual addresses with a page and its neighbour; each pair has a table of its own. */
#define UNMAPPED	0x7000000000ull		/* mapped, not mapped */
#define READ_ONLY	0x7100000000ull		/* writable, read-only */
#define USER		0x7200000000ull		/* of CPL 3 */
#define FRESH_READ	0x7300000000ull		/* never accessed otherwise */
#define FRESH_WRITE	0x7400000000ull
#define NO_MEMORY	0x7500000000ull		/* mapped to no memory slot */
#define LAST_PAGE	0x7ffffffff000ull	/* the last one below the hole */

#define UNBACKED_GPA	0x7ffff000ull

/* Error codes of page faults. */
#define PF_PRESENT	BIT(0)
#define PF_WRITE	BIT(1)

enum {
	STAGE_ACCESSED = 1,
};

static uint64_t read_at(uint64_t address)
{
	return kn_vmread_at(FIELD, (void *)address);
}

static uint64_t write_at(uint64_t address)
{
	return kn_vmwrite_at(FIELD, (void *)address);
}

/* With RBP as the base the segment is SS. */
static uint64_t read_by_rbp(uint64_t address)
{
	uint64_t rflags;

	asm volatile("push %%rbp\n\tmov %[address], %%rbp\n\t"
		     KN_INSN("vmread %[field], (%%rbp)")
		     "pop %%rbp"
		     : [rflags] "=&r" (rflags) : [field] "r" ((uint64_t)FIELD),
		       [address] "r" (address) : "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t write_by_rbp(uint64_t address)
{
	uint64_t rflags;

	asm volatile("push %%rbp\n\tmov %[address], %%rbp\n\t"
		     KN_INSN("vmwrite (%%rbp), %[field]")
		     "pop %%rbp"
		     : [rflags] "=&r" (rflags) : [field] "r" ((uint64_t)FIELD),
		       [address] "r" (address) : "cc", "memory");
	return kn_outcome(rflags);
}

/* A VMREAD whose own address is known too. */
static uint64_t read_here(uint64_t address, uint64_t *rip)
{
	uint64_t rflags;

	asm volatile("lea 3f(%%rip), %[rip]\n\t"
		     KN_INSN("3: vmread %[field], (%[address])")
		     : [rflags] "=r" (rflags), [rip] "=&r" (*rip)
		     : [field] "r" ((uint64_t)FIELD), [address] "r" (address) : "cc", "memory");
	return kn_outcome(rflags);
}

/* Expects the page fault of @_insn at @_cr2. */
#define CHECK_PF(_name, _insn, _error_code, _cr2)				\
do {										\
	struct kn_check *__check = KN_SITE(_name);				\
										\
	kn_expect(__check, _insn, VM_FAULT(PF_VECTOR));				\
	kn_expect(__check, kn_fault.error_code, _error_code);			\
	kn_expect(__check, kn_fault.cr2, _cr2);					\
} while (0)

#define CHECK_FAULT(_name, _insn, _vector)					\
do {										\
	struct kn_check *__check = KN_SITE(_name);				\
										\
	kn_expect(__check, _insn, VM_FAULT(_vector));				\
	kn_expect(__check, kn_fault.error_code, 0);				\
} while (0)

static void check_canonical(void)
{
	CHECK_FAULT("VMREAD, not canonical: #GP", read_at(NONCANONICAL), GP_VECTOR);
	CHECK_FAULT("VMWRITE, not canonical: #GP", write_at(NONCANONICAL), GP_VECTOR);
	CHECK_FAULT("VMREAD, not canonical from above: #GP", read_at(~NONCANONICAL), GP_VECTOR);
	CHECK_FAULT("VMREAD, not canonical, base RBP: #SS", read_by_rbp(NONCANONICAL), SS_VECTOR);
	CHECK_FAULT("VMWRITE, not canonical, base RBP: #SS", write_by_rbp(NONCANONICAL),
		    SS_VECTOR);
	KN_CHECK_EQ("VMREAD, canonical, base RBP", read_by_rbp(UNMAPPED), VM_SUCCEED);

	/* KVM checks the first byte: what follows it in the hole is a page that is not mapped. */
	KN_CHECK("VMREAD into the hole: #GP or #PF", read_at(NONCANONICAL - 4) & VM_FAULT(0));
	KN_CHECK("VMWRITE from the hole: #GP or #PF", write_at(NONCANONICAL - 4) & VM_FAULT(0));
}

static void check_unmapped(void)
{
	uint64_t *last = (uint64_t *)(UNMAPPED + PAGE_SIZE - 8);

	*last = PATTERN;
	CHECK_PF("VMREAD, unmapped: #PF", read_at(UNMAPPED + PAGE_SIZE), PF_WRITE,
		 UNMAPPED + PAGE_SIZE);
	CHECK_PF("VMWRITE, unmapped: #PF", write_at(UNMAPPED + PAGE_SIZE + 0x123), 0,
		 UNMAPPED + PAGE_SIZE + 0x123);
	CHECK_PF("VMREAD, base RBP, unmapped: #PF", read_by_rbp(UNMAPPED + PAGE_SIZE), PF_WRITE,
		 UNMAPPED + PAGE_SIZE);
	/* The address is that of the first byte that cannot be accessed. */
	CHECK_PF("VMREAD into an unmapped second page: #PF", read_at(UNMAPPED + PAGE_SIZE - 3),
		 PF_WRITE, UNMAPPED + PAGE_SIZE);
	CHECK_PF("VMWRITE from an unmapped second page: #PF", write_at(UNMAPPED + PAGE_SIZE - 3),
		 0, UNMAPPED + PAGE_SIZE);

	vmwrite(FIELD, ~PATTERN);
	kn_expect(KN_SITE("VMREAD up to an unmapped page"), read_at((uint64_t)last), VM_SUCCEED);
	KN_CHECK_EQ("... stores all eight bytes", *last, ~PATTERN);
	*last = PATTERN;
	KN_CHECK_EQ("VMWRITE up to an unmapped page", write_at((uint64_t)last), VM_SUCCEED);
	KN_CHECK_EQ("... takes all eight bytes", vmreadz(FIELD), PATTERN);
}

static void check_read_only(void)
{
	uint64_t *operand = (uint64_t *)(READ_ONLY + PAGE_SIZE);
	uint64_t cr0 = get_cr0();

	asm volatile("mov %0, %%cr0" : : "r" (cr0 | X86_CR0_WP));
	CHECK_PF("VMREAD, read-only page, CR0.WP 1: #PF", read_at((uint64_t)operand),
		 PF_PRESENT | PF_WRITE, (uint64_t)operand);
	CHECK_PF("VMREAD into a read-only second page, CR0.WP 1: #PF",
		 read_at((uint64_t)operand - 1), PF_PRESENT | PF_WRITE, (uint64_t)operand);
	KN_CHECK_EQ("VMWRITE, read-only page, CR0.WP 1", write_at((uint64_t)operand), VM_SUCCEED);
	KN_CHECK_EQ("... takes what is there", vmreadz(FIELD), *operand);

	asm volatile("mov %0, %%cr0" : : "r" (cr0 & ~X86_CR0_WP));
	vmwrite(FIELD, PATTERN);
	KN_CHECK_EQ("VMREAD, read-only page, CR0.WP 0", read_at((uint64_t)operand), VM_SUCCEED);
	KN_CHECK_EQ("... stores the value", *operand, PATTERN);
	asm volatile("mov %0, %%cr0" : : "r" (cr0));
}

static uint64_t with_ac(uint64_t (*insn)(uint64_t), uint64_t address)
{
	uint64_t outcome;

	asm volatile("stac" : : : "cc");
	outcome = insn(address);
	asm volatile("clac" : : : "cc");
	return outcome;
}

/* The wrappers set all of RFLAGS: these leave AC as it is. */
static uint64_t read_keeping_ac(uint64_t address)
{
	uint64_t rflags;

	asm volatile("movq $1f, kn_fixup(%%rip)\n\t"
		     "vmread %[field], (%[address])\n"
		     "1:\tpushfq\n\tpopq %[rflags]\n\tmovq $0, kn_fixup(%%rip)"
		     : [rflags] "=r" (rflags) : [field] "r" ((uint64_t)FIELD),
		       [address] "r" (address) : "cc", "memory");
	return kn_outcome(rflags);
}

static uint64_t write_keeping_ac(uint64_t address)
{
	uint64_t rflags;

	asm volatile("movq $1f, kn_fixup(%%rip)\n\t"
		     "vmwrite (%[address]), %[field]\n"
		     "1:\tpushfq\n\tpopq %[rflags]\n\tmovq $0, kn_fixup(%%rip)"
		     : [rflags] "=r" (rflags) : [field] "r" ((uint64_t)FIELD),
		       [address] "r" (address) : "cc", "memory");
	return kn_outcome(rflags);
}

static void check_smap(void)
{
	struct kn_check *read = KN_SITE("VMREAD, user page under SMAP: #PF");
	struct kn_check *write = KN_SITE("VMWRITE, user page under SMAP: #PF");
	struct kn_check *read_ac = KN_SITE("VMREAD, user page under SMAP, RFLAGS.AC 1");
	struct kn_check *write_ac = KN_SITE("VMWRITE, user page under SMAP, RFLAGS.AC 1");

	if (!this_cpu_has(X86_FEATURE_SMAP)) {
		kn_skip(read, "L1 has no SMAP");
		kn_skip(write, "L1 has no SMAP");
		kn_skip(read_ac, "L1 has no SMAP");
		kn_skip(write_ac, "L1 has no SMAP");
		return;
	}

	set_cr4(get_cr4() | X86_CR4_SMAP);
	kn_expect(read, read_at(USER), VM_FAULT(PF_VECTOR));
	kn_expect(read, kn_fault.error_code, PF_PRESENT | PF_WRITE);
	kn_expect(read, kn_fault.cr2, USER);
	kn_expect(write, write_at(USER), VM_FAULT(PF_VECTOR));
	kn_expect(write, kn_fault.error_code, PF_PRESENT);
	kn_expect(read_ac, with_ac(read_keeping_ac, USER), VM_SUCCEED);
	kn_expect(write_ac, with_ac(write_keeping_ac, USER), VM_SUCCEED);
	set_cr4(get_cr4() & ~X86_CR4_SMAP);
}

static void check_state(void)
{
	uint64_t rip;

	vmwrite(FIELD, PATTERN);
	kn_vmwrite(VM_INSTRUCTION_ERROR, 0);
	KN_CHECK_EQ("VMREAD at a known address: #PF", read_here(UNMAPPED + PAGE_SIZE, &rip),
		    VM_FAULT(PF_VECTOR));
	KN_CHECK_EQ("a fault reports the instruction's address", kn_fault.rip, rip);
	KN_CHECK_EQ("a fault leaves the flags", kn_fault.rflags & SET_FLAGS, SET_FLAGS);
	write_at(UNMAPPED + PAGE_SIZE);
	KN_CHECK_EQ("a fault leaves the field", vmreadz(FIELD), PATTERN);
	KN_CHECK_EQ("a fault leaves VM_INSTRUCTION_ERROR", vmreadz(VM_INSTRUCTION_ERROR), 0);
}

static void enter_operation(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	enter_operation(vmx);
	check_canonical();
	check_unmapped();
	check_read_only();
	check_smap();
	check_state();

	GUEST_ASSERT(read_at(FRESH_READ) == VM_SUCCEED);
	GUEST_ASSERT(write_at(FRESH_WRITE) == VM_SUCCEED);
	GUEST_SYNC(STAGE_ACCESSED);
	GUEST_DONE();
}

static void l1_read_no_memory(struct vmx_pages *vmx)
{
	enter_operation(vmx);
	read_at(NO_MEMORY);
	GUEST_DONE();
}

static void l1_write_no_memory(struct vmx_pages *vmx)
{
	enter_operation(vmx);
	write_at(NO_MEMORY);
	GUEST_DONE();
}

/* The page-table entry of @level, 4 to 1, on the way to @gva. */
static uint64_t *page_table_entry(struct kvm_vm *vm, uint64_t gva, int level)
{
	uint64_t *table = addr_gpa2hva(vm, vm->pgd);

	for (int i = 4; ; i--) {
		uint64_t *entry = &table[gva >> PG_LEVEL_SHIFT(i) & 0x1ff];

		if (i == level)
			return entry;
		table = addr_gpa2hva(vm, *entry & PHYSICAL_PAGE_MASK);
	}
}

static void map_new_page(struct kvm_vm *vm, uint64_t gva)
{
	virt_pg_map(vm, gva, vm_phy_page_alloc(vm, KVM_UTIL_MIN_VADDR, 0));
}

static void map_pages(struct kvm_vm *vm)
{
	map_new_page(vm, UNMAPPED);
	map_new_page(vm, READ_ONLY);
	map_new_page(vm, READ_ONLY + PAGE_SIZE);
	*page_table_entry(vm, READ_ONLY + PAGE_SIZE, 1) &= ~PTE_WRITABLE_MASK;
	map_new_page(vm, USER);
	for (int level = 4; level; level--)
		*page_table_entry(vm, USER, level) |= PTE_USER_MASK;
	map_new_page(vm, LAST_PAGE);
	map_new_page(vm, FRESH_READ);
	map_new_page(vm, FRESH_WRITE);
}

/* The access can't be emulated: KVM leaves the VM to user space. */
static void check_no_memory(struct kn_check *check, void *l1_code)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = kn_vm_create(&vcpu, l1_code);
	virt_pg_map(vm, NO_MEMORY, UNBACKED_GPA);
	kn_expect(check, __vcpu_run(vcpu), 0);
	kn_expect(check, vcpu->run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	kn_expect(check, vcpu->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	map_pages(vm);

	KN_CHECK_EQ("the fresh pages are accessed", kn_run(vcpu), STAGE_ACCESSED);
	KN_CHECK_EQ("VMREAD sets the accessed and the dirty bit",
		    *page_table_entry(vm, FRESH_READ, 1) & (PTE_ACCESSED_MASK | PTE_DIRTY_MASK),
		    PTE_ACCESSED_MASK | PTE_DIRTY_MASK);
	KN_CHECK_EQ("VMWRITE sets the accessed bit only",
		    *page_table_entry(vm, FRESH_WRITE, 1) & (PTE_ACCESSED_MASK | PTE_DIRTY_MASK),
		    PTE_ACCESSED_MASK);
	kn_run(vcpu);
	KN_COUNTED(vm, "vmread.TSC_OFFSET", 10);
	KN_COUNTED(vm, "vmwrite.TSC_OFFSET", 10);
	KN_COUNTED(vm, "exit.VMREAD.module", 10);
	KN_COUNTED(vm, "exit.VMWRITE.module", 10);
	kn_collect(vm);
	kvm_vm_free(vm);

	check_no_memory(KN_SITE("VMREAD into no memory: KVM_EXIT_INTERNAL_ERROR"),
			l1_read_no_memory);
	check_no_memory(KN_SITE("VMWRITE from no memory: KVM_EXIT_INTERNAL_ERROR"),
			l1_write_no_memory);
	kn_report();
}
