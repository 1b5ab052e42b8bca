/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_VMCS02_H
#define _KVM_NESTED_VMCS02_H

#include "vcpu.h"

void kn_vmcs_save(struct kvm_vcpu *vcpu, const unsigned long *fields);
void kn_vmcs_load(struct kvm_vcpu *vcpu, const unsigned long *fields);

bool kn_vmcs02_has(struct kn_vcpu *kv, enum vmcs12_field field);
void kn_vmcs02_save(struct kn_vcpu *kv, const struct kn_choice *choice);
void kn_vmcs02_fetch(struct kn_vcpu *kv, const unsigned long *fields);
void kn_vmcs02_complete(struct kn_vcpu *kv);
void kn_vmcs02_store(struct kn_vcpu *kv, const unsigned long *fields);
void kn_vmcs02_leave(struct kn_vcpu *kv);

#endif /* _KVM_NESTED_VMCS02_H */
