/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_INSN_H
#define _KVM_NESTED_INSN_H

#include <linux/kvm_host.h>

#include "operand.h"

bool kn_insn_permitted(struct kvm_vcpu *vcpu);
bool kn_insn_translates(struct kvm_vcpu *vcpu, const struct operand_info *info);
bool kn_insn_translate(struct kvm_vcpu *vcpu, const struct operand_info *info,
		       unsigned int size, bool write, gva_t *gva);
int kn_insn_succeed(struct kvm_vcpu *vcpu);
int kn_insn_fail_invalid(struct kvm_vcpu *vcpu);
int kn_insn_fail_valid(struct kvm_vcpu *vcpu, u32 error);

#endif /* _KVM_NESTED_INSN_H */
