// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L1 that is out for it can't make the module use memory without bound, nor much
 * more time than stock KVM: one that loads a thousand VMCSs in turn, and one that uses other fields
 * all the time; and that it reads what it has written nevertheless.
 */
#include "field.h"
#include "memory.h"
#include "shadow.h"

#define NR_VMCSS	1000
#define NR_TURNS	600	/* through two VMCSs and all fields */
#define ACCESSES	4	/* each turn */

#define MEMORY_GVA	0x40000000ull
#define MEMORY_GPA	0x40000000ull
#define MEMORY_SLOT	10

#define NOISE		512	/* KiB */

/* How much longer than with stock KVM it may take, in per cent. */
#define MAX_TIME	200

enum {
	STAGE_READY = 1,
	STAGE_MANY,		/* all VMCSs were loaded */
	STAGE_OTHER_FIELDS,
	STAGE_SAME_FIELDS,
};

static uint64_t ticks;
static volatile bool last;

static uint64_t vmcs_gpa(unsigned int i)
{
	return MEMORY_GPA + i * PAGE_SIZE;
}

/* Fields without an effect, as L2 never runs: any but what hardware or L0 changes. */
static uint32_t field_of(unsigned int i)
{
	static const uint32_t fields[] = {
		TSC_OFFSET, EOI_EXIT_BITMAP0, EOI_EXIT_BITMAP1, EOI_EXIT_BITMAP2, EOI_EXIT_BITMAP3,
		IO_BITMAP_A, IO_BITMAP_B, POSTED_INTR_DESC_ADDR, VM_EXIT_MSR_LOAD_ADDR,
		VM_ENTRY_MSR_LOAD_ADDR, XSS_EXIT_BITMAP, PML_ADDRESS, VIRTUAL_APIC_PAGE_ADDR,
		APIC_ACCESS_ADDR, GUEST_FS_BASE, GUEST_GS_BASE, GUEST_TR_BASE, GUEST_LDTR_BASE,
		GUEST_IDTR_BASE, GUEST_GDTR_BASE, HOST_FS_BASE, HOST_GS_BASE, HOST_TR_BASE,
		HOST_IDTR_BASE, HOST_GDTR_BASE, HOST_RSP, HOST_RIP, HOST_CR3, HOST_CR4,
		GUEST_SYSENTER_EIP, GUEST_SYSENTER_ESP, GUEST_CR3, GUEST_DR7,
		HOST_IA32_SYSENTER_EIP, HOST_IA32_SYSENTER_ESP,
	};

	return fields[i % ARRAY_SIZE(fields)];
}

static uint64_t value_of(unsigned int vmcs, unsigned int i)
{
	return vmcs * 0x100000001ull + i * 0x10001;
}

static void load(uint64_t gpa)
{
	kn_expect_at(KN_SITE("VMPTRLD"), "outcome", kn_vmptrld(gpa), VM_SUCCEED, gpa);
}

static void load_many(void)
{
	struct kn_check *check = KN_SITE("each of many VMCSs keeps its values");
	uint64_t value = 0, from = rdtsc();

	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int i = 0; i < NR_VMCSS; i++) {
			load(vmcs_gpa(i));
			if (pass) {
				kn_vmread(field_of(i), &value);
				kn_expect_at(check, "value", value, value_of(i, 0), i);
			} else {
				vmwrite(field_of(i), value_of(i, 0));
			}
		}
	ticks = rdtsc() - from;
}

/* With @step 0 the same fields all the time. */
static void use_fields(unsigned int step)
{
	struct kn_check *check = KN_SITE("each field has what was written last");
	uint64_t value = 0, from = rdtsc();

	for (unsigned int turn = 0; turn < NR_TURNS; turn++) {
		load(vmcs_gpa(turn % 2));
		for (unsigned int i = 0; i < ACCESSES; i++) {
			uint32_t field = field_of(turn * step + i);

			vmwrite(field, value_of(turn, i));
			kn_vmread(field, &value);
			kn_expect_at(check, "value", value, value_of(turn, i),
				     (uint64_t)turn << 16 | field);
		}
	}
	ticks = rdtsc() - from;
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	for (unsigned int i = 0; i < NR_VMCSS; i++)
		*(uint32_t *)(MEMORY_GVA + i * PAGE_SIZE) = vmcs_revision();
	load(vmcs_gpa(0));
	while (!last) {
		GUEST_SYNC(STAGE_READY);
		load_many();
		GUEST_SYNC(STAGE_MANY);
		use_fields(ACCESSES);
		GUEST_SYNC(STAGE_OTHER_FIELDS);
		use_fields(0);
		GUEST_SYNC(STAGE_SAME_FIELDS);
	}
	GUEST_DONE();
}

static struct kvm_vm *create_vm(struct kvm_vcpu **vcpu)
{
	struct kvm_vm *vm = kn_vm_create(vcpu, l1_guest_code);

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, MEMORY_GPA, MEMORY_SLOT, NR_VMCSS, 0);
	virt_map(vm, MEMORY_GVA, MEMORY_GPA, NR_VMCSS);
	return vm;
}

struct cost {
	uint64_t ticks[STAGE_SAME_FIELDS + 1];
	uint64_t joined[STAGE_SAME_FIELDS + 1];
	int64_t grown;
};

static struct cost measure(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	struct kn_check *stages = KN_SITE("L1 comes to each stage");
	struct cost cost = {};
	int64_t before;

	kn_expect(stages, kn_run(vcpu), STAGE_READY);
	before = kn_kernel_memory();
	for (unsigned int stage = STAGE_MANY; stage <= STAGE_SAME_FIELDS; stage++) {
		uint64_t joined = kn_counter(vm, "shadow.joined");

		kn_expect(stages, kn_run(vcpu), stage);
		cost.ticks[stage] = *(uint64_t *)addr_gva2hva(vm, (vm_vaddr_t)&ticks);
		cost.joined[stage] = kn_counter(vm, "shadow.joined") - joined;
	}
	cost.grown = kn_kernel_memory() - before;
	return cost;
}

static const struct setting {
	const char *name;
	const char *learn, *fields, *review;
} settings[] = {
	{ "as they are by default", "3", "128", "256" },
	{ "learning and forgetting at once", "1", "150", "1" },
	{ "learning at once without room", "1", "4", "1" },
	{ "forgetting nothing", "1", "178", "4294967295" },
};

#define NR_SETTINGS	ARRAY_SIZE(settings)

static struct kn_check checks[NR_SETTINGS];
KN_GROUP(checks, NR_SETTINGS);

static struct kn_check *memory_check(void)
{
	return KN_SITE("the kernel's memory does not grow with what L1 does");
}

static void compare(struct kn_check *check, const struct cost *stock, const struct cost *module)
{
	for (unsigned int stage = STAGE_MANY; stage <= STAGE_SAME_FIELDS; stage++) {
		uint64_t per_cent = module->ticks[stage] * 100 / stock->ticks[stage];

		ksft_print_msg("%s, stage %u: %lu ticks, stock %lu; %lu joined\n", check->name,
			       stage, module->ticks[stage], stock->ticks[stage],
			       module->joined[stage]);
		kn_expect_at(check, "per cent", per_cent <= MAX_TIME ? 0 : per_cent, 0, stage);
	}
	kn_expect_at(memory_check(), "KiB", module->grown <= NOISE ? 0 : module->grown, 0,
		     check - checks);
}

int main(int argc, char *argv[])
{
	struct cost stock, module;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_parameter_set("enable", "0");
	vm = create_vm(&vcpu);
	stock = measure(vm, vcpu);
	kn_parameter_set("enable", "1");
	if (!kn_engaged())
		kn_skip(memory_check(), "the module is not loaded");

	for (unsigned int i = 0; i < NR_SETTINGS; i++) {
		const struct setting *setting = &settings[i];

		checks[i].name = setting->name;
		if (!kn_engaged() || (i && !kn_shadowing())) {
			kn_skip(&checks[i], "the module shadows nothing");
			continue;
		}
		kn_set_learning(setting->learn, setting->fields, setting->review);
		module = measure(vm, vcpu);
		compare(&checks[i], &stock, &module);
	}
	*(bool *)addr_gva2hva(vm, (vm_vaddr_t)&last) = true;
	kn_run(vcpu);
	KN_SHADOW_COUNTED(vm, "shadow.joined", 100);
	KN_SHADOW_COUNTED(vm, "shadow.left", 100);
	KN_SHADOW_COUNTED(vm, "shadow.full", 100);
	kn_collect(vm);
	kvm_vm_free(vm);
	kn_report();
}
