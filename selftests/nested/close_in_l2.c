// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that a VM can be closed while L2 runs, or its process killed, while L1 has a current VMCS
 * with unsaved fields, and in VMX operation without one; that nothing of it is left, and that the
 * next VM works.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "counter.h"
#include "l2.h"

enum {
	PORT_L2 = 0x2001,
};

enum {
	STAGE_NO_VMCS = 1,
	STAGE_DIRTY,
	STAGE_AFTER_EXIT,
	STAGE_L2,
};

#define DEBUGFS		"/sys/kernel/debug/kvm_nested"
#define NR_KILLED	5

static void l2_guest_code(void)
{
	asm volatile("vmcall");
	asm volatile("inb %%dx, %%al" : : "d" (PORT_L2) : "rax");
	asm volatile("vmcall");
}

static void l2_busy_code(void)
{
	for (;;)
		asm volatile("vmcall");
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs = {};

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_SYNC(STAGE_NO_VMCS);
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	GUEST_SYNC(STAGE_DIRTY);
	GUEST_ASSERT(kn_l2_launch(&gprs) == VM_SUCCEED);
	vmwrite(TSC_OFFSET, vmreadz(VM_EXIT_REASON));
	GUEST_SYNC(STAGE_AFTER_EXIT);
	GUEST_ASSERT(kn_l2_skip_and_resume(&gprs) == VM_SUCCEED);
	GUEST_DONE();
}

static void l1_busy_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs = {};
	bool launch = true;

	kn_l1_setup(vmx, l2_busy_code, &l2_stack[KN_L2_STACK_SIZE]);
	for (;;) {
		GUEST_ASSERT(kn_l2_enter(&gprs, launch) == VM_SUCCEED);
		vmwrite(TSC_OFFSET, vmreadz(TSC_OFFSET) + 1);
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
		launch = false;
	}
}

/* Returns a VM that has come to @stage. */
static struct kvm_vm *create_at(struct kn_check *check, struct kvm_vcpu **vcpu, uint64_t stage)
{
	struct kvm_vm *vm;

	vm = kn_vm_create(vcpu, l1_guest_code);
	for (uint64_t next = STAGE_NO_VMCS; next <= stage && next < STAGE_L2; next++)
		kn_expect(check, kn_run(*vcpu), next);
	if (stage == STAGE_L2) {
		kn_expect(check, __vcpu_run(*vcpu), 0);
		kn_expect(check, (*vcpu)->run->exit_reason, KVM_EXIT_IO);
		kn_expect(check, (*vcpu)->run->io.port, PORT_L2);
	}
	return vm;
}

static void close_at(struct kn_check *check, uint64_t stage)
{
	struct kvm_vcpu *vcpu;

	kvm_vm_free(create_at(check, &vcpu, stage));
}

/* Closes a VM and creates another one with the same memory in its place. */
static void close_vcpu(struct kn_check *check)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_at(check, &vcpu, STAGE_L2);
	kvm_vm_release(vm);
	vcpu = vm_recreate_with_one_vcpu(vm);
	kn_expect(check, vcpu->id, 0);
	kvm_vm_free(vm);
}

static void kill_busy(struct kn_check *check)
{
	for (unsigned int i = 0; i < NR_KILLED; i++) {
		int status, ready[2];
		char byte;
		pid_t pid;

		TEST_ASSERT(!pipe(ready), "pipe()");
		pid = fork();
		TEST_ASSERT(pid >= 0, "fork()");
		if (!pid) {
			struct kvm_vcpu *vcpu;

			kn_vm_create(&vcpu, l1_busy_code);
			TEST_ASSERT(write(ready[1], "", 1) == 1, "write()");
			__vcpu_run(vcpu);
			_exit(KSFT_FAIL);
		}
		TEST_ASSERT(read(ready[0], &byte, 1) == 1, "read()");
		usleep(10000 + 3000 * i);
		kill(pid, SIGKILL);
		TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid()");
		kn_expect_at(check, "killed", WIFSIGNALED(status), true, i);
		close(ready[0]);
		close(ready[1]);
	}
}

/* The folders that the module keeps for VMs of this process. */
static unsigned int count_folders(void)
{
	DIR *dir = opendir(DEBUGFS);
	unsigned int nr = 0;
	struct dirent *entry;
	int pid, fd;

	if (!dir)
		return ~0u;
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "%d-%d", &pid, &fd) == 2 && pid == getpid())
			nr++;
	closedir(dir);
	return nr;
}

static void check_next_vm(struct kn_check *check)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create_at(check, &vcpu, STAGE_L2);
	kn_run(vcpu);
	KN_COUNTED(vm, "vmwrite.TSC_OFFSET", 1);
	KN_COUNTED(vm, "vcpu.adopted", 1);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	struct kn_check *left = KN_SITE("the module keeps nothing of closed VMs");

	kn_begin();
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));

	close_at(KN_SITE("closed in VMX operation without a current VMCS"), STAGE_NO_VMCS);
	close_at(KN_SITE("closed with a VMCS never launched"), STAGE_DIRTY);
	close_at(KN_SITE("closed between two entries of L2"), STAGE_AFTER_EXIT);
	close_at(KN_SITE("closed in L2"), STAGE_L2);
	close_vcpu(KN_SITE("closed and opened again"));
	kill_busy(KN_SITE("killed in or around L2"));
	check_next_vm(KN_SITE("the next VM works"));

	if (kn_engaged())
		kn_expect(left, count_folders(), 0);
	else
		kn_skip(left, "the module is not loaded");
	kn_report();
}
