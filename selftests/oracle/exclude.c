// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs leave out, by name: with these, two runs of stock KVM differ, or one never ends.
 */
#include <asm/msr-index.h>
#include <string.h>

#include "entry.h"
#include "field.h"
#include "program.h"

#define ACTIVITY_WAIT_FOR_SIPI	3

#define X86_EFLAGS_TF			BIT(8)
#define INTR_INFO_VALID_MASK		BIT(31)
#define INTR_INFO_INTR_TYPE_MASK	0x700
#define INTR_TYPE_HARD_EXCEPTION	(3 << 8)
#define INTR_TYPE_PRIV_SW_EXCEPTION	(5 << 8)
#define INTR_TYPE_SOFT_EXCEPTION	(6 << 8)
#define INFO_IS_REG		BIT(10)	/* of VMX_INSTRUCTION_INFO */

/*
 * An event whose delivery has an EPT violation for L0, which depends on what L2 has touched before,
 * is injected again by stock KVM. One of the kind of INT1 gets lost; a software exception that is
 * neither INT3's nor INTO's becomes a hardware exception, which mostly can't be entered with; and a
 * hardware exception with the vector of one of these becomes a software exception, of the length of
 * whatever was injected last.
 */
static uint64_t exclude_event(uint64_t info)
{
	if (!(info & INTR_INFO_VALID_MASK))
		return info;
	switch (info & INTR_INFO_INTR_TYPE_MASK) {
	case INTR_TYPE_PRIV_SW_EXCEPTION:
		return info & ~(uint64_t)INTR_INFO_VALID_MASK;
	case INTR_TYPE_HARD_EXCEPTION:
		return (info & 0xff) == BP_VECTOR || (info & 0xff) == OF_VECTOR ?
		       (info & ~0xffull) | UD_VECTOR : info;
	case INTR_TYPE_SOFT_EXCEPTION:
		return (info & 0xff) == OF_VECTOR ? info : (info & ~0xffull) | BP_VECTOR;
	default:
		return info;
	}
}

/* The value that is written instead of @value. */
uint64_t exclude_value(uint32_t field, uint64_t value)
{
	switch (field) {
	/* Counts time. */
	case PIN_BASED_VM_EXEC_CONTROL:
		return value & ~(uint64_t)PIN_BASED_VMX_PREEMPTION_TIMER;
	/* L0 emulates VMREADs of such an L2, and the host of 6.12 warns if the log is full then. */
	case SECONDARY_VM_EXEC_CONTROL:
		return value & SECONDARY_EXEC_SHADOW_VMCS ?
		       value & ~(uint64_t)SECONDARY_EXEC_ENABLE_PML : value;
	/* The emulator has no such exits: only KVM, behind an instruction that it emulates. */
	case CPU_BASED_VM_EXEC_CONTROL:
		return value & ~(uint64_t)CPU_BASED_MONITOR_TRAP;
	case VM_ENTRY_INTR_INFO_FIELD:
		return exclude_event(value);
	/* An EPT violation for L0 at a fetch has the emulator trap before the instruction. */
	case GUEST_RFLAGS:
		return value & ~(uint64_t)X86_EFLAGS_TF;
	/* Nobody sends one. */
	case GUEST_ACTIVITY_STATE:
		return (value & 0xffffffff) == ACTIVITY_WAIT_FOR_SIPI ? 0 : value;
	/* Of no memory: the host of 6.1 warns of a bug of its own, and the lab of the warning. */
	case EPT_POINTER:
		if (value >> caps.address_bits || (value >= ARENA && value < ARENA + ARENA_SIZE))
			return value;
		return (value & 0xfff) | PAGE_AT(P_EPT_OTHER);
	case EPT_POINTER_HIGH:
		return 0;
	default:
		return value;
	}
}

/* MSRs that tell the time, or who else runs on the host. */
bool exclude_msr(uint32_t msr)
{
	switch (msr) {
	case MSR_IA32_TSC:
	case MSR_IA32_TSC_ADJUST:
	case MSR_IA32_TSC_DEADLINE:
	case MSR_IA32_MPERF:
	case MSR_IA32_APERF:
		return true;
	default:
		return false;
	}
}

/*
 * Memory operands of VMREAD and VMWRITE by which one can see whether the processor executed the
 * instruction, the field being in the hardware shadow VMCS, or KVM emulated it: eight bytes that
 * begin below the hole between canonical addresses and end in it, which KVM takes for a page that
 * is not there; and a VMREAD into two pages of which the second can't be written, where KVM has
 * written to the first by then.
 */
bool exclude_operand(uint64_t address, bool written)
{
	if (address < NONCANONICAL && address + 7 >= NONCANONICAL)
		return true;
	return written && address % 4096 > 4096 - 8;
}

const uint32_t leftovers[NR_LEFTOVERS] = {
	EXIT_QUALIFICATION, VMX_INSTRUCTION_INFO, GUEST_LINEAR_ADDRESS,
};

static bool has_insn_info(uint32_t reason)
{
	switch (reason) {
	case EXIT_REASON_VMCLEAR:
	case EXIT_REASON_VMPTRLD ... EXIT_REASON_VMREAD:
	case EXIT_REASON_VMWRITE:
	case EXIT_REASON_VMON:
	case EXIT_REASON_GDTR_IDTR:
	case EXIT_REASON_LDTR_TR:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_INVPCID:
		return true;
	default:
		return false;
	}
}

/*
 * What an exit of L2 leaves in fields that say nothing of this exit is mostly what the exit before
 * had, which may have been L0's: the linear address of the last EPT violation that L0 handled;
 * the qualification after VMREAD and VMWRITE with a register operand where memory was possible; and
 * where L2 has a shadow VMCS, so that its accesses may or may not exit to L0, what they would have
 * told of their operands.
 */
bool exclude_leftover(uint32_t field, uint32_t reason, uint32_t insn_info, uint32_t cpu2)
{
	switch (field) {
	case EXIT_QUALIFICATION:
		return (reason == EXIT_REASON_VMREAD || reason == EXIT_REASON_VMWRITE) &&
		       insn_info & INFO_IS_REG;
	case VMX_INSTRUCTION_INFO:
		return cpu2 & SECONDARY_EXEC_SHADOW_VMCS && !has_insn_info(reason);
	case GUEST_LINEAR_ADDRESS:
		return reason != EXIT_REASON_EPT_VIOLATION;
	default:
		return false;
	}
}

/*
 * L1 makes these fields one value, for whoever reads them later. If it can't, L2 must not, and no
 * L2 can help that its last EPT violation is L0's business.
 */
bool exclude_vmcs_access(void)
{
	return !the_state()->writes_read_only;
}

bool exclude_read(uint64_t encoding)
{
	return !the_state()->writes_read_only && encoding == GUEST_LINEAR_ADDRESS;
}

/*
 * The same for a VMCS12 in memory. While its L2 runs, and state is saved, the linear address is
 * that of L2's last EPT violation, and the reason that of the exit before.
 */
void exclude_leftovers(uint64_t *words, bool runs)
{
	uint32_t reason = kn_region_read(words, VM_EXIT_REASON);
	uint32_t insn_info = kn_region_read(words, VMX_INSTRUCTION_INFO);
	uint32_t cpu2 = kn_region_read(words, SECONDARY_VM_EXEC_CONTROL);

	for (unsigned int i = 0; i < NR_LEFTOVERS; i++)
		if (exclude_leftover(leftovers[i], reason, insn_info, cpu2))
			kn_region_write(words, leftovers[i], 0);
	if (runs)
		kn_region_write(words, GUEST_LINEAR_ADDRESS, 0);
}

/* Details of an event that there is none of: KVM leaves those of the last one. */
void exclude_events(struct kvm_vcpu_events *events)
{
	if (!events->exception.injected && !events->exception.pending) {
		memset(&events->exception, 0, sizeof(events->exception));
		events->exception_has_payload = 0;
		events->exception_payload = 0;
	}
	if (!events->interrupt.injected) {
		events->interrupt.nr = 0;
		events->interrupt.soft = 0;
	}
}

/*
 * VMXOFF while a VMCS is current: if its L2 has run, stock KVM goes on to believe that guest state
 * is still in VMCS02, which is gone. L1's next access to a segment in any VMCS, after the next
 * VMXON, fetches zeros from there over all of its segments.
 */
unsigned int exclude_vmxoff(void)
{
	return OP_CLEAR;
}

/*
 * VMREAD and VMWRITE of an L2 with an operand on a page that EPT12 lacks, or forbids: if KVM
 * emulates them, L1 gets the address of the page, not of the operand, and the wrong kind of access
 * and the dirty flag of L2's page tables is not set. So a program has such operands or changes
 * EPT12, and none of them is on the page that L2's page tables lead to nowhere. Nor on the
 * APIC-access page, of which the processor tells L1, and KVM does not.
 */
bool exclude_l2_operands(void)
{
	return the_state()->changes_ept12;
}

bool exclude_l2_operand(uint64_t address)
{
	return address / 4096 == PAGE_AT(P_NO_MEMORY) / 4096 ||
	       address / 4096 == PAGE_AT(P_APIC_ACCESS) / 4096;
}

/*
 * A change of EPT12 without INVEPT: stock KVM comes across it when L1 loads or clears a VMCS, where
 * processors, and the module, go on with what they have cached.
 */
unsigned int exclude_stale_ept12(void)
{
	return OP_INVEPT;
}
