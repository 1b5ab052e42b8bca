// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that L2 sees L1's memory as user space has it now: after it has dropped, replaced, moved,
 * protected, or shared pages, also while L2 runs; that an L2 whose memory is gone accesses devices
 * of user space; and that each page which L2 writes to is in the log of dirty pages.
 */
#define _GNU_SOURCE /* mremap(), memfd_create(), fallocate() */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ept12.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define NR_TABLES	64

/* What L2 has at KN_L2_AREA. */
#define SLOT		6
#define SLOT_GPA	0x140000000ull
#define NR		64
#define SIZE		(NR * PAGE_SIZE)

/* Behind it, a large page. */
#define HUGE_SLOT	7
#define HUGE_GPA	0x180000000ull
#define HUGE_SIZE	(2ull << 20)
#define NR_HUGE		(HUGE_SIZE / PAGE_SIZE)
#define HUGE_AREA	(KN_L2_AREA + HUGE_SIZE)

#define NR_ROUNDS	3
#define NR_CONCURRENT	100
#define DEVICE		0x1234567800ull	/* what is read there */

/* What L1 is to do, and how L2 has exited. */
static struct job {
	enum { L2_PAGES, L2_ACCESS, L2_CHECKS, END } kind;
	uint64_t access, address, value;	/* of a single access; the first page of many */
	uint64_t nr;
	uint64_t reason;
} job;

static struct kn_l2 l2;
static uint64_t pages[NR_HUGE];		/* what L2 has read, or is to write */
static volatile uint64_t oldest;	/* that L2 may see in its pages */
static volatile bool stop;

/* L2 reads or writes job.nr pages. */
static void l2_access_pages(void)
{
	for (unsigned int i = 0; i < job.nr; i++) {
		volatile uint64_t *word = (uint64_t *)(job.address + i * PAGE_SIZE);

		if (job.access == KN_EPT_WRITE)
			*word = pages[i];
		else
			pages[i] = *word;
	}
	asm volatile("vmcall" : : : "memory");
}

/* While user space drops and writes them. */
static void l2_check_pages(void)
{
	struct kn_check *check = KN_SITE("while L2 runs, it sees no memory that is gone");

	for (unsigned int i = 0; i < NR; i++) {
		volatile uint64_t *words = (uint64_t *)(KN_L2_AREA + i * PAGE_SIZE);
		uint64_t now = oldest, value = words[0];

		kn_expect_at(check, "it is old", value && value < now, false, value << 32 | now);
		/* Not the same word: user space writes to that. */
		words[1] = value;
	}
	asm volatile("vmcall" : : : "memory");
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t pml4 = kn_ept12_create();

	for (unsigned int i = 0; i < NR; i++)
		*kn_ept12_entry(pml4, KN_L2_AREA + i * PAGE_SIZE, 1) =
			(SLOT_GPA + i * PAGE_SIZE) | KN_EPT_RWX | KN_EPT_WB;
	*kn_ept12_entry(pml4, HUGE_AREA, 2) = HUGE_GPA | KN_EPT_RWX | KN_EPT_WB | KN_EPT_LARGE;
	kn_ept12_setup(vmx, &l2, pml4, false);

	for (;;) {
		GUEST_SYNC(1);
		switch (job.kind) {
		case L2_PAGES:
			job.reason = kn_l2_run(&l2, l2_access_pages);
			break;
		case L2_ACCESS:
			job.reason = kn_l2_access(&l2, job.access, job.address, &job.value);
			break;
		case L2_CHECKS:
			do {
				job.reason = kn_l2_run(&l2, l2_check_pages);
			} while (job.reason == EXIT_REASON_VMCALL && !stop);
			break;
		case END:
			GUEST_DONE();
		}
	}
}

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static uint8_t *memory, *huge;
static struct kn_check *l2_goes_on;

/* MMIO of L2. */
static unsigned int nr_mmio;
static uint64_t mmio_address, mmio_value;

static void device(struct kvm_run *state)
{
	nr_mmio++;
	mmio_address = state->mmio.phys_addr;
	if (state->mmio.is_write)
		memcpy(&mmio_value, state->mmio.data, sizeof(mmio_value));
	else
		memcpy(state->mmio.data, &mmio_value, sizeof(mmio_value));
}

/* To the end of the job. Returns 0, or the error of KVM_RUN. */
static int run(void)
{
	uint64_t stage;
	int error = kn_run_with_device(vcpu, device, &stage);

	if (error)
		return error;
	sync_global_from_guest(vm, job);
	sync_global_from_guest(vm, pages);
	kn_expect(l2_goes_on, job.reason, EXIT_REASON_VMCALL);
	return 0;
}

static int do_job(struct job *new)
{
	job = *new;
	sync_global_to_guest(vm, job);
	sync_global_to_guest(vm, pages);
	return run();
}

static int access_page(uint64_t access, uint64_t address, uint64_t value)
{
	return do_job(&(struct job){
		.kind = L2_ACCESS, .access = access, .address = address, .value = value,
	});
}

static void access_pages(uint64_t access, uint64_t address, unsigned int nr)
{
	int error = do_job(&(struct job){
		.kind = L2_PAGES, .access = access, .address = address, .nr = nr,
	});

	kn_expect_at(l2_goes_on, "KVM_RUN", error, 0, access);
}

static uint64_t content(unsigned int round, unsigned int i)
{
	return KN_CONTENT(1 + round * 1000 + i);
}

static uint64_t *word(uint8_t *hva, unsigned int i)
{
	return (uint64_t *)(hva + i * PAGE_SIZE);
}

static void fill(uint8_t *hva, unsigned int nr, unsigned int round)
{
	for (unsigned int i = 0; i < nr; i++)
		*word(hva, i) = content(round, i);
}

/* L2 reads the contents of @round, or zeros. */
static void expect_read(struct kn_check *check, unsigned int round, bool zeros)
{
	access_pages(KN_EPT_READ, KN_L2_AREA, NR);
	for (unsigned int i = 0; i < NR; i++)
		kn_expect_at(check, "page", pages[i], zeros ? 0 : content(round, i),
			     round << 16 | i);
}

/* L2 writes them. */
static void expect_write(struct kn_check *check, unsigned int round)
{
	for (unsigned int i = 0; i < NR; i++)
		pages[i] = content(round, i);
	access_pages(KN_EPT_WRITE, KN_L2_AREA, NR);
	for (unsigned int i = 0; i < NR; i++)
		kn_expect_at(check, "page", *word(memory, i), content(round, i), round << 16 | i);
}

static uint8_t *map(void *where, size_t size, int fd)
{
	uint8_t *hva = mmap(where, size, PROT_READ | PROT_WRITE,
			    (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) |
			    (where ? MAP_FIXED : 0), fd, 0);

	TEST_ASSERT(hva != MAP_FAILED, "mmap of %#zx bytes", size);
	return hva;
}

static void set_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, unsigned int flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	vm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void check_dropped(void)
{
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		fill(memory, NR, round);
		expect_read(KN_SITE("L2 reads what user space has written"), round, false);
		if (round)
			expect_write(KN_SITE("L2 writes"), round + 50);
		TEST_ASSERT(!madvise(memory, SIZE, MADV_DONTNEED), "MADV_DONTNEED");
		expect_read(KN_SITE("memory that has been dropped is zero"), round, true);
		/* Where there has been but one page with zeros. */
		fill(memory, NR, round + 100);
		expect_read(KN_SITE("... until user space writes to it"), round + 100, false);
		TEST_ASSERT(!madvise(memory, SIZE, MADV_DONTNEED), "MADV_DONTNEED");
		expect_read(KN_SITE("... dropped again"), round, true);
		expect_write(KN_SITE("... or L2 does"), round + 150);
		expect_read(KN_SITE("L2 reads what it has written"), round + 150, false);
	}
}

static void check_replaced(void)
{
	uint8_t *other = map(NULL, SIZE, -1);

	fill(memory, NR, 1);
	expect_read(KN_SITE("memory before it is replaced"), 1, false);
	map(memory, SIZE, -1);
	fill(memory, NR, 2);
	expect_read(KN_SITE("memory that has been mapped over"), 2, false);

	munmap(memory, SIZE);
	map(memory, SIZE, -1);
	fill(memory, NR, 3);
	expect_read(KN_SITE("memory that has been unmapped, and other is mapped"), 3, false);

	fill(other, NR, 4);
	TEST_ASSERT(mremap(other, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, memory) == memory,
		    "mremap");
	expect_read(KN_SITE("memory that has come from elsewhere"), 4, false);
	expect_write(KN_SITE("... is written"), 5);

	/* One page only, between others that stay. */
	map(memory + 7 * PAGE_SIZE, PAGE_SIZE, -1);
	*word(memory, 7) = content(5, 7);
	expect_read(KN_SITE("one page has been replaced"), 5, false);

	madvise(memory, SIZE, MADV_PAGEOUT);
	expect_read(KN_SITE("memory that is to be paged out"), 5, false);
	expect_write(KN_SITE("... is written"), 6);
}

static void check_protected(void)
{
	struct kn_check *before = KN_SITE("memory before it is protected");
	struct kn_check *written = KN_SITE("... and written when it can be");
	struct kn_check *read = KN_SITE("memory that could not be read");
	uint64_t value = content(9, 0);

	fill(memory, NR, 7);
	expect_read(before, 7, false);
	expect_write(before, 8);
	TEST_ASSERT(!mprotect(memory, SIZE, PROT_READ), "mprotect");
	expect_read(KN_SITE("memory that can be read only is read"), 8, false);
	kn_expect(KN_SITE("... and not written: KVM_RUN fails"),
		  access_page(KN_EPT_WRITE, KN_L2_AREA, value), EFAULT);
	kn_expect(KN_SITE("... the page stays as it is"), *word(memory, 0), content(8, 0));
	TEST_ASSERT(!mprotect(memory, SIZE, PROT_READ | PROT_WRITE), "mprotect");
	kn_expect(written, run(), 0);
	kn_expect(written, *word(memory, 0), value);

	TEST_ASSERT(!mprotect(memory, SIZE, PROT_NONE), "mprotect");
	kn_expect(read, access_page(KN_EPT_READ, KN_L2_AREA, 0), EFAULT);
	TEST_ASSERT(!mprotect(memory, SIZE, PROT_READ | PROT_WRITE), "mprotect");
	kn_expect(read, run(), 0);
	kn_expect(read, job.value, value);
}

/* A child has the memory as it was. */
static void check_forked(void)
{
	struct kn_check *reads = KN_SITE("L2 reads what a child has as well");
	struct kn_check *parent = KN_SITE("L2 reads the parent's page, not the child's");
	int to_child[2], status;
	pid_t child;
	char go = 0;

	fill(memory, NR, 10);
	expect_write(KN_SITE("memory before a fork"), 11);
	TEST_ASSERT(!pipe(to_child), "pipe");
	child = fork();
	TEST_ASSERT(child >= 0, "fork");
	if (!child) {
		int r = 0;

		if (read(to_child[0], &go, 1) != 1)
			_exit(2);
		for (unsigned int i = 0; i < NR; i++)
			r |= *word(memory, i) != content(11, i);
		_exit(r);
	}

	expect_read(reads, 11, false);
	expect_write(KN_SITE("L2 writes pages that a child has as well"), 12);
	/* The rest is written by user space: L2's is then the new page. */
	fill(memory, NR, 13);
	expect_read(parent, 13, false);
	TEST_ASSERT(write(to_child[1], &go, 1) == 1, "write");
	waitpid(child, &status, 0);
	kn_expect(KN_SITE("... and the child has its own"), status, 0);

	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	/* No write of L2 comes before. */
	expect_read(reads, 13, false);
	fill(memory, NR, 14);
	expect_read(parent, 14, false);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	expect_write(KN_SITE("L2 writes what no child has any more"), 15);
}

static void check_shared(void)
{
	int fd = memfd_create("l1", 0);
	uint8_t *same;

	TEST_ASSERT(fd >= 0 && !ftruncate(fd, SIZE), "memfd");
	same = map(NULL, SIZE, fd);
	map(memory, SIZE, fd);
	fill(same, NR, 20);
	expect_read(KN_SITE("shared memory"), 20, false);
	fill(same, NR, 21);
	expect_read(KN_SITE("... that another mapping has written to"), 21, false);
	expect_write(KN_SITE("... that L2 writes to"), 22);
	kn_expect(KN_SITE("... is seen there"), *word(same, NR - 1), content(22, NR - 1));
	TEST_ASSERT(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE),
		    "fallocate");
	expect_read(KN_SITE("... that has been dropped from the file"), 0, true);
	expect_write(KN_SITE("... that L2 writes to once more"), 23);
	kn_expect(KN_SITE("... is seen there, too"), *word(same, 0), content(23, 0));
	map(memory, SIZE, -1);
	munmap(same, SIZE);
	close(fd);
}

static void expect_device(struct kn_check *check)
{
	nr_mmio = 0;
	mmio_value = DEVICE;
	kn_expect(check, access_page(KN_EPT_READ, KN_L2_AREA + PAGE_SIZE, 0), 0);
	kn_expect(check, nr_mmio, 1);
	kn_expect(check, mmio_address, SLOT_GPA + PAGE_SIZE);
	kn_expect(check, job.value, DEVICE);
	kn_expect(check, access_page(KN_EPT_WRITE, KN_L2_AREA + PAGE_SIZE, DEVICE + 1), 0);
	kn_expect(check, nr_mmio, 2);
	kn_expect(check, mmio_value, DEVICE + 1);
}

static void check_memslots(void)
{
	struct kn_check *asked = KN_SITE("a write to a read-only memslot is user space's");
	uint8_t *other = map(NULL, SIZE, -1);
	uint64_t value = content(34, 1);

	fill(memory, NR, 30);
	fill(other, NR, 31);
	expect_read(KN_SITE("a memslot"), 30, false);
	set_slot(SLOT, SLOT_GPA, 0, NULL, 0);
	expect_device(KN_SITE("no memslot: user space is asked"));

	set_slot(SLOT, SLOT_GPA, SIZE, other, 0);
	expect_read(KN_SITE("a memslot with other memory"), 31, false);
	set_slot(SLOT, SLOT_GPA, 0, NULL, 0);
	set_slot(SLOT, SLOT_GPA + SIZE, SIZE, other, 0);
	expect_device(KN_SITE("a memslot elsewhere: user space is asked"));
	set_slot(SLOT, SLOT_GPA, SIZE, other, 0);
	expect_read(KN_SITE("a memslot that has been moved back"), 31, false);
	kn_expect(KN_SITE("... asks nobody"), nr_mmio, 2);

	set_slot(SLOT, SLOT_GPA, 0, NULL, 0);
	set_slot(SLOT, SLOT_GPA, SIZE, other, KVM_MEM_READONLY);
	expect_read(KN_SITE("a read-only memslot"), 31, false);
	kn_expect(asked, access_page(KN_EPT_WRITE, KN_L2_AREA + PAGE_SIZE, value), 0);
	kn_expect(asked, nr_mmio, 3);
	kn_expect(asked, mmio_value, value);
	kn_expect(asked, *word(other, 1), content(31, 1));

	set_slot(SLOT, SLOT_GPA, 0, NULL, 0);
	set_slot(SLOT, SLOT_GPA, SIZE, memory, 0);
	expect_read(KN_SITE("the first memslot again"), 30, false);
	munmap(other, SIZE);
	expect_write(KN_SITE("... is written"), 32);
}

/*
 * L2 writes every @step'th page from @first on: those are in the log. With @exactly there are no
 * others; the first time there may be, for KVM takes pages that it maps anew for written.
 */
static void expect_logged(struct kn_check *check, unsigned int first, unsigned int step,
			  unsigned int round, bool exactly)
{
	uint64_t log = 0, want = 0;

	for (unsigned int i = first; i < NR; i += step) {
		uint64_t value = content(round, i);

		kn_expect(l2_goes_on, access_page(KN_EPT_WRITE, KN_L2_AREA + i * PAGE_SIZE, value),
			  0);
		kn_expect_at(check, "page", *word(memory, i), value, i);
		want |= BIT_ULL(i);
	}
	access_pages(KN_EPT_READ, KN_L2_AREA, NR);
	kvm_vm_get_dirty_log(vm, SLOT, &log);
	kn_expect_at(check, "log", exactly ? log : log & want, want, round);
}

static void check_logged(void)
{
	struct kn_check *check = KN_SITE("the log has what L2 writes");
	struct kn_check *back = KN_SITE("without a log the module's EPT02s are back");
	uint64_t loaded, stock;

	expect_write(KN_SITE("before there is a log"), 40);
	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		set_slot(SLOT, SLOT_GPA, SIZE, memory, KVM_MEM_LOG_DIRTY_PAGES);
		expect_logged(check, 0, 2, 41, false);
		expect_logged(check, 0, 2, 42, true);
		expect_logged(check, 1, 3, 43, true);
		expect_logged(check, 0, 1, 44, true);
		expect_logged(check, NR, 1, 45, true);
		expect_logged(check, 5, 7, 46, true);

		set_slot(SLOT, SLOT_GPA, SIZE, memory, 0);
		loaded = kn_counter(vm, "vept.loaded");
		stock = kn_counter(vm, "vept.loaded.stock");
		expect_write(KN_SITE("when there is no log any more"), 47);
		if (!kn_vept_engaged()) {
			kn_skip(back, "it has none");
			continue;
		}
		kn_expect(back, kn_counter(vm, "vept.loaded") > loaded, true);
		kn_expect(back, kn_counter(vm, "vept.loaded.stock"), stock);
	}
}

static void expect_huge(struct kn_check *check, unsigned int round, unsigned int zero)
{
	access_pages(KN_EPT_READ, HUGE_AREA, NR_HUGE);
	for (unsigned int i = 0; i < NR_HUGE; i++)
		kn_expect_at(check, "page", pages[i], i == zero ? 0 : content(round, i), i);
}

static void check_huge(void)
{
	uint8_t *aligned = map(NULL, 2 * HUGE_SIZE, -1);

	huge = (uint8_t *)(((uintptr_t)aligned + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	madvise(huge, HUGE_SIZE, MADV_HUGEPAGE);
	fill(huge, NR_HUGE, 50);
	set_slot(HUGE_SLOT, HUGE_GPA, HUGE_SIZE, huge, 0);
	expect_huge(KN_SITE("a large page"), 50, NR_HUGE);
	TEST_ASSERT(!madvise(huge + 77 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), "MADV_DONTNEED");
	expect_huge(KN_SITE("... of which a part has been dropped"), 50, 77);
	*word(huge, 77) = content(50, 77);
	expect_huge(KN_SITE("... and written"), 50, NR_HUGE);

	/* Into a large page again; not all kernels do. */
	madvise(huge, HUGE_SIZE, MADV_COLLAPSE);
	expect_huge(KN_SITE("... and made one again"), 50, NR_HUGE);
	fill(huge, NR_HUGE, 51);
	expect_huge(KN_SITE("... and written"), 51, NR_HUGE);
	TEST_ASSERT(!madvise(huge, HUGE_SIZE, MADV_DONTNEED), "MADV_DONTNEED");
	fill(huge, NR_HUGE, 52);
	expect_huge(KN_SITE("a large page dropped as a whole"), 52, NR_HUGE);
	TEST_ASSERT(!mprotect(huge + 99 * PAGE_SIZE, PAGE_SIZE, PROT_READ), "mprotect");
	expect_huge(KN_SITE("a large page of which a part is protected"), 52, NR_HUGE);
	TEST_ASSERT(!mprotect(huge + 99 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE),
		    "mprotect");
	for (unsigned int i = 0; i < NR_HUGE; i++)
		pages[i] = content(53, i);
	access_pages(KN_EPT_WRITE, HUGE_AREA, NR_HUGE);
	for (unsigned int i = 0; i < NR_HUGE; i++)
		kn_expect_at(KN_SITE("... and is written again"), "page", *word(huge, i),
			     content(53, i), i);
}

static void *run_checks(void *unused)
{
	kn_expect(l2_goes_on, do_job(&(struct job){ .kind = L2_CHECKS }), 0);
	return NULL;
}

static void publish(uint64_t value)
{
	*(volatile uint64_t *)addr_gva2hva(vm, (vm_vaddr_t)&oldest) = value;
}

static void check_concurrent(void)
{
	pthread_t thread;

	publish(0);
	memset(memory, 0, SIZE);
	pthread_create(&thread, NULL, run_checks, NULL);
	for (uint64_t turn = 1; turn <= NR_CONCURRENT; turn++) {
		madvise(memory, SIZE, MADV_DONTNEED);
		for (unsigned int i = 0; i < NR; i++)
			*word(memory, i) = turn;
		publish(turn);
		usleep(turn % 5 * 1000);
	}
	*(volatile bool *)addr_gva2hva(vm, (vm_vaddr_t)&stop) = true;
	pthread_join(thread, NULL);
}

int main(int argc, char *argv[])
{
	kn_begin();
	l2_goes_on = KN_SITE("L2 goes on after each of these");
	vm = kn_ept12_vm_create(&vcpu, l1_guest_code, NR_TABLES);
	memory = map(NULL, SIZE, -1);
	set_slot(SLOT, SLOT_GPA, SIZE, memory, 0);
	kn_run(vcpu);

	check_dropped();
	check_replaced();
	check_protected();
	check_forked();
	check_shared();
	check_memslots();
	check_logged();
	check_huge();
	check_concurrent();

	KN_VEPT_COUNTED(vm, "vept.faults", 20);
	KN_VEPT_COUNTED(vm, "vept.filled", 20 * NR);
	job.kind = END;
	sync_global_to_guest(vm, job);
	kn_run(vcpu);
	kn_finish(vm);
}
