/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_SHADOW02_H
#define _KVM_NESTED_SHADOW02_H

#include "image.h"

struct kn_vcpu;

/* The hardware shadow VMCS that VMCS02 refers to while an L2 may use it. */
struct kn_shadow02 {
	bool open;		/* VMCS02 refers to it, and so does its struct loaded_vmcs */
	u64 *bitmap[LEARN_NR_ACCESSES];
	struct kn_habits habits;
	struct kn_image *image;
};

extern bool kn_shadow02_enable;

void __kn_shadow02_open(struct kn_vcpu *kv, bool entered);
void __kn_shadow02_close(struct kn_vcpu *kv);
void kn_shadow02_close_here(struct kn_vcpu *kv);
void kn_shadow02_trapped(struct kn_vcpu *kv, enum learn_access access, enum vmcs12_field field);
void kn_shadow02_free(struct kn_vcpu *kv);

/* handover.c */
bool kn_shadow02_give_back(struct kn_vcpu *kv);

static inline bool kn_shadow02_is_open(const struct kn_shadow02 *shadow02)
{
	return shadow02 && READ_ONCE(shadow02->open);
}

#endif /* _KVM_NESTED_SHADOW02_H */
