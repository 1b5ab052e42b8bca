// SPDX-License-Identifier: GPL-2.0-only
/*
 * knbench [--trace] [--mark] METRIC...: measure what nested VMX costs.
 *
 * For each METRIC, in the order given, print one line "METRIC ticks exits mean", all of it for one
 * unit: TSC ticks (instructions, on the emulated host) of an undisturbed batch, VM exits, and the
 * mean of the ticks.
 *
 * --trace	then run one more unit between two `xchg %bx, %bx`
 * --mark	tell who counts exits from further outside, see mark()
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knbench.h"

static const struct metric *const tables[] = {
	round_trip_metrics,
	access_metrics,
	ept_metrics,
	parallel_metrics,
};

struct plan plan;

static bool trace;
static bool marks;

/*
 * Print "mark", and the number of units run since the mark before, and wait for a line of answer.
 * Two come right after each other at the start, one at the end: the first pair tells what the
 * marking itself costs.
 */
static void mark(uint32_t units)
{
	printf("mark %u\n", units);
	fflush(stdout);
	while (getchar() != '\n')
		TEST_ASSERT(!feof(stdin), "nobody answers");
}

static void reach_stage(struct exit_meter *meter, enum stage stage)
{
	if (marks && stage == STAGE_START) {
		mark(0);
		mark(0);
	} else if (marks) {
		mark(plan.units * plan.batches);
	}
	exit_meter_stage(meter, stage);
}

void run_vcpu(struct kvm_vcpu *vcpu, struct exit_meter *meter)
{
	struct ucall uc;

	for (;;) {
		vcpu_run(vcpu);
		TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO, "unexpected exit: %u (%s)",
			    vcpu->run->exit_reason, exit_reason_str(vcpu->run->exit_reason));

		switch (get_ucall(vcpu, &uc)) {
		case UCALL_SYNC:
			reach_stage(meter, uc.args[1]);
			break;
		case UCALL_DONE:
			return;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT_1(uc, "value: %#lx");
			break;
		default:
			TEST_FAIL("unknown ucall %lu", uc.cmd);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

double undisturbed(const uint64_t *values, uint32_t nr)
{
	uint64_t sorted[MAX_BATCHES];

	memcpy(sorted, values, nr * sizeof(*values));
	qsort(sorted, nr, sizeof(*sorted), compare);
	return sorted[nr / 10];
}

double mean(const uint64_t *values, uint32_t nr)
{
	double sum = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		sum += values[i];
	return sum / nr;
}

void report(const struct metric *metric, double ticks, double exits, double mean_ticks)
{
	printf("%s %.2f %.2f %.2f\n", metric->name, ticks, exits, mean_ticks);
	fflush(stdout);
}

static void run_one_vcpu(const struct metric *metric)
{
	struct exit_meter meter;
	struct vmx_pages *vmx;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	vm_vaddr_t gva;
	double units;

	vm = __vm_create_with_one_vcpu(&vcpu, EXTRA_PAGES, metric->guest_code);
	vmx = vcpu_alloc_vmx(vm, &gva);
	vcpu_args_set(vcpu, 1, gva);
	plan = (struct plan){
		.units = metric->units, .batches = metric->batches, .trace = trace,
	};
	sync_global_to_guest(vm, plan);
	if (metric->prepare)
		metric->prepare(metric, vm, vmx);

	exit_meter_init(&meter, &vcpu, 1);
	run_vcpu(vcpu, &meter);
	exit_meter_uninit(&meter);

	sync_global_from_guest(vm, plan);
	units = (double)plan.units * plan.batches;
	report(metric, undisturbed(plan.ticks, plan.batches) / plan.units,
	       (meter.at_end - meter.at_start) / units,
	       mean(plan.ticks, plan.batches) / plan.units);
	kvm_vm_free(vm);
}

static const struct metric *find_metric(const char *name)
{
	const struct metric *metric;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (metric = tables[i]; metric->name; metric++) {
			if (!strcmp(metric->name, name))
				return metric;
		}
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "trace", no_argument, NULL, 't' },
		{ "mark", no_argument, NULL, 'm' },
		{ }
	};
	const struct metric *metric;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			trace = true;
		else if (option == 'm')
			marks = true;
		else
			return 2;
	}

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));

	for (; optind < argc; optind++) {
		metric = find_metric(argv[optind]);
		if (!metric) {
			fprintf(stderr, "knbench: no metric %s\n", argv[optind]);
			return 2;
		}
		if (metric->run)
			metric->run(metric);
		else
			run_one_vcpu(metric);
	}
	return 0;
}
