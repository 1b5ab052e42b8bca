/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: the events kvm_nested:* of perf, trace-cmd and bpftrace.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_nested

#if !defined(_KVM_NESTED_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KVM_NESTED_TRACE_H

#include <linux/tracepoint.h>

#include "stats.h"
#include "vept.h"

/*
 * Entries of EPT02 have been filled: for an access of L2, or for one that is going to be.
 * In numbers, for the tools that read the format.
 */
TRACE_EVENT(vept_fill,
	TP_PROTO(int vcpu_id, u64 gpa, u8 access, int level, unsigned int nr, bool ahead),
	TP_ARGS(vcpu_id, gpa, access, level, nr, ahead),
	TP_STRUCT__entry(
		__field(int, vcpu_id)
		__field(u64, gpa)
		__field(u8, access)
		__field(u8, level)
		__field(u16, nr)
		__field(bool, ahead)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gpa = gpa;
		__entry->access = access;
		__entry->level = level;
		__entry->nr = nr;
		__entry->ahead = ahead;
	),
	TP_printk("vcpu %d gpa 0x%llx access %s level %u entries %u%s", __entry->vcpu_id,
		  __entry->gpa,
		  __print_flags(__entry->access, "", { 1, "r" }, { 2, "w" }, { 4, "x" }),
		  __entry->level, __entry->nr, __entry->ahead ? " ahead" : "")
);

#define X(symbol, name) TRACE_DEFINE_ENUM(KN_VEPT_##symbol);
KN_VEPT_CAUSES(X)
#undef X

#define X(symbol, name) TRACE_DEFINE_ENUM(KN_VEPT_WHY_##symbol);
KN_VEPT_WHYS(X)
#undef X

#define X(symbol, name) { KN_VEPT_##symbol, #name },

/* Stock KVM gets an EPT violation, or will get the next one. */
TRACE_EVENT(vept_stock,
	TP_PROTO(int vcpu_id, u64 gpa, enum kn_vept_cause cause),
	TP_ARGS(vcpu_id, gpa, cause),
	TP_STRUCT__entry(
		__field(int, vcpu_id)
		__field(u64, gpa)
		__field(int, cause)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gpa = gpa;
		__entry->cause = cause;
	),
	TP_printk("vcpu %d gpa 0x%llx cause %s", __entry->vcpu_id, __entry->gpa,
		  __print_symbolic(__entry->cause, KN_VEPT_CAUSES(X) { -1, "" }))
);

#undef X
#define X(symbol, name) { KN_VEPT_WHY_##symbol, #name },

/* L1 has invalidated what it has of an EPT pointer; all of them for an address of all ones. */
TRACE_EVENT(vept_invept,
	TP_PROTO(int vcpu_id, u64 eptp12),
	TP_ARGS(vcpu_id, eptp12),
	TP_STRUCT__entry(
		__field(int, vcpu_id)
		__field(u64, eptp12)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->eptp12 = eptp12;
	),
	TP_printk("vcpu %d eptp12 0x%llx", __entry->vcpu_id, __entry->eptp12)
);

/* All EPT02s of a VM are emptied; its address is 0 once it dies. */
TRACE_EVENT(vept_drop,
	TP_PROTO(const struct kvm *kvm, unsigned int tables, enum kn_vept_why why),
	TP_ARGS(kvm, tables, why),
	TP_STRUCT__entry(
		__field(const void *, kvm)
		__field(unsigned int, tables)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->kvm = kvm;
		__entry->tables = tables;
		__entry->why = why;
	),
	TP_printk("vm %p tables %u why %s", __entry->kvm, __entry->tables,
		  __print_symbolic(__entry->why, KN_VEPT_WHYS(X) { -1, "" }))
);

#undef X

#endif /* _KVM_NESTED_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
