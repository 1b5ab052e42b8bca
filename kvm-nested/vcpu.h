/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module knows of a VM and of each vCPU that it has adopted.
 */
#ifndef _KVM_NESTED_VCPU_H
#define _KVM_NESTED_VCPU_H

#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/srcu.h>

#include "checks.h"
#include "kvm_intel.h"
#include "pages.h"
#include "segments.h"
#include "shadow.h"
#include "shadow02.h"
#include "stats.h"
#include "vept.h"
#include "vmptr.h"
#include "walk.h"

struct kn_vm {
	struct list_head node;		/* in the list of VMs, or of dead VMs */
	struct list_head vcpus;		/* of struct kn_vcpu */
	struct kvm *kvm;		/* a key, not a reference */
	struct dentry *debugfs;
	struct kn_vept *vept;		/* NULL until an L2 has an EPT12 */
	bool dead;			/* goes with the last of its vCPUs */
	struct kn_counters departed;	/* of vCPUs that died */
};

struct kn_vcpu {
	struct hlist_node hash;
	struct list_head node;		/* in kn_vm.vcpus */
	struct kvm_vcpu *vcpu;		/* a key, not a reference */
	struct kn_vm *vm;
	bool adopted;			/* holds a reference to the module */
	struct rcu_head rcu;
	struct kn_counters counters;
	struct kn_shadow shadow;
	struct kn_shadow02 *shadow02;	/* NULL until an L2 needs one */
	/* Lazily kept fields of which VMCS12 has the value nevertheless, see vmcs02.c. */
	unsigned long fresh[VMCS12_SET_LONGS];
	struct kn_pages pages;
	struct kn_vmptr vmptr;
	struct kn_vept_vcpu vept;
	struct kn_walk walks[KN_NR_WALKS];
	struct kn_checks checks;
	u64 valid_efer[2];		/* values that CPUID permits; 0 always is one */
	struct segments valid_segments;	/* of an L2 */
	bool had_valid_segments;
	enum {				/* during a VM entry that stock KVM emulates */
		KN_NO_ENTRY,
		KN_ENTRY,
		KN_ENTRY_SEGMENTS_VALID,
	} entry;
	struct {			/* what L1's MMU was worked out from, and to */
		u64 cr0, cr4, efer;
		struct kn_mmu_role role;
	} l1_mmu;
	struct {			/* the same for L2's, if L1 has an EPT for it */
		u64 cr0, cr4, efer, role;
	} l2_mmu;
};

/* At a VMX-instruction exit. */
static inline void kn_shadow_take(struct kn_vcpu *kv)
{
	if (!kv->shadow.active)
		__kn_shadow_take(kv);
}

/* Behind a VMX-instruction exit: L2 is about to run. */
static inline void kn_shadow02_open(struct kn_vcpu *kv, bool entered)
{
	if (kn_vmcs12_shadows(kv->vcpu))
		__kn_shadow02_open(kv, entered);
}

/* Before anybody looks at stock KVM's copy of L2's shadow VMCS12. */
static inline void kn_shadow02_close(struct kn_vcpu *kv)
{
	if (kn_shadow02_is_open(kv->shadow02))
		__kn_shadow02_close(kv);
}

/* L1 is about to enter the current VMCS12, which rebuilds VMCS02 if that is not its. */
static inline void kn_vmptr_entry(struct kn_vcpu *kv)
{
	if (kv->vmptr.vmcs02_owner != kn_current_vmptr(kv->vcpu))
		kv->vmptr.vmcs02_owner = KN_INVALID_GPA;
}

/* L2 has exited, so VMCS02 is the current VMCS12's. */
static inline void kn_vmptr_exit(struct kn_vcpu *kv)
{
	kv->vmptr.vmcs02_owner = kn_current_vmptr(kv->vcpu);
}

/*
 * Read-held by every hook that sleeps; the others hold RCU, by switching preemption off,
 * which costs least.  Whoever does may use
 * the kn_vcpu of the vCPU it runs on to the end, even if that is released meanwhile.
 */
extern struct srcu_struct kn_srcu;

#define KN_VCPU_HASH_BITS 8
extern DECLARE_HASHTABLE(kn_vcpu_hash, KN_VCPU_HASH_BITS);

/* Must hold kn_srcu, RCU, or the lock of the hash. */
static inline struct kn_vcpu *kn_vcpu_lookup(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv;

	hash_for_each_possible_rcu(kn_vcpu_hash, kv, hash, (unsigned long)vcpu, true)
		if (kv->vcpu == vcpu)
			return kv;

	return NULL;
}

/* Must hold kn_srcu, or RCU.  NULL if the vCPU is not adopted. */
static inline struct kn_vcpu *kn_vcpu_find(struct kvm_vcpu *vcpu)
{
	struct kn_vcpu *kv = kn_vcpu_lookup(vcpu);

	return kv && READ_ONCE(kv->adopted) ? kv : NULL;
}

void kn_vcpu_open(void);
void kn_vcpu_close(void);
void kn_vcpu_exit(void);

struct kn_vcpu *kn_vcpu_adopt(struct kvm_vcpu *vcpu);
void kn_vcpu_release(struct kvm_vcpu *vcpu);
void kn_vcpu_destroy(struct kvm_vcpu *vcpu);
void kn_vm_destroy(struct kvm *kvm);
bool kn_vcpu_is_adopting(void);
int kn_vcpu_set_enable(bool on);
bool kn_vcpu_get_enable(void);
int kn_vcpu_set_shadow(bool on);
int kn_vcpu_set_shadow02(bool on);
int kn_vcpu_set_vept(bool on);

void kn_vm_read_counters(struct kn_vm *only, struct kn_counters *sum);

#endif /* _KVM_NESTED_VCPU_H */
