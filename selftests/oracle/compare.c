// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two logs of one seed: where they part, in words.
 */
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "field.h"

static const char * const kind_names[NR_KINDS] = {
	[LOG_FLAGS] = "RFLAGS",
	[LOG_VECTOR] = "exception vector",
	[LOG_ERROR] = "error code",
	[LOG_FAULT_RIP] = "RIP of the exception",
	[LOG_CR2] = "CR2",
	[LOG_EXIT] = "VM exit",
	[LOG_REG] = "register",
	[LOG_MEMORY] = "memory operand",
	[LOG_FIELD] = "VMREAD of",
	[LOG_VMFAIL] = "interpreter's access fails to",
	[LOG_HOST_STATE] = "L1's own state",
	[LOG_KVM_EXIT] = "exit to user space",
	[LOG_IO] = "L1's or L2's I/O",
	[LOG_STATE] = "saved state, word",
	[LOG_PAGE] = "memory page",
	[LOG_VMCS] = "VMCS12 in memory, word",
	[LOG_END] = "end of the run",
};

static const char * const reg_names[NR_REGS] = {
	"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12",
	"R13", "R14", "R15",
};

static const char * const host_state_names[] = {
#define X(_name) #_name,
	HOST_STATES(X)
#undef X
};

static const char *page_name(unsigned int page)
{
	static const struct {
		const char *name;
		unsigned int first;
	} pages[] = {
#define X(_name, _nr) { #_name, P_##_name },
		PAGES(X)
#undef X
	};
	unsigned int i;

	for (i = ARRAY_SIZE(pages) - 1; pages[i].first > page; i--)
		;
	return pages[i].name;
}

/* The field in an eight-byte word of VMCS12; the first, if there are more. */
static const char *word_name(unsigned int word)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		if (kn_fields[i].offset / 8 == word)
			return kn_fields[i].name;
	return "header";
}

static void print_what(const struct item *item)
{
	const char *name = item->kind < NR_KINDS ? kind_names[item->kind] : "nothing";

	printf("%s ", name);
	switch (item->kind) {
	case LOG_REG:
		printf("%s", reg_names[item->what % NR_REGS]);
		break;
	case LOG_FIELD:
	case LOG_VMFAIL:
		printf("%s", field_name(item->what));
		break;
	case LOG_HOST_STATE:
		printf("%s", item->what < NR_HOST_STATE ? host_state_names[item->what] : "MSR");
		break;
	case LOG_PAGE:
		printf("%s", page_name(item->what));
		break;
	case LOG_VMCS:
		printf("%#x (%s)", (unsigned int)item->what, word_name(item->what & 0xff));
		break;
	default:
		printf("%u", (unsigned int)item->what);
	}
}

void print_item(const char *who, const struct item *item)
{
	printf("    %s: ", who);
	if (!item) {
		printf("the log has ended\n");
		return;
	}
	printf("step %u, op %u: ", (unsigned int)item->step, (unsigned int)item->op);
	print_what(item);
	printf(" = %#lx\n", item->value);
}

/* The number of the first item that differs, NO_DIFFERENCE if there is none. */
size_t first_difference(const struct run *one, const struct run *other)
{
	size_t i, nr = one->nr < other->nr ? one->nr : other->nr;

	for (i = 0; i < nr; i++)
		if (memcmp(&one->items[i], &other->items[i], sizeof(struct item)))
			return i;
	return one->nr == other->nr ? NO_DIFFERENCE : i;
}

void print_difference(const struct run *one, const struct run *other, size_t at)
{
	const struct item *first = at < one->nr ? &one->items[at] : NULL;
	const struct item *second = at < other->nr ? &other->items[at] : NULL;
	const struct item *where = first ?: second;

	printf("    in op %u: %s\n", (unsigned int)where->op, program_text(where->op));
	print_item("stock ", first);
	print_item("module", second);
}
