/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hardware shadow VMCS contains, as far as the module knows, and which of
 * its fields are open to the guest.
 */
#ifndef _KVM_NESTED_IMAGE_H
#define _KVM_NESTED_IMAGE_H

#include "habits.h"

struct kn_image {
	void *region;			/* the shadow VMCS */
	const struct kn_choice *choice;	/* as the bitmaps have it... */
	u32 version;			/* ... as it was then... */
	bool clean;			/* ... for a VMCS12 that is not dirty */
	/*
	 * Open fields that the shadow VMCS has, and VMCS12 when it contained the same; and
	 * what those contained that are open for writing, in the order of the list, when
	 * last looked at: the processor may keep bits that VMCS12 has not.
	 */
	unsigned long known[VMCS12_SET_LONGS];
	u64 vmcs12[VMCS12_NR_PLACES];
	u64 written[VMCS12_NR_FIELDS];
	bool exact;			/* the guest has written no bits that VMCS12 has not */
	u64 left;			/* see kn_shadow_left(); 0 once it may have changed */
};

static inline bool kn_image_is_open(const struct kn_image *image, const struct kn_choice *choice,
				    bool clean)
{
	return image->choice == choice && image->version == choice->version &&
	       image->clean == clean;
}

/* The fields that are open for writing, as a set and as the length of a list. */

static inline const unsigned long *kn_image_open_for_writing(const struct kn_image *image)
{
	return image->clean ? image->choice->open_clean : image->choice->open[LEARN_WRITE];
}

static inline int kn_image_nr_written(const struct kn_image *image)
{
	return image->clean ? image->choice->nr_written_clean : image->choice->nr_written;
}

void kn_image_init(struct kn_image *image, void *region);
struct kn_image *kn_image_create(const void *model);
void kn_image_forget(struct kn_image *image);
void kn_image_free(struct kn_image *image);
void kn_image_open(struct kn_image *image, const struct kn_choice *choice, bool clean,
		   const void *vmcs12);
void kn_image_set(struct kn_image *image, enum vmcs12_field field, u64 value);
int kn_image_find_change(const struct kn_image *image, const void *vmcs12, int i);
bool kn_image_write(struct kn_image *image, const void *vmcs12, int i, struct kn_habits *habits,
		    struct kn_shadow_counters *counters);
void kn_image_read(struct kn_image *image, void *vmcs12, unsigned long *changed,
		   struct kn_shadow_counters *counters);
void kn_image_read_field(struct kn_image *image, void *vmcs12, enum vmcs12_field field,
			 unsigned long *changed, struct kn_shadow_counters *counters);

#endif /* _KVM_NESTED_IMAGE_H */
