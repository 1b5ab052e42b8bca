/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_VMACCESS_H
#define _KVM_NESTED_VMACCESS_H

#include "vcpu.h"

/* What an engine returns to leave the exit, untouched, to the stock handler. */
#define KN_STOCK INT_MIN

extern bool kn_vmaccess_enable;

int kn_vmread(struct kn_vcpu *kv);
int kn_vmwrite(struct kn_vcpu *kv);

#endif /* _KVM_NESTED_VMACCESS_H */
