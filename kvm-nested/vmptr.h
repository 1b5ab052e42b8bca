/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_VMPTR_H
#define _KVM_NESTED_VMPTR_H

#include <linux/kvm_host.h>

struct kn_vcpu;

/* VMCS12s that a vCPU keeps beside the current one. */
#define KN_NR_KEPT	7

/* A VMCS12 that was current. */
struct kn_kept {
	gpa_t gpa;		/* where L1 has it; KN_INVALID_GPA if @page has none */
	void *page;		/* what KVM had it in; NULL, or as KVM allocates it */
	u64 used;		/* when last */
	bool dirty;		/* as KVM had it; false only as long as VMCS02 is its */
	u64 left;		/* see kn_shadow_left() */
};

struct kn_vmptr {
	struct kn_kept kept[KN_NR_KEPT];
	u64 clock;
	gpa_t cleared;		/* whose is KVM's page after a VMCLEAR, with no current VMCS */
	bool cleared_dirty;
	u64 left;		/* what kn_shadow_left() said of KVM's page; 0 before it is asked */
	gpa_t vmcs02_owner;	/* whose VMCS02 is, if anybody's */
	gpa_t linked;		/* whose is KVM's copy of an L2's shadow VMCS12 */
};

extern bool kn_vmptr_enable;

int kn_vmptrld_insn(struct kn_vcpu *kv);
int kn_vmclear_insn(struct kn_vcpu *kv);
bool kn_vmptr_read_linked(struct kn_vcpu *kv, gpa_t gpa);
bool kn_vmptr_write_linked(struct kn_vcpu *kv, gpa_t gpa);
void kn_vmptr_forget(struct kn_vcpu *kv);
void kn_vmptr_leave(struct kn_vcpu *kv);

#endif /* _KVM_NESTED_VMPTR_H */
