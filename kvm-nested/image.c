// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hardware shadow VMCS contains, and which of its fields are open.
 */
#include <linux/bitmap.h>

#include "image.h"
#include "kvm_intel.h"
#include "stats.h"

unsigned int kn_shadow_fields = 128;
unsigned int kn_shadow_learn = 3;
unsigned int kn_shadow_review = 256;

void kn_image_init(struct kn_image *image)
{
	learn_init(&image->learn);
	image->choice = &kn_choice_nothing;
}

/* The shadow VMCS may contain anything. */
void kn_image_forget(struct kn_image *image)
{
	memset(image->known, 0, sizeof(image->known));
	image->choice = &kn_choice_nothing;
}

/* The processor has no such field: nobody is to ask for it again. */
static void withdraw(struct kn_image *image, enum vmcs12_field field)
{
	int i;

	kn_choice_withdraw(field);
	for (i = 0; i < LEARN_NR_SETS; i++)
		learn_drop(&image->learn.sets[i], field);
	image->fixed_generation = kn_choice_fixed_generation() - 1;
}

/*
 * The fields that the VMCS12 at @vmptr shall have open.  With @used, this is
 * another use of its set.
 */
const struct kn_choice *kn_image_choose(struct kn_image *image, struct kvm_vcpu *vcpu, u64 vmptr,
					bool used, struct kn_shadow_counters *counters)
{
	struct learn_set *set = learn_find(&image->learn, vmptr);
	u32 fixed_generation = kn_choice_fixed_generation();
	struct kn_choice *choice;

	if (used && learn_use(set, READ_ONCE(kn_shadow_review), READ_ONCE(kn_shadow_fields)) !=
		    VMCS12_NO_FIELD)
		counters->left++;

	if (fixed_generation != image->fixed_generation) {
		image->fixed_generation = fixed_generation;
		memset(image->choices, 0, sizeof(image->choices));
		image->choice = &kn_choice_nothing;
	}

	choice = &image->choices[set - image->learn.sets];
	if (!choice->made || (!choice->fixed && choice->generation != set->generation)) {
		kn_choice_make(choice, vcpu, set);
		if (image->choice == choice)
			image->choice = &kn_choice_nothing;
	}
	return choice;
}

/* Let the guest have these fields.  What differs for sure gets written. */
void kn_image_open(struct kn_image *image, const struct kn_choice *choice, bool clean,
		   const void *vmcs12)
{
	unsigned long unknown[VMCS12_SET_LONGS];
	const u64 *now = vmcs12;
	enum vmcs12_field field;

	image->choice = choice;
	image->clean = clean;
	bitmap_and(image->known, image->known, choice->any, VMCS12_NR_FIELDS);
	if (vmcs12_set_subtract(unknown, choice->any, image->known))
		vmcs12_for_each_field(field, unknown) {
			unsigned int place = vmcs12_fields[field].offset / 8;

			image->vmcs12[place] = ~now[place];
		}
}

/* The shadow VMCS and VMCS12 have been written alike. */
void kn_image_set(struct kn_image *image, enum vmcs12_field field, u64 value)
{
	image->value[field] = value;
	vmcs12_field_write(image->vmcs12, field, value);
}

/* An access to @field of the VMCS12 at @vmptr has trapped.  LEARN_JOINED: choose anew. */
enum learn_result kn_image_trapped(struct kn_image *image, struct kvm_vcpu *vcpu, u64 vmptr,
				   enum learn_access access, enum vmcs12_field field,
				   struct kn_shadow_counters *counters)
{
	enum learn_result result;
	struct learn_set *set;
	u32 threshold, max;

	field = vmcs12_field_base(field);
	if (kn_choice_is_fixed() || !kn_choice_may_open(vcpu, access, field))
		return LEARN_WAITS;

	set = learn_find(&image->learn, vmptr);
	threshold = READ_ONCE(kn_shadow_learn);
	max = READ_ONCE(kn_shadow_fields);
	if (kn_choice_is_exclusive(field))
		result = learn_trapped_exclusive(set, access, field, threshold, max);
	else
		result = learn_trapped(set, access, field, threshold, max);

	if (result == LEARN_JOINED)
		counters->joined++;
	else if (result == LEARN_FULL)
		counters->full++;
	return result;
}

/* The first place of the choice from number @i on that is not as the shadow VMCS has it. */
int kn_image_find_change(const struct kn_image *image, const void *vmcs12, int i)
{
	const struct kn_choice *choice = image->choice;
	const u64 *now = vmcs12;
	int nr = choice->nr_places;

	while (i < nr && now[choice->places[i]] == image->vmcs12[choice->places[i]])
		i++;
	return i;
}

/*
 * With the shadow VMCS current: bring what differs there, from place number @i on.
 * False if it can't have one of the fields.
 */
bool kn_image_write(struct kn_image *image, const void *vmcs12, int i,
		    struct kn_shadow_counters *counters)
{
	const struct kn_choice *choice = image->choice;
	unsigned int nr = 0;
	bool all = true;
	int f;

	for (; i < choice->nr_places; i = kn_image_find_change(image, vmcs12, i + 1)) {
		const struct kn_place *in_place = &choice->in_place[i];
		unsigned int place = choice->places[i];

		for (f = 0; f < in_place->nr; f++) {
			enum vmcs12_field field = in_place->fields[f];
			u64 value = vmcs12_field_read(vmcs12, field);

			nr++;
			if (!kn_vmcs_write(vmcs12_fields[field].encoding, value)) {
				withdraw(image, field);
				all = false;
				continue;
			}
			image->value[field] = value;
			vmcs12_set_add(image->known, field);
		}
		/* With what is between the fields. */
		image->vmcs12[place] = ((const u64 *)vmcs12)[place];
	}
	counters->written += nr;

	return all;
}

static void read_field(struct kn_image *image, void *vmcs12, u16 encoding,
		       enum vmcs12_field field, unsigned long *changed)
{
	u64 value = kn_vmcs_read(encoding);

	if (value == image->value[field])
		return;

	/* With bits that VMCS12 has not, the next copying out will clear them. */
	kn_image_set(image, field, value);
	if (vmcs12_field_is_access_rights(field))
		value &= VMCS12_AR_BYTES_MASK;
	vmcs12_field_write(vmcs12, field, value);
	vmcs12_set_add(changed, field);
}

/* With the shadow VMCS current: bring what the guest has changed to VMCS12. */
void kn_image_read(struct kn_image *image, void *vmcs12, unsigned long *changed,
		   struct kn_shadow_counters *counters)
{
	const struct kn_choice *choice = image->choice;
	int nr = kn_image_nr_written(image);
	int i;

	for (i = 0; i < nr; i++)
		read_field(image, vmcs12, choice->written[i].encoding, choice->written[i].field,
			   changed);
	counters->read += nr;
}

/* The same for @field alone, which is open for writing. */
void kn_image_read_field(struct kn_image *image, void *vmcs12, enum vmcs12_field field,
			 unsigned long *changed, struct kn_shadow_counters *counters)
{
	read_field(image, vmcs12, vmcs12_fields[field].encoding, field, changed);
	counters->read++;
}
