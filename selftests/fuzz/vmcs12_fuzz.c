// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fields by encoding and by name, field access, and sets of fields: against a search of the field
 * list, a splitter of names, one value for each field and one flag for each member.
 */
#include "vmcs12.h"
#include "fuzz.h"

#define PAGE_SIZE	4096
#define MAX_NAMES	4096

/* From the list itself and the SDM's layout of an encoding, not from vmcs12_fields. */
static const struct line {
	const char *name;
	u16 encoding;
	u16 offset;
} lines[] = {
#define VMCS_FIELD(name, encoding, member, offset, shadow) { #name, encoding, offset },
#include <kvm-nested/vmcs_fields.h>
};

#define NR_LINES	ARRAY_SIZE(lines)

static unsigned int bits_of(const struct line *line)
{
	static const unsigned int widths[] = { 16, 64, 32, 64 };

	return line->encoding % 2 ? 32 : widths[line->encoding / 0x2000];
}

static bool is_high(unsigned int i)
{
	return lines[i].encoding % 2;
}

static bool has_high(unsigned int i)
{
	return i + 1 < NR_LINES && is_high(i + 1);
}

static u64 mask_of(unsigned int i)
{
	return bits_of(&lines[i]) == 64 ? ~0ull : (1ull << bits_of(&lines[i])) - 1;
}

static void fuzz_find(struct fuzz_input *input)
{
	/* Few of 64 random bits make a field: a shorter one, or one that is nearly one. */
	u8 how = fuzz_u8(input);
	u64 encoding = how & 1 ? fuzz_u64(input) : fuzz_u16(input);
	unsigned int i;

	if (how & 2)
		encoding = lines[encoding % NR_LINES].encoding ^ 1ull << how / 4;
	for (i = 0; i < NR_LINES && lines[i].encoding != encoding; i++)
		;
	FUZZ_EXPECT_EQ(vmcs12_field_find(encoding), i, "encoding %#llx", encoding);
}

/* Names of fields and what goes wrong between them, by the input's bytes. */
static char *take_names(struct fuzz_input *input)
{
	static char buffer[MAX_NAMES];
	size_t length = 0;
	char *names;

	while (input->size && length < MAX_NAMES - 64) {
		u8 what = fuzz_u8(input);

		if (what < NR_LINES) {
			length += sprintf(buffer + length, "%s%s", lines[what].name,
					  fuzz_u8(input) % 8 ? "," : "");
		} else if (what % 4 == 0 && length) {
			length--;
		} else {
			buffer[length++] = fuzz_u8(input);
		}
	}
	buffer[length] = '\0';

	/* Of its exact length, so that a look behind its end is seen. */
	names = strdup(buffer);
	FUZZ_EXPECT(names, "no memory");
	return names;
}

/* False if one is unknown. An empty name is one, but behind the last comma there may be none. */
static bool split_names(bool *wanted, const char *names)
{
	char *copy = strdup(names), *rest = copy, *name;
	bool known = true;

	copy[strcspn(copy, "\n")] = '\0';
	while (known && (name = strsep(&rest, ","))) {
		unsigned int i;

		if (!*name && !rest)
			break;
		for (i = 0; i < NR_LINES && strcmp(lines[i].name, name); i++)
			;
		known = i < NR_LINES;
		if (known)
			wanted[i - is_high(i)] = true;
	}
	free(copy);
	return known;
}

static void fuzz_parse(struct fuzz_input *input)
{
	unsigned long set[VMCS12_SET_LONGS], before[VMCS12_SET_LONGS];
	char *names = take_names(input);
	bool wanted[NR_LINES] = {};
	int r;

	memset(set, 0x5a, sizeof(set));
	memcpy(before, set, sizeof(set));
	r = vmcs12_set_parse(set, names);
	if (!split_names(wanted, names)) {
		FUZZ_EXPECT_EQ(-r, 22, "\"%s\"", names);
		FUZZ_EXPECT(!memcmp(set, before, sizeof(set)), "\"%s\"", names);
	} else {
		FUZZ_EXPECT_EQ(r, 0, "\"%s\"", names);
		for (unsigned int i = 0; i < NR_LINES; i++)
			FUZZ_EXPECT_EQ(vmcs12_set_has(set, i), wanted[i], "%s of \"%s\"",
				       lines[i].name, names);
	}
	free(names);
}

static void write_model(u64 *values, unsigned int i, u64 value)
{
	values[i] = value & mask_of(i);
	if (has_high(i))
		values[i + 1] = values[i] >> 32;
	if (is_high(i))
		values[i - 1] = (u32)values[i - 1] | values[i] << 32;
}

static void fuzz_access(struct fuzz_input *input)
{
	static u8 used[PAGE_SIZE];
	u8 *page = malloc(PAGE_SIZE), fill = fuzz_u8(input);
	u64 values[NR_LINES];

	FUZZ_EXPECT(page, "no memory");
	memset(page, fill, PAGE_SIZE);
	for (unsigned int i = 0; i < NR_LINES; i++) {
		values[i] = fill * 0x0101010101010101ull & mask_of(i);
		memset(used + lines[i].offset, 1, bits_of(&lines[i]) / 8);
	}

	while (input->size) {
		unsigned int i = fuzz_u8(input) % NR_LINES;
		u64 value = fuzz_u64(input);

		vmcs12_field_write(page, i, value);
		write_model(values, i, value);
		/* Each of the others has what it had. */
		for (unsigned int j = 0; j < NR_LINES; j++)
			FUZZ_EXPECT_EQ(vmcs12_field_read(page, j), values[j], "%s after %s = %#llx",
				       lines[j].name, lines[i].name, value);
	}
	for (unsigned int at = 0; at < PAGE_SIZE; at++)
		FUZZ_EXPECT(used[at] || page[at] == fill, "byte %u, in no field", at);
	free(page);
}

static void check_sets(const unsigned long *one, const unsigned long *other, const bool *in_one,
		       const bool *in_other)
{
	bool meet = false, more = false, seen[NR_LINES] = {};
	unsigned long rest[VMCS12_SET_LONGS];
	enum vmcs12_field field, last = 0;
	unsigned int nr = 0;

	FUZZ_EXPECT_EQ(vmcs12_set_subtract(rest, one, other), !vmcs12_set_is_empty(rest), "rest");
	vmcs12_for_each_field(field, one) {
		FUZZ_EXPECT(field < NR_LINES && (!nr || field > last), "field %u", field);
		seen[field] = true;
		last = field;
		nr++;
	}
	for (unsigned int i = 0; i < NR_LINES; i++) {
		FUZZ_EXPECT_EQ(vmcs12_set_has(one, i), in_one[i], "%s", lines[i].name);
		FUZZ_EXPECT_EQ(seen[i], in_one[i], "%s", lines[i].name);
		FUZZ_EXPECT_EQ(vmcs12_set_has(rest, i), in_one[i] && !in_other[i], "%s",
			       lines[i].name);
		meet |= in_one[i] && in_other[i];
		more |= in_one[i] && !in_other[i];
	}
	FUZZ_EXPECT_EQ(vmcs12_set_is_empty(one), !nr, "%u members", nr);
	FUZZ_EXPECT_EQ(vmcs12_sets_meet(one, other), meet, "%u members", nr);
	FUZZ_EXPECT_EQ(vmcs12_set_subtract(rest, one, other), more, "%u members", nr);
}

static void fuzz_sets(struct fuzz_input *input)
{
	unsigned long sets[2][VMCS12_SET_LONGS] = {};
	bool in[2][NR_LINES] = {};

	while (input->size) {
		u8 how = fuzz_u8(input), i = fuzz_u8(input) % NR_LINES;

		if (how & 2)
			vmcs12_set_add(sets[how & 1], i);
		else
			vmcs12_set_remove(sets[how & 1], i);
		in[how & 1][i] = how & 2;
		check_sets(sets[0], sets[1], in[0], in[1]);
		check_sets(sets[1], sets[0], in[1], in[0]);
	}
}

static void check_kinds(unsigned int i)
{
	unsigned int type = lines[i].encoding / 0x400 % 4;

	FUZZ_EXPECT_EQ(vmcs12_field_is_readonly(i), type == 1, "%s", lines[i].name);
	FUZZ_EXPECT_EQ(vmcs12_field_base(i), i - is_high(i), "%s", lines[i].name);
	FUZZ_EXPECT_EQ(vmcs12_field_is_access_rights(i), !!strstr(lines[i].name, "_AR_BYTES"), "%s",
		       lines[i].name);
	FUZZ_EXPECT_EQ(vmcs12_field_effect(i), vmcs12_field_effect(i - is_high(i)), "%s",
		       lines[i].name);
	/* What L2's exit leaves behind is guest state, which a VM entry copies if it is dirty. */
	if (vmcs12_field_is_lazy(i)) {
		FUZZ_EXPECT_EQ(type, 2, "%s", lines[i].name);
		FUZZ_EXPECT_EQ(vmcs12_field_effect(i), VMCS12_EFFECT_COPIED, "%s", lines[i].name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	u8 what = fuzz_u8(&input);

	switch (what % 8) {
	case 0:
	case 1:
		while (input.size)
			fuzz_find(&input);
		break;
	case 2:
	case 3:
	case 4:
		fuzz_parse(&input);
		break;
	case 5:
		fuzz_access(&input);
		break;
	case 6:
		fuzz_sets(&input);
		break;
	default:
		check_kinds(fuzz_u8(&input) % NR_LINES);
	}
	return 0;
}
