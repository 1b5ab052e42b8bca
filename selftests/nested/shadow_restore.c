// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that nothing is lost of what L1 wrote without a trap, and of what L2 does, when the VM is
 * saved, restored in a new VM or in place, when its thread moves to another CPU, and when the
 * module is switched off and on: between two instructions of L1, in L2, and at any time.
 */
#define _GNU_SOURCE /* sched_setaffinity() */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "learnt.h"
#include "shadow.h"

#define NR_WARM_UP	4
#define NR_ROUNDS	600	/* while everything happens at any time */

enum {
	STAGE_LEARNT = 1,
	STAGE_WRITTEN,
	STAGE_L2,
	STAGE_LAST,
	STAGE_END,
};

enum action {
	NOTHING,
	SAVE,
	RESTORE,
	RESTORE_IN_PLACE,
	MOVE,
	SWITCH,
	SWITCH_SHADOW,
	SWITCH_OFF,
	NR_ACTIONS,
};

static const char * const names[NR_ACTIONS] = {
	[NOTHING] = "nothing is lost when nothing happens",
	[SAVE] = "nothing is lost when the VM is saved",
	[RESTORE] = "nothing is lost when the VM is restored in a new one",
	[RESTORE_IN_PLACE] = "nothing is lost when the VM is restored in itself",
	[MOVE] = "nothing is lost when the thread moves to another CPU",
	[SWITCH] = "nothing is lost when the module is switched off and on",
	[SWITCH_SHADOW] = "nothing is lost when learning is switched off and on",
	[SWITCH_OFF] = "nothing is lost when the module is switched off",
};

static struct kn_check checks[NR_ACTIONS];
KN_GROUP(checks, NR_ACTIONS);

static volatile enum action action;
static volatile uint64_t turn;
static struct gpr64_regs gprs;

/* SYSENTER_EIP is what L2 itself changes, and L1 only reads. */
static void l2_guest_code(void)
{
	uint64_t eip = 0;

	while (action < NR_ACTIONS) {
		struct kn_check *check = &checks[action];

		kn_learnt_expect_in_l2(check, turn);
		if (eip)
			kn_expect_at(check, "L2's SYSENTER_EIP", rdmsr(MSR_IA32_SYSENTER_EIP), eip,
				     turn);
		eip = 0x1000 + turn;
		wrmsr(MSR_IA32_SYSENTER_EIP, eip);
		if (turn % (NR_WARM_UP + 1) == NR_WARM_UP) {
			GUEST_SYNC(STAGE_L2);
			kn_learnt_expect_in_l2(check, turn);
		}
		asm volatile("vmcall" : : : "memory");
	}
	for (;;) {
		kn_learnt_expect_in_l2(KN_SITE("L2's state is right at any time"), turn);
		wrmsr(MSR_IA32_SYSENTER_EIP, 0x1000 + turn);
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(struct kn_check *check)
{
	uint64_t value = 0;

	kn_l2_expect_vmcall(check, &gprs, !turn, turn);
	kn_learnt_expect(check, turn);
	kn_vmread(GUEST_SYSENTER_EIP, &value);
	kn_expect_at(check, "GUEST_SYSENTER_EIP", value, 0x1000 + turn, turn);
}

static void check_action(struct kn_check *check)
{
	for (unsigned int i = 0; i < NR_WARM_UP; i++) {
		kn_learnt_write(turn);
		kn_learnt_expect(check, turn);
		run_l2(check);
		turn++;
	}
	GUEST_SYNC(STAGE_LEARNT);
	kn_learnt_write(turn);
	GUEST_SYNC(STAGE_WRITTEN);
	kn_learnt_expect(check, turn);
	run_l2(check);
	turn++;
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	struct kn_check *any = KN_SITE("L1 reads the right values at any time");
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_learnt_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (; action < NR_ACTIONS; action++)
		check_action(&checks[action]);

	GUEST_SYNC(STAGE_LAST);
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		kn_learnt_write(turn);
		kn_learnt_expect(any, turn);
		run_l2(any);
		turn++;
	}
	GUEST_SYNC(STAGE_END);
	GUEST_DONE();
}

/* Moves @thread to the CPU next to the one it was sent to last. */
static void move(pid_t thread)
{
	static unsigned int cpu;
	cpu_set_t set;

	cpu = (cpu + 1) % sysconf(_SC_NPROCESSORS_ONLN);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	TEST_ASSERT(!sched_setaffinity(thread, sizeof(set), &set), "sched_setaffinity()");
}

static struct kvm_vcpu *save(struct kvm_vm *vm, struct kvm_vcpu *vcpu, enum action how)
{
	struct kvm_x86_state *state = vcpu_save_state(vcpu);

	if (how == RESTORE) {
		kvm_vm_release(vm);
		vcpu = vm_recreate_with_one_vcpu(vm);
		vcpu_load_state(vcpu, state);
	} else if (how == RESTORE_IN_PLACE) {
		/* The VMX capabilities among the MSRs are fixed in VMX operation. */
		vcpu_nested_state_set(vcpu, &state->nested);
		vcpu_sregs_set(vcpu, &state->sregs);
		vcpu_regs_set(vcpu, &state->regs);
	}
	kvm_x86_state_cleanup(state);
	return vcpu;
}

/* Returns the vCPU to use then. */
static struct kvm_vcpu *act(struct kvm_vm *vm, struct kvm_vcpu *vcpu, enum action what)
{
	struct kn_check *check = KN_SITE("the module can be switched at each stage");

	switch (what) {
	case SAVE:
	case RESTORE:
	case RESTORE_IN_PLACE:
		return save(vm, vcpu, what);
	case MOVE:
		move(0);
		break;
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
	default:
		break;
	}
	return vcpu;
}

static struct kvm_vcpu *run_action(struct kvm_vm *vm, struct kvm_vcpu *vcpu, enum action what)
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kn_check *trapped = KN_SITE("what L1 writes before each of it does not trap");
	struct kn_check *open = KN_SITE("the shadow VMCS has what L1 writes");
	uint64_t traps, joined;

	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, what);
	traps = kn_traps(vm, kn_learnt_fields, KN_LEARNT_NR);
	joined = kn_counter(vm, "shadow.joined");
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_WRITTEN, what);
	if (kn_shadowing()) {
		kn_expect_at(trapped, "traps",
			     kn_traps(vm, kn_learnt_fields, KN_LEARNT_NR) - traps, 0, what);
		kn_expect_at(open, "fields", joined >= KN_LEARNT_NR, true, what);
	} else {
		kn_skip(trapped, "the module shadows nothing");
		kn_skip(open, "the module shadows nothing");
	}

	vcpu = act(vm, vcpu, what);
	kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_L2, what);
	return act(vm, vcpu, what);
}

static bool stop;
static pid_t vcpu_thread;

static void *act_all_the_time(void *unused)
{
	static const char * const names[] = { "enable", "shadow" };
	unsigned int i;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		struct kn_check *check = KN_SITE("the module can be switched at any time");
		const char *name = names[i % ARRAY_SIZE(names)];

		move(vcpu_thread);
		usleep(200 * (i % 5));
		kn_expect_at(check, name, kn_parameter_set(name, "0"), 0, i);
		move(vcpu_thread);
		kn_expect_at(check, name, kn_parameter_set(name, "1"), 0, i);
		usleep(1000 * (i % 3));
	}
	ksft_print_msg("switched %u times\n", i);
	return NULL;
}

static void run_last(struct kvm_vcpu *vcpu)
{
	pthread_t thread;

	vcpu_thread = syscall(SYS_gettid);
	pthread_create(&thread, NULL, act_all_the_time, NULL);
	KN_CHECK_EQ("the guest makes its rounds at any time", kn_run(vcpu), STAGE_END);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_NESTED_STATE));
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow", "1");
	kn_parameter_set("enable", "1");

	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_ACTIONS; i++) {
		checks[i].name = names[i];
		vcpu = run_action(vm, vcpu, i);
	}
	/* The last of the actions has left the module off. */
	kn_parameter_set("enable", "1");
	KN_CHECK_EQ("the guest comes to the last stage", kn_run(vcpu), STAGE_LAST);
	run_last(vcpu);

	KN_SHADOW_COUNTED(vm, "vcpu.adopted", 5);
	KN_SHADOW_COUNTED(vm, "vcpu.released", 5);
	KN_SHADOW_COUNTED(vm, "shadow.joined", 2 * KN_LEARNT_NR);
	kn_run(vcpu);
	kn_finish(vm);
}
