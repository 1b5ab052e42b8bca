// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arena before a program runs: page tables, descriptor tables, EPT12, and everything else zero.
 */
#include <asm/msr-index.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"
#include "l1.h"
#include "program.h"

#define PTE_P		BIT(0)
#define PTE_W		BIT(1)
#define PTE_U		BIT(2)
#define PTE_PS		BIT(7)

#define EPT_RWX		7
#define EPT_MEMORY_WB	(6 << 3)
#define EPT_PS		BIT(7)

#define UNBACKED	0x30000000ull
#define IST_EXCEPTIONS	1
#define IST_L2		2

static uint64_t *page(unsigned int number)
{
	return (uint64_t *)PAGE_AT(number);
}

void arena_create(void)
{
	void *at = mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);

	TEST_ASSERT(at == (void *)ARENA, "no memory at %#x", ARENA);
}

static void make_page_tables(void)
{
	uint64_t user = PTE_P | PTE_W | PTE_U;

	page(P_PML4)[0] = page(P_OTHER_PML4)[0] = PAGE_AT(P_PDPT) | user;
	page(P_PDPT)[0] = PAGE_AT(P_PD) | user;
	page(P_PD)[IMAGE >> 21] = IMAGE | user | PTE_PS;
	page(P_PD)[ARENA >> 21] = PAGE_AT(P_PT) | user;
	for (unsigned int i = 0; i < NR_PAGES; i++)
		page(P_PT)[i] = PAGE_AT(i) | user;
	page(P_PT)[P_HOLE] = 0;
	page(P_PT)[P_READ_ONLY] &= ~PTE_W;
	page(P_PT)[P_SUPERVISOR] &= ~PTE_U;
	page(P_PT)[P_NO_MEMORY] = UNBACKED | user;
}

static void make_ept(void)
{
	page(P_EPT_PML4)[0] = page(P_EPT_OTHER)[0] = PAGE_AT(P_EPT_PDPT) | EPT_RWX;
	page(P_EPT_PDPT)[0] = PAGE_AT(P_EPT_PD) | EPT_RWX;
	page(P_EPT_PD)[IMAGE >> 21] = IMAGE | EPT_RWX | EPT_MEMORY_WB | EPT_PS;
	page(P_EPT_PD)[ARENA >> 21] = PAGE_AT(P_EPT_PT) | EPT_RWX;
	for (unsigned int i = 0; i < NR_PAGES; i++)
		page(P_EPT_PT)[i] = PAGE_AT(i) | EPT_RWX | EPT_MEMORY_WB;
}

static uint64_t descriptor(uint8_t type, uint8_t flags)
{
	return 0x000f00000000ffffull | (uint64_t)type << 40 | (uint64_t)flags << 52;
}

static void make_gdt(void)
{
	uint64_t tss = PAGE_AT(P_TABLES) + 0x100;
	uint64_t *gdt = page(P_TABLES);

	gdt[SEL_CODE / 8] = descriptor(0x9b, 0xa);
	gdt[SEL_DATA / 8] = descriptor(0x93, 0xc);
	gdt[SEL_TSS / 8] = 0x67 | (tss & 0xffffff) << 16 | 0x8bull << 40 | (tss >> 24 & 0xff) << 56;
	gdt[SEL_USER_CODE / 8] = descriptor(0xfb, 0xa);
	gdt[SEL_USER_DATA / 8] = descriptor(0xf3, 0xc);
	gdt[SEL_COMPAT_CODE / 8] = descriptor(0x9b, 0xc);

	/* IST entries of the TSS. */
	memcpy((void *)tss + 0x24, &(uint64_t){ PAGE_AT(P_IST + 1) }, 8);
	memcpy((void *)tss + 0x2c, &(uint64_t){ PAGE_AT(P_L2_STACK + 1) }, 8);
}

static void set_gate(unsigned int table, unsigned int vector, uint64_t handler, unsigned int ist)
{
	uint64_t *gate = page(table) + 2 * vector;
	unsigned int dpl = vector == VECTOR_END ? 3 : 0;

	gate[0] = (handler & 0xffff) | SEL_CODE << 16 | (uint64_t)ist << 32 |
		  (0x8e00ull | dpl << 13) << 32 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
}

static void make_idts(void)
{
	for (unsigned int i = 0; i < 32; i++) {
		set_gate(P_IDT, i, (uintptr_t)guest_handlers + 16 * i, IST_EXCEPTIONS);
		set_gate(P_L2_IDT, i, (uintptr_t)l2_handlers + 16 * i, IST_L2);
	}
	set_gate(P_IDT, VECTOR_END, (uintptr_t)guest_end_handler, IST_EXCEPTIONS);
}

static void make_msr_lists(void)
{
	static const uint32_t msrs[] = {
		MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_SYSCALL_MASK, MSR_CSTAR, MSR_FS_BASE,
		MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, 0x12345678,
	};
	uint64_t *list = page(P_MSR_LIST);

	for (unsigned int i = 0; i < 3 * 16; i++) {
		list[2 * i] = msrs[i % ARRAY_SIZE(msrs)];
		list[2 * i + 1] = 0x1000 * i;
	}
}

/* The last VMCS is a shadow VMCS, where L1 may have one. */
static void make_regions(void)
{
	uint32_t revision = caps.basic;

	*(uint32_t *)page(P_VMXON) = revision;
	for (unsigned int i = 0; i < NR_VMCS; i++)
		*(uint32_t *)page(P_VMCS + i) = revision;
	if (caps.cpu2 >> 32 & SECONDARY_EXEC_SHADOW_VMCS)
		*(uint32_t *)page(P_VMCS_LAST) |= BIT(31);
	*(uint32_t *)page(P_NOT_A_VMCS) = revision ^ 1;
}

void arena_reset(void)
{
	/* Not memset(): the library's goes byte by byte, for the guests' sake. */
	for (volatile uint64_t *word = page(0); word < page(P_LOG); word++)
		*word = 0;
	make_regions();
	make_page_tables();
	make_ept();
	make_gdt();
	make_idts();
	make_msr_lists();
}
