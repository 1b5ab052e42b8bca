// SPDX-License-Identifier: GPL-2.0-only
/* The cost of an exit of a plain L1, and of an L2's CPUID that L1 handles. */
#include "knbench.h"
#include "l2.h"

static struct l2 l2;
static uint8_t l2_stack[4096];

static void l2_cpuid_loop(void)
{
	asm volatile("1: cpuid\n\t"
		     "jmp 1b");
}

static void enter_vmx_operation(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	l2_init(&l2, vmx, l2_cpuid_loop, l2_stack + sizeof(l2_stack));
}

static __always_inline void handle_cpuid(void)
{
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_CPUID);
	l2_skip_instruction();
}

static __always_inline void unit_cpuid(void)
{
	uint32_t eax = 0, ecx = 0;

	asm volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx");
}

static __always_inline void unit_rt_min(void)
{
	l2_enter(&l2);
	handle_cpuid();
}

/* The library's vmresume() writes HOST_RSP and HOST_RIP. */
static __always_inline void unit_rt_hostrsp(void)
{
	GUEST_ASSERT(!vmresume());
	handle_cpuid();
}

/* What a hypervisor other than KVM may access at each exit; stock KVM shadows none of it. */
static __always_inline void unit_rt_other_l1(void)
{
	GUEST_ASSERT(!vmresume());
	handle_cpuid();
	vmreadz(GUEST_CS_SELECTOR);
	vmreadz(GUEST_CS_BASE);
	vmreadz(GUEST_CS_LIMIT);
	vmreadz(GUEST_SS_SELECTOR);
	vmreadz(GUEST_FS_BASE);
	vmreadz(GUEST_GS_BASE);
	vmreadz(GUEST_GDTR_BASE);
	vmreadz(GUEST_IDTR_BASE);
	vmreadz(GUEST_DR7);
	vmwrite(TSC_OFFSET, 0);
	vmwrite(HOST_CR3, get_cr3());
}

static void l1_exit(struct vmx_pages *vmx)
{
	measure(unit_cpuid);
	GUEST_DONE();
}

static void l1_rt_min(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	measure(unit_rt_min);
	GUEST_DONE();
}

/* L2 does not use what it is given. */
static void l1_rt_l2_shadow(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	l2_give_shadow_vmcs(vmx);
	measure(unit_rt_min);
	GUEST_DONE();
}

static void l1_rt_hostrsp(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	unit_rt_min();		/* VMLAUNCH */
	measure(unit_rt_hostrsp);
	GUEST_DONE();
}

static void l1_rt_other_l1(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx);
	unit_rt_min();		/* VMLAUNCH */
	measure(unit_rt_other_l1);
	GUEST_DONE();
}

/* Without it, as the library's tests do, L0 works out page permissions anew at each switch. */
static void prepare_ept12(const struct metric *metric, struct kvm_vm *vm, struct vmx_pages *vmx)
{
	prepare_eptp(vmx, vm, 0);
	nested_map_memslot(vmx, vm, 0);
}

const struct metric round_trip_metrics[] = {
	{ "exit-l1", l1_exit, .units = 8, .batches = 400 },
	{ "rt-min", l1_rt_min, prepare_ept12, .units = 1, .batches = 300 },
	{ "rt-l2-shadow", l1_rt_l2_shadow, prepare_ept12, .units = 1, .batches = 300 },
	{ "rt-hostrsp", l1_rt_hostrsp, prepare_ept12, .units = 1, .batches = 300 },
	{ "rt-hostrsp-noept", l1_rt_hostrsp, .units = 1, .batches = 300 },
	{ "rt-other-l1", l1_rt_other_l1, prepare_ept12, .units = 1, .batches = 200 },
	{ "rt-other-l1-noept", l1_rt_other_l1, .units = 1, .batches = 200 },
	{ }
};
