// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that a VM entry uses the pages of L1 that VMCS12 refers to as they are now, whatever
 * happened to the VM's memory since the last one; and that nobody keeps them.
 *
 * L1's MSR bitmap decides whether L2's RDMSR exits, and L2's TPR goes to L1's virtual-APIC page.
 */
#define _GNU_SOURCE /* for memfd_create() */
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/compiler.h>

#include "counter.h"
#include "l2.h"
#include "shadow.h"

#define NR_ROUNDS	16

/* A memslot of its own, which needs no place in L1's page tables. */
#define SLOT		7
#define SLOT_GPA	0x100000000ull
/* Apart, so that whoever tells them by the lower bits of their numbers takes one for the other. */
#define BITMAP		0
#define VIRTUAL_APIC	(64 * PAGE_SIZE)
#define SLOT_SIZE	(65 * PAGE_SIZE)

/* "Read bitmap for high MSRs"; and the task priority in a virtual-APIC page. */
#define FS_BASE_BYTE	(0x400 + (MSR_FS_BASE & 0x1fff) / 8)
#define FS_BASE_BIT	BIT(MSR_FS_BASE % 8)
#define VTPR		0x80

enum {
	STAGE_DIRECT = 1,
	STAGE_EXITED,
};

static uint64_t turn;	/* of L2, modulo 16 its TPR */
static uint64_t done;

/* The memory that the memslot refers to. */
static uint8_t *memory;

static void l2_guest_code(void)
{
	for (;;) {
		rdmsr(MSR_FS_BASE);
		asm volatile("mov %0, %%cr8" : : "r" (turn % 16));
		vmcall();
	}
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	struct kn_check *check = KN_SITE("L2 exits as it should");
	uint64_t l2_stack[KN_L2_STACK_SIZE];
	struct gpr64_regs gprs = {};

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmreadz(CPU_BASED_VM_EXEC_CONTROL) |
					   CPU_BASED_USE_MSR_BITMAPS | CPU_BASED_TPR_SHADOW);
	vmwrite(MSR_BITMAP, SLOT_GPA + BITMAP);
	vmwrite(VIRTUAL_APIC_PAGE_ADDR, SLOT_GPA + VIRTUAL_APIC);
	vmwrite(TPR_THRESHOLD, 0);

	for (turn = 1; !READ_ONCE(done); turn++) {
		bool exited = false;

		kn_expect_at(check, "VM entry", kn_l2_enter(&gprs, turn == 1), VM_SUCCEED, turn);
		if (vmreadz(VM_EXIT_REASON) == EXIT_REASON_MSR_READ) {
			exited = true;
			kn_expect_at(check, "VM entry", kn_l2_skip_and_resume(&gprs), VM_SUCCEED,
				     turn);
		}
		kn_expect_at(check, "reason", vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL, turn);
		vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + vmreadz(VM_EXIT_INSTRUCTION_LEN));
		GUEST_SYNC(exited ? STAGE_EXITED : STAGE_DIRECT);
	}
	GUEST_DONE();
}

static void set_slot(struct kvm_vm *vm, void *hva, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void *map(void *where, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *hva;

	if (where)
		flags |= MAP_FIXED;
	hva = mmap(where, SLOT_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	TEST_ASSERT(hva != MAP_FAILED, "mmap of the memslot");
	return hva;
}

/* One turn of L2, with the bitmap as @exits says; the TPR of the turn before was another. */
static void expect_turn(struct kn_check *check, struct kvm_vcpu *vcpu, bool exits)
{
	memory[BITMAP + FS_BASE_BYTE] = exits ? FS_BASE_BIT : 0;
	memory[VIRTUAL_APIC + VTPR] = 0;
	kn_expect_at(check, "exit", kn_run(vcpu), exits ? STAGE_EXITED : STAGE_DIRECT, exits);
	sync_global_from_guest(vcpu->vm, turn);
	kn_expect_at(check, "TPR", memory[VIRTUAL_APIC + VTPR] >> 4, turn % 16, turn);
}

/* What has been remembered is no longer so: with other bits than before, both ways. */
static void expect_new(struct kn_check *check, struct kvm_vcpu *vcpu)
{
	expect_turn(check, vcpu, true);
	expect_turn(check, vcpu, false);
	expect_turn(check, vcpu, true);
	expect_turn(check, vcpu, false);
}

/* A child shares all pages, so that writing to one makes a copy. */
static pid_t share_pages(int *wake)
{
	int pipes[2];
	pid_t child;
	char byte;

	TEST_ASSERT(!pipe(pipes), "pipe");
	child = fork();
	TEST_ASSERT(child >= 0, "fork");
	if (!child) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1));
	}
	close(pipes[0]);
	*wake = pipes[1];
	return child;
}

static void check_fork(struct kvm_vcpu *vcpu)
{
	pid_t child;
	int wake;

	child = share_pages(&wake);
	expect_new(KN_SITE("pages copied on a write after fork"), vcpu);
	close(wake);
	waitpid(child, NULL, 0);
}

/* A page of a file can't be sealed while somebody has a reference to it. */
static void check_references(struct kvm_vcpu *vcpu)
{
	int fd = memfd_create("pages", MFD_ALLOW_SEALING);

	TEST_ASSERT(fd >= 0 && !ftruncate(fd, SLOT_SIZE), "memfd");
	map(memory, fd);
	expect_new(KN_SITE("pages of a file"), vcpu);
	map(memory, -1);
	KN_CHECK_EQ("no reference is left to pages that are gone",
		    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close(fd);
	expect_new(KN_SITE("pages after those of a file"), vcpu);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	kn_begin();
	kn_parameter_set("pages", "1");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	memory = map(NULL, -1);
	set_slot(vm, memory, SLOT_SIZE);

	for (int i = 0; i < NR_ROUNDS; i++)
		expect_turn(KN_SITE("pages that stay"), vcpu, i % 3 == 0);
	KN_COUNTED(vm, "pages.kept", 2 * (NR_ROUNDS - 1));

	madvise(memory, SLOT_SIZE, MADV_DONTNEED);
	expect_new(KN_SITE("pages that were thrown away"), vcpu);

	map(memory, -1);
	expect_new(KN_SITE("other memory at the same address"), vcpu);

	check_fork(vcpu);
	check_references(vcpu);

	set_slot(vm, memory, 0);
	memory = map(NULL, -1);
	set_slot(vm, memory, SLOT_SIZE);
	expect_new(KN_SITE("a memslot with memory elsewhere"), vcpu);
	KN_COUNTED(vm, "pages.stale", 6 * 2);

	kn_parameter_set("pages", "0");
	expect_new(KN_SITE("the parameter pages is 0"), vcpu);
	KN_COUNTED(vm, "pages.off", 4);
	kn_parameter_set("pages", "1");
	expect_new(KN_SITE("the parameter pages is 1 again"), vcpu);

	done = true;
	sync_global_to_guest(vm, done);
	kn_run(vcpu);
	kn_finish(vm);
}
