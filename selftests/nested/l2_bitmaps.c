// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L1's VMREAD and VMWRITE bitmaps decide about each access of its L2, wherever they are
 * and whatever is in them: bits for each half of a 64-bit field, bits that no field has, one page
 * for both, a page that is a VMCS as well, and no memory; also once the module lets the processor
 * do what is not to exit.
 */
#include "l2.h"
#include "shadow.h"

#define NR_WARM_UP	6
#define NR_TIMES	4	/* for each kind of bitmap */
#define NOWHERE		0x7ffff000ull

#define TSC_OFFSET_HALF	(TSC_OFFSET + 1)

static const struct access {
	bool write;
	uint32_t field;
} accesses[] = {
	{ false, GUEST_ES_SELECTOR }, { true, GUEST_ES_SELECTOR },
	{ false, TSC_OFFSET }, { false, TSC_OFFSET_HALF },
	{ true, TSC_OFFSET }, { true, TSC_OFFSET_HALF },
	{ false, GUEST_RSP }, { false, EXCEPTION_BITMAP },
	{ true, EXCEPTION_BITMAP }, { true, GUEST_RSP },
	{ false, HOST_RIP }, { true, HOST_RIP },
};

#define NR_ACCESSES	ARRAY_SIZE(accesses)

/* As L1 sees them; NULL for no memory. */
static const uint8_t *read_bitmap, *write_bitmap;
static struct gpr64_regs gprs;
static bool launched;
static uint64_t turn;

static void l2_guest_code(void)
{
	uint64_t value = 0;

	for (;;) {
		for (unsigned int i = 0; i < NR_ACCESSES; i++) {
			uint64_t field = accesses[i].field;

			if (accesses[i].write)
				asm volatile("vmwrite %0, %1" : : "a" (value), "c" (field) : "cc");
			else
				asm volatile("vmread %1, %0" : "=a" (value) : "c" (field) : "cc");
		}
		asm volatile("vmcall");
	}
}

static bool is_closed(const struct access *access)
{
	const uint8_t *bitmap = access->write ? write_bitmap : read_bitmap;

	return !bitmap || bitmap[access->field / 8] >> access->field % 8 & 1;
}

/* Enters L2 until it comes to its VMCALL, which each access that is closed delays by an exit. */
static void run_l2(struct kn_check *check)
{
	unsigned int next = 0;
	uint64_t reason;

	do {
		bool closed[NR_ACCESSES];

		/* The page may be one that L2's exit writes to. */
		for (unsigned int i = 0; i < NR_ACCESSES; i++)
			closed[i] = is_closed(&accesses[i]);

		kn_expect_at(check, "outcome", kn_l2_enter(&gprs, !launched), VM_SUCCEED, turn);
		launched = true;
		reason = vmreadz(VM_EXIT_REASON);
		while (next < NR_ACCESSES && !closed[next])
			next++;
		if (next < NR_ACCESSES) {
			kn_expect_at(check, "reason", reason, accesses[next].write ?
				     EXIT_REASON_VMWRITE : EXIT_REASON_VMREAD, turn << 16 | next);
			kn_expect_at(check, "field", gprs.rcx, accesses[next].field,
				     turn << 16 | next);
			next++;
		} else {
			kn_expect_at(check, "reason", reason, EXIT_REASON_VMCALL, turn << 16);
		}
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
	} while (reason == EXIT_REASON_VMREAD || reason == EXIT_REASON_VMWRITE);
	turn++;
}

static void use_bitmaps(const void *read, uint64_t read_gpa, const void *write, uint64_t write_gpa)
{
	read_bitmap = read;
	write_bitmap = write;
	vmwrite(VMREAD_BITMAP, read_gpa);
	vmwrite(VMWRITE_BITMAP, write_gpa);
}

static void use_own_pages(struct vmx_pages *vmx)
{
	memset(vmx->vmread, 0, PAGE_SIZE);
	memset(vmx->vmwrite, 0, PAGE_SIZE);
	use_bitmaps(vmx->vmread, vmx->vmread_gpa, vmx->vmwrite, vmx->vmwrite_gpa);
}

/* One after the other, now and then bitmaps that let everything through. */
static void run_kinds(struct vmx_pages *vmx)
{
	use_own_pages(vmx);
	kn_bitmap_set(vmx->vmread, TSC_OFFSET, true);
	kn_bitmap_set(vmx->vmwrite, TSC_OFFSET_HALF, true);
	run_l2(KN_SITE("each half of a 64-bit field has its bit"));

	use_own_pages(vmx);
	memset(vmx->vmread, 0xff, PAGE_SIZE);
	memset(vmx->vmwrite, 0xff, PAGE_SIZE);
	for (unsigned int i = 0; i < NR_ACCESSES; i++) {
		void *bitmap = accesses[i].write ? vmx->vmwrite : vmx->vmread;

		kn_bitmap_set(bitmap, accesses[i].field, false);
	}
	run_l2(KN_SITE("other fields' bits do not matter"));

	use_own_pages(vmx);
	kn_bitmap_set(vmx->vmread, GUEST_RSP, true);
	use_bitmaps(vmx->vmread, vmx->vmread_gpa, vmx->vmread, vmx->vmread_gpa);
	run_l2(KN_SITE("one page can be both"));

	use_own_pages(vmx);
	run_l2(KN_SITE("nothing exits"));

	use_bitmaps(NULL, NOWHERE, vmx->vmwrite, vmx->vmwrite_gpa);
	run_l2(KN_SITE("all VMREADs exit by a bitmap in no memory"));
	use_bitmaps(vmx->vmread, vmx->vmread_gpa, NULL, NOWHERE);
	run_l2(KN_SITE("all VMWRITEs exit by a bitmap in no memory"));

	/* The first of these bits is in a field, the second behind all of them. */
	kn_bitmap_set(vmx->shadow_vmcs, GUEST_ES_SELECTOR, true);
	kn_bitmap_set(vmx->shadow_vmcs, EXCEPTION_BITMAP, true);
	use_bitmaps(vmx->shadow_vmcs, vmx->shadow_vmcs_gpa, vmx->shadow_vmcs, vmx->shadow_vmcs_gpa);
	run_l2(KN_SITE("the shadow VMCS can be a bitmap as well"));
	use_bitmaps(vmx->vmcs, vmx->vmcs_gpa, vmx->vmread, vmx->vmread_gpa);
	run_l2(KN_SITE("the VMCS can be a bitmap as well"));

	use_own_pages(vmx);
	run_l2(KN_SITE("nothing exits"));
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	kn_l1_shadow_for_l2(vmx);
	use_own_pages(vmx);
	for (unsigned int i = 0; i < NR_WARM_UP; i++)
		run_l2(KN_SITE("nothing exits"));
	for (unsigned int i = 0; i < NR_TIMES; i++)
		run_kinds(vmx);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow_l2", "1");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_require_l2_shadowing(vcpu);
	kn_run(vcpu);

	KN_SHADOW_COUNTED(vm, "shadow_l2.joined", 5);
	KN_SHADOW_COUNTED(vm, "shadow_l2.copied_in", NR_TIMES);
	KN_SHADOW_COUNTED(vm, "shadow_l2.unreadable", 2 * NR_TIMES);
	kn_finish(vm);
}
