// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that nothing is lost of what L1 wrote without a trap, and of what L2 does, when a system
 * management interrupt comes between two instructions of L1 and while L2 runs, and in system
 * management mode the VM is saved and restored or the module is switched.
 */
#include "learnt.h"
#include "shadow.h"

#define NR_WARM_UP	4

#define SMRAM_GPA	0x1000000
#define SMRAM_SLOT	0x10001	/* in the address space of SMM */
#define SMRAM_PAGES	16
#define SMRAM_ENTRY	0x8000
#define PORT_SMM	0x0e

/* The same in every mode: IN from PORT_SMM, RSM. */
static const uint8_t smi_handler[] = { 0xe4, PORT_SMM, 0x0f, 0xaa };

enum {
	STAGE_LEARNT = 1,
	STAGE_WRITTEN,
	STAGE_L2,
};

enum action {
	NOTHING,
	SWITCH,
	SWITCH_SHADOW,
	SWITCH_OFF,
	SAVE,
	RESTORE,
	NR_ACTIONS,
};

static const char * const names[NR_ACTIONS] = {
	[NOTHING] = "nothing is lost by an SMI",
	[SWITCH] = "nothing is lost when the module is switched off and on in SMM",
	[SWITCH_SHADOW] = "nothing is lost when learning is switched off and on in SMM",
	[SWITCH_OFF] = "nothing is lost when the module is switched off in SMM",
	[SAVE] = "nothing is lost when the VM is saved in SMM",
	[RESTORE] = "nothing is lost when the VM is restored in SMM",
};

static struct kn_check checks[NR_ACTIONS];
KN_GROUP(checks, NR_ACTIONS);

static volatile uint64_t action;
static volatile uint64_t turn;

static void l2_guest_code(void)
{
	for (;;) {
		struct kn_check *check = &checks[action];

		kn_learnt_expect_in_l2(check, turn);
		if (turn % (NR_WARM_UP + 1) == NR_WARM_UP) {
			wrmsr(MSR_IA32_SYSENTER_EIP, 0x1000 + turn);
			GUEST_SYNC(STAGE_L2);
			kn_expect_at(check, "L2's SYSENTER_EIP", rdmsr(MSR_IA32_SYSENTER_EIP),
				     0x1000 + turn, turn);
			kn_learnt_expect_in_l2(check, turn);
		}
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(struct kn_check *check)
{
	static struct gpr64_regs gprs;

	kn_l2_expect_vmcall(check, &gprs, !turn, turn);
	kn_learnt_expect(check, turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_learnt_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (; action < NR_ACTIONS; action++) {
		struct kn_check *check = &checks[action];

		for (unsigned int i = 0; i < NR_WARM_UP; i++, turn++) {
			kn_learnt_write(turn);
			run_l2(check);
		}
		GUEST_SYNC(STAGE_LEARNT);
		kn_learnt_write(turn);
		GUEST_SYNC(STAGE_WRITTEN);
		kn_learnt_expect(check, turn);
		run_l2(check);
		turn++;
	}
	GUEST_DONE();
}

static void send_smi(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_events events;

	vcpu_events_get(vcpu, &events);
	events.smi.pending = 1;
	events.flags |= KVM_VCPUEVENT_VALID_SMM;
	vcpu_events_set(vcpu, &events);
}

static struct kvm_vcpu *act(struct kvm_vm *vm, struct kvm_vcpu *vcpu, enum action what)
{
	struct kn_check *check = KN_SITE("the module can be switched in SMM");
	struct kvm_x86_state *state;

	switch (what) {
	case SWITCH:
		kn_expect(check, kn_parameter_set("enable", "0"), 0);
		kn_expect(check, kn_parameter_set("enable", "1"), 0);
		break;
	case SWITCH_SHADOW:
		kn_expect(check, kn_parameter_set("shadow", "0"), 0);
		kn_expect(check, kn_parameter_set("shadow", "1"), 0);
		break;
	case SWITCH_OFF:
		kn_expect(check, kn_parameter_set("enable", "0"), 0);
		break;
	case SAVE:
	case RESTORE:
		state = vcpu_save_state(vcpu);
		if (what == RESTORE) {
			kvm_vm_release(vm);
			vcpu = vm_recreate_with_one_vcpu(vm);
			vcpu_load_state(vcpu, state);
		}
		kvm_x86_state_cleanup(state);
		break;
	default:
		break;
	}
	return vcpu;
}

/* An SMI now, and what happens in its handler. */
static struct kvm_vcpu *interrupt(struct kvm_vm *vm, struct kvm_vcpu *vcpu, enum action what)
{
	struct kn_check *check = KN_SITE("the SMI is handled");

	send_smi(vcpu);
	kn_expect_at(check, "KVM_RUN", __vcpu_run(vcpu), 0, what);
	kn_expect_at(check, "exit", vcpu->run->exit_reason, KVM_EXIT_IO, what);
	kn_expect_at(check, "port", vcpu->run->io.port, PORT_SMM, what);
	return act(vm, vcpu, what);
}

static void create_smram(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, SMRAM_GPA, SMRAM_SLOT, SMRAM_PAGES,
				    0);
	memcpy(addr_gpa2hva(vm, SMRAM_GPA) + SMRAM_ENTRY, smi_handler, sizeof(smi_handler));
	vcpu_set_msr(vcpu, MSR_IA32_SMBASE, SMRAM_GPA);
}

int main(int argc, char *argv[])
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kn_check *trapped = KN_SITE("what L1 writes before each SMI does not trap");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t traps;

	kn_begin();
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_NESTED_STATE));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_SMM));
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");

	vm = kn_vm_create(&vcpu, l1_guest_code);
	create_smram(vm, vcpu);
	for (unsigned int i = 0; i < NR_ACTIONS; i++) {
		checks[i].name = names[i];
		kn_parameter_set("enable", "1");
		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, i);
		traps = kn_traps(vm, kn_learnt_fields, KN_LEARNT_NR);
		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_WRITTEN, i);
		if (kn_shadowing())
			kn_expect_at(trapped, "traps",
				     kn_traps(vm, kn_learnt_fields, KN_LEARNT_NR) - traps, 0, i);
		else
			kn_skip(trapped, "the module shadows nothing");
		vcpu = interrupt(vm, vcpu, i);
		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_L2, i);
		vcpu = interrupt(vm, vcpu, i);
	}
	kn_run(vcpu);
	KN_SHADOW_COUNTED(vm, "shadow.joined", KN_LEARNT_NR);
	kn_finish(vm);
}
