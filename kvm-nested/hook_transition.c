// SPDX-License-Identifier: GPL-2.0-only
/*
 * The replacements of what stock KVM checks and works out at each transition between L1
 * and L2.
 */
#include "checks.h"
#include "displaced.h"
#include "transition.h"
#include "vcpu.h"

/* Whether the guest, which is no unrestricted one, may run as it is. */
bool hook___vmx_guest_state_valid(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;
	bool valid;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_transition_check_segments(kv, &valid))
		valid = static_call(kn___vmx_guest_state_valid)(vcpu);
	rcu_read_unlock_sched();
	return valid;
}

/* L2 has exited to L1, VMCS01 is current. */
void hook_load_vmcs12_host_state(struct kvm_vcpu *vcpu, void *vmcs12)
{
	struct kn_vcpu *kv;
	int idx;

	/* Stock KVM may read L1's memory. */
	idx = srcu_read_lock(&kn_srcu);
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_transition_load_host_state(kv))
		static_call(kn_load_vmcs12_host_state)(vcpu, vmcs12);
	srcu_read_unlock(&kn_srcu, idx);
}

/* EFER has been set.  The argument is a vcpu_vmx. */
void hook_vmx_setup_uret_msrs(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_transition_set_up_msrs(kv))
		static_call(kn_vmx_setup_uret_msrs)(vcpu);
	rcu_read_unlock_sched();
}

static bool check_passed(struct kvm_vcpu *vcpu, enum kn_check check)
{
	struct kn_vcpu *kv;
	bool passed;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	passed = kv && kn_checks_passed(kv, check);
	rcu_read_unlock_sched();
	return passed;
}

/* Stock KVM has made a check, with the result @r, which is returned. */
static int check_made(struct kvm_vcpu *vcpu, enum kn_check check, int r)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (kv && !r)
		kn_checks_pass(kv, check);
	rcu_read_unlock_sched();
	return r;
}

/* Checks of VMCS12: 0 if it passes.  @vmcs12 is the cached one. */
int hook_nested_vmx_check_controls(struct kvm_vcpu *vcpu, void *vmcs12)
{
	if (check_passed(vcpu, KN_CHECK_CONTROLS))
		return 0;
	return check_made(vcpu, KN_CHECK_CONTROLS,
			  static_call(kn_nested_vmx_check_controls)(vcpu, vmcs12));
}

int hook_nested_vmx_check_host_state(struct kvm_vcpu *vcpu, void *vmcs12)
{
	if (check_passed(vcpu, KN_CHECK_HOST))
		return 0;
	return check_made(vcpu, KN_CHECK_HOST,
			  static_call(kn_nested_vmx_check_host_state)(vcpu, vmcs12));
}

/* May sleep: stock KVM looks at a shadow VMCS12. */
int hook_nested_vmx_check_guest_state(struct kvm_vcpu *vcpu, void *vmcs12, u32 *why)
{
	int idx, r;

	if (check_passed(vcpu, KN_CHECK_GUEST)) {
		*why = ENTRY_FAIL_DEFAULT;
		return 0;
	}

	idx = srcu_read_lock(&kn_srcu);
	r = check_made(vcpu, KN_CHECK_GUEST,
		       static_call(kn_nested_vmx_check_guest_state)(vcpu, vmcs12, why));
	srcu_read_unlock(&kn_srcu, idx);
	return r;
}

/* What the guest's CR0, CR4 and EFER mean for the MMU. */
void hook_kvm_init_mmu(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	if (!kv || !kn_transition_knows_l2_mmu(kv)) {
		static_call(kn_kvm_init_mmu)(vcpu);
		if (kv)
			kn_transition_l2_mmu_is_new(kv);
	}
	rcu_read_unlock_sched();
}

/* Whether the guest's CPUID lets it have @efer. */
bool hook___kvm_valid_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	struct kn_vcpu *kv;
	bool valid;

	rcu_read_lock_sched();
	kv = kn_vcpu_find(vcpu);
	valid = kv && kn_transition_knows_efer(kv, efer);
	if (!valid) {
		valid = static_call(kn___kvm_valid_efer)(vcpu, efer);
		if (kv && valid)
			kn_transition_efer_is_valid(kv, efer);
	}
	rcu_read_unlock_sched();
	return valid;
}
