// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMWRITE and VMREAD, in register and in memory form, reach each VMCS field at its full
 * width and no other field, and that each lies in the VMCS region where KVM's ABI has it.
 */
#include "counter.h"
#include "field.h"

/* One for each field, and what the guest wrote there. */
static struct kn_check checks[KN_NR_FIELDS];
KN_GROUP(checks, KN_NR_FIELDS);
static uint64_t written[KN_NR_FIELDS];

/* The 64-bit field whose upper half row @i is, or -1. */
static int low_half(unsigned int i)
{
	return kn_field_is_high(&kn_fields[i]) ? (int)i - 1 : -1;
}

static bool is_writable(const struct kn_field *field)
{
	return !kn_field_is_read_only(field) || rdmsr(MSR_IA32_VMX_MISC) & BIT(29);
}

static void note_write(unsigned int i, uint64_t value)
{
	int low = low_half(i);

	written[i] = value & kn_field_mask(&kn_fields[i]);
	if (low >= 0)
		written[low] = (uint32_t)written[low] | written[i] << 32;
	else if (i + 1 < KN_NR_FIELDS && low_half(i + 1) == i)
		written[i + 1] = written[i] >> 32;
}

static void write_fields(unsigned int seed, bool from_memory)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint64_t value = kn_field_pattern(field, seed);
		uint64_t outcome;

		if (!is_writable(field))
			continue;
		outcome = from_memory ? kn_vmwrite_at(field->encoding, &value) :
					kn_vmwrite(field->encoding, value);
		kn_expect_at(&checks[i], "VMWRITE", outcome, VM_SUCCEED, seed);
		note_write(i, value);
	}
}

static void read_fields(unsigned int seed, bool into_memory)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint64_t value[3] = { ~seed, ~0ull, seed };
		uint64_t outcome;

		outcome = into_memory ? kn_vmread_at(field->encoding, &value[1]) :
					kn_vmread(field->encoding, &value[1]);
		kn_expect_at(&checks[i], "VMREAD", outcome, VM_SUCCEED, seed);
		kn_expect_at(&checks[i], "value", value[1], written[i], seed);
		kn_expect_at(&checks[i], "memory below", value[0], (uint64_t)~seed, seed);
		kn_expect_at(&checks[i], "memory above", value[2], seed, seed);
	}
}

/* Each field alone: zeros and ones, and nothing but the written field changes. */
static void write_alone(unsigned int i)
{
	static const uint64_t values[] = { 0, ~0ull, 0x5555555555555555ull };
	const struct kn_field *field = &kn_fields[i];
	unsigned int other = (i + KN_NR_FIELDS / 2) % KN_NR_FIELDS;
	uint64_t value;

	if (!is_writable(field))
		return;

	for (unsigned int j = 0; j < ARRAY_SIZE(values); j++) {
		kn_vmwrite(field->encoding, values[j]);
		note_write(i, values[j]);
		value = ~values[j];
		kn_vmread(field->encoding, &value);
		kn_expect_at(&checks[i], "value alone", value, written[i], values[j]);
		kn_vmread(kn_fields[other].encoding, &value);
		kn_expect_at(&checks[i], "another field", value, written[other], values[j]);
	}
}

/* The memory of a cleared VMCS. */
static void read_region(const void *region, unsigned int seed)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];
		uint64_t value;

		memcpy(&value, region + field->offset, sizeof(value));
		kn_expect_at(&checks[i], "value in the region",
			     value & kn_field_mask(field), written[i], seed);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	unsigned int seed = 0;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	*(uint32_t *)vmx->vmcs = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);

	for (unsigned int form = 0; form < 4; form++) {
		seed++;
		write_fields(seed, form & 1);
		read_fields(seed, form & 2);
		read_fields(seed, !(form & 2));
	}

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		write_alone(i);
	read_fields(++seed, false);

	write_fields(++seed, true);
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	read_region(vmx->vmcs, seed);
	GUEST_ASSERT(kn_vmptrld(vmx->vmcs_gpa) == VM_SUCCEED);
	read_fields(++seed, true);
	GUEST_DONE();
}

/* No hardware shadows these fields: each access to them was the module's. */
static void check_counters(struct kvm_vm *vm)
{
	struct kn_check *reads = KN_SITE("the module counts VMREADs of each field never shadowed");
	struct kn_check *writes = KN_SITE("the module counts VMWRITEs of each field never shadowed");
	char name[64];

	if (!kn_engaged() || kn_learning()) {
		kn_skip(reads, "needs the module with shadow=0");
		kn_skip(writes, "needs the module with shadow=0");
		return;
	}

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		const struct kn_field *field = &kn_fields[i];

		if (field->shadow != KN_SHADOW_NO)
			continue;
		snprintf(name, sizeof(name), "vmread.%s", field->name);
		kn_expect_at(reads, "at least 10", kn_counter(vm, name) >= 10, true,
			     field->encoding);
		snprintf(name, sizeof(name), "vmwrite.%s", field->name);
		kn_expect_at(writes, "at least 5", kn_counter(vm, name) >= 5, true,
			     field->encoding);
	}
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		checks[i].name = kn_fields[i].name;

	kn_run(vcpu);

	check_counters(vm);
	KN_COUNTED(vm, "exit.VMREAD.module", 10 * KN_NR_FIELDS / 2);
	KN_COUNTED(vm, "exit.VMWRITE.module", 5 * KN_NR_FIELDS / 2);
	kn_finish(vm);
}
