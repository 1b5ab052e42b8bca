// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that VMREADs and VMWRITEs of all fields of several VMCSs in random order, with VMPTRLD and
 * VMCLEAR in between, always find what was written last, whatever the module learns from them, and
 * whenever user space changes its parameters or switches it off and on; and that accesses that have
 * to fail do, with the error in VM_INSTRUCTION_ERROR.
 */
#include <pthread.h>

#include "field.h"
#include "shadow.h"

#define NR_VMCSS	3
#define NR_CHUNKS	48
#define CHUNK		400	/* accesses */

/* An encoding that no field has. */
#define NO_FIELD	0x7ffe

enum stage {
	STAGE_CHUNK = 1,
};

static struct vmcs {
	void *region;
	uint64_t gpa;
	uint64_t model[KN_NR_FIELDS];
} vmcss[NR_VMCSS];

static struct vmcs *vmcs;
static bool may_write_read_only;
static uint64_t seed;
static uint64_t step;	/* where a check failed */

/* Marsaglia's xorshift. */
static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* True in one of @n calls. */
static bool one_in(unsigned int n)
{
	return random_number() % n == 0;
}

static uint64_t at(unsigned int i)
{
	return step << 16 | kn_fields[i].encoding;
}

/* The number of VM_INSTRUCTION_ERROR in the table. */
static unsigned int error_field(void)
{
	unsigned int i;

	for (i = 0; kn_fields[i].encoding != VM_INSTRUCTION_ERROR; i++)
		;
	return i;
}

static void note_write(unsigned int i, uint64_t value)
{
	uint64_t *model = vmcs->model;

	model[i] = value & kn_field_mask(&kn_fields[i]);
	if (kn_field_is_high(&kn_fields[i]))
		model[i - 1] = (uint32_t)model[i - 1] | model[i] << 32;
	else if (i + 1 < KN_NR_FIELDS && kn_field_is_high(&kn_fields[i + 1]))
		model[i + 1] = model[i] >> 32;
}

static void expect_error(unsigned int error)
{
	unsigned int i = error_field();
	uint64_t value = 0;

	note_write(i, error);
	kn_expect_at(KN_SITE("VM_INSTRUCTION_ERROR can be read at once"), "outcome",
		     kn_vmread(VM_INSTRUCTION_ERROR, &value), VM_SUCCEED, step);
	kn_expect_at(KN_SITE("VM_INSTRUCTION_ERROR is exact"), "error", value, error, step);
}

static void write_field(unsigned int i)
{
	struct kn_check *allowed = KN_SITE("VMWRITE succeeds");
	struct kn_check *refused = KN_SITE("VMWRITE of a read-only field, where L1 may not");
	const struct kn_field *field = &kn_fields[i];
	uint64_t value = one_in(4) ? (one_in(2) ? 0 : ~0ull) : random_number();
	uint64_t outcome;

	if (one_in(2))
		outcome = kn_vmwrite(field->encoding, value);
	else
		outcome = kn_vmwrite_at(field->encoding, &value);

	if (kn_field_is_read_only(field) && !may_write_read_only) {
		kn_expect_at(refused, "outcome", outcome, VM_FAIL_VALID, at(i));
		expect_error(ERR_READ_ONLY_FIELD);
		return;
	}

	kn_expect_at(allowed, "outcome", outcome, VM_SUCCEED, at(i));
	note_write(i, value);
}

static void read_field(struct kn_check *check, unsigned int i)
{
	static uint64_t value[3];
	uint16_t encoding = kn_fields[i].encoding;

	value[0] = step;
	value[1] = random_number();
	value[2] = ~step;
	if (one_in(2)) {
		kn_expect_at(check, "outcome", kn_vmread(encoding, &value[1]), VM_SUCCEED, at(i));
	} else {
		kn_expect_at(check, "outcome", kn_vmread_at(encoding, &value[1]), VM_SUCCEED,
			     at(i));
		kn_expect_at(check, "memory below", value[0], step, at(i));
		kn_expect_at(check, "memory above", value[2], ~step, at(i));
	}
	kn_expect_at(check, "value", value[1], vmcs->model[i], at(i));
}

static void read_all_fields(struct kn_check *check)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		read_field(check, i);
}

static void access_no_field(void)
{
	uint64_t value = 0;

	kn_expect_at(KN_SITE("VMWRITE of no field"), "outcome", kn_vmwrite(NO_FIELD, step),
		     VM_FAIL_VALID, step);
	expect_error(ERR_UNSUPPORTED_FIELD);
	kn_expect_at(KN_SITE("VMREAD of no field"), "outcome", kn_vmread(NO_FIELD, &value),
		     VM_FAIL_VALID, step);
	expect_error(ERR_UNSUPPORTED_FIELD);
}

static void load(struct vmcs *other)
{
	vmcs = other;
	kn_expect_at(KN_SITE("VMPTRLD"), "outcome", kn_vmptrld(vmcs->gpa), VM_SUCCEED, step);
}

static void expect_region(const struct vmcs *cleared)
{
	struct kn_check *check = KN_SITE("VMCLEAR writes every field to the region");

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++) {
		uint64_t value;

		memcpy(&value, cleared->region + kn_fields[i].offset, sizeof(value));
		kn_expect_at(check, "value", value & kn_field_mask(&kn_fields[i]),
			     cleared->model[i], at(i));
	}
}

/* Either the current one, and loads one, or another. */
static void clear(struct vmcs *other)
{
	kn_expect_at(KN_SITE("VMCLEAR"), "outcome", kn_vmclear(other->gpa), VM_SUCCEED, step);
	expect_region(other);
	if (other == vmcs)
		load(&vmcss[random_number() % NR_VMCSS]);
}

/* A few fields many times, so that they are learnt, or any. */
static unsigned int choose_field(uint64_t chunk)
{
	if (one_in(3))
		return random_number() % KN_NR_FIELDS;
	return (chunk * 13 + random_number() % 12) % KN_NR_FIELDS;
}

static void make_step(uint64_t chunk)
{
	unsigned int i = choose_field(chunk);

	if (one_in(2))
		write_field(i);
	else
		read_field(KN_SITE("VMREAD finds what was written last"), i);

	if (one_in(50))
		access_no_field();
	if (one_in(40))
		load(&vmcss[random_number() % NR_VMCSS]);
	if (one_in(150))
		clear(&vmcss[random_number() % NR_VMCSS]);
	step++;
}

static void init_vmcss(struct vmx_pages *vmx)
{
	vmcss[0].region = vmx->vmcs;
	vmcss[0].gpa = vmx->vmcs_gpa;
	/* The library's shadow VMCS serves as an ordinary one, as does a page of its bitmaps. */
	vmcss[1].region = vmx->shadow_vmcs;
	vmcss[1].gpa = vmx->shadow_vmcs_gpa;
	vmcss[2].region = vmx->vmread;
	vmcss[2].gpa = vmx->vmread_gpa;

	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		memset(vmcss[i].region, 0, PAGE_SIZE);
		*(uint32_t *)vmcss[i].region = vmcs_revision();
		GUEST_ASSERT(kn_vmclear(vmcss[i].gpa) == VM_SUCCEED);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	seed = 88172645463325252ull;
	may_write_read_only = rdmsr(MSR_IA32_VMX_MISC) & BIT(29);
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	init_vmcss(vmx);
	load(&vmcss[0]);

	for (uint64_t chunk = 0; chunk < NR_CHUNKS; chunk++) {
		for (unsigned int i = 0; i < CHUNK; i++)
			make_step(chunk / 4);
		/* Not too often, lest everything is learnt. */
		if (chunk % 8 == 7)
			read_all_fields(KN_SITE("all fields have what was written last"));
		GUEST_SYNC(STAGE_CHUNK);
	}

	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		load(&vmcss[i]);
		read_all_fields(KN_SITE("all fields of all VMCSs do so at the end"));
	}
	GUEST_DONE();
}

/* Learning is what the parameters make of it in this and the next chunks. */
static void set_parameters(unsigned int chunk)
{
	static const struct {
		const char *learn, *fields, *review;
	} settings[] = {
		{ "1", "150", "1000000" },
		{ "1", "150", "1" },
		{ "1", "5", "7" },
		{ "3", "64", "7" },
		{ "1", "0", "7" },
		{ "1", "64", "1" },
		{ "2", "150", "7" },
		{ "1", "5", "1" },
	};
	unsigned int i = chunk / 3 % ARRAY_SIZE(settings);

	kn_set_learning(settings[i].learn, settings[i].fields, settings[i].review);
}

/* Off at some chunks, and on again at the next. */
static void switch_at(unsigned int chunk)
{
	struct kn_check *check = KN_SITE("the module can be switched at any chunk");

	kn_expect_at(check, "shadow", kn_parameter_set("shadow", chunk % 5 == 3 ? "0" : "1"), 0,
		     chunk);
	kn_expect_at(check, "enable", kn_parameter_set("enable", chunk % 7 == 5 ? "0" : "1"), 0,
		     chunk);
}

static bool stop;

/* Switches at any time; a vCPU on the move may keep the module from giving it back. */
static void *switch_all_the_time(void *unused)
{
	struct kn_check *check = KN_SITE("the module can be switched at any time");
	unsigned int i = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const char *name = i % 3 ? "shadow" : "enable";

		kn_expect_at(check, "off", kn_parameter_set(name, "0"), 0, i);
		usleep(500 * (i % 3));
		kn_expect_at(check, "on", kn_parameter_set(name, "1"), 0, i);
		usleep(300 * (i % 7));
		i++;
	}
	ksft_print_msg("switched %u times\n", i);
	return NULL;
}

/* The vCPU's capability MSRs are fixed once it is in VMX operation. */
static void forbid_read_only_writes(struct kvm_vcpu *vcpu)
{
	vcpu_set_msr(vcpu, MSR_IA32_VMX_MISC,
		     vcpu_get_msr(vcpu, MSR_IA32_VMX_MISC) & ~BIT_ULL(29));
}

static void run(bool read_only_writes, bool all_the_time)
{
	struct kn_check *chunks = KN_SITE("L1 comes to the end of each chunk");
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	struct kvm_vm *vm;

	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");
	set_parameters(0);
	vm = kn_vm_create(&vcpu, l1_guest_code);
	if (!read_only_writes)
		forbid_read_only_writes(vcpu);
	stop = false;
	if (all_the_time)
		pthread_create(&thread, NULL, switch_all_the_time, NULL);

	for (unsigned int chunk = 0; chunk < NR_CHUNKS; chunk++) {
		uint64_t stage = kn_run(vcpu);

		kn_expect_at(chunks, "stage", stage, STAGE_CHUNK, chunk);
		if (stage != STAGE_CHUNK)
			break;
		if (all_the_time)
			continue;
		set_parameters(chunk + 1);
		switch_at(chunk);
	}

	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	if (all_the_time)
		pthread_join(thread, NULL);
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");
	kn_run(vcpu);

	if (!all_the_time) {
		KN_SHADOW_COUNTED(vm, "shadow.joined", 200);
		KN_SHADOW_COUNTED(vm, "shadow.left", 20);
		KN_SHADOW_COUNTED(vm, "shadow.full", 100);
		KN_SHADOW_COUNTED(vm, "shadow.copied_in", 100);
	}
	KN_SHADOW_COUNTED(vm, "vcpu.released", 3);
	kn_collect(vm);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	kn_begin();
	run(true, false);
	run(false, false);
	run(true, true);
	run(false, true);
	kn_report();
}
