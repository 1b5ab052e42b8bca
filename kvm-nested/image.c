// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hardware shadow VMCS contains, and which of its fields are open.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "image.h"
#include "kvm_intel.h"
#include "stats.h"

void kn_image_init(struct kn_image *image, void *region)
{
	memset(image, 0, sizeof(*image));
	image->region = region;
	image->choice = &kn_choice_nothing;
}

/* With an empty shadow VMCS, a page like that at @model.  NULL if there is no memory. */
struct kn_image *kn_image_create(const void *model)
{
	struct kn_image *image = kmalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	void *region = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (!image || !region) {
		free_page((unsigned long)region);
		kfree(image);
		return NULL;
	}

	/* The revision, and that it is a shadow VMCS. */
	*(u32 *)region = *(u32 *)model;
	kn_vmclear(virt_to_phys(region));
	kn_image_init(image, region);
	return image;
}

/* The shadow VMCS may contain anything. */
void kn_image_forget(struct kn_image *image)
{
	if (image)
		kn_image_init(image, image->region);
}

/* The shadow VMCS is active nowhere. */
void kn_image_free(struct kn_image *image)
{
	if (!image)
		return;

	free_page((unsigned long)image->region);
	kfree(image);
}

/* Let the guest have these fields.  What differs for sure gets written. */
void kn_image_open(struct kn_image *image, const struct kn_choice *choice, bool clean,
		   const void *vmcs12)
{
	unsigned long unknown[VMCS12_SET_LONGS];
	const u64 *now = vmcs12;
	enum vmcs12_field field;
	int i;

	/* Where the list is another one. */
	if (image->choice != choice || image->version != choice->version)
		for (i = 0; i < choice->nr_written; i++)
			image->written[i] = vmcs12_field_read(image->vmcs12,
							      choice->written_field[i]);
	image->choice = choice;
	image->version = choice->version;
	image->clean = clean;
	image->left = 0;
	bitmap_and(image->known, image->known, choice->any, VMCS12_NR_FIELDS);
	if (vmcs12_set_subtract(unknown, choice->any, image->known))
		vmcs12_for_each_field(field, unknown) {
			unsigned int place = vmcs12_fields[field].offset / 8;

			image->vmcs12[place] = ~now[place];
		}
}

static void note_written(struct kn_image *image, enum vmcs12_field field, u64 value)
{
	unsigned int number = image->choice->written_number[field];

	if (number)
		image->written[number - 1] = value;
}

/* The shadow VMCS and VMCS12 have been written alike. */
void kn_image_set(struct kn_image *image, enum vmcs12_field field, u64 value)
{
	note_written(image, field, value);
	vmcs12_field_write(image->vmcs12, field, value);
}

/* The first place of the choice from number @i on that is not as the shadow VMCS has it. */
int kn_image_find_change(const struct kn_image *image, const void *vmcs12, int i)
{
	const struct kn_choice *choice = image->choice;
	const u64 *now = vmcs12;
	int nr = choice->nr_places;

#pragma GCC unroll 4
	for (; i < nr; i++)
		if (now[choice->places[i]] != image->vmcs12[choice->places[i]])
			break;
	return i;
}

/*
 * With the shadow VMCS current: bring what differs there, from place number @i on.
 * False if it can't have one of the fields.
 */
bool kn_image_write(struct kn_image *image, const void *vmcs12, int i, struct kn_habits *habits,
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
				kn_habits_withdraw(habits, field);
				all = false;
				continue;
			}
			note_written(image, field, value);
			vmcs12_set_add(image->known, field);
		}
		/* With what is between the fields. */
		image->vmcs12[place] = ((const u64 *)vmcs12)[place];
	}
	counters->written += nr;

	return all;
}

/* The guest has written @value to field number @i of the list. */
static noinline void take_change(struct kn_image *image, void *vmcs12, int i, u64 value,
				 unsigned long *changed)
{
	enum vmcs12_field field = image->choice->written_field[i];

	/* With bits that VMCS12 has not, the next copying out will clear them. */
	kn_image_set(image, field, value);
	if (vmcs12_field_is_access_rights(field) && value & ~(u64)VMCS12_AR_BYTES_MASK) {
		value &= VMCS12_AR_BYTES_MASK;
		image->exact = false;
	}
	vmcs12_field_write(vmcs12, field, value);
	vmcs12_set_add(changed, field);
}

static __always_inline void read_field(struct kn_image *image, const u16 *encodings,
				       unsigned long i, void *vmcs12, unsigned long *changed)
{
	u64 value = kn_vmcs_read(encodings[i]);

	if (value != image->written[i])
		take_change(image, vmcs12, i, value, changed);
}

/* With the shadow VMCS current: bring what the guest has changed to VMCS12. */
void kn_image_read(struct kn_image *image, void *vmcs12, unsigned long *changed,
		   struct kn_shadow_counters *counters)
{
	const u16 *encodings = image->choice->written_encoding;
	unsigned long nr = kn_image_nr_written(image), i;

#pragma GCC unroll 4
	for (i = 0; i < nr; i++)
		read_field(image, encodings, i, vmcs12, changed);
	counters->read += nr;
}

/* The same for @field alone, which is open for writing. */
void kn_image_read_field(struct kn_image *image, void *vmcs12, enum vmcs12_field field,
			 unsigned long *changed, struct kn_shadow_counters *counters)
{
	const struct kn_choice *choice = image->choice;

	read_field(image, choice->written_encoding, choice->written_number[field] - 1, vmcs12,
		   changed);
	counters->read++;
}
