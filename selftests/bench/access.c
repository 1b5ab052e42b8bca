// SPDX-License-Identifier: GPL-2.0-only
/* The cost of an access to a VMCS, by L1 and by L2, and of making another VMCS current. */
#include "knbench.h"
#include "l2.h"

/*
 * L0 itself changes this field while it emulates VMX instructions, so it may never be in a shadow
 * VMCS: an access to it traps whichever set of fields is shadowed.
 */
#define FIELD_NEVER_SHADOWED	VM_INSTRUCTION_ERROR

static struct l2 l2, other_l2;
static uint8_t l2_stack[4096], other_l2_stack[4096];
static struct vmx_pages *other_vmx;	/* L1's address; only its VMCS is used */
static uint64_t vmcs_gpa, other_vmcs_gpa;

static void l2_cpuid_loop(void)
{
	asm volatile("1: cpuid\n\t"
		     "jmp 1b");
}

static __always_inline void unit_vmread_trap(void)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)FIELD_NEVER_SHADOWED) : "cc");
}

static __always_inline void unit_vmwrite_trap(void)
{
	asm volatile("vmwrite %1, %0" : : "r"((uint64_t)FIELD_NEVER_SHADOWED), "r"(0ull) : "cc");
}

static __always_inline void unit_vmread_shadowed(void)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)VM_EXIT_REASON) : "cc");
}

static bool other;

static __always_inline void unit_vmptrld(void)
{
	other = !other;
	GUEST_ASSERT(!vmptrld(other ? other_vmcs_gpa : vmcs_gpa));
}

static __always_inline void unit_vmptrld_switch(void)
{
	unit_vmptrld();
	l2_enter(other ? &other_l2 : &l2);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_CPUID);
	l2_skip_instruction();
}

static void enter_vmx_operation(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	l2_init(&l2, vmx, l2_cpuid_loop, l2_stack + sizeof(l2_stack));
	l2_enter(&l2);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_CPUID);
	l2_skip_instruction();
}

static void l1_vmread_trap(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	measure(unit_vmread_trap);
	GUEST_DONE();
}

static void l1_vmwrite_trap(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	GUEST_ASSERT(!vmwrite(FIELD_NEVER_SHADOWED, 0));
	measure(unit_vmwrite_trap);
	GUEST_DONE();
}

static void l1_vmread_shadowed(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	measure(unit_vmread_shadowed);
	GUEST_DONE();
}

static void prepare_vmptrld_switch(const struct metric *metric, struct kvm_vm *vm,
				   struct vmx_pages *vmx)
{
	vm_vaddr_t gva;

	vcpu_alloc_vmx(vm, &gva);
	other_vmx = (void *)gva;
	sync_global_to_guest(vm, other_vmx);

	prepare_eptp(vmx, vm, 0);
	nested_map_memslot(vmx, vm, 0);
}

static void enter_with_two_vmcss(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	vmcs_gpa = vmx->vmcs_gpa;
	other_vmcs_gpa = other_vmx->vmcs_gpa;
	other_vmx->eptp_gpa = vmx->eptp_gpa;
	l2_init(&other_l2, other_vmx, l2_cpuid_loop, other_l2_stack + sizeof(other_l2_stack));
	unit_vmptrld_switch();
	unit_vmptrld_switch();
}

static void l1_vmptrld(struct vmx_pages *vmx)
{
	enter_with_two_vmcss(vmx);
	measure(unit_vmptrld);
	GUEST_DONE();
}

static void l1_vmptrld_switch(struct vmx_pages *vmx)
{
	enter_with_two_vmcss(vmx);
	measure(unit_vmptrld_switch);
	GUEST_DONE();
}

static __always_inline void unit_l2_vmread(void)
{
	uint64_t value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)GUEST_RIP) : "cc");
}

static void l2_vmread(void)
{
	measure(unit_l2_vmread);
	vmcall();
}

static void l1_l2_vmread(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	l2_init(&l2, vmx, l2_vmread, l2_stack + sizeof(l2_stack));
	l2_give_shadow_vmcs(vmx);
	l2_enter(&l2);
	GUEST_ASSERT_1(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL, vmreadz(VM_EXIT_REASON));
	GUEST_DONE();
}

const struct metric access_metrics[] = {
	{ "vmread-trap", l1_vmread_trap, .units = 8, .batches = 200 },
	{ "vmwrite-trap", l1_vmwrite_trap, .units = 8, .batches = 200 },
	{ "vmread-shadowed", l1_vmread_shadowed, .units = 1000, .batches = 100 },
	{ "vmptrld", l1_vmptrld, prepare_vmptrld_switch, .units = 2, .batches = 200 },
	{ "vmptrld-switch", l1_vmptrld_switch, prepare_vmptrld_switch, .units = 1, .batches = 200 },
	{ "l2-vmread", l1_l2_vmread, .units = 8, .batches = 200 },
	{ }
};
