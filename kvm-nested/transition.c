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
static void read_segments(struct segments *segments)
{
	int i;

	for (i = 0; i < NR_SEGMENTS; i++) {
		segments->selector[i] = kn_vmcs_read(GUEST_ES_SELECTOR + 2 * i);
		segments->access_rights[i] = kn_vmcs_read(GUEST_ES_AR_BYTES + 2 * i);
	}
}

/*
 * With the vCPU's VMCS current: whether stock KVM takes the guest's segment
 * registers.  It looks at each member of each segment, through a cache that a
 * transition has just emptied.  Returns false if it has to.
 */
bool kn_transition_check_segments(struct kn_vcpu *kv, bool *valid)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct segments segments;

	if (!READ_ONCE(kn_transition_enable) || !kn_in_l2(vcpu) ||
	    !kn_in_protected_mode(vcpu) ||
	    kn_call(vmx_get_rflags)(vcpu) & X86_EFLAGS_VM) {
		kv->counters.transition_segments_stock++;
		return false;
	}

	read_segments(&segments);
	*valid = segments_are_valid(&segments);
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
bool kn_transition_set_up_msrs(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	u64 efer = kn_efer(vcpu);
	bool syscall, switched;

	syscall = efer & EFER_LMA && efer & EFER_SCE;
	if (!(efer & EFER_LMA))
		efer &= ~(u64)EFER_LME;
	switched = efer != kn_host.efer;

	if (!READ_ONCE(kn_transition_enable) || !kn_host.switches_efer ||
	    kn_entry_loads_efer(vcpu) != switched || kn_exit_loads_efer(vcpu) != switched) {
		kv->counters.transition_msrs_stock++;
		return false;
	}

	if (switched)
		kn_vmcs_write(GUEST_IA32_EFER, efer);
	kn_set_syscall_msrs(vcpu, syscall);
	kv->counters.transition_msrs++;
	return true;
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
