/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The L1 of a test: its VM, and VMX instructions whose outcome is a value, be it a fault.
 */
#ifndef SELFTEST_NESTED_L1_H
#define SELFTEST_NESTED_L1_H

#include <asm/vmx.h>

#include "check.h"
#include "processor.h"
#include "vmx.h"

/* The six RFLAGS that a VMX instruction sets or clears. */
#define KN_ALU_FLAGS	0x8d5ull

/* Outcomes of a VMX instruction. */
#define VM_SUCCEED	0x000ull
#define VM_FAIL_INVALID	0x001ull	/* CF alone */
#define VM_FAIL_VALID	0x040ull	/* ZF alone */
#define VM_FAULT(_vec)	(0x10000ull | (_vec))

/* VM-instruction error numbers. */
enum kn_vmx_error {
	ERR_VMCLEAR_ADDRESS		= 2,
	ERR_VMCLEAR_VMXON_POINTER	= 3,
	ERR_VMLAUNCH_NONCLEAR		= 4,
	ERR_VMRESUME_NONLAUNCHED	= 5,
	ERR_ENTRY_CONTROL		= 7,
	ERR_ENTRY_HOST_STATE		= 8,
	ERR_VMPTRLD_ADDRESS		= 9,
	ERR_VMPTRLD_VMXON_POINTER	= 10,
	ERR_VMPTRLD_REVISION		= 11,
	ERR_UNSUPPORTED_FIELD		= 12,
	ERR_READ_ONLY_FIELD		= 13,
	ERR_VMXON_IN_ROOT		= 15,
	ERR_ENTRY_MOV_SS		= 26,
};

/* What the exception handlers of L1 saw last. */
struct kn_fault {
	uint64_t taken;
	uint64_t vector;
	uint64_t error_code;
	uint64_t cr2;
	uint64_t rip;
	uint64_t rflags;
};

extern struct kn_fault kn_fault;
extern uint64_t kn_fixup;	/* where to go on after a fault, 0: none is expected */

/* Requires VMX, and returns a VM whose @l1_guest_code gets the VMX pages as its argument. */
struct kvm_vm *kn_vm_create(struct kvm_vcpu **vcpu, void *l1_guest_code);

/* Runs @vcpu to its next GUEST_SYNC() and returns that stage; 0 if the guest is done or dead. */
uint64_t kn_run(struct kvm_vcpu *vcpu);

/* Saves @vcpu, the only one of @vm, and returns the one that goes on with its state in a new VM. */
struct kvm_vcpu *kn_restore(struct kvm_vm *vm, struct kvm_vcpu *vcpu);

/* Routes @vm's exceptions to kn_fault; kn_vm_create() has done it already. */
void kn_fault_init(struct kvm_vm *vm, struct kvm_vcpu *vcpu);

/* A page more for the L1 of @vm: where L1 sees it, and in @gpa where it is. */
void *kn_alloc_page(struct kvm_vm *vm, uint64_t *gpa);

/* Ends the test, as skipped, if @vcpu's L1 can't give its L2 a shadow VMCS. */
void kn_require_l2_shadowing(struct kvm_vcpu *vcpu);

/* Enters VMX operation with @vmx's current VMCS ready to launch @l2_guest_code. */
void kn_l1_setup(struct vmx_pages *vmx, void *l2_guest_code, void *l2_stack);

/* Gives L2 @vmx's shadow VMCS and bitmaps. */
void kn_l1_shadow_for_l2(struct vmx_pages *vmx);

/* Sets or clears the bit of @encoding in a VMREAD or VMWRITE bitmap. */
static inline void kn_bitmap_set(void *bitmap, uint32_t encoding, bool set)
{
	uint8_t *byte = (uint8_t *)bitmap + encoding / 8;

	*byte = (*byte & ~(1 << encoding % 8)) | set << encoding % 8;
}

/* The outcome of an instruction that left RFLAGS @rflags, or took the fault in kn_fault. */
static inline uint64_t kn_outcome(uint64_t rflags)
{
	if (kn_fault.taken) {
		kn_fault.taken = 0;
		return VM_FAULT(kn_fault.vector);
	}
	return rflags & KN_ALU_FLAGS;
}

/* All six flags are set before, so that an instruction which leaves one alone is seen. */
#define KN_INSN(_insn)								\
	"movq $1f, kn_fixup(%%rip)\n\t"						\
	"pushq $0x8d7\n\t"							\
	"popfq\n\t"								\
	_insn "\n"								\
	"1:\tpushfq\n\t"							\
	"popq %[rflags]\n\t"							\
	"movq $0, kn_fixup(%%rip)\n\t"

static inline uint64_t kn_vmxon_at(const void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmxon (%[p])") : [rflags] "=r" (rflags) : [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmxoff(void)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmxoff") : [rflags] "=r" (rflags) : : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmclear_at(const void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmclear (%[p])") : [rflags] "=r" (rflags) : [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmptrld_at(const void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmptrld (%[p])") : [rflags] "=r" (rflags) : [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmptrst_at(void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmptrst (%[p])") : [rflags] "=r" (rflags) : [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmxon(uint64_t pa)
{
	return kn_vmxon_at(&pa);
}

static inline uint64_t kn_vmclear(uint64_t pa)
{
	return kn_vmclear_at(&pa);
}

static inline uint64_t kn_vmptrld(uint64_t pa)
{
	return kn_vmptrld_at(&pa);
}

static inline uint64_t kn_vmread(uint64_t field, uint64_t *value)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmread %[field], %[value]")
		     : [rflags] "=&r" (rflags), [value] "+&r" (*value) : [field] "r" (field)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmread_at(uint64_t field, void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmread %[field], (%[p])")
		     : [rflags] "=r" (rflags) : [field] "r" (field), [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmwrite(uint64_t field, uint64_t value)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmwrite %[value], %[field]")
		     : [rflags] "=r" (rflags) : [field] "r" (field), [value] "r" (value)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

static inline uint64_t kn_vmwrite_at(uint64_t field, const void *operand)
{
	uint64_t rflags;

	asm volatile(KN_INSN("vmwrite (%[p]), %[field]")
		     : [rflags] "=r" (rflags) : [field] "r" (field), [p] "r" (operand)
		     : "cc", "memory");
	return kn_outcome(rflags);
}

/* Expects that @_insn fails with VM-instruction error @_error. */
#define KN_CHECK_ERROR(_name, _insn, _error)					\
do {										\
	struct kn_check *__check = KN_SITE(_name);				\
										\
	kn_expect(__check, _insn, VM_FAIL_VALID);				\
	kn_expect(__check, vmreadz(VM_INSTRUCTION_ERROR), _error);		\
} while (0)

#endif
