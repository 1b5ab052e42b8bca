// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that an L2 on two vCPUs runs on and on with the same results, whatever is done to the
 * module meanwhile.
 *
 *   attach_loop [--rounds N | --until FILE]
 *
 * Ends after 1000 rounds of each vCPU, or N, or when FILE exists. To insert and remove the module
 * meanwhile, start it in the background with --until, do that, create FILE and wait.
 */
#include <getopt.h>
#include <pthread.h>

#include "counter.h"
#include "round.h"

#define NR_VCPUS	2

static void *run(void *vcpu)
{
	kn_run(vcpu);
	return NULL;
}

static void parse_options(int argc, char *argv[], uint64_t *limit, const char **until)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "until", required_argument, NULL, 'u' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			*limit = strtoull(optarg, NULL, 0);
			break;
		case 'u':
			*until = optarg;
			*limit = ~0ull;
			break;
		default:
			exit(KSFT_FAIL);
		}
	}
}

int main(int argc, char *argv[])
{
	struct kn_rounds *rounds[NR_VCPUS];
	struct kvm_vcpu *vcpus[NR_VCPUS];
	pthread_t threads[NR_VCPUS];
	const char *until = NULL;
	uint64_t limit = 1000;
	struct kvm_vm *vm;

	parse_options(argc, argv, &limit, &until);
	kn_begin();
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));

	vm = vm_create_with_vcpus(NR_VCPUS, kn_rounds_guest_code, vcpus);
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		rounds[i] = kn_rounds_alloc(vm, vcpus[i], limit);
		pthread_create(&threads[i], NULL, run, vcpus[i]);
	}
	if (until) {
		while (access(until, F_OK))
			usleep(10000);
		for (unsigned int i = 0; i < NR_VCPUS; i++)
			rounds[i]->stop = true;
	}
	for (unsigned int i = 0; i < NR_VCPUS; i++) {
		pthread_join(threads[i], NULL);
		ksft_print_msg("vCPU %u: %lu rounds\n", i, rounds[i]->done);
		KN_CHECK("both vCPUs made rounds to the end", until ? rounds[i]->done > 0 :
			 rounds[i]->done == limit);
	}

	kn_finish(vm);
}
