/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the benchmark program share: a metric, and how one unit of it is timed. */
#ifndef KNBENCH_H
#define KNBENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "vmx.h"

#define MAX_BATCHES	512

/* For the guest's page tables and nested page tables. */
#define EXTRA_PAGES	2048

/*
 * A batch is what lies between two RDTSCs: @units units. Keep it well below the 400,000
 * instructions that lie between two timer interrupts of an emulated L0, see undisturbed().
 */
struct metric {
	const char *name;
	void (*guest_code)(struct vmx_pages *vmx);
	void (*prepare)(const struct metric *metric, struct kvm_vm *vm, struct vmx_pages *vmx);
	void (*run)(const struct metric *metric);
	uint32_t units;		/* a batch */
	uint32_t batches;
};

extern const struct metric round_trip_metrics[];
extern const struct metric access_metrics[];
extern const struct metric ept_metrics[];
extern const struct metric parallel_metrics[];

/* The order of a run to its guest, and the guest's answer; copied into each VM. */
struct plan {
	uint32_t units;
	uint32_t batches;
	bool trace;
	uint64_t ticks[MAX_BATCHES];
};

extern struct plan plan;

enum stage {
	STAGE_START,		/* the warm-up is over */
	STAGE_END,
};

/* The exits of vCPUs, but for external interrupts, which come as L0's timer has it. */
struct exit_meter {
	int nr_fds;
	int fds[8];
	uint64_t at_start;
	uint64_t at_end;
};

void exit_meter_init(struct exit_meter *meter, struct kvm_vcpu *vcpus[], int nr_vcpus);
void exit_meter_stage(struct exit_meter *meter, enum stage stage);
void exit_meter_uninit(struct exit_meter *meter);

/* The batch that a tenth of all is cheaper than: no interrupt of L0 fell into it. */
double undisturbed(const uint64_t *values, uint32_t nr);
double mean(const uint64_t *values, uint32_t nr);
void report(const struct metric *metric, double ticks, double exits, double mean_ticks);

/* Run @vcpu until its guest is done; @meter, if any, is read at the stages. */
void run_vcpu(struct kvm_vcpu *vcpu, struct exit_meter *meter);

/* bochs stops here for its debugger, which traces what runs up to the next one. */
static __always_inline void trace_marker(void)
{
	asm volatile("xchg %%bx, %%bx" : : : "memory");
}

/* Time @unit; runs in L1 or in L2. */
static __always_inline void measure(void (*unit)(void))
{
	uint64_t start;
	uint32_t b, u;

	for (u = 0; u < plan.units * (plan.batches / 8 + 2); u++)
		unit();

	GUEST_SYNC(STAGE_START);
	for (b = 0; b < plan.batches; b++) {
		start = rdtsc();
		for (u = 0; u < plan.units; u++)
			unit();
		plan.ticks[b] = rdtsc() - start;
	}
	GUEST_SYNC(STAGE_END);

	if (plan.trace) {
		/* The way out to user space has left more to do for the next unit than is usual. */
		unit();
		trace_marker();
		unit();
		trace_marker();
	}
}

#endif /* KNBENCH_H */
