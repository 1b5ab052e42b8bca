/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the module's view of kvm.ko that is about memory; see kvm_intel.h.
 */
#ifndef _KVM_NESTED_KVM_MMU_H
#define _KVM_NESTED_KVM_MMU_H

#include "kvm_intel.h"
#include "vept_walk.h"

/* Of an entry: write-back, and no regard to the guest's PAT. */
#define KN_MT_WRITE_BACK	(6 << 3 | VMX_EPT_IPAT_BIT)

/* L2 runs, and L1 has an EPT for it. */
static inline bool kn_has_ept12(struct kvm_vcpu *vcpu)
{
	return kn_in_l2(vcpu) && vcpu->arch.mmu == &vcpu->arch.guest_mmu;
}

/* Of the current VMCS12. */
static inline u64 kn_eptp12(struct kvm_vcpu *vcpu)
{
	const void *vmcs12 = kn_cached_vmcs12(vcpu);

	return kn_vmcs12_member(vmcs12, ept_pointer, u64);
}

/* What an EPT02 depends on in it. */
static inline u64 kn_vept_key(struct kvm_vcpu *vcpu)
{
	return kn_eptp12(vcpu) & (EPT_ADDRESS | EPTP_AD);
}

/* As L1's IA32_VMX_EPT_VPID_CAP has it. */
static inline struct ept_format kn_ept_format(struct kvm_vcpu *vcpu, bool ad)
{
	void *msrs = kn_nested(vcpu) + KN_OFFSET_nested_vmx_msrs;
	u32 caps = *kn_member(msrs, nested_vmx_msrs, ept_caps, u32);

	return (struct ept_format){
		.address_bits = kn_address_bits(vcpu),
		.execute_only = caps & VMX_EPT_EXECUTE_ONLY_BIT,
		.large = caps & VMX_EPT_1GB_PAGE_BIT ? 3 : caps & VMX_EPT_2MB_PAGE_BIT ? 2 : 1,
		.ad = ad,
	};
}

/* L1 has the processor log the pages of L2 that become dirty. */
static inline bool kn_vmcs12_logs_pages(struct kvm_vcpu *vcpu)
{
	const void *vmcs12 = kn_cached_vmcs12(vcpu);

	return kn_vmcs12_member(vmcs12, secondary_vm_exec_control, u32) &
	       SECONDARY_EXEC_ENABLE_PML &&
	       kn_vmcs12_member(vmcs12, cpu_based_vm_exec_control, u32) &
	       CPU_BASED_ACTIVATE_SECONDARY_CONTROLS;
}

/* A device is there that can tell memory types, so that the guest's matter. */
static inline bool kn_has_noncoherent_dma(struct kvm *kvm)
{
	return atomic_read(&kvm->arch.noncoherent_dma_count);
}

/* Otherwise memory is write-back for the guest, whatever that says. */
static inline bool kn_forces_write_back(struct kvm_vcpu *vcpu)
{
	return kn_call(vmx_get_mt_mask)(vcpu, 0, false) == KN_MT_WRITE_BACK;
}

/* KVM maps no large pages that can be executed (iTLB multihit). */
static inline int kn_nx_huge_pages(void)
{
	return READ_ONCE(*kn_host.nx_huge_pages);
}

/* The size of the page that may be mapped: of 4 KB for 1, of 2 MB for 2. */
static inline int kn_page_level(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
				gfn_t gfn)
{
	return kn_call(kvm_mmu_max_mapping_level)(vcpu->kvm, slot, gfn, PG_LEVEL_2M);
}

/* KVM may have a shadow of what L1 has on one of the pages of these 2 MB. */
static inline bool kn_may_be_copied(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	gfn_t index = (gfn >> KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M)) -
		      (slot->base_gfn >> KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M));

	return READ_ONCE(slot->arch.lpage_info[0][index].disallow_lpage);
}

/*
 * Whether L2 may write to a page of L1 without KVM noticing: not if that has a shadow
 * of what L1 keeps there and follows its writes.  If the page is @needed, KVM may be
 * brought to follow them no more.  Who fills an entry then has to see that KVM has
 * not begun again, see kn_vept_write_protect().
 */
static inline bool kn_may_map_writable(struct kvm_vcpu *vcpu, const struct kvm_memory_slot *slot,
				       gfn_t gfn, bool needed)
{
	struct kvm *kvm = vcpu->kvm;
	int r;

	read_lock(&kvm->mmu_lock);
	r = kn_call(mmu_try_to_unsync_pages)(kvm, slot, gfn, true, !needed);
	read_unlock(&kvm->mmu_lock);
	return !r;
}

/* KVM logs the writes to a slot of the VM.  Must hold the VM's SRCU or slots_lock. */
static inline bool kn_logs_writes(struct kvm *kvm)
{
	struct kvm_memory_slot *slot;
	int i, bucket;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++)
		kvm_for_each_memslot(slot, bucket, __kvm_memslots(kvm, i))
			if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
				return true;
	return false;
}

static inline void kn_invept(u64 eptp)
{
	struct {
		u64 eptp, reserved;
	} operand = { eptp, 0 };

	asm volatile("1: invept %0, %1\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m"(operand), "r"(1UL) : "cc", "memory");
}

/* No vCPU is in the guest any more that has not forgotten what TLBs have, of all EPT pointers. */
static inline void kn_flush_tlbs(struct kvm *kvm)
{
	kn_call(kvm_make_all_cpus_request)(kvm, KVM_REQ_TLB_FLUSH);
}

/* KVM loads its root before the vCPU enters the guest again. */
static inline void kn_reload_root(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_LOAD_MMU_PGD, vcpu);
}

static inline void kn_reload_roots(struct kvm *kvm)
{
	kn_call(kvm_make_all_cpus_request)(kvm, KVM_REQ_LOAD_MMU_PGD | KVM_REQUEST_WAIT |
						KVM_REQUEST_NO_WAKEUP);
}

#endif /* _KVM_NESTED_KVM_MMU_H */
