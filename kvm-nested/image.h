/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hardware shadow VMCS contains, as far as the module knows, and which of
 * its fields are open to the guest: those that the guest was seen to use of the
 * VMCS12 that is behind it.
 */
#ifndef _KVM_NESTED_IMAGE_H
#define _KVM_NESTED_IMAGE_H

#include "choice.h"

struct kn_shadow_counters;
struct kvm_vcpu;

struct kn_image {
	const struct kn_choice *choice;	/* as the bitmaps have it... */
	bool clean;			/* ... for a VMCS12 that is not dirty */
	u32 fixed_generation;		/* of @choices */
	/*
	 * Open fields that the shadow VMCS has: what they contained when last looked at,
	 * and VMCS12 with the same.  The processor may keep bits that VMCS12 has not.
	 */
	unsigned long known[VMCS12_SET_LONGS];
	u64 value[VMCS12_NR_FIELDS];
	u64 vmcs12[VMCS12_NR_PLACES];
	struct learn learn;
	struct kn_choice choices[LEARN_NR_SETS];	/* one for each set of @learn */
};

extern unsigned int kn_shadow_fields;
extern unsigned int kn_shadow_learn;
extern unsigned int kn_shadow_review;

/* The fields that are open for writing, as a set and as the length of a list. */

static inline const unsigned long *kn_image_open_for_writing(const struct kn_image *image)
{
	return image->clean ? image->choice->open_clean : image->choice->open[LEARN_WRITE];
}

static inline int kn_image_nr_written(const struct kn_image *image)
{
	return image->clean ? image->choice->nr_written_clean : image->choice->nr_written;
}

void kn_image_init(struct kn_image *image);
void kn_image_forget(struct kn_image *image);
const struct kn_choice *kn_image_choose(struct kn_image *image, struct kvm_vcpu *vcpu, u64 vmptr,
					bool used, struct kn_shadow_counters *counters);
void kn_image_open(struct kn_image *image, const struct kn_choice *choice, bool clean,
		   const void *vmcs12);
enum learn_result kn_image_trapped(struct kn_image *image, struct kvm_vcpu *vcpu, u64 vmptr,
				   enum learn_access access, enum vmcs12_field field,
				   struct kn_shadow_counters *counters);
void kn_image_set(struct kn_image *image, enum vmcs12_field field, u64 value);
int kn_image_find_change(const struct kn_image *image, const void *vmcs12, int i);
bool kn_image_write(struct kn_image *image, const void *vmcs12, int i,
		    struct kn_shadow_counters *counters);
void kn_image_read(struct kn_image *image, void *vmcs12, unsigned long *changed,
		   struct kn_shadow_counters *counters);
void kn_image_read_field(struct kn_image *image, void *vmcs12, enum vmcs12_field field,
			 unsigned long *changed, struct kn_shadow_counters *counters);

#endif /* _KVM_NESTED_IMAGE_H */
