// SPDX-License-Identifier: GPL-2.0-only
#include "kvm_intel.h"

static unsigned long guest_cr4(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr4; /* BAD */
}

static void *root(struct kn_vcpu *kv)
{
	return &kv->vcpu->arch.root_mmu; /* BAD */
}

static bool vmxon(void *nested)
{
	return *kn_member(nested, nested_vmx, vmxon, bool); /* BAD */
}

static void *nested(struct kvm_vcpu *vcpu)
{
	return (void *)vcpu + KN_OFFSET_vcpu_vmx_nested; /* BAD */
}

static bool by_the_accessor(struct kvm_vcpu *vcpu)
{
	return nested_in_vmx_operation(vcpu);
}
