// SPDX-License-Identifier: GPL-2.0-only
#include "vmaccess.h"

static int writes_first(struct kn_vcpu *kv, void *vmcs12, u64 value)
{
	vmcs12_field_write(vmcs12, VMCS12_TSC_OFFSET, value);
	if (nested_uses_evmcs(kv->vcpu))
		return KN_STOCK; /* BAD */
	return vmx_succeed(kv->vcpu);
}

static int calls_first(struct kn_vcpu *kv, u64 value)
{
	kn_call(vmx_set_rflags)(kv->vcpu, 0);
	if (value)
		nested_set_dirty_vmcs12(kv->vcpu);
	return vmaccess_fallback(kv, KN_FALLBACK_LAZY); /* BAD */
}

static int decides_first(struct kn_vcpu *kv, void *vmcs12, u64 value)
{
	if (nested_uses_evmcs(kv->vcpu))
		return KN_STOCK;
	vmcs12_field_write(vmcs12, VMCS12_TSC_OFFSET, value);
	return vmx_succeed(kv->vcpu);
}
