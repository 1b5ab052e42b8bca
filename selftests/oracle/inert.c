// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fields that hardly any value of keeps L2 from running, with the bits that may be set. The first
 * NR_INDIRECT are not written to VMCS02 by every VM entry.
 */
#include "field.h"
#include "program.h"

#define EPTP_LIST_ADDRESS	0x2024	/* which the library lacks */

const struct inert inert[] = {
	{ XSS_EXIT_BITMAP, ~0ull }, { CR4_GUEST_HOST_MASK, ~0ull },
	{ PAGE_FAULT_ERROR_CODE_MASK, 0x1f }, { PAGE_FAULT_ERROR_CODE_MATCH, 0x1f },
	{ EOI_EXIT_BITMAP0, ~0ull }, { GUEST_PDPTR0, ~0ull }, { GUEST_BNDCFGS, ~0ull },
	{ GUEST_SYSENTER_CS, ~0ull }, { GUEST_FS_BASE, 0x7fffffffffff },
	{ GUEST_LDTR_LIMIT, ~0ull }, { GUEST_ES_AR_BYTES, ~0ull },
	{ GUEST_SYSENTER_ESP, 0x7fffffffffff },
	{ TSC_OFFSET, ~0ull }, { EOI_EXIT_BITMAP1, ~0ull }, { EOI_EXIT_BITMAP2, ~0ull },
	{ EOI_EXIT_BITMAP3, ~0ull }, { POSTED_INTR_DESC_ADDR, ~0ull },
	{ VMX_PREEMPTION_TIMER_VALUE, ~0ull }, { VM_ENTRY_EXCEPTION_ERROR_CODE, ~0ull },
	{ VM_ENTRY_INSTRUCTION_LEN, ~0ull }, { CR0_READ_SHADOW, ~0ull },
	{ CR4_READ_SHADOW, ~0ull }, { CR0_GUEST_HOST_MASK, ~0ull }, { EXCEPTION_BITMAP, ~0ull },
	{ GUEST_SYSENTER_EIP, 0x7fffffffffff }, { GUEST_GS_BASE, 0x7fffffffffff },
	{ GUEST_LDTR_BASE, 0x7fffffffffff }, { GUEST_LDTR_SELECTOR, 0xfffb },
	{ GUEST_GDTR_LIMIT, 0xffff }, { GUEST_DR7, 0x400 }, { GUEST_INTR_STATUS, ~0ull },
	{ GUEST_PML_INDEX, ~0ull }, { GUEST_PDPTR1, ~0ull }, { GUEST_PDPTR2, ~0ull },
	{ GUEST_PDPTR3, ~0ull }, { GUEST_RFLAGS, 0x8d7 }, { GUEST_IA32_EFER, ~0ull },
	{ GUEST_IA32_PERF_GLOBAL_CTRL, ~0ull }, { HOST_IA32_SYSENTER_CS, ~0ull },
	{ HOST_IA32_SYSENTER_ESP, 0x7fffffffffff }, { HOST_IA32_SYSENTER_EIP, 0x7fffffffffff },
	{ HOST_FS_BASE, 0x7fffffffffff }, { HOST_GS_BASE, 0x7fffffffffff }, { HOST_RSP, ~0ull },
	{ TPR_THRESHOLD, 0xf }, { ENCLS_EXITING_BITMAP, ~0ull }, { TSC_MULTIPLIER, ~0ull },
	{ EPTP_LIST_ADDRESS, 0xfff000 }, { VM_EXIT_REASON, ~0ull },
	{ VM_EXIT_INTR_INFO, ~0ull }, { VM_EXIT_INTR_ERROR_CODE, ~0ull },
	{ IDT_VECTORING_INFO_FIELD, ~0ull }, { VM_EXIT_INSTRUCTION_LEN, ~0ull },
	{ VMX_INSTRUCTION_INFO, ~0ull }, { GUEST_PHYSICAL_ADDRESS, ~0ull },
	{ EXIT_QUALIFICATION, ~0ull }, { GUEST_LINEAR_ADDRESS, ~0ull },
	{ VM_INSTRUCTION_ERROR, ~0ull }, { GUEST_LDTR_AR_BYTES, ~0ull },
};

const unsigned int nr_inert = ARRAY_SIZE(inert);
