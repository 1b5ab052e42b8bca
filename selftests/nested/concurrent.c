// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that two vCPUs of one VM and the vCPUs of two VMs, each an L1 with an L2 of its own, do
 * not disturb each other when they run at the same time.
 */
#include <pthread.h>

#include "counter.h"
#include "round.h"

#define NR_ROUNDS	600
#define NR_VMS		2
#define NR_VCPUS	2	/* each VM */

static struct kn_vcpu {
	struct kvm_vcpu *vcpu;
	struct kn_rounds *rounds;
	pthread_t thread;
} vcpus[NR_VMS][NR_VCPUS];

static pthread_barrier_t start;

static void *run(void *vcpu)
{
	pthread_barrier_wait(&start);
	kn_run(vcpu);
	return NULL;
}

static struct kvm_vm *create_vm(struct kn_vcpu *vcpu)
{
	struct kvm_vcpu *list[NR_VCPUS];
	struct kvm_vm *vm;

	vm = vm_create_with_vcpus(NR_VCPUS, kn_rounds_guest_code, list);
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		vcpu[i].vcpu = list[i];
		vcpu[i].rounds = kn_rounds_alloc(vm, list[i], NR_ROUNDS);
	}
	return vm;
}

int main(int argc, char *argv[])
{
	struct kn_check *rounds = KN_SITE("every vCPU made its rounds");
	struct kvm_vm *vms[NR_VMS];

	kn_begin();
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));

	pthread_barrier_init(&start, NULL, NR_VMS * NR_VCPUS);
	for (unsigned int i = 0; i < NR_VMS; i++)
		vms[i] = create_vm(vcpus[i]);
	for (unsigned int i = 0; i < NR_VMS; i++)
		for (unsigned int j = 0; j < NR_VCPUS; j++)
			pthread_create(&vcpus[i][j].thread, NULL, run, vcpus[i][j].vcpu);

	for (unsigned int i = 0; i < NR_VMS; i++) {
		for (unsigned int j = 0; j < NR_VCPUS; j++) {
			pthread_join(vcpus[i][j].thread, NULL);
			kn_expect_at(rounds, "rounds", vcpus[i][j].rounds->done, NR_ROUNDS,
				     i * NR_VCPUS + j);
		}
	}

	KN_COUNTED(vms[0], "vmread.TSC_OFFSET", 3 * NR_ROUNDS * NR_VCPUS);
	KN_COUNTED(vms[1], "vmwrite.TSC_OFFSET", NR_ROUNDS * NR_VCPUS);
	KN_COUNTED(vms[1], "exit.VMREAD.module", 3 * NR_ROUNDS * NR_VCPUS);
	KN_COUNTED(vms[0], "exit.VMWRITE.module", NR_ROUNDS * NR_VCPUS);
	KN_COUNTED(vms[0], "vcpu.adopted", NR_VCPUS);
	for (unsigned int i = 0; i < NR_VMS; i++) {
		kn_collect(vms[i]);
		kvm_vm_free(vms[i]);
	}
	kn_report();
}
