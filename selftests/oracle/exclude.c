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
#define INFO_IS_REG		BIT(10)	/* of VMX_INSTRUCTION_INFO */

/* The value that is written instead of @value. */
uint64_t exclude_value(uint32_t field, uint64_t value)
{
	switch (field) {
	/* Counts time. */
	case PIN_BASED_VM_EXEC_CONTROL:
		return value & ~(uint64_t)PIN_BASED_VMX_PREEMPTION_TIMER;
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

/*
 * The exit qualification, after an exit of L2 with a register operand where memory was possible:
 * the processor leaves something there, mostly what the exit before had, which may have been L0's.
 */
bool exclude_qualification(uint32_t reason, uint32_t insn_info)
{
	return (reason == EXIT_REASON_VMREAD || reason == EXIT_REASON_VMWRITE) &&
	       insn_info & INFO_IS_REG;
}

/* L1 makes that qualification one value, for whoever reads it later. If it can't, L2 must not. */
bool exclude_register_operand(void)
{
	return !the_state()->writes_read_only;
}

/* Details of an exception that there is none of: KVM leaves those of the last one it emulated. */
void exclude_events(struct kvm_vcpu_events *events)
{
	if (!events->exception.injected && !events->exception.pending) {
		memset(&events->exception, 0, sizeof(events->exception));
		events->exception_has_payload = 0;
		events->exception_payload = 0;
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
