// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS12 that a program starts from: an entry with it succeeds, whichever of the features
 * were chosen.
 */
#include <asm/msr-index.h>

#include "field.h"
#include "program.h"

#define GUEST_CR0_VALUE		(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
				 X86_CR0_PG)
/* What the library lacks. */
#define SECONDARY_XSAVES	BIT(20)

#define EPT_AD			BIT(6)
#define EPT_WALK_4		(3 << 3)
#define EPT_WB			6
#define AR_CODE			0xa09b
#define AR_DATA			0xc093
#define AR_TSS			0x8b
#define AR_UNUSABLE		0x10000
#define PAT			0x0007040600070406ull

struct capabilities caps;

uint64_t roll(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static struct setting *settings;

static void set(uint32_t field, uint64_t value)
{
	struct state *state = the_state();

	for (unsigned int i = 0; i < state->nr_settings; i++) {
		if (settings[i].encoding == field) {
			settings[i].value = value;
			return;
		}
	}
	settings[state->nr_settings++] = (struct setting){ field, value };
}

static const struct setting *find(uint32_t field)
{
	for (unsigned int i = 0; i < the_state()->nr_settings; i++)
		if (settings[i].encoding == field)
			return &settings[i];
	return NULL;
}

bool baseline_has(uint32_t field)
{
	return find(field);
}

/* Before there is one, what user space sets up L1 with. */
uint64_t baseline_value(uint32_t field)
{
	const struct setting *setting = find(field);

	if (setting)
		return setting->value;
	switch (field) {
	case HOST_FS_BASE:
		return ARENA;
	case HOST_GS_BASE:
		return PAGE_AT(P_DATA) + 0x80;
	case HOST_CR4:
		return X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_VMXE |
		       (caps.xsave ? X86_CR4_OSXSAVE : 0);
	default:
		return 0;
	}
}

/* Some of the bits of @wanted that the capability MSR @cap allows, and those that it demands. */
static uint32_t control(struct dice *dice, uint64_t cap, uint32_t always, uint32_t maybe,
			unsigned int chance)
{
	uint32_t bits = always;

	for (unsigned int i = 0; i < 32; i++)
		if (maybe & BIT(i) && percent(dice, chance))
			bits |= BIT(i);
	bits |= (uint32_t)cap;
	return bits & (cap >> 32);
}

static void set_controls(struct dice *dice)
{
	uint32_t pin, cpu, cpu2, entry, exit;

	pin = control(dice, caps.pin, 0, PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING, 30);
	if (pin & PIN_BASED_NMI_EXITING)
		pin |= control(dice, caps.pin, 0, PIN_BASED_VIRTUAL_NMIS, 30);
	set(PIN_BASED_VM_EXEC_CONTROL, pin);
	cpu2 = control(dice, caps.cpu2, 0,
		       SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_EPT |
		       SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_SHADOW_VMCS |
		       SECONDARY_XSAVES | SECONDARY_EXEC_ENABLE_INVPCID, 55);
	cpu2 |= control(dice, caps.cpu2, 0,
			SECONDARY_EXEC_DESC | SECONDARY_EXEC_WBINVD_EXITING |
			SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |
			SECONDARY_EXEC_PAUSE_LOOP_EXITING | SECONDARY_EXEC_ENABLE_VMFUNC, 12);
	if (cpu2 & SECONDARY_EXEC_ENABLE_EPT)
		cpu2 |= control(dice, caps.cpu2, 0,
				SECONDARY_EXEC_UNRESTRICTED_GUEST | SECONDARY_EXEC_ENABLE_PML, 40);
	cpu = control(dice, caps.cpu, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		      CPU_BASED_HLT_EXITING | CPU_BASED_USE_MSR_BITMAPS, 65);
	cpu |= control(dice, caps.cpu, 0,
		       CPU_BASED_USE_IO_BITMAPS | CPU_BASED_UNCOND_IO_EXITING |
		       CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
		       CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING |
		       CPU_BASED_INVLPG_EXITING | CPU_BASED_MOV_DR_EXITING |
		       CPU_BASED_PAUSE_EXITING | CPU_BASED_MONITOR_EXITING |
		       CPU_BASED_MWAIT_EXITING | CPU_BASED_USE_TSC_OFFSETTING |
		       CPU_BASED_TPR_SHADOW, 20);
	cpu |= control(dice, caps.cpu, 0, CPU_BASED_MONITOR_TRAP, 3);
	set(CPU_BASED_VM_EXEC_CONTROL, exclude_value(CPU_BASED_VM_EXEC_CONTROL, cpu));
	set(SECONDARY_VM_EXEC_CONTROL, exclude_value(SECONDARY_VM_EXEC_CONTROL, cpu2));
	exit = control(dice, caps.exit, VM_EXIT_HOST_ADDR_SPACE_SIZE,
		       VM_EXIT_SAVE_DEBUG_CONTROLS | VM_EXIT_ACK_INTR_ON_EXIT |
		       VM_EXIT_SAVE_IA32_PAT | VM_EXIT_LOAD_IA32_PAT | VM_EXIT_SAVE_IA32_EFER |
		       VM_EXIT_LOAD_IA32_EFER, 40);
	entry = control(dice, caps.entry, VM_ENTRY_IA32E_MODE,
			VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_LOAD_IA32_PAT |
			VM_ENTRY_LOAD_IA32_EFER, 40);
	set(VM_EXIT_CONTROLS, exit);
	set(VM_ENTRY_CONTROLS, entry);

	set(VIRTUAL_PROCESSOR_ID, 1 + pick(dice, 3));
	set(POSTED_INTR_NV, 0);
	/* Mostly all of L2's exceptions come to L1. */
	set(EXCEPTION_BITMAP, percent(dice, 70) ? 0xffffffff : (uint32_t)roll(dice));
	set(PAGE_FAULT_ERROR_CODE_MASK, 0);
	set(PAGE_FAULT_ERROR_CODE_MATCH, percent(dice, 80) ? 0 : pick(dice, 8));
	set(CR3_TARGET_COUNT, 0);
	set(TPR_THRESHOLD, 0);
	set(CR0_GUEST_HOST_MASK, percent(dice, 50) ? 0 : roll(dice) & 0xffffffff);
	set(CR4_GUEST_HOST_MASK, percent(dice, 50) ? 0 : roll(dice) & 0x7fffff);
	set(CR0_READ_SHADOW, GUEST_CR0_VALUE);
	set(CR4_READ_SHADOW, percent(dice, 50) ? baseline_value(HOST_CR4) : roll(dice) & 0x7fffff);
	set(EPT_POINTER, PAGE_AT(P_EPT_PML4) | EPT_WALK_4 | EPT_WB |
	    (caps.ept_vpid & VMX_EPT_VPID_CAP_AD_BITS && percent(dice, 50) ? EPT_AD : 0));
	set(TSC_OFFSET, 0);
}

static void set_addresses(struct dice *dice)
{
	bool shadow = baseline_value(SECONDARY_VM_EXEC_CONTROL) & SECONDARY_EXEC_SHADOW_VMCS;
	bool lists = percent(dice, 20);

	set(MSR_BITMAP, PAGE_AT(P_MSR_BITMAP));
	set(IO_BITMAP_A, PAGE_AT(P_IO_BITMAP_A));
	set(IO_BITMAP_B, PAGE_AT(P_IO_BITMAP_B));
	set(VMREAD_BITMAP, PAGE_AT(P_VMREAD_BITMAP));
	set(VMWRITE_BITMAP, PAGE_AT(P_VMWRITE_BITMAP));
	set(VIRTUAL_APIC_PAGE_ADDR, PAGE_AT(P_VIRTUAL_APIC));
	set(APIC_ACCESS_ADDR, PAGE_AT(P_APIC_ACCESS));
	set(PML_ADDRESS, PAGE_AT(P_PML));
	set(GUEST_PML_INDEX, 511);
	set(VM_EXIT_MSR_STORE_ADDR, PAGE_AT(P_MSR_LIST));
	set(VM_EXIT_MSR_LOAD_ADDR, PAGE_AT(P_MSR_LIST) + 0x100);
	set(VM_ENTRY_MSR_LOAD_ADDR, PAGE_AT(P_MSR_LIST) + 0x200);
	set(VM_EXIT_MSR_STORE_COUNT, lists ? pick(dice, 4) : 0);
	set(VM_EXIT_MSR_LOAD_COUNT, lists ? pick(dice, 4) : 0);
	set(VM_ENTRY_MSR_LOAD_COUNT, lists ? pick(dice, 4) : 0);
	/* The last of them is a shadow VMCS, if this L1 has any. */
	set(VMCS_LINK_POINTER, shadow && percent(dice, 80) ? PAGE_AT(P_VMCS_LAST) : ~0ull);
}

static void set_host(void)
{
	set(HOST_ES_SELECTOR, SEL_DATA);
	set(HOST_CS_SELECTOR, SEL_CODE);
	set(HOST_SS_SELECTOR, SEL_DATA);
	set(HOST_DS_SELECTOR, SEL_DATA);
	set(HOST_FS_SELECTOR, SEL_DATA);
	set(HOST_GS_SELECTOR, SEL_DATA);
	set(HOST_TR_SELECTOR, SEL_TSS);
	set(HOST_IA32_PAT, PAT);
	set(HOST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NX | EFER_SCE);
	set(HOST_CR0, GUEST_CR0_VALUE);
	set(HOST_CR3, PAGE_AT(P_PML4));
	set(HOST_CR4, baseline_value(HOST_CR4));
	set(HOST_FS_BASE, baseline_value(HOST_FS_BASE));
	set(HOST_GS_BASE, baseline_value(HOST_GS_BASE));
	set(HOST_TR_BASE, PAGE_AT(P_TABLES) + 0x100);
	set(HOST_GDTR_BASE, PAGE_AT(P_TABLES));
	set(HOST_IDTR_BASE, PAGE_AT(P_IDT));
	set(HOST_IA32_SYSENTER_CS, 0);
	set(HOST_IA32_SYSENTER_ESP, 0);
	set(HOST_IA32_SYSENTER_EIP, 0);
	set(HOST_RSP, PAGE_AT(P_STACK) + 0x800);
	set(HOST_RIP, (uintptr_t)guest_vmexit);
}

static void set_guest(struct dice *dice)
{
	static const uint32_t data[] = {
		GUEST_ES_SELECTOR, GUEST_SS_SELECTOR, GUEST_DS_SELECTOR, GUEST_FS_SELECTOR,
		GUEST_GS_SELECTOR,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++) {
		unsigned int segment = data[i] - GUEST_ES_SELECTOR;

		set(data[i], SEL_DATA);
		set(GUEST_ES_LIMIT + segment, 0xffffffff);
		set(GUEST_ES_AR_BYTES + segment, AR_DATA);
		set(GUEST_ES_BASE + segment, 0);
	}
	set(GUEST_FS_BASE, PAGE_AT(P_L2_DATA));
	set(GUEST_GS_BASE, PAGE_AT(P_L2_DATA) + 0x40);
	set(GUEST_CS_SELECTOR, SEL_CODE);
	set(GUEST_CS_LIMIT, 0xffffffff);
	set(GUEST_CS_AR_BYTES, AR_CODE);
	set(GUEST_CS_BASE, 0);
	set(GUEST_LDTR_SELECTOR, 0);
	set(GUEST_LDTR_LIMIT, 0xffff);
	set(GUEST_LDTR_AR_BYTES, AR_UNUSABLE);
	set(GUEST_LDTR_BASE, 0);
	set(GUEST_TR_SELECTOR, SEL_TSS);
	set(GUEST_TR_LIMIT, 0x67);
	set(GUEST_TR_AR_BYTES, AR_TSS);
	set(GUEST_TR_BASE, PAGE_AT(P_TABLES) + 0x100);
	set(GUEST_GDTR_BASE, PAGE_AT(P_TABLES));
	set(GUEST_GDTR_LIMIT, SEL_LIMIT);
	set(GUEST_IDTR_BASE, PAGE_AT(P_L2_IDT));
	set(GUEST_IDTR_LIMIT, 0xfff);

	set(GUEST_CR0, GUEST_CR0_VALUE);
	set(GUEST_CR3, percent(dice, 80) ? PAGE_AT(P_PML4) : PAGE_AT(P_OTHER_PML4));
	set(GUEST_CR4, baseline_value(HOST_CR4));
	set(GUEST_DR7, 0x400);
	set(GUEST_RSP, PAGE_AT(P_L2_STACK) + 0x800);
	set(GUEST_RIP, PAGE_AT(P_L2_CODE));
	set(GUEST_RFLAGS, 2);
	set(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	set(GUEST_SYSENTER_CS, 0);
	set(GUEST_SYSENTER_ESP, 0);
	set(GUEST_SYSENTER_EIP, 0);
	set(GUEST_IA32_DEBUGCTL, 0);
	set(GUEST_IA32_PAT, PAT);
	set(GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NX | EFER_SCE);
	set(GUEST_INTERRUPTIBILITY_INFO, 0);
	set(GUEST_ACTIVITY_STATE, 0);
	set(VM_ENTRY_INTR_INFO_FIELD, 0);
}

void baseline_make(struct dice *dice)
{
	settings = (struct setting *)PAGE_AT(P_BASELINE);
	the_state()->nr_settings = 0;
	set_host();
	set_controls(dice);
	set_addresses(dice);
	set_guest(dice);
}

static const uint64_t boundaries[] = {
	0, 1, 2, 0x7f, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	0x100000000, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0x7fffffffffffffff,
	0x8000000000000000, ~0ull, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa,
};

/* Around what the field should have, boundaries, and everything else. */
uint64_t value_any(struct dice *dice, uint32_t field)
{
	uint64_t value;

	switch (pick(dice, 8)) {
	case 0 ... 2:
		value = baseline_value(field) ^ 1ull << pick(dice, 64);
		break;
	case 3:
		value = baseline_value(field) ^ 1ull << pick(dice, 32) ^ 1ull << pick(dice, 16);
		break;
	case 4 ... 5:
		value = boundaries[pick(dice, ARRAY_SIZE(boundaries))];
		break;
	case 6:
		value = PAGE_AT(pick(dice, NR_PAGES)) + (percent(dice, 30) ? pick(dice, 4096) : 0);
		break;
	default:
		value = roll(dice);
	}
	return exclude_value(field, value);
}
