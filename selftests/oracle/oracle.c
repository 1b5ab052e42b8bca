// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential oracle: programs for L1 and L2, made from seeds, run under stock KVM and under
 * the module; whatever they can observe has to be the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "compare.h"
#include "host.h"
#include "test_util.h"

static const char usage[] =
	"oracle run FIRST COUNT FILE	run these seeds' programs, log what they observe\n"
	"oracle compare FILE FILE	print where the runs of stock KVM and the module part\n"
	"oracle show SEED		print the program\n"
	"oracle log SEED			run the program and print what it observes\n"
	"oracle shrink SEED		the shortest part of the program that differs\n";

static void prepare(uint64_t seed, const bool *keep)
{
	arena_reset();
	program_make(seed, keep);
	parameters_set(seed);
}

static void run_seeds(uint64_t first, uint64_t count, const char *path)
{
	FILE *file = fopen(path, "w");

	TEST_ASSERT(file, "%s can't be written", path);
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct run run = { .seed = seed };

		prepare(seed, NULL);
		run.ending = host_run();
		run.nr = the_state()->log_end;
		fwrite(&run, sizeof(run), 1, file);
		fwrite((void *)PAGE_AT(P_LOG), sizeof(struct item), run.nr, file);
	}
	TEST_ASSERT(!fclose(file), "%s can't be written", path);
}

/* The items of both runs. */
static struct item logs[2][MAX_ITEMS];

/* Returns false at the end of the file. The items go where they did before. */
static bool read_run(FILE *file, struct run *run)
{
	struct item *to = run->items;

	if (fread(run, sizeof(*run), 1, file) != 1)
		return false;
	run->items = to;
	TEST_ASSERT(fread(run->items, sizeof(struct item), run->nr, file) == run->nr,
		    "a log is too short");
	return true;
}

/* Ends with a line of numbers, and fails if there was a difference. */
static int compare(const char *stock_path, const char *module_path)
{
	FILE *stock_file = fopen(stock_path, "r"), *module_file = fopen(module_path, "r");
	unsigned int nr = 0, different = 0, timed_out = 0;
	uint64_t items = 0;
	struct run stock = { .items = logs[0] }, module = { .items = logs[1] };

	TEST_ASSERT(stock_file && module_file, "no logs");
	while (read_run(module_file, &module)) {
		size_t at;

		do {
			TEST_ASSERT(read_run(stock_file, &stock), "seed %lu has no log",
				    module.seed);
		} while (stock.seed != module.seed);
		nr++;
		items += stock.nr;
		if (stock.ending == TIMED_OUT && module.ending == TIMED_OUT) {
			printf("seed %lu timed out\n", stock.seed);
			timed_out++;
			continue;
		}
		at = first_difference(&stock, &module);
		if (at == NO_DIFFERENCE)
			continue;
		different++;
		printf("seed %lu differs\n", stock.seed);
		arena_reset();
		program_make(stock.seed, NULL);
		print_difference(&stock, &module, at);
	}
	printf("compared %u seeds, %lu observations: %u different, %u timed out\n", nr, items,
	       different, timed_out);
	return different ? 1 : 0;
}

static void show(const bool *keep)
{
	const struct op *ops = (struct op *)PAGE_AT(P_PROGRAM);

	for (unsigned int i = 0; i < the_state()->nr_ops; i++) {
		if (keep && !keep[i])
			continue;
		printf("%5u  %s\n", i, program_text(i));
		if (ops[i].code == OP_RUN)
			l2_code_show(ops[i].address);
	}
}

static void run_once(uint64_t seed, const bool *keep, bool on, struct run *run)
{
	parameters_enable(on);
	prepare(seed, keep);
	run->ending = host_run();
	run->nr = the_state()->log_end;
	memcpy(run->items, (void *)PAGE_AT(P_LOG), run->nr * sizeof(struct item));
}

static size_t run_both(uint64_t seed, const bool *keep, struct run *stock, struct run *module)
{
	run_once(seed, keep, false, stock);
	run_once(seed, keep, true, module);
	return first_difference(stock, module);
}

static int shrink(uint64_t seed)
{
	struct run stock = { .items = logs[0] }, module = { .items = logs[1] };
	bool keep[MAX_OPS], tried[MAX_OPS];
	unsigned int nr, size;
	size_t at;

	memset(keep, true, sizeof(keep));
	if (run_both(seed, keep, &stock, &module) == NO_DIFFERENCE) {
		printf("seed %lu: no difference\n", seed);
		return 0;
	}
	nr = the_state()->nr_ops;
	for (size = nr / 2; size; size /= 2)
		for (unsigned int start = 0; start < nr; start += size) {
			bool any = false;

			memcpy(tried, keep, sizeof(keep));
			for (unsigned int i = start; i < nr && i < start + size; i++) {
				any |= tried[i];
				tried[i] = false;
			}
			if (any && run_both(seed, tried, &stock, &module) != NO_DIFFERENCE)
				memcpy(keep, tried, sizeof(keep));
		}

	at = run_both(seed, keep, &stock, &module);
	printf("seed %lu, shrunk:\n", seed);
	show(keep);
	if (at != NO_DIFFERENCE)
		print_difference(&stock, &module, at);
	return 1;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

/* Anywhere else the heap may begin where the arena has to be. */
static void fix_addresses(char *argv[])
{
	int persona = personality(0xffffffff);

	if (persona & ADDR_NO_RANDOMIZE)
		return;
	personality(persona | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	TEST_FAIL("/proc is not mounted");
}

int main(int argc, char *argv[])
{
	const char *what = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!*what) {
		fputs(usage, stderr);
		return 2;
	}
	fix_addresses(argv);
	host_init();
	if (!strcmp(what, "compare") && argc == 4)
		return compare(argv[2], argv[3]);
	if (!strcmp(what, "shrink"))
		return shrink(number(argv[2]));

	if (!strcmp(what, "run") && argc == 5) {
		run_seeds(number(argv[2]), number(argv[3]), argv[4]);
	} else if (!strcmp(what, "show")) {
		prepare(number(argv[2]), NULL);
		show(NULL);
	} else if (!strcmp(what, "log")) {
		prepare(number(argv[2]), NULL);
		host_run();
		for (uint64_t i = 0; i < the_state()->log_end; i++)
			print_item("", (struct item *)PAGE_AT(P_LOG) + i);
	} else {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}
