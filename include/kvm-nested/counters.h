/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the counters that kvm-nested keeps: the ABI of the files
 *
 *	/sys/kernel/debug/kvm_nested/counters		all VMs since the module was loaded
 *	/sys/kernel/debug/kvm_nested/PID-FD/counters	one VM, named as in /sys/kernel/debug/kvm
 *
 * Each line is "name value".  A counter that is zero is not listed; values are
 * unsigned 64-bit event counts that only grow while their VM lives.
 *
 *	exit.REASON.module	VMX instructions of an L1 that the module emulated
 *	exit.REASON.stock	... that were left to the stock handler
 *				(both with those of an L2 that L1 does not get)
 *	l2exit.REASON.l1	VM exits of an L2 that L1 was given
 *	l2exit.REASON.l0	... that L0 kept for itself
 *	vmread.FIELD		VMREADs of L1 that trapped, by field
 *	vmwrite.FIELD		VMWRITEs of L1 that trapped, by field
 *	l2vmread.FIELD		VMREADs of an L2 that trapped, and that L1 lets through
 *	l2vmwrite.FIELD		VMWRITEs of an L2 that trapped, and that L1 lets through
 *	fallback.CAUSE		why a VMREAD or VMWRITE was left to stock
 *	shadow.joined		fields that joined what L1 reads or writes without exits
 *	shadow.left		fields that left it again
 *	shadow.full		trapped accesses of a field for which there was no room
 *	shadow.copied_in	visits to the shadow VMCS for what L1 has written
 *	shadow.copied_out	visits to the shadow VMCS for what L1 is to read
 *	shadow.read		VMREADs in these visits
 *	shadow.written		VMWRITEs in these visits
 *	shadow.own		hardware shadow VMCSs made for single VMCS12s, to which L1
 *				came back
 *	shadow_l2.*		the first seven for an L2 that L1 gives a shadow VMCS
 *	shadow_l2.unreadable	VM entries with L1's VMREAD or VMWRITE bitmap in no memory
 *	vmptr.kept		VMPTRLDs and VMCLEARs with which L1 went to or left a VMCS
 *				whose copy is kept
 *	vmptr.new		VMPTRLDs of one that was not
 *	vmptr.stock		VMPTRLDs and VMCLEARs left to stock for any other reason
 *	vmptr.linked		copies of an L2's shadow VMCS12, from or to L1's memory, of
 *				what differs only
 *	vmptr.linked.stock	... that were left to stock
 *	pages.kept		pages of L1 that a VM entry needed and that were known
 *	pages.new		... that were left to stock: not known
 *	pages.stale		... the VM's memory has changed since
 *	pages.off		... the parameter pages is 0
 *	walk.known		memory operands read through page tables that are as they were
 *	walk.new		... that were left to stock
 *	transition.segments	checks of L2's segment registers that the module made
 *	transition.segments.stock ... that were left to stock
 *	transition.msrs		settings of EFER whose effects on MSRs the module worked out
 *	transition.msrs.stock	... that were left to stock
 *	transition.host		exits of L2 after which the module loaded L1's state
 *	transition.host.stock	... that left it to stock
 *	transition.checks	checks of a VMCS12 that has passed before and is as it was
 *	transition.checks.stock	... that stock had to make
 *	transition.mmu		VM entries with an MMU for L2's addresses that was as it is now
 *	transition.mmu.stock	... that stock had to work out
 *	transition.efer		values of EFER known to be valid
 *	transition.efer.stock	... that stock had to look at
 *	vept.loaded		EPT pointers of L1 whose L2 was given an EPT02 of the module's,
 *				at VM entries and wherever else KVM loads one
 *	vept.loaded.stock	... KVM's
 *	vept.faults		EPT violations of an L2 that the module handled
 *	vept.kept		... or VM entries that found the page mapped: INVEPT had made it
 *				stale, or another vCPU was faster
 *	vept.filled		entries of EPT02 that were filled
 *	vept.prefilled		VM entries that filled what L1 was told of by its last exit
 *	vept.invalidated	EPT02s that an INVEPT of L1 made stale
 *	vept.checked		tables that were compared with EPT12 since
 *	vept.dropped		entries that did not agree, or had to make room
 *	vept.refused		VM entries of which the rest ran on KVM's EPT02: it handles the
 *				same page again and again
 *	vept.full		how often all was dropped for the parameter vept_tables
 *	vept.reclaimed		tables that were given back when the host was short of memory
 *	vept.stock.CAUSE	why an EPT violation was left to stock, or a page not filled
 *	state.saved		KVM_GET_NESTED_STATE calls on an adopted vCPU
 *	state.restored		KVM_SET_NESTED_STATE calls on an adopted vCPU
 *	vcpu.adopted		vCPUs taken over
 *	vcpu.released		vCPUs given back
 *
 * REASON is the basic exit reason as <asm/vmx.h> names it, or its number where
 * that has no name; FIELD is a name of <kvm-nested/vmcs_fields.h>, or "other"
 * for an encoding that no VMCS12 field has.
 */
#ifndef _KVM_NESTED_COUNTERS_H
#define _KVM_NESTED_COUNTERS_H

/**
 * KN_INSNS - the VMX instructions of L1 that the module sees
 * @X: called as X(reason, handler) with the exit reason without EXIT_REASON_,
 *     and the name of kvm-intel's handler
 *
 * Source: SDM volume 3, appendix "VMX Basic Exit Reasons".
 */
#define KN_INSNS(X)			\
	X(VMCLEAR, handle_vmclear)	\
	X(VMLAUNCH, handle_vmlaunch)	\
	X(VMPTRLD, handle_vmptrld)	\
	X(VMPTRST, handle_vmptrst)	\
	X(VMREAD, handle_vmread)	\
	X(VMRESUME, handle_vmresume)	\
	X(VMWRITE, handle_vmwrite)	\
	X(VMOFF, handle_vmxoff)		\
	X(VMON, handle_vmxon)		\
	X(INVEPT, handle_invept)	\
	X(INVVPID, handle_invvpid)

/**
 * KN_FALLBACKS - why a VMREAD or VMWRITE is left to the stock handler
 * @X: called as X(symbol, name)
 *
 * off:		the parameter vmaccess is 0
 * evmcs:	L1 uses Hyper-V's enlightened VMCS
 * lazy:	a write that makes VM entry rebuild VMCS02 from VMCS12, which lacks
 *		guest state that is still in VMCS02
 * operand:	a memory operand that stock has to translate (linear address
 *		masking, or an encoding no CPU should report)
 */
#define KN_FALLBACKS(X)			\
	X(OFF, off)			\
	X(EVMCS, evmcs)			\
	X(LAZY, lazy)			\
	X(OPERAND, operand)

/**
 * KN_VEPT_CAUSES - why an EPT violation of an L2 is left to stock KVM
 * @X: called as X(symbol, name)
 *
 * l1:		EPT12 does not permit the access: L1 is to be told
 * table:	a table of EPT12 is in no memory, or none that can be reached now
 * slot:	L2 accesses no memory of L1, or memory that is read-only, or
 *		that is at 512 GB or above
 * host:	the host has no page there, or none that is an ordinary one
 * write:	the host has the page for reading only, or KVM follows its writes
 * pml:		the page becomes dirty, and L1 has a log of these
 * memory:	no memory for another table
 */
#define KN_VEPT_CAUSES(X)		\
	X(L1, l1)			\
	X(TABLE, table)			\
	X(SLOT, slot)			\
	X(HOST, host)			\
	X(WRITE, write)			\
	X(PML, pml)			\
	X(MEMORY, memory)

#endif /* _KVM_NESTED_COUNTERS_H */
