/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An L1 that builds EPTs for its L2, and an L2 that makes single accesses.
 */
#ifndef SELFTEST_NESTED_EPT12_H
#define SELFTEST_NESTED_EPT12_H

#include "counter.h"
#include "l2.h"

#define KN_EPT_READ		0x1ull
#define KN_EPT_WRITE		0x2ull
#define KN_EPT_EXECUTE		0x4ull
#define KN_EPT_RWX		0x7ull
#define KN_EPT_WB		(6ull << 3)
#define KN_EPT_LARGE		BIT_ULL(7)
#define KN_EPT_ACCESSED		BIT_ULL(8)
#define KN_EPT_DIRTY		BIT_ULL(9)
#define KN_EPT_ADDRESS		0xffffffffff000ull
#define KN_EPT_LEVELS		4

#define KN_EPTP_AD		BIT_ULL(6)

/* IA32_VMX_EPT_VPID_CAP */
#define KN_CAP_EXECUTE_ONLY	BIT_ULL(0)
#define KN_CAP_1GB		BIT_ULL(17)
#define KN_CAP_AD		BIT_ULL(21)

enum kn_invept_type {
	KN_INVEPT_SINGLE = 1,
	KN_INVEPT_GLOBAL = 2,
};

/* Bits 5:0 of the qualification of an EPT violation: the access, and what is permitted. */
#define KN_VIOLATION(_access, _permitted)	((_access) | (_permitted) << 3)
#define KN_VIOLATION_BITS			0x3full

/* Memory of L1 for its EPTs and what they map: L1's linear addresses are its physical ones. */
#define KN_MEMORY		0x100000000ull
#define KN_MEMORY_SLOT		5

/* 1 GB for L2, linear and physical; no EPT of L1 maps anything there to begin with. */
#define KN_L2_AREA		0x8000000000ull

/* What pages contain: each number another value, and an L2 that comes there executes VMCALL. */
#define KN_CONTENT(_nr)		(0xc1010full | (uint64_t)(_nr) << 32)

/* One VMCS's L2, made to access memory by L1. */
struct kn_l2 {
	struct gpr64_regs gprs;
	bool launched;
	uint64_t stack[KN_L2_STACK_SIZE];
};

/* kn_vm_create() with @nr_pages of memory at KN_MEMORY; requires EPT. */
struct kvm_vm *kn_ept12_vm_create(struct kvm_vcpu **vcpu, void *l1_guest_code, uint64_t nr_pages);

/* User space: L2's linear addresses from @address on are the physical ones. */
void kn_ept12_map_linear(struct kvm_vm *vm, uint64_t address, uint64_t size);

/*
 * User space: runs @vcpu to its next GUEST_SYNC(), which says *@stage; @device answers accesses of
 * no memory. Returns 0, or the error number of KVM_RUN. The guest must not end.
 */
int kn_run_with_device(struct kvm_vcpu *vcpu, void (*device)(struct kvm_run *), uint64_t *stage);

/* L1: a page at KN_MEMORY, or @nr contiguous ones, that nobody uses; zeros. */
uint64_t kn_ept12_alloc(unsigned int nr);

/* L1: a page that contains KN_CONTENT(@nr). */
uint64_t kn_ept12_alloc_content(unsigned int nr);

/* L1: an EPT that maps no more than L1's program; returns the address of its PML4. */
uint64_t kn_ept12_create(void);

/* L1: where the entry for @gpa is, with new tables above it where there are none. */
uint64_t *kn_ept12_entry(uint64_t pml4, uint64_t gpa, int level);

/* L1: enters VMX operation, with the EPT at @pml4. */
void kn_ept12_setup(struct vmx_pages *vmx, struct kn_l2 *l2, uint64_t pml4, bool ad);

/* The EPT pointer for it. */
uint64_t kn_ept12_pointer(uint64_t pml4, bool ad);

/* L1: lets L2 run @code, on an empty stack, and returns the reason of its exit. */
uint64_t kn_l2_run(struct kn_l2 *l2, void *code);

/* L1: lets L2 run @code, which ends with VMCALL, and expects that it does. */
void kn_l2_expect_run(struct kn_check *check, struct kn_l2 *l2, void *code, uint64_t at);

/*
 * L1: lets L2 access @address, reading to or writing from *@value, if that is no fetch. Returns
 * the reason of its exit, EXIT_REASON_VMCALL if it could.
 */
uint64_t kn_l2_access(struct kn_l2 *l2, uint64_t access, uint64_t address, uint64_t *value);

/* L1: lets L2 read at @address, and expects @want there. */
void kn_l2_expect_value(struct kn_check *check, struct kn_l2 *l2, uint64_t address, uint64_t want,
			uint64_t at);

/* L1: lets L2 write @value to @address, and expects that it can. */
void kn_l2_expect_write(struct kn_check *check, struct kn_l2 *l2, uint64_t address, uint64_t value,
			uint64_t at);

/* L1: lets L2 access @gpa, and expects an EPT violation, as EPT12 does with @permitted. */
void kn_l2_expect_violation(struct kn_check *check, struct kn_l2 *l2, uint64_t access, uint64_t gpa,
			    uint64_t permitted, uint64_t at);

/* L1: INVEPT, expected to succeed. */
void kn_invept(enum kn_invept_type type, uint64_t eptp);

/* Does the module have EPT02s of its own for the VMs to come? */
bool kn_vept_engaged(void);

/* Expects that counter @_name of @_vm is at least @_min; skipped without EPT02s of the module. */
#define KN_VEPT_COUNTED(_vm, _name, _min)					\
	kn_vept_counted(KN_SITE("the module counts " _name), _vm, _name, _min)

void kn_vept_counted(struct kn_check *check, struct kvm_vm *vm, const char *name, uint64_t min);

#endif
