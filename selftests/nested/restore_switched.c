// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that a VM saved under the module can be restored without it and the other way round, in L1
 * between its VMWRITEs and its VM entry, and while L2 runs; and that the module can come and go
 * while L2 runs.
 *
 *   restore_switched [--module FILE]
 *
 * Without the module is enable=0, or with --module that it is removed, FILE being what to insert
 * again.
 */
#include <getopt.h>
#include <sys/syscall.h>

#include "learnt.h"
#include "shadow.h"

#define NR_WARM_UP	4
#define NR_TIMES	2	/* each of them */
#define SETTINGS	"shadow_learn=1 shadow_fields=150 shadow_review=1000000"

enum {
	STAGE_LEARNT = 1,
	STAGE_WRITTEN,
	STAGE_L2,
};

static const struct way {
	const char *name;
	bool before, after;	/* the module is there */
} ways[] = {
	{ "saved under the module, restored under it", true, true },
	{ "saved under the module, restored without it", true, false },
	{ "saved without the module, restored under it", false, true },
	{ "saved without the module, restored without it", false, false },
};

#define NR_WAYS	ARRAY_SIZE(ways)

static struct kn_check checks[NR_WAYS];
KN_GROUP(checks, NR_WAYS);

static volatile uint64_t way;
static volatile uint64_t turn;
static const char *file;

static void l2_guest_code(void)
{
	for (;;) {
		struct kn_check *check = &checks[way];

		kn_learnt_expect_in_l2(check, turn);
		wrmsr(MSR_IA32_SYSENTER_EIP, 0x1000 + turn);
		if (turn % (NR_WARM_UP + 1) == NR_WARM_UP) {
			GUEST_SYNC(STAGE_L2);
			kn_learnt_expect_in_l2(check, turn);
			kn_expect_at(check, "SYSENTER_EIP in L2", rdmsr(MSR_IA32_SYSENTER_EIP),
				     0x1000 + turn, turn);
		}
		asm volatile("vmcall" : : : "memory");
	}
}

static void run_l2(struct kn_check *check)
{
	static struct gpr64_regs gprs;
	uint64_t value = 0;

	kn_l2_expect_vmcall(check, &gprs, !turn, turn);
	kn_learnt_expect(check, turn);
	kn_vmread(GUEST_SYSENTER_EIP, &value);
	kn_expect_at(check, "GUEST_SYSENTER_EIP", value, 0x1000 + turn, turn);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_learnt_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (unsigned int i = 0; i < NR_TIMES * NR_WAYS; i++) {
		way = i % NR_WAYS;
		for (unsigned int j = 0; j < NR_WARM_UP; j++, turn++) {
			kn_learnt_write(turn);
			run_l2(&checks[way]);
		}
		GUEST_SYNC(STAGE_LEARNT);
		kn_learnt_write(turn);
		GUEST_SYNC(STAGE_WRITTEN);
		kn_learnt_expect(&checks[way], turn);
		run_l2(&checks[way]);
		turn++;
	}
	GUEST_DONE();
}

static bool is_inserted(void)
{
	return !access(KN_PARAMETERS, F_OK);
}

static int insert(void)
{
	int fd = open(file, O_RDONLY), r;

	TEST_ASSERT(fd >= 0, "open(%s)", file);
	r = syscall(SYS_finit_module, fd, SETTINGS, 0);
	close(fd);
	return r ? errno : 0;
}

/* The module comes or goes. */
static void be_there(bool there)
{
	struct kn_check *check = KN_SITE("the module comes and goes, also while L2 runs");

	if (!file) {
		kn_expect(check, kn_parameter_set("enable", there ? "1" : "0"), 0);
		return;
	}
	if (there == is_inserted())
		return;
	if (there) {
		kn_expect(check, insert(), 0);
		return;
	}
	kn_expect(check, kn_parameter_set("enable", "0"), 0);
	kn_expect(check, syscall(SYS_delete_module, "kvm_nested", O_NONBLOCK), 0);
}

static struct kvm_vcpu *restore(struct kvm_vm *vm, struct kvm_vcpu *vcpu, const struct way *w)
{
	struct kvm_x86_state *state;

	be_there(w->before);
	state = vcpu_save_state(vcpu);
	kvm_vm_release(vm);
	be_there(w->after);
	vcpu = vm_recreate_with_one_vcpu(vm);
	vcpu_load_state(vcpu, state);
	kvm_x86_state_cleanup(state);
	return vcpu;
}

static void parse_options(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "module", required_argument, NULL, 'm' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'm')
			exit(KSFT_FAIL);
		file = optarg;
	}
}

int main(int argc, char *argv[])
{
	struct kn_check *stages = KN_SITE("the guest comes to each stage");
	struct kn_check *open = KN_SITE("the shadow VMCS has what L1 writes");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	parse_options(argc, argv);
	kn_begin();
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_NESTED_STATE));
	kn_set_learning("1", "150", "1000000");
	kn_parameter_set("shadow", "1");
	be_there(true);
	for (unsigned int i = 0; i < NR_WAYS; i++)
		checks[i].name = ways[i].name;

	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < NR_TIMES * NR_WAYS; i++) {
		const struct way *w = &ways[i % NR_WAYS];

		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_LEARNT, i);
		if (kn_shadowing())
			kn_expect_at(open, "fields",
				     kn_counter(vm, "shadow.joined") >= KN_LEARNT_NR, true, i);
		else
			kn_skip(open, "the module shadows nothing");
		be_there(w->before);
		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_WRITTEN, i);
		vcpu = restore(vm, vcpu, w);
		kn_expect_at(stages, "stage", kn_run(vcpu), STAGE_L2, i);
		vcpu = restore(vm, vcpu, w);
		/* Back while L2 runs. */
		be_there(true);
	}
	kn_run(vcpu);
	kn_finish(vm);
}
