// SPDX-License-Identifier: GPL-2.0-only
/*
 * modes: a VM that computes a checksum in real mode, in 32-bit protected mode and in 64-bit mode,
 * and goes from one to the next by itself.
 *
 * Each round continues with what the one before it has computed. The sums of the last one are
 * printed; build works out what they have to be.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "modes.h"

#define ROUNDS		4
#define MEMORY_SIZE	0x40000

/* Where KVM keeps what it needs to run real mode on a processor that can't. */
#define IDENTITY_MAP	0xfffbc000ul
#define TSS		0xfffbd000ul

#define PTE_PRESENT	1
#define PTE_WRITE	2
#define PTE_LARGE	0x80

extern const char guest_code[], guest_code_end[];

static int call(int fd, unsigned long request, unsigned long arg, const char *name)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0) {
		perror(name);
		exit(1);
	}
	return ret;
}

#define CALL(fd, request, arg)	call(fd, request, (unsigned long)(arg), #request)

static void fill(char *memory)
{
	uint64_t *pml4 = (uint64_t *)(memory + PML4);
	uint64_t *pdpt = (uint64_t *)(memory + PDPT);
	uint32_t *data = (uint32_t *)(memory + DATA);
	uint64_t *pd = (uint64_t *)(memory + PD);
	uint32_t value = 1;
	size_t i;

	memcpy(memory + CODE, guest_code, guest_code_end - guest_code);
	pml4[0] = PDPT | PTE_PRESENT | PTE_WRITE;
	pdpt[0] = PD | PTE_PRESENT | PTE_WRITE;
	pd[0] = PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	for (i = 0; i < DATA_SIZE / sizeof(*data); i++) {
		value = value * 1664525 + 1013904223;
		data[i] = value;
	}
}

static void run(int vcpu, const struct kvm_run *state, uint32_t *result)
{
	for (;;) {
		CALL(vcpu, KVM_RUN, 0);
		if (state->exit_reason == KVM_EXIT_HLT)
			return;
		if (state->exit_reason != KVM_EXIT_IO || state->io.port >= RESULTS) {
			fprintf(stderr, "modes: exit %u\n", state->exit_reason);
			exit(1);
		}
		memcpy(&result[state->io.port], (char *)state + state->io.data_offset,
		       sizeof(*result));
	}
}

int main(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	uint64_t identity_map = IDENTITY_MAP;
	uint32_t result[RESULTS] = { 0 };
	struct kvm_sregs sregs;
	struct kvm_cpuid2 *cpuid;
	struct kvm_run *state;
	int kvm, vm, vcpu, i;
	char *memory;

	kvm = open("/dev/kvm", O_RDWR);
	vm = CALL(kvm, KVM_CREATE_VM, 0);
	CALL(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	CALL(vm, KVM_SET_TSS_ADDR, TSS);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	region.userspace_addr = (uintptr_t)memory;
	CALL(vm, KVM_SET_USER_MEMORY_REGION, &region);
	fill(memory);

	vcpu = CALL(vm, KVM_CREATE_VCPU, 0);
	cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));
	cpuid->nent = 256;
	CALL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
	CALL(vcpu, KVM_SET_CPUID2, cpuid);
	state = mmap(NULL, CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		     MAP_SHARED, vcpu, 0);
	CALL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;

	for (i = 0; i < ROUNDS; i++) {
		struct kvm_regs regs = { .rip = CODE, .rdi = result[LONG_LOW], .rflags = 2 };

		CALL(vcpu, KVM_SET_SREGS, &sregs);
		CALL(vcpu, KVM_SET_REGS, &regs);
		run(vcpu, state, result);
	}
	printf("real: %08x\nprotected: %08x\nlong: %08x%08x\n", result[REAL], result[PROTECTED],
	       result[LONG_HIGH], result[LONG_LOW]);
	return 0;
}
