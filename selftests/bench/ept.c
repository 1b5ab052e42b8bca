// SPDX-License-Identifier: GPL-2.0-only
/* The cost of faults and invalidations where L1 has an EPT for L2. */
#include "knbench.h"
#include "ept.h"
#include "l2.h"

static struct l2 l2;
static uint64_t eptp;
static uint8_t l2_stack[4096];

/*
 * Touch new pages, a batch at a time. One more batch than is timed comes first, so that the tables
 * above and all code are warm.
 */
static void l2_touch_new_pages(void)
{
	uint64_t page = REGION, start;
	uint32_t b, u;

	for (u = 0; u < plan.units; u++, page += 4096)
		touch(page);

	GUEST_SYNC(STAGE_START);
	for (b = 0; b < plan.batches; b++) {
		start = rdtsc();
		for (u = 0; u < plan.units; u++, page += 4096)
			touch(page);
		plan.ticks[b] = rdtsc() - start;
	}
	GUEST_SYNC(STAGE_END);

	/* A page that is not mapped together with the one before. */
	if (plan.trace) {
		touch(page);
		page += 64 * 4096;
		trace_marker();
		touch(page);
		trace_marker();
	}
	vmcall();
}

static void enter_vmx_operation(struct vmx_pages *vmx, void *l2_code)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	l2_init(&l2, vmx, l2_code, l2_stack + sizeof(l2_stack));
	ept12_disable_ad();
	eptp = vmreadz(EPT_POINTER);
}

static void l1_ept_cold(struct vmx_pages *vmx)
{
	uint64_t gpa;

	enter_vmx_operation(vmx, l2_touch_new_pages);
	for (;;) {
		l2_enter(&l2);
		if (vmreadz(VM_EXIT_REASON) != EXIT_REASON_EPT_VIOLATION)
			break;
		gpa = vmreadz(GUEST_PHYSICAL_ADDRESS) & ~4095ull;
		*region_ept12_entry(gpa) = EPT12_ENTRY(gpa);
	}
	GUEST_ASSERT_1(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL, vmreadz(VM_EXIT_REASON));
	GUEST_DONE();
}

static void l1_ept_warm12(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx, l2_touch_new_pages);
	l2_enter(&l2);
	GUEST_ASSERT_1(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL, vmreadz(VM_EXIT_REASON));
	GUEST_DONE();
}

#define WARM_PAGES	512ul

static void l2_touch_warm_pages(void)
{
	uint64_t page;

	for (;;) {
		for (page = REGION; page < REGION + WARM_PAGES * 4096; page += 4096)
			touch(page);
		asm volatile("cpuid" : : : "eax", "ebx", "ecx", "edx");
	}
}

static __always_inline void invept_and_touch(void)
{
	struct { uint64_t eptp, reserved; } operand = { eptp, 0 };
	uint64_t single_context = 1;

	asm volatile("invept %0, %1" : : "m"(operand), "r"(single_context) : "cc", "memory");
	l2_enter(&l2);
	GUEST_ASSERT_1(vmreadz(VM_EXIT_REASON) == EXIT_REASON_CPUID, vmreadz(VM_EXIT_REASON));
	l2_skip_instruction();
}

static __always_inline void unit_invept_1(void)
{
	volatile uint64_t *entry = region_ept12_entry(REGION);

	/* Between the page's own frame and the one behind the pages that L2 touches. */
	*entry ^= EPT12_ENTRY(REGION) ^ EPT12_ENTRY(REGION + WARM_PAGES * 4096);
	invept_and_touch();
}

static __always_inline void unit_invept_0(void)
{
	invept_and_touch();
}

static void l1_ept_invept_1(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx, l2_touch_warm_pages);
	measure(unit_invept_1);
	GUEST_DONE();
}

static void l1_ept_invept_0(struct vmx_pages *vmx)
{
	enter_vmx_operation(vmx, l2_touch_warm_pages);
	measure(unit_invept_0);
	GUEST_DONE();
}

/* The first batch warms up, and a few pages behind the last are for the trace. */
static uint64_t nr_new_pages(const struct metric *metric)
{
	return metric->units * (metric->batches + 1) + 512;
}

static void prepare_cold(const struct metric *metric, struct kvm_vm *vm, struct vmx_pages *vmx)
{
	region_create(vm, vmx, nr_new_pages(metric), false);
}

static void prepare_warm12(const struct metric *metric, struct kvm_vm *vm, struct vmx_pages *vmx)
{
	region_create(vm, vmx, nr_new_pages(metric), true);
}

static void prepare_invept(const struct metric *metric, struct kvm_vm *vm, struct vmx_pages *vmx)
{
	region_create(vm, vmx, 2 * WARM_PAGES, true);
}

const struct metric ept_metrics[] = {
	{ "ept-cold", l1_ept_cold, prepare_cold, .units = 256, .batches = 5 },
	{ "ept-warm12", l1_ept_warm12, prepare_warm12, .units = 512, .batches = 5 },
	{ "ept-invept-1", l1_ept_invept_1, prepare_invept, .units = 1, .batches = 51 },
	{ "ept-invept-0", l1_ept_invept_0, prepare_invept, .units = 1, .batches = 51 },
	{ }
};
