// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM entry checks VMCS12.  Of a VMCS12 that has passed, an L1 changes little until it
 * enters it again, and what it changes is mostly nothing that is checked.
 *
 * Whether control fields and host state pass depends on fields that L1 alone writes:
 * whoever stores one of these calls kn_checks_forget().  What an exit of L2 writes is
 * compared.  The rest is constant while L1 is in VMX operation, but for the width of its
 * linear addresses.  What does not pass is stock KVM's, which says why.
 */
#include "checks.h"
#include "kvm_intel.h"
#include "transition.h"
#include "vcpu.h"

static bool has_la57(struct kvm_vcpu *vcpu)
{
	return kn_cr4(vcpu) & X86_CR4_LA57;
}

static u32 entry_controls(const void *vmcs12)
{
	return kn_vmcs12_member(vmcs12, vm_entry_controls, u32);
}

static void read_guest(const void *vmcs12, struct kn_checked_guest *guest)
{
	guest->cr0 = kn_vmcs12_member(vmcs12, guest_cr0, u64);
	guest->cr4 = kn_vmcs12_member(vmcs12, guest_cr4, u64);
	guest->dr7 = kn_vmcs12_member(vmcs12, guest_dr7, u64);
	guest->efer = kn_vmcs12_member(vmcs12, guest_ia32_efer, u64);
	guest->pat = kn_vmcs12_member(vmcs12, guest_ia32_pat, u64);
	guest->perf_global_ctrl = kn_vmcs12_member(vmcs12, guest_ia32_perf_global_ctrl, u64);
	guest->bndcfgs = kn_vmcs12_member(vmcs12, guest_bndcfgs, u64);
	guest->activity = kn_vmcs12_member(vmcs12, guest_activity_state, u32);
}

static bool is_same_guest(const struct kn_checked_guest *a, const struct kn_checked_guest *b)
{
	return !((a->cr0 ^ b->cr0) | (a->cr4 ^ b->cr4) | (a->dr7 ^ b->dr7) | (a->efer ^ b->efer) |
		 (a->pat ^ b->pat) | (a->perf_global_ctrl ^ b->perf_global_ctrl) |
		 (a->bndcfgs ^ b->bndcfgs) | (a->activity ^ b->activity));
}

/*
 * Two things are looked at each time: a shadow VMCS12 is in L1's memory, and user space can
 * have KVM allow more in DEBUGCTL.
 */
static bool is_plain_guest(const void *vmcs12)
{
	return kn_vmcs12_member(vmcs12, vmcs_link_pointer, u64) == KN_INVALID_GPA &&
	       !kn_vmcs12_member(vmcs12, guest_ia32_debugctl, u64);
}

static bool has_event(const void *vmcs12)
{
	return kn_vmcs12_member(vmcs12, vm_entry_intr_info_field, u32) & INTR_INFO_VALID_MASK;
}

static __always_inline bool is_as_it_passed(struct kn_vcpu *kv, enum kn_check check)
{
	const void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	const struct kn_checks *checks = &kv->checks;
	struct kn_checked_guest guest;

	if (!(checks->passed & check) || !READ_ONCE(kn_transition_enable) ||
	    kn_uses_evmcs(kv->vcpu) || checks->entry_controls != entry_controls(vmcs12) ||
	    checks->la57 != has_la57(kv->vcpu))
		return false;

	switch (check) {
	case KN_CHECK_CONTROLS:
		return !has_event(vmcs12);
	case KN_CHECK_HOST:
		return true;
	case KN_CHECK_GUEST:
		read_guest(vmcs12, &guest);
		return is_plain_guest(vmcs12) && is_same_guest(&guest, &checks->guest);
	}
	return false;
}

/* L1 enters the current VMCS12: whether this passes without stock KVM looking at it. */
bool kn_checks_passed(struct kn_vcpu *kv, enum kn_check check)
{
	bool passed = is_as_it_passed(kv, check);

	if (passed)
		kv->counters.transition_checks++;
	else
		kv->counters.transition_checks_stock++;
	return passed;
}

/* Stock KVM has found nothing wrong with it. */
void kn_checks_pass(struct kn_vcpu *kv, enum kn_check check)
{
	const void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	struct kn_checks *checks = &kv->checks;
	bool la57 = has_la57(kv->vcpu);

	if (checks->entry_controls != entry_controls(vmcs12) || checks->la57 != la57) {
		checks->entry_controls = entry_controls(vmcs12);
		checks->la57 = la57;
		checks->passed = 0;
	}
	checks->passed |= check;
	if (check == KN_CHECK_GUEST)
		read_guest(vmcs12, &checks->guest);
}

/* Another VMCS12 is current, or something has been stored that is checked. */
void kn_checks_forget(struct kn_vcpu *kv)
{
	kv->checks.passed = 0;
}
