// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stock KVM works out at each transition between L1 and L2, worked out with
 * less, or not again where it can't be anything else than the last time.
 */
#include "kvm_intel.h"
#include "segments.h"
#include "transition.h"
#include "vcpu.h"

bool kn_transition_enable = true;

/* The encodings of one kind of field are two apart, from segment to segment. */
#define SELECTOR(i)		(GUEST_ES_SELECTOR + 2 * (i))
#define ACCESS_RIGHTS(i)	(GUEST_ES_AR_BYTES + 2 * (i))

/* Whether the segment registers are those that were valid the last time. */
static bool are_still_valid(const struct segments *valid)
{
	u64 differences = 0;
	int i;

#pragma GCC unroll 8
	for (i = 0; i < NR_SEGMENTS; i++) {
		differences |= kn_vmcs_read(SELECTOR(i)) ^ valid->selector[i];
		differences |= kn_vmcs_read(ACCESS_RIGHTS(i)) ^ valid->access_rights[i];
	}
	return !differences;
}

/* Not each time, nor is its stack frame. */
static noinline bool are_valid(struct kn_vcpu *kv)
{
	struct segments segments;
	int i;

	for (i = 0; i < NR_SEGMENTS; i++) {
		segments.selector[i] = kn_vmcs_read(SELECTOR(i));
		segments.access_rights[i] = kn_vmcs_read(ACCESS_RIGHTS(i));
	}
	if (!segments_are_valid(&segments))
		return false;

	kv->valid_segments = segments;
	kv->had_valid_segments = true;
	return true;
}

/*
 * With the vCPU's VMCS current: whether stock KVM takes the guest's segment
 * registers.  It looks at each member of each segment, through a cache that a
 * transition has just emptied.  Returns false if it has to.
 */
bool kn_transition_check_segments(struct kn_vcpu *kv, bool *valid)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	if (!READ_ONCE(kn_transition_enable) || !kn_in_l2(vcpu) || !kn_in_protected_mode(vcpu)) {
		kv->counters.transition_segments_stock++;
		return false;
	}

	/* A VM entry asks twice, behind RFLAGS: for CR0, and at its end. */
	if (kv->entry == KN_ENTRY_SEGMENTS_VALID) {
		kv->counters.transition_segments++;
		*valid = true;
		return true;
	}

	if (kn_call(vmx_get_rflags)(vcpu) & X86_EFLAGS_VM) {
		kv->counters.transition_segments_stock++;
		return false;
	}

	*valid = (kv->had_valid_segments && are_still_valid(&kv->valid_segments)) || are_valid(kv);
	if (kv->entry && *valid)
		kv->entry = KN_ENTRY_SEGMENTS_VALID;
	kv->counters.transition_segments++;
	return true;
}

/*
 * The guest's EFER has been set: which MSRs of the host are to have the guest's
 * values until the vCPU's thread returns to user space, and whether VM entries and
 * exits switch EFER.  Stock KVM looks all of these MSRs up, and CPUID, which has not
 * changed since the vCPU ran for the first time.  Returns false if it has to:
 * control fields of the current VMCS change.
 */
static bool set_up_msrs(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	u64 efer = kn_efer(vcpu);
	bool syscall, switched;

	syscall = efer & EFER_LMA && efer & EFER_SCE;
	if (!(efer & EFER_LMA))
		efer &= ~(u64)EFER_LME;
	switched = efer != kn_host.efer;

	if (!READ_ONCE(kn_transition_enable) || !kn_host.switches_efer ||
	    !!(kn_entry_controls(vcpu) & VM_ENTRY_LOAD_IA32_EFER) != switched ||
	    !!(kn_exit_controls(vcpu) & VM_EXIT_LOAD_IA32_EFER) != switched)
		return false;

	if (switched)
		kn_vmcs_write(GUEST_IA32_EFER, efer);
	kn_set_syscall_msrs(vcpu, syscall);
	kv->counters.transition_msrs++;
	return true;
}

bool kn_transition_set_up_msrs(struct kn_vcpu *kv)
{
	bool done = set_up_msrs(kv);

	if (!done)
		kv->counters.transition_msrs_stock++;
	return done;
}

/* The guest gets @efer. */
void kn_transition_set_efer(struct kn_vcpu *kv, u64 efer)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	kn_set_efer(vcpu, efer);
	if (!(efer & EFER_LMA) || !(kn_entry_controls(vcpu) & VM_ENTRY_IA32E_MODE) ||
	    !set_up_msrs(kv))
		kn_call(vmx_set_efer)(vcpu, efer);
}

/*
 * An L2 with an EPT12 has an MMU that serves to translate its linear addresses.  What
 * CR0, CR4 and EFER mean for that is worked out at each VM entry.
 */
static bool uses_l2_mmu(struct kvm_vcpu *vcpu)
{
	return kn_uses_l2_mmu(vcpu) && !kn_in_smm(vcpu);
}

bool kn_transition_knows_l2_mmu(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	bool known;

	if (!uses_l2_mmu(vcpu))
		return false;

	known = READ_ONCE(kn_transition_enable) && kv->l2_mmu.cr0 == kn_cr0(vcpu) &&
		kv->l2_mmu.cr4 == kn_cr4(vcpu) && kv->l2_mmu.efer == kn_efer(vcpu) &&
		kv->l2_mmu.role == kn_l2_mmu_role(vcpu);
	if (known)
		kv->counters.transition_mmu++;
	else
		kv->counters.transition_mmu_stock++;
	return known;
}

/* Stock KVM has worked it out. */
void kn_transition_l2_mmu_is_new(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	if (!uses_l2_mmu(vcpu))
		return;

	kv->l2_mmu.cr0 = kn_cr0(vcpu);
	kv->l2_mmu.cr4 = kn_cr4(vcpu);
	kv->l2_mmu.efer = kn_efer(vcpu);
	kv->l2_mmu.role = kn_l2_mmu_role(vcpu);
}

/*
 * Whether CPUID lets the guest have bits of EFER is asked for the EFER of L2 and for
 * that of L1, at each VM entry.  The answer remains.
 */
bool kn_transition_knows_efer(struct kn_vcpu *kv, u64 efer)
{
	int i;

	if (READ_ONCE(kn_transition_enable))
		for (i = 0; i < ARRAY_SIZE(kv->valid_efer); i++)
			if (kv->valid_efer[i] == efer) {
				kv->counters.transition_efer++;
				return true;
			}

	kv->counters.transition_efer_stock++;
	return false;
}

/* Stock KVM says so. */
void kn_transition_efer_is_valid(struct kn_vcpu *kv, u64 efer)
{
	kv->valid_efer[1] = kv->valid_efer[0];
	kv->valid_efer[0] = efer;
}
