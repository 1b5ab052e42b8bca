// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L1 that saves the memory of a VMCS, writes to the VMCS, leaves it for one that is
 * new to the processor or that is not, and restores the memory, finds what is in memory when it
 * comes back, and that what it writes then lasts. L1 must not do that, and KVM has always let it.
 */
#include "field.h"
#include "l1.h"
#include "shadow.h"

#define NR_VMCSS	16
#define NR_WARM_UP	12
#define REGION_SIZE	1000	/* as far as fields go */

/* No access rights: of these some trap, and what traps is in KVM's copy at once. */
static const uint32_t fields[] = { HOST_TR_BASE, TSC_OFFSET, EXCEPTION_BITMAP, HOST_FS_SELECTOR };

#define NR_FIELDS	ARRAY_SIZE(fields)

enum {
	STAGE_LEARNT = 1,
};

static struct vmcs {
	uint8_t *region;
	uint64_t gpa;
} vmcss[NR_VMCSS];

static uint8_t saved[REGION_SIZE];

static uint64_t pattern(unsigned int i, uint64_t seed)
{
	const struct kn_field *field = kn_field_find(fields[i]);

	return kn_field_pattern(field, seed) & kn_field_mask(field);
}

static void load(struct vmcs *vmcs)
{
	KN_CHECK_EQ("VMPTRLD succeeds", kn_vmptrld(vmcs->gpa), VM_SUCCEED);
}

static void write_fields(uint64_t seed)
{
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		vmwrite(fields[i], pattern(i, seed));
}

static void expect_fields(struct kn_check *check, uint64_t seed)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED, fields[i]);
		kn_expect_at(check, "value", value, pattern(i, seed), seed << 16 | fields[i]);
	}
}

/* The VMCS at @vmcss is loaded, and has the fields of @seed, as its memory has. */
static void restore_memory(struct vmcs *other, uint64_t seed)
{
	struct vmcs *vmcs = &vmcss[0];

	memcpy(saved, vmcs->region, REGION_SIZE);
	write_fields(seed + 1);
	load(other);
	memcpy(vmcs->region, saved, REGION_SIZE);
	load(vmcs);
	expect_fields(KN_SITE("what is in memory is in the VMCS"), seed);
	write_fields(seed + 1);
	expect_fields(KN_SITE("what was written is in the VMCS"), seed + 1);
	load(&vmcss[1]);
	load(vmcs);
	expect_fields(KN_SITE("it lasts"), seed + 1);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t seed = 0;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		*(uint32_t *)vmcss[i].region = vmcs_revision();
		GUEST_ASSERT(kn_vmclear(vmcss[i].gpa) == VM_SUCCEED);
	}
	for (unsigned int i = 0; i < NR_WARM_UP; i++) {
		load(&vmcss[i % 2]);
		write_fields(seed);
		expect_fields(KN_SITE("what was written is in the VMCS"), seed);
	}
	GUEST_SYNC(STAGE_LEARNT);

	load(&vmcss[1]);
	load(&vmcss[0]);
	for (unsigned int i = 1; i < NR_VMCSS; i++)
		restore_memory(&vmcss[i], seed++);
	restore_memory(&vmcss[1], seed);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_VMCSS; i++)
		vmcss[i].region = kn_alloc_page(vm, &vmcss[i].gpa);
	sync_global_to_guest(vm, vmcss);

	KN_CHECK_EQ("L1 comes to its loop", kn_run(vcpu), STAGE_LEARNT);
	kn_run(vcpu);
	KN_SHADOW_COUNTED(vm, "shadow.joined", 2 * NR_FIELDS);
	KN_SHADOW_COUNTED(vm, "shadow.copied_in", 3 * NR_VMCSS);
	KN_SHADOW_COUNTED(vm, "vmptr.kept", NR_VMCSS);
	kn_finish(vm);
}
