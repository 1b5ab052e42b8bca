// SPDX-License-Identifier: GPL-2.0-only
/*
 * An L1 that builds EPTs for its L2, and an L2 that makes single accesses.
 */
#include <sys/mman.h>

#include "ept12.h"
#include "shadow.h"

#define L2_AREA_SIZE	BIT_ULL(30)
#define PROGRAM_SIZE	(16ull << 20)	/* of memslot 0, more than there is */

static uint64_t next_page = KN_MEMORY, memory_end;

void kn_ept12_map_linear(struct kvm_vm *vm, uint64_t address, uint64_t size)
{
	virt_map_level(vm, address, address, size, PG_LEVEL_2M);
}

struct kvm_vm *kn_ept12_vm_create(struct kvm_vcpu **vcpu, void *l1_guest_code, uint64_t nr_pages)
{
	struct kvm_vm *vm = kn_vm_create(vcpu, l1_guest_code);

	TEST_REQUIRE(kvm_vm_has_ept(vm));
	TEST_REQUIRE(vm->pa_bits >= 40);

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, KN_MEMORY, KN_MEMORY_SLOT, nr_pages,
				    0);
	/* Whether an address happens to be aligned for huge pages must not decide what L0 does. */
	TEST_ASSERT(!madvise(addr_gpa2hva(vm, KN_MEMORY), nr_pages * PAGE_SIZE, MADV_NOHUGEPAGE),
		    "madvise of L1's memory");
	virt_map(vm, KN_MEMORY, KN_MEMORY, nr_pages);
	kn_ept12_map_linear(vm, KN_L2_AREA, L2_AREA_SIZE);
	memory_end = KN_MEMORY + nr_pages * PAGE_SIZE;
	sync_global_to_guest(vm, memory_end);
	return vm;
}

int kn_run_with_device(struct kvm_vcpu *vcpu, void (*device)(struct kvm_run *), uint64_t *stage)
{
	struct ucall uc;

	for (;;) {
		if (__vcpu_run(vcpu)) {
			if (errno == EINTR)
				continue;
			return errno;
		}
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			break;
		device(vcpu->run);
	}

	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO, "the guest has died: %s",
		    exit_reason_str(vcpu->run->exit_reason));
	get_ucall(vcpu, &uc);
	TEST_ASSERT(uc.cmd == UCALL_SYNC, "the guest has died: ucall %lu, %#lx, %#lx, %#lx", uc.cmd,
		    uc.args[0], uc.args[1], uc.args[2]);
	*stage = uc.args[1];
	return 0;
}

uint64_t kn_ept12_alloc(unsigned int nr)
{
	uint64_t page = next_page;

	GUEST_ASSERT(page + nr * PAGE_SIZE <= memory_end);
	next_page += nr * PAGE_SIZE;
	return page;
}

uint64_t kn_ept12_alloc_content(unsigned int nr)
{
	uint64_t page = kn_ept12_alloc(1);

	*(uint64_t *)page = KN_CONTENT(nr);
	return page;
}

uint64_t kn_ept12_create(void)
{
	uint64_t pml4 = kn_ept12_alloc(1);

	for (uint64_t gpa = 0; gpa < PROGRAM_SIZE; gpa += PG_LEVEL_SIZE(PG_LEVEL_2M))
		*kn_ept12_entry(pml4, gpa, 2) = gpa | KN_EPT_RWX | KN_EPT_WB | KN_EPT_LARGE;
	return pml4;
}

uint64_t *kn_ept12_entry(uint64_t pml4, uint64_t gpa, int level)
{
	uint64_t *table = (uint64_t *)pml4;

	for (int i = KN_EPT_LEVELS; ; i--) {
		uint64_t *entry = &table[gpa >> PG_LEVEL_SHIFT(i) & 0x1ff];

		if (i == level)
			return entry;
		if (!(*entry & KN_EPT_ADDRESS))
			*entry = kn_ept12_alloc(1) | KN_EPT_RWX;
		table = (uint64_t *)(*entry & KN_EPT_ADDRESS);
	}
}

uint64_t kn_ept12_pointer(uint64_t pml4, bool ad)
{
	return pml4 | (ad ? KN_EPTP_AD : 0) | (KN_EPT_LEVELS - 1) << 3 | 6;
}

/* One instruction that accesses (%rdi), and VMCALL. */
void kn_l2_read(void);
void kn_l2_write(void);
void kn_l2_fetch(void);

asm(".pushsection .text\n"
	"kn_l2_read:\n\t"
	"mov (%rdi), %rax\n\t"
	"vmcall\n"
	"kn_l2_write:\n\t"
	"mov %rax, (%rdi)\n\t"
	"vmcall\n"
	"kn_l2_fetch:\n\t"
	"jmp *%rdi\n\t"
	".popsection");

void kn_ept12_setup(struct vmx_pages *vmx, struct kn_l2 *l2, uint64_t pml4, bool ad)
{
	kn_l1_setup(vmx, kn_l2_read, &l2->stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_ACTIVATE_SECONDARY_CONTROLS);
	vmwrite(SECONDARY_VM_EXEC_CONTROL,
		vmreadz(SECONDARY_VM_EXEC_CONTROL) | SECONDARY_EXEC_ENABLE_EPT);
	vmwrite(EPT_POINTER, kn_ept12_pointer(pml4, ad));
	l2->launched = false;
}

uint64_t kn_l2_run(struct kn_l2 *l2, void *code)
{
	uint64_t outcome;

	vmwrite(GUEST_RIP, (uint64_t)code);
	/* As behind a call. */
	vmwrite(GUEST_RSP, ((uint64_t)&l2->stack[KN_L2_STACK_SIZE] & ~15ull) - 8);
	outcome = kn_l2_enter(&l2->gprs, !l2->launched);
	if (outcome != VM_SUCCEED)
		return ~outcome;
	l2->launched = true;
	return vmreadz(VM_EXIT_REASON);
}

void kn_l2_expect_run(struct kn_check *check, struct kn_l2 *l2, void *code, uint64_t at)
{
	kn_expect_at(check, "reason", kn_l2_run(l2, code), EXIT_REASON_VMCALL, at);
}

uint64_t kn_l2_access(struct kn_l2 *l2, uint64_t access, uint64_t address, uint64_t *value)
{
	void (*code)(void) = access == KN_EPT_READ ? kn_l2_read :
			     access == KN_EPT_WRITE ? kn_l2_write : kn_l2_fetch;
	uint64_t reason;

	l2->gprs.rdi = address;
	l2->gprs.rax = value ? *value : 0;
	reason = kn_l2_run(l2, code);
	if (value)
		*value = l2->gprs.rax;
	return reason;
}

void kn_l2_expect_value(struct kn_check *check, struct kn_l2 *l2, uint64_t address, uint64_t want,
			uint64_t at)
{
	uint64_t value = 0;

	kn_expect_at(check, "reason", kn_l2_access(l2, KN_EPT_READ, address, &value),
		     EXIT_REASON_VMCALL, at);
	kn_expect_at(check, "value", value, want, at);
}

void kn_l2_expect_write(struct kn_check *check, struct kn_l2 *l2, uint64_t address, uint64_t value,
			uint64_t at)
{
	kn_expect_at(check, "reason", kn_l2_access(l2, KN_EPT_WRITE, address, &value),
		     EXIT_REASON_VMCALL, at);
}

void kn_l2_expect_violation(struct kn_check *check, struct kn_l2 *l2, uint64_t access, uint64_t gpa,
			    uint64_t permitted, uint64_t at)
{
	kn_expect_at(check, "reason", kn_l2_access(l2, access, gpa, NULL),
		     EXIT_REASON_EPT_VIOLATION, at);
	kn_expect_at(check, "GUEST_PHYSICAL_ADDRESS", vmreadz(GUEST_PHYSICAL_ADDRESS), gpa, at);
	kn_expect_at(check, "qualification", vmreadz(EXIT_QUALIFICATION) & KN_VIOLATION_BITS,
		     KN_VIOLATION(access, permitted), at);
}

void kn_invept(enum kn_invept_type type, uint64_t eptp)
{
	struct { uint64_t eptp, reserved; } operand = { eptp, 0 };
	uint64_t rflags;

	asm volatile("invept %1, %2\n\t"
		     "pushfq\n\t"
		     "pop %0"
		     : "=r" (rflags) : "m" (operand), "r" ((uint64_t)type) : "cc", "memory");
	GUEST_ASSERT_1(!(rflags & KN_ALU_FLAGS), rflags);
}

bool kn_vept_engaged(void)
{
	char value[8];

	kn_parameter_get("vept", value, sizeof(value));
	return kn_engaged() && value[0] == 'Y';
}

void kn_vept_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min)
{
	if (!kn_vept_engaged()) {
		kn_skip(check, "the module has no EPT02s");
		return;
	}

	kn_expect_counter(check, vm, name, min);
}
