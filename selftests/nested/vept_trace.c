// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that the events kvm_nested:vept_* tell what the counters count; and that a host short of
 * memory gets back what EPT02s take, while L2 goes on as if nothing had been.
 */
#include <fcntl.h>

#include "ept12.h"

#define EVENTS		"/sys/kernel/tracing/events/kvm_nested/enable"
#define TRACE		"/sys/kernel/tracing/trace"
#define DROP_CACHES	"/proc/sys/vm/drop_caches"

#define NR		64
#define NR_INVEPTS	3

static struct kn_l2 l2;

/* L2 reads a page, and another one that EPT12 does not have: stock KVM tells L1. */
static void read_pages(struct kn_check *check, uint64_t at)
{
	for (unsigned int i = 0; i < NR; i++)
		kn_l2_expect_value(check, &l2, KN_L2_AREA + i * PAGE_SIZE, KN_CONTENT(i), at);
	kn_l2_expect_violation(check, &l2, KN_EPT_READ, KN_L2_AREA + NR * PAGE_SIZE, 0, at);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t pml4 = kn_ept12_create();

	for (unsigned int i = 0; i < NR; i++)
		*kn_ept12_entry(pml4, KN_L2_AREA + i * PAGE_SIZE, 1) =
			kn_ept12_alloc_content(i) | KN_EPT_RWX | KN_EPT_WB;
	kn_ept12_setup(vmx, &l2, pml4, false);
	GUEST_SYNC(1);

	for (unsigned int i = 0; i < NR_INVEPTS; i++) {
		read_pages(KN_SITE("L2 reads its pages"), i);
		kn_invept(KN_INVEPT_SINGLE, kn_ept12_pointer(pml4, false));
	}
	read_pages(KN_SITE("... after INVEPT"), NR_INVEPTS);
	GUEST_SYNC(2);

	read_pages(KN_SITE("... after the host has had its memory back"), 0);
	GUEST_DONE();
}

/* False if it can't be done. */
static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* What the trace has of an event: how often, and the sum of the numbers behind a word. */
struct seen {
	uint64_t times, sum;
};

static struct seen see(const char *event, const char *words, const char *word)
{
	FILE *file = fopen(TRACE, "r");
	struct seen seen = {};
	char line[512];

	TEST_ASSERT(file, "%s can't be read", TRACE);
	while (fgets(line, sizeof(line), file)) {
		const char *number = strstr(line, word);

		if (!strstr(line, event) || !strstr(line, words))
			continue;
		seen.times++;
		if (number)
			seen.sum += strtoull(number + strlen(word), NULL, 0);
	}
	fclose(file);
	return seen;
}

static bool is_left_to_stock(const char *name, const void *unused)
{
	return !strncmp(name, "vept.stock.", strlen("vept.stock."));
}

static uint64_t left_to_stock(struct kvm_vm *vm)
{
	return kn_sum_counters(vm, is_left_to_stock, NULL);
}

static void check_events(struct kvm_vm *vm, bool traced, uint64_t filled, uint64_t stock)
{
	struct kn_check *check = KN_SITE("the events tell what the counters count");

	if (!traced) {
		kn_skip(check, EVENTS " can't be written");
		return;
	}
	if (!kn_vept_engaged()) {
		kn_skip(check, "the module has no EPT02s");
		return;
	}
	kn_expect_at(check, "vept_fill", see("vept_fill:", "", " entries ").sum,
		     kn_counter(vm, "vept.filled") - filled, 0);
	kn_expect_at(check, "vept_stock", see("vept_stock:", "", "").times,
		     left_to_stock(vm) - stock, 0);
	kn_expect_at(check, "... to be told to L1",
		     see("vept_stock:", "gpa 0x8000040000 cause l1", "").times > NR_INVEPTS, true,
		     0);
	kn_expect_at(check, "vept_invept", see("vept_invept:", "eptp12 0x1", "").times, NR_INVEPTS,
		     0);
}

static void check_reclaimed(struct kvm_vm *vm, bool traced)
{
	struct kn_check *check = KN_SITE("a host short of memory gets the tables back");
	uint64_t reclaimed;

	if (!write_file(DROP_CACHES, "2")) {
		kn_skip(check, DROP_CACHES " can't be written");
		return;
	}
	if (!kn_vept_engaged()) {
		kn_skip(check, "the module has no EPT02s");
		return;
	}
	reclaimed = kn_counter(vm, "vept.reclaimed");
	kn_expect_at(check, "there are some", reclaimed >= KN_EPT_LEVELS - 1, true, reclaimed);
	if (traced)
		kn_expect_at(check, "vept_drop", see("vept_drop:", "why reclaim", " tables ").sum,
			     reclaimed, 0);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	uint64_t filled, stock;
	struct kvm_vm *vm;
	bool traced;

	kn_begin();
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR + 16);
	traced = write_file(TRACE, "") && write_file(EVENTS, "1");
	kn_run(vcpu);

	filled = kn_counter(vm, "vept.filled");
	stock = left_to_stock(vm);
	kn_run(vcpu);
	check_events(vm, traced, filled, stock);
	check_reclaimed(vm, traced);
	kn_run(vcpu);

	if (traced)
		write_file(EVENTS, "0");
	KN_VEPT_COUNTED(vm, "vept.filled", 2 * NR);
	kn_finish(vm);
}
