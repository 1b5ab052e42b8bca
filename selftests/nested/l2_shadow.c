// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L2 to which L1 gives a shadow VMCS finds there what L1 has put there, and L1 what
 * L2 has, whoever does the accesses: also once the module lets the processor do them. L1 changes
 * its bitmaps, the link pointer, and the shadow VMCS in memory; the VM is saved and restored, and
 * the module switched, while L2 runs.
 */
#include "field.h"
#include "l2.h"
#include "shadow.h"

#define NR_WARM_UP	6
#define NR_ROUNDS	40
#define NR_REGIONS	2

/*
 * Fields that L2 reads and writes, of each width and type. Access rights are among them: a
 * processor may keep bits of these that KVM drops.
 */
static const uint32_t fields[] = {
	GUEST_ES_SELECTOR, HOST_TR_SELECTOR, TSC_OFFSET, GUEST_PHYSICAL_ADDRESS,
	GUEST_IA32_DEBUGCTL, HOST_IA32_PAT, EXCEPTION_BITMAP, VM_EXIT_REASON,
	GUEST_CS_AR_BYTES, GUEST_INTERRUPTIBILITY_INFO, HOST_IA32_SYSENTER_CS,
	CR0_READ_SHADOW, EXIT_QUALIFICATION, GUEST_RIP, GUEST_RSP, HOST_RIP,
};

#define NR_FIELDS	ARRAY_SIZE(fields)
#define CLOSED		13	/* index of the field that L1's bitmaps close at times */

enum {
	STAGE_LEARNT = 1,
	STAGE_L2,
};

/* The shadow VMCSs, and what is to be in them. */
static struct shadow {
	uint8_t *region;
	uint64_t gpa;
	uint64_t model[NR_FIELDS];
} shadows[NR_REGIONS];

static struct shadow *linked;
static struct vmx_pages *vmx;
static struct gpr64_regs gprs;
static bool launched;
static bool sync_in_l2;
static volatile uint64_t turn;
static bool no_read, no_write;	/* of the field that is closed */

static uint64_t pattern(unsigned int i, uint64_t seed)
{
	const struct kn_field *field = kn_field_find(fields[i]);

	return kn_field_pattern(field, seed) & kn_field_mask(field);
}

static void expect_shadow(struct kn_check *check, uint64_t at)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		if (no_read && i == CLOSED)
			continue;
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED, fields[i]);
		kn_expect_at(check, "value", value, linked->model[i], at << 16 | fields[i]);
	}
}

static void write_shadow(struct kn_check *check, uint64_t seed)
{
	uint64_t value;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		if (no_write && i == CLOSED)
			continue;
		/* With bits that access rights have not. */
		value = kn_field_pattern(kn_field_find(fields[i]), seed);
		kn_expect_at(check, "outcome", kn_vmwrite(fields[i], value), VM_SUCCEED,
			     fields[i]);
		linked->model[i] = pattern(i, seed);
	}
}

static void l2_guest_code(void)
{
	struct kn_check *finds = KN_SITE("L2 finds what L1 has put into its shadow VMCS");
	struct kn_check *keeps = KN_SITE("L2 finds what it has put there itself");

	for (;;) {
		expect_shadow(finds, turn);
		write_shadow(keeps, 2 * turn);
		expect_shadow(keeps, turn);
		if (sync_in_l2) {
			GUEST_SYNC(STAGE_L2);
			expect_shadow(keeps, turn);
			write_shadow(keeps, 2 * turn + 2);
			GUEST_SYNC(STAGE_L2);
			expect_shadow(keeps, turn);
		}
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(void)
{
	kn_l2_expect_vmcall(KN_SITE("L2 does it without an exit to L1"), &gprs, !launched, turn);
	launched = true;
	turn++;
}

static void link_to(struct shadow *shadow)
{
	linked = shadow;
	vmwrite(VMCS_LINK_POINTER, shadow->gpa);
}

/* L1 looks at the shadow VMCS as at any other, and leaves other values there. */
static void visit_shadow(struct shadow *shadow)
{
	struct shadow *before = linked;

	linked = shadow;
	GUEST_ASSERT(kn_vmclear(shadow->gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(shadow->gpa) == VM_SUCCEED);
	expect_shadow(KN_SITE("L1 finds what L2 has put into its shadow VMCS"), turn);
	write_shadow(KN_SITE("L1 writes to the shadow VMCS"), 2 * turn + 1);
	GUEST_ASSERT(kn_vmclear(shadow->gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	linked = before;
}

/* L1 knows better than the architecture, and changes the shadow VMCS where KVM has it in memory. */
static void edit_in_memory(struct shadow *shadow, uint64_t seed)
{
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		shadow->model[i] = pattern(i, seed);
		kn_region_write(shadow->region, fields[i], shadow->model[i]);
	}
}

static void close_field(bool read, bool write)
{
	no_read = read;
	no_write = write;
	kn_bitmap_set(vmx->vmread, fields[CLOSED], read);
	kn_bitmap_set(vmx->vmwrite, fields[CLOSED], write);
}

static void l2_forbidden(void)
{
	uint64_t value = 0;

	asm volatile("vmread %1, %0" : "=a" (value) : "c" ((uint64_t)fields[CLOSED]));
	asm volatile("vmwrite %0, %1" : : "a" (value), "c" ((uint64_t)fields[CLOSED]));
	asm volatile("vmread %1, %0" : "=a" (value) : "c" ((uint64_t)fields[0]));
	asm volatile("vmcall");
	KN_CHECK_EQ("VMREAD without a link pointer: VMfailInvalid", kn_vmread(fields[0], &value),
		    VM_FAIL_INVALID);
	KN_CHECK_EQ("VMWRITE without a link pointer: VMfailInvalid", kn_vmwrite(fields[0], value),
		    VM_FAIL_INVALID);
	asm volatile("vmcall");
	asm volatile("vmread %1, %0" : "=a" (value) : "c" ((uint64_t)fields[0]));
}

/* What traps to L1 does so although the processor did it for L2 before. */
static void expect_exits(void *l2_stack)
{
	vmwrite(GUEST_RIP, (uint64_t)l2_forbidden);
	vmwrite(GUEST_RSP, (uint64_t)l2_stack);
	close_field(true, true);
	KN_CHECK_VMX_EXIT("VMREAD exits once L1's bitmap says so", kn_l2_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
	KN_CHECK_VMX_EXIT("VMWRITE exits once L1's bitmap says so", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMWRITE, 3);
	KN_CHECK_EXIT("other fields go on without exits", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_VMCALL, 0, 3);
	vmwrite(VMCS_LINK_POINTER, -1ull);
	KN_CHECK_EXIT("VMfailInvalid does not exit", kn_l2_skip_and_resume(&gprs),
		      EXIT_REASON_VMCALL, 0, 3);
	vmwrite(SECONDARY_VM_EXEC_CONTROL,
		vmreadz(SECONDARY_VM_EXEC_CONTROL) & ~SECONDARY_EXEC_SHADOW_VMCS);
	KN_CHECK_VMX_EXIT("VMREAD exits once L1 shadows no more", kn_l2_skip_and_resume(&gprs),
			  EXIT_REASON_VMREAD, 3);
}

static void setup_shadow(struct shadow *shadow, uint64_t seed)
{
	*(uint32_t *)shadow->region = vmcs_revision() | BIT(31);
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		shadow->model[i] = 0;
	edit_in_memory(shadow, seed);
}

static void l1_guest_code(struct vmx_pages *pages)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	vmx = pages;
	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	shadows[0].region = vmx->shadow_vmcs;
	shadows[0].gpa = vmx->shadow_vmcs_gpa;
	setup_shadow(&shadows[0], 1);
	setup_shadow(&shadows[1], 2);
	kn_l1_shadow_for_l2(vmx);

	link_to(&shadows[0]);
	for (unsigned int i = 0; i < NR_WARM_UP; i++)
		run_l2();
	GUEST_SYNC(STAGE_LEARNT);
	for (unsigned int i = 0; i < NR_ROUNDS; i++)
		run_l2();
	GUEST_SYNC(STAGE_LEARNT);

	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		if (i % 3)
			link_to(&shadows[i % NR_REGIONS]);
		if (i % 5 == 1)
			visit_shadow(&shadows[i / 5 % NR_REGIONS]);
		if (i % 7 == 2)
			edit_in_memory(&shadows[i / 7 % NR_REGIONS], 3 * i);
		close_field(i % 4 == 1 || i % 4 == 2, i % 4 >= 2);
		run_l2();
	}
	close_field(false, false);
	sync_in_l2 = true;
	for (unsigned int i = 0; i < NR_WARM_UP; i++)
		run_l2();
	sync_in_l2 = false;
	visit_shadow(&shadows[0]);
	visit_shadow(&shadows[1]);
	expect_exits(&l2_stack[KN_L2_STACK_SIZE]);
	GUEST_DONE();
}

static bool is_l2_access(const char *name, const void *arg)
{
	return !strncmp(name, "l2vmread.", 9) || !strncmp(name, "l2vmwrite.", 10);
}

int main(int argc, char *argv[])
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kvm_vcpu *vcpu;
	uint64_t traps, more;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow_l2", "1");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	kn_require_l2_shadowing(vcpu);
	shadows[1].region = kn_alloc_page(vm, &shadows[1].gpa);
	sync_global_to_guest(vm, shadows);

	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, 0);
	traps = kn_sum_counters(vm, is_l2_access, NULL);
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, 1);
	more = kn_sum_counters(vm, is_l2_access, NULL) - traps;
	/* Access rights may go on, one way. */
	KN_SHADOW_CHECK_EQ("what L2 accesses traps no more", more <= 2 * 2 * NR_ROUNDS, true);
	KN_SHADOW_COUNTED(vm, "shadow_l2.joined", NR_FIELDS - 1);
	KN_SHADOW_COUNTED(vm, "shadow_l2.copied_in", NR_ROUNDS);
	KN_SHADOW_COUNTED(vm, "vmptr.linked", NR_ROUNDS);

	for (unsigned int i = 0; i < 2 * NR_WARM_UP; i++) {
		kn_expect_at(stages, "stage in L2", kn_run(vcpu), STAGE_L2, i);
		if (i % 3 == 1)
			vcpu = kn_restore(vm, vcpu);
		if (i % 4 == 2)
			kn_expect_at(stages, "shadow_l2", kn_parameter_set("shadow_l2", "0"), 0, i);
		if (i % 4 == 3)
			kn_expect_at(stages, "shadow_l2", kn_parameter_set("shadow_l2", "1"), 0, i);
		if (i == 9)
			kn_expect_at(stages, "enable", kn_parameter_set("enable", "0"), 0, i);
		if (i == 10)
			kn_expect_at(stages, "enable", kn_parameter_set("enable", "1"), 0, i);
	}
	kn_run(vcpu);
	kn_finish(vm);
}
