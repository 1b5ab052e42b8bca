/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_STATS_H
#define _KVM_NESTED_STATS_H

#include <linux/types.h>

#include <kvm-nested/counters.h>

#include "vmcs12.h"

enum kn_insn {
#define X(reason, handler) KN_INSN_##reason,
	KN_INSNS(X)
#undef X
	KN_NR_INSNS,
};

enum kn_vept_cause {
#define X(symbol, name) KN_VEPT_##symbol,
	KN_VEPT_CAUSES(X)
#undef X
	KN_NR_VEPT_CAUSES,
};

enum kn_fallback {
#define X(symbol, name) KN_FALLBACK_##symbol,
	KN_FALLBACKS(X)
#undef X
	KN_NR_FALLBACKS,
};

/* Basic exit reasons above stay together in the last slot. */
#define KN_NR_REASONS	96

/* Of one hardware shadow VMCS; every member is a u64. */
struct kn_shadow_counters {
	u64 joined;
	u64 left;
	u64 full;
	u64 copied_in;
	u64 copied_out;
	u64 read;
	u64 written;
};

/* Written by the vCPU's own thread only; every member is a u64, see kn_counters_add(). */
struct kn_counters {
	u64 exit_module[KN_NR_INSNS];
	u64 exit_stock[KN_NR_INSNS];
	u64 l2exit_l1[KN_NR_REASONS];
	u64 l2exit_l0[KN_NR_REASONS];
	u64 vmread[VMCS12_NR_FIELDS + 1];
	u64 vmwrite[VMCS12_NR_FIELDS + 1];
	u64 l2vmread[VMCS12_NR_FIELDS + 1];
	u64 l2vmwrite[VMCS12_NR_FIELDS + 1];
	u64 fallback[KN_NR_FALLBACKS];
	struct kn_shadow_counters shadow;
	struct kn_shadow_counters shadow_l2;
	u64 shadow_own;
	u64 shadow_l2_unreadable;
	u64 vmptr_kept;
	u64 vmptr_new;
	u64 vmptr_stock;
	u64 vmptr_linked;
	u64 vmptr_linked_stock;
	u64 pages_kept;
	u64 pages_new;
	u64 pages_stale;
	u64 pages_off;
	u64 walk_known;
	u64 walk_new;
	u64 transition_segments;
	u64 transition_segments_stock;
	u64 transition_msrs;
	u64 transition_msrs_stock;
	u64 transition_host;
	u64 transition_host_stock;
	u64 transition_checks;
	u64 transition_checks_stock;
	u64 transition_mmu;
	u64 transition_mmu_stock;
	u64 transition_efer;
	u64 transition_efer_stock;
	u64 vept_loaded;
	u64 vept_loaded_stock;
	u64 vept_faults;
	u64 vept_kept;
	u64 vept_filled;
	u64 vept_prefilled;
	u64 vept_invalidated;
	u64 vept_checked;
	u64 vept_dropped;
	u64 vept_refused;
	u64 vept_full;
	u64 vept_reclaimed;
	u64 vept_stock[KN_NR_VEPT_CAUSES];
	u64 state_saved;
	u64 state_restored;
	u64 adopted;
	u64 released;
};

struct dentry;
struct kn_vm;
struct kvm;

void kn_counters_add(struct kn_counters *sum, const struct kn_counters *more);

void kn_stats_init(void);
void kn_stats_exit(void);
struct dentry *kn_stats_add_vm(struct kn_vm *vm, struct kvm *kvm);
void kn_stats_remove_vm(struct dentry *dir);

#endif /* _KVM_NESTED_STATS_H */
