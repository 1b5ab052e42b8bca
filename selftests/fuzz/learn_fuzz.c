// SPDX-License-Identifier: GPL-2.0-only
/*
 * Learning: any order of traps, uses, fields withdrawn and VMCS12s.
 *
 * Against a model: which set is whose; what a trap leads to. And against rules: sets have the size
 * they say and that they may have, what is counted stays in bounds, the generation tells about each
 * change of the members, members have their reviews in turn, and there is a bound for how often a
 * field can come back.
 */
#include "learn.h"
#include "fuzz.h"

#define NR_VMPTRS	12	/* more than sets */

/* What one set was made to see. */
struct model {
	u64 used;
	bool trapped[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];	/* since it was made */
	unsigned int points[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];
	bool in_use[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];	/* trapped in this use */
	unsigned int traps[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];
	unsigned int joins[LEARN_NR_ACCESSES][VMCS12_NR_FIELDS];
	unsigned int departures[VMCS12_NR_FIELDS];
	unsigned int against[VMCS12_NR_FIELDS];	/* of a member that is open for one access only */
	unsigned int turns[VMCS12_NR_FIELDS];	/* since it joined */
	unsigned int turned[VMCS12_NR_FIELDS];	/* since the set was made */
	unsigned int age;
};

static struct learn learn;
static struct model models[NR_VMPTRS];
static u64 clock_now;
static u32 threshold, period, max;

static u64 vmptr_of(unsigned int i)
{
	/* One of them is 0, which a set that was never used has, too. */
	return i * 0x1000ull;
}

static bool has(const struct learn_set *set, enum learn_access access, unsigned int field)
{
	return set->members[access][field / 64] >> field % 64 & 1;
}

static bool is_member(const struct learn_set *set, unsigned int field)
{
	return has(set, LEARN_READ, field) || has(set, LEARN_WRITE, field);
}

static unsigned int population(const struct learn_set *set)
{
	unsigned int nr = 0;

	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++)
		nr += is_member(set, field);
	return nr;
}

static void check_set(const struct learn_set *set, const struct model *model)
{
	FUZZ_EXPECT_EQ(set->nr, population(set), "members");
	for (unsigned int field = 0; field < VMCS12_NR_FIELDS; field++) {
		unsigned int turns = 1u << set->tenure[field], passes = set->passes[field];

		FUZZ_EXPECT(set->tenure[field] <= LEARN_MAX_TENURE, "field %u", field);
		FUZZ_EXPECT(!vmcs12_field_is_access_rights(field) ||
			    !has(set, LEARN_READ, field) || !has(set, LEARN_WRITE, field),
			    "field %u is open both ways", field);
		FUZZ_EXPECT(passes < 1u << LEARN_MAX_TENURE, "field %u", field);
		FUZZ_EXPECT(!is_member(set, field) || passes < turns, "field %u", field);
		for (unsigned int a = 0; a < LEARN_NR_ACCESSES; a++)
			FUZZ_EXPECT(!has(set, a, field) || model->trapped[a][field],
				    "field %u was never asked for", field);
	}
}

/* Of up to LEARN_NR_SETS VMCS12s the sets are kept, of more those used last. */
static bool is_kept(unsigned int which)
{
	unsigned int later = 0;

	for (unsigned int i = 0; i < NR_VMPTRS; i++)
		later += models[i].used > models[which].used;
	return models[which].used && later < LEARN_NR_SETS;
}

static struct learn_set *find(unsigned int which)
{
	struct learn_set before[LEARN_NR_SETS];
	struct model *model = &models[which];
	bool kept = is_kept(which);
	struct learn_set *set;

	memcpy(before, learn.sets, sizeof(before));
	set = learn_find(&learn, vmptr_of(which));
	FUZZ_EXPECT(set >= learn.sets && set < learn.sets + LEARN_NR_SETS, "set");
	FUZZ_EXPECT_EQ(set->vmptr, vmptr_of(which), "VMCS12 %u", which);
	FUZZ_EXPECT(set->used && learn_find(&learn, vmptr_of(which)) == set, "VMCS12 %u", which);

	if (kept) {
		FUZZ_EXPECT_EQ(before[set - learn.sets].vmptr, vmptr_of(which), "VMCS12 %u", which);
		FUZZ_EXPECT(!memcmp(before[set - learn.sets].members, set->members,
				    sizeof(set->members)), "VMCS12 %u was forgotten", which);
		FUZZ_EXPECT_EQ(before[set - learn.sets].generation, set->generation, "kept");
	} else {
		FUZZ_EXPECT_EQ(set->nr + population(set), 0, "VMCS12 %u starts anew", which);
		FUZZ_EXPECT_EQ(set->generation, before[set - learn.sets].generation + 1, "new");
		memset(model, 0, sizeof(*model));
	}
	/* All others stay as they are. */
	for (unsigned int i = 0; i < LEARN_NR_SETS; i++)
		FUZZ_EXPECT(set == &learn.sets[i] ||
			    !memcmp(&before[i], &learn.sets[i], sizeof(before[i])), "set %u", i);
	model->used = ++clock_now;
	check_set(set, model);
	return set;
}

/*
 * The access that is closed takes over after @threshold traps, and later not before it is known how
 * often it traps, nor later than when that is looked into most rarely.
 */
static void turn(struct learn_set *set, struct model *model, enum learn_access access, u8 field)
{
	unsigned int *against = &model->against[field], nr = set->nr;
	enum learn_result got;
	bool turns;

	++*against;
	got = learn_trapped_exclusive(set, access, field, threshold, max);
	turns = got == LEARN_JOINED;
	FUZZ_EXPECT(turns || got == LEARN_WAITS, "field %u", field);
	if (!model->turns[field])
		FUZZ_EXPECT_EQ(turns, *against >= threshold, "field %u, against %u", field,
			       *against);
	else
		FUZZ_EXPECT(turns ? *against >= LEARN_STINT :
				    *against < LEARN_STINT + (LEARN_STINT << LEARN_MAX_PATIENCE),
			    "field %u, against %u", field, *against);
	FUZZ_EXPECT_EQ(has(set, access, field), turns, "field %u", field);
	FUZZ_EXPECT_EQ(has(set, !access, field), !turns, "field %u", field);
	FUZZ_EXPECT_EQ(set->nr, nr, "field %u turns", field);
	if (turns) {
		*against = 0;
		model->turns[field]++;
		model->turned[field]++;
	}
}

static void trap(struct learn_set *set, struct model *model, enum learn_access access, u8 field)
{
	enum learn_result want = LEARN_WAITS, got;
	struct learn_set before = *set;

	model->trapped[access][field] = true;
	if (vmcs12_field_is_access_rights(field) && has(set, !access, field)) {
		turn(set, model, access, field);
		return;
	}
	if (!has(set, access, field)) {
		unsigned int *points = &model->points[access][field];

		model->traps[access][field]++;
		*points += model->in_use[access][field] ? 1 : 4;
		model->in_use[access][field] = true;
		if (*points >= 4 * threshold)
			want = is_member(set, field) || set->nr < max ? LEARN_JOINED : LEARN_FULL;
	}

	if (vmcs12_field_is_access_rights(field))
		got = learn_trapped_exclusive(set, access, field, threshold, max);
	else
		got = learn_trapped(set, access, field, threshold, max);
	FUZZ_EXPECT_EQ(got, want, "field %u, %u points, %u of %u members", field,
		       model->points[access][field], before.nr, max);
	FUZZ_EXPECT_EQ(has(set, access, field), got == LEARN_JOINED || has(&before, access, field),
		       "field %u", field);
	FUZZ_EXPECT_EQ(has(set, !access, field), has(&before, !access, field), "field %u", field);
	if (got == LEARN_JOINED) {
		model->joins[access][field]++;
		FUZZ_EXPECT(model->joins[access][field] <=
			    model->departures[field] + model->turned[field] + 1,
			    "field %u joins again and never left", field);
		FUZZ_EXPECT(model->departures[field] || model->turned[field] ||
			    model->traps[access][field] >= threshold,
			    "field %u joins after %u traps", field, model->traps[access][field]);
	}
}

static void note_departure(const struct learn_set *set, struct model *model, unsigned int field)
{
	FUZZ_EXPECT(!is_member(set, field), "field %u", field);
	model->departures[field]++;
	model->against[field] = model->turns[field] = 0;
}

/* Whoever was a member between the one reviewed last and this one was passed over. */
static void check_turn(const struct learn_set *before, const struct learn_set *set)
{
	unsigned int field = before->reviewed;

	do {
		field = (field + 1) % VMCS12_NR_FIELDS;
		if (field == set->reviewed)
			break;
		FUZZ_EXPECT(!is_member(before, field), "field %u is passed over for %u", field,
			    set->reviewed);
	} while (field != before->reviewed);
	FUZZ_EXPECT(is_member(before, set->reviewed), "field %u is reviewed", set->reviewed);
}

static void use(struct learn_set *set, struct model *model)
{
	bool too_many = set->nr > max, review = !too_many && model->age + 1 >= period;
	struct learn_set before = *set;
	enum vmcs12_field left;

	left = learn_use(set, period, max);
	memset(model->in_use, 0, sizeof(model->in_use));
	if (!too_many)
		model->age = review ? 0 : model->age + 1;

	FUZZ_EXPECT(left <= VMCS12_NO_FIELD, "field %u", left);
	if ((too_many || review) && before.nr)
		check_turn(&before, set);
	if (too_many)
		FUZZ_EXPECT(left != VMCS12_NO_FIELD, "%u members of %u", before.nr, max);
	if (!too_many && !review)
		FUZZ_EXPECT_EQ(left, VMCS12_NO_FIELD, "no review");
	if (review) {
		memset(model->points, 0, sizeof(model->points));
		/* Long service counts, unless there is no room. */
		if (before.nr)
			FUZZ_EXPECT_EQ(left == VMCS12_NO_FIELD,
				       before.passes[set->reviewed] && !before.crowded, "field %u",
				       set->reviewed);
	}
	if (left == VMCS12_NO_FIELD) {
		FUZZ_EXPECT_EQ(set->nr, before.nr, "nobody leaves");
		return;
	}

	FUZZ_EXPECT_EQ(set->nr, before.nr - 1, "field %u leaves", left);
	FUZZ_EXPECT_EQ(left, set->reviewed, "leaves");
	note_departure(set, model, left);
	/* Who leaves for a review is back at the next trap; who had no room has what it had. */
	if (review)
		model->points[LEARN_READ][left] = model->points[LEARN_WRITE][left] = U8_MAX;
}

static void drop(struct learn_set *set, struct model *model, u8 field)
{
	bool was_member = is_member(set, field);

	learn_drop(set, field);
	FUZZ_EXPECT(!is_member(set, field), "field %u", field);
	if (was_member)
		note_departure(set, model, field);
}

/* As many uses as there are members bring any set down to its bound. */
static void shrink(struct learn_set *set, struct model *model)
{
	for (unsigned int i = 0; i < VMCS12_NR_FIELDS && set->nr > max; i++)
		use(set, model);
	FUZZ_EXPECT(set->nr <= max, "%u members of %u", set->nr, max);
}

/* @field is used so often that its tenure grows to its bound. */
static void serve(struct learn_set *set, struct model *model, u8 field, enum learn_access access)
{
	for (unsigned int i = 0; i < 4u << LEARN_MAX_TENURE; i++) {
		use(set, model);
		if (!has(set, access, field))
			trap(set, model, access, field);
	}
}

static void check_generation(const struct learn_set *before, const struct learn_set *set)
{
	bool changed = memcmp(before->members, set->members, sizeof(set->members));

	FUZZ_EXPECT(!changed || set->generation > before->generation, "generation %u after %u",
		    set->generation, before->generation);
}

static void set_parameters(struct fuzz_input *input)
{
	static const u32 periods[] = { 1, 2, 7, 40, 256, ~0u };
	u8 how = fuzz_u8(input);

	threshold = how & 1 ? 1 : fuzz_u8(input) % LEARN_MAX_THRESHOLD + 1;
	period = periods[how / 2 % ARRAY_SIZE(periods)];
	max = how & 128 ? fuzz_u8(input) % 8 : fuzz_u8(input) % (VMCS12_NR_FIELDS + 1);
}

/* Any, and often enough one that can't be open for both accesses. */
static u8 fuzz_field(struct fuzz_input *input)
{
	u8 field = fuzz_u8(input);

	if (field < VMCS12_NR_FIELDS)
		return field;
	return LEARN_FIRST_EXCLUSIVE + field % LEARN_NR_EXCLUSIVE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	unsigned int which = 0;
	struct learn_set *set;

	memset(&learn, 0, sizeof(learn));
	memset(models, 0, sizeof(models));
	clock_now = 0;
	learn_init(&learn);
	set_parameters(&input);
	set = find(which);

	while (input.size) {
		struct model *model = &models[which];
		u8 what = fuzz_u8(&input), field = fuzz_field(&input);
		struct learn_set before = *set;

		switch (what % 16) {
		case 0:
			which = field % NR_VMPTRS;
			set = find(which);
			continue;
		case 1:
			max = field;
			break;
		case 2:
			shrink(set, model);
			break;
		case 3:
			drop(set, model, field);
			break;
		case 4:
			serve(set, model, field, what / 16 & 1);
			break;
		case 5 ... 7:
			for (unsigned int i = 0; i <= what / 16; i++)
				use(set, model);
			break;
		default:
			/* The same one in many uses, or often in one. */
			for (unsigned int i = 0; i <= what / 32; i++) {
				trap(set, model, what & 1, field);
				if (what & 2)
					use(set, model);
			}
		}
		check_generation(&before, set);
		check_set(set, model);
	}
	return 0;
}
