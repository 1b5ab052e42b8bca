// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L1 that goes to and fro between VMCSs, more of them than the module keeps, finds
 * in each what it has put there, and in its memory what was there when it left it: also when L1
 * itself, or user space, writes to that memory, when it is no VMCS any more, when the VM is saved
 * and restored, and when the module is switched.
 */
#include "field.h"
#include "l2.h"
#include "shadow.h"

#define NR_VMCSS	11
#define NR_STEPS	400
#define NR_STAGES	8

/* What L1 writes, without an effect on L2 but for the last one, which L2 sees. */
static const uint32_t fields[] = {
	TSC_OFFSET, IO_BITMAP_A, VM_ENTRY_MSR_LOAD_ADDR, GUEST_LDTR_BASE, HOST_FS_SELECTOR,
	VM_ENTRY_EXCEPTION_ERROR_CODE, GUEST_SYSENTER_ESP,
};

#define NR_FIELDS	ARRAY_SIZE(fields)

static struct vmcs {
	uint8_t *region;
	uint64_t gpa;
	uint64_t model[NR_FIELDS];
	uint64_t stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs;
	bool launched;
} vmcss[NR_VMCSS];

static struct vmcs *current_vmcs;
static volatile uint64_t expected_esp;
static uint64_t dice = 1;

static unsigned int roll(unsigned int n)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (dice >> 33) % n;
}

static uint64_t pattern(unsigned int i, uint64_t seed)
{
	/* Nothing but zero is a selector that a VM entry takes for sure; 15 bits fit all others. */
	if (fields[i] == HOST_FS_SELECTOR)
		return 0;
	return ((i + 1) * 0x9e3779b9 + seed * 0x10201) & 0x7fff;
}

static void l2_guest_code(void)
{
	for (;;) {
		KN_CHECK_EQ("L2 sees the state of its VMCS", rdmsr(MSR_IA32_SYSENTER_ESP),
			    expected_esp);
		asm volatile("vmcall" : : : "memory");
	}
}

static void write_fields(struct vmcs *vmcs, uint64_t seed)
{
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		if (roll(3) && seed)
			continue;
		vmcs->model[i] = pattern(i, seed);
		vmwrite(fields[i], vmcs->model[i]);
	}
}

static void expect_fields(struct vmcs *vmcs, uint64_t at)
{
	struct kn_check *check = KN_SITE("each VMCS has what is its own");
	uint64_t value = 0;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[i], &value), VM_SUCCEED, fields[i]);
		kn_expect_at(check, "value", value, vmcs->model[i], at << 16 | fields[i]);
	}
}

static void expect_memory(struct vmcs *vmcs, uint64_t at)
{
	struct kn_check *check = KN_SITE("the memory of a VMCS that L1 has left is up to date");

	for (unsigned int i = 0; i < NR_FIELDS; i++)
		kn_expect_at(check, "value", kn_region_read(vmcs->region, fields[i]),
			     vmcs->model[i], at << 16 | fields[i]);
}

/* What L1 must not do, and KVM has always let it. */
static void edit_memory(struct vmcs *vmcs, uint64_t seed)
{
	unsigned int i = roll(NR_FIELDS);

	vmcs->model[i] = pattern(i, seed);
	kn_region_write(vmcs->region, fields[i], vmcs->model[i]);
}

static void load(struct vmcs *vmcs)
{
	struct vmcs *before = current_vmcs;

	KN_CHECK_EQ("VMPTRLD succeeds", kn_vmptrld(vmcs->gpa), VM_SUCCEED);
	if (before && before != vmcs)
		expect_memory(before, 0);
	current_vmcs = vmcs;
}

static void clear(struct vmcs *vmcs)
{
	KN_CHECK_EQ("VMCLEAR succeeds", kn_vmclear(vmcs->gpa), VM_SUCCEED);
	expect_memory(vmcs, 1);
	vmcs->launched = false;
	if (vmcs == current_vmcs)
		current_vmcs = NULL;
}

static void run_l2(struct vmcs *vmcs)
{
	struct kn_check *check = KN_SITE("L2 runs in each VMCS");

	expected_esp = vmcs->model[NR_FIELDS - 1];
	kn_l2_expect_vmcall(check, &vmcs->gprs, !vmcs->launched, 0);
	vmcs->launched = true;
}

/* A region whose header has been changed meanwhile is refused, and nothing else happens. */
static void expect_refused(struct vmcs *vmcs)
{
	uint32_t *header = (uint32_t *)vmcs->region, kept = *header;
	struct vmcs *before = current_vmcs;

	if (vmcs == before)
		return;
	*header ^= 1 << roll(31);
	if (before)
		KN_CHECK_ERROR("VMPTRLD of what is no VMCS any more: error 11",
			       kn_vmptrld(vmcs->gpa), ERR_VMPTRLD_REVISION);
	else
		KN_CHECK_EQ("VMPTRLD of no VMCS, without a current one: VMfailInvalid",
			    kn_vmptrld(vmcs->gpa), VM_FAIL_INVALID);
	*header = kept;
	if (before)
		expect_fields(before, 2);
}

static void step(uint64_t number)
{
	struct vmcs *vmcs = &vmcss[roll(4) ? roll(3) : roll(NR_VMCSS)];

	switch (roll(8)) {
	case 0:
		clear(vmcs);
		break;
	case 1:
		if (vmcs != current_vmcs)
			edit_memory(vmcs, number);
		break;
	case 2:
		expect_refused(vmcs);
		break;
	default:
		load(vmcs);
		expect_fields(vmcs, number);
		if (roll(2))
			write_fields(vmcs, number);
		if (roll(2))
			run_l2(vmcs);
		expect_fields(vmcs, number);
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	/* The header, and what kn_l1_setup() has made of the first one, for all of them. */
	kn_l1_setup(vmx, l2_guest_code, &vmcss[0].stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	vmcss[0].region = vmx->vmcs;
	vmcss[0].gpa = vmx->vmcs_gpa;
	GUEST_ASSERT(kn_vmclear(vmx->vmcs_gpa) == VM_SUCCEED);
	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		if (i)
			memcpy(vmcss[i].region, vmx->vmcs, 4096);
		GUEST_ASSERT(kn_vmptrld(vmcss[i].gpa) == VM_SUCCEED);
		vmwrite(GUEST_RSP, (uint64_t)&vmcss[i].stack[KN_L2_STACK_SIZE]);
		write_fields(&vmcss[i], 0);
		current_vmcs = &vmcss[i];
	}

	for (unsigned int stage = 1; stage <= NR_STAGES; stage++) {
		for (unsigned int i = 0; i < NR_STEPS / NR_STAGES; i++)
			step(stage << 8 | i);
		GUEST_SYNC(stage);
		/* User space has written to the memory of the second one, if it is not current. */
		if (stage == 1 && current_vmcs != &vmcss[1])
			vmcss[1].model[0] = 0x123;
	}
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_set_learning("1", "64", "16");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 1; i < NR_VMCSS; i++)
		vmcss[i].region = kn_alloc_page(vm, &vmcss[i].gpa);
	sync_global_to_guest(vm, vmcss);

	for (unsigned int stage = 1; stage <= NR_STAGES; stage++) {
		kn_expect_at(stages, "stage", kn_run(vcpu), stage, stage);
		if (stage == 1) {
			sync_global_from_guest(vm, current_vmcs);
			if (current_vmcs != &vmcss[1])
				kn_region_write(addr_gpa2hva(vm, vmcss[1].gpa), fields[0], 0x123);
			KN_SHADOW_COUNTED(vm, "vmptr.kept", 10);
			KN_SHADOW_COUNTED(vm, "vmptr.new", NR_VMCSS - 1);
			KN_SHADOW_COUNTED(vm, "shadow.own", 2);
		}
		if (stage == 2 || stage == 5)
			vcpu = kn_restore(vm, vcpu);
		kn_expect_at(stages, "vmptr",
			     kn_parameter_set("vmptr", stage == 3 || stage == 6 ? "0" : "1"), 0,
			     stage);
		kn_expect_at(stages, "enable", kn_parameter_set("enable", stage == 4 ? "0" : "1"),
			     0, stage);
	}
	kn_run(vcpu);
	kn_finish(vm);
}
