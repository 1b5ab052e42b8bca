/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_TRANSITION_H
#define _KVM_NESTED_TRANSITION_H

#include <linux/types.h>

struct kn_vcpu;

extern bool kn_transition_enable;

bool kn_transition_check_segments(struct kn_vcpu *kv, bool *valid);
bool kn_transition_set_up_msrs(struct kn_vcpu *kv);
void kn_transition_set_efer(struct kn_vcpu *kv, u64 efer);
bool kn_transition_knows_efer(struct kn_vcpu *kv, u64 efer);
void kn_transition_efer_is_valid(struct kn_vcpu *kv, u64 efer);
bool kn_transition_knows_l2_mmu(struct kn_vcpu *kv);
void kn_transition_l2_mmu_is_new(struct kn_vcpu *kv);

/* host_state.c */
bool kn_transition_load_host_state(struct kn_vcpu *kv);

#endif /* _KVM_NESTED_TRANSITION_H */
