/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_REDIRECTS_H
#define _KVM_NESTED_REDIRECTS_H

/*
 * Functions that are called directly and redirected, as X(module, symbol, type).
 * Those that are called most come first.  Where stock KVM passes a vcpu_vmx, that
 * begins with its kvm_vcpu.
 */
#define REDIRECTS(X)									\
	X(kvm_intel, nested_sync_vmcs12_to_shadow, void (struct kvm_vcpu *))		\
	X(kvm_intel, nested_vmx_reflect_vmexit, bool (struct kvm_vcpu *))		\
	X(kvm, kvm_vcpu_map, int (struct kvm_vcpu *, gfn_t, struct kvm_host_map *))	\
	X(kvm_intel, vmx_load_mmu_pgd, void (struct kvm_vcpu *, hpa_t, int))		\
	X(kvm, __kvm_valid_efer, bool (struct kvm_vcpu *, u64))				\
	X(kvm_intel, vmx_setup_uret_msrs, void (struct kvm_vcpu *))			\
	X(kvm_intel, copy_shadow_to_vmcs12, void (struct kvm_vcpu *))			\
	X(kvm_intel, load_vmcs12_host_state, void (struct kvm_vcpu *, void *))		\
	X(kvm_intel, __vmx_guest_state_valid, bool (struct kvm_vcpu *))			\
	X(kvm_intel, nested_vmx_check_controls, int (struct kvm_vcpu *, void *))	\
	X(kvm_intel, nested_vmx_check_host_state, int (struct kvm_vcpu *, void *))	\
	X(kvm_intel, nested_vmx_check_guest_state, int (struct kvm_vcpu *, void *, u32 *)) \
	X(kvm, kvm_init_mmu, void (struct kvm_vcpu *))					\
	X(kvm, kvm_read_guest_cached, kn_copy_cached_fn)				\
	X(kvm, kvm_write_guest_cached, kn_copy_cached_fn)

#endif /* _KVM_NESTED_REDIRECTS_H */
