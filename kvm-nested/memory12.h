/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMCS12 in L1's memory.
 */
#ifndef _KVM_NESTED_MEMORY12_H
#define _KVM_NESTED_MEMORY12_H

#include <linux/kvm_host.h>

enum memory12_state {
	MEMORY12_SAME,
	MEMORY12_CHANGED,
	MEMORY12_UNUSABLE,
};

bool kn_memory12_write(struct kvm_vcpu *vcpu, gpa_t gpa, const u64 *page);
enum memory12_state kn_memory12_read(struct kvm_vcpu *vcpu, gpa_t gpa, u64 *page);

#endif /* _KVM_NESTED_MEMORY12_H */
