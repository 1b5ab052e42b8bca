/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's memory: 2 MiB that lie at the same address in the test program, in L1's physical and
 * linear, and in L2's address spaces. Beside it a guest sees the program's code and constants.
 */
#ifndef SELFTEST_ORACLE_ARENA_H
#define SELFTEST_ORACLE_ARENA_H

#define ARENA		0x10000000
#define ARENA_SIZE	0x200000
#ifdef __ASSEMBLER__
#define PAGE_AT(_page)	(ARENA + (_page) * 0x1000)
#else
#define PAGE_AT(_page)	(ARENA + (_page) * 0x1000ul)
#endif

/* struct state, as trampoline.S sees it. */
#define S_REGS		(ARENA + 0x000)
#define S_REG(_n)	(S_REGS + 8 * (_n))
#define S_FRAME		(ARENA + 0x080)
#define S_RSP		(ARENA + 0x0a8)
#define S_EVENT		(ARENA + 0x0b0)
#define S_FLAGS		(ARENA + 0x0b8)
#define S_VECTOR	(ARENA + 0x0c0)
#define S_ERROR		(ARENA + 0x0c8)
#define S_FAULT_RIP	(ARENA + 0x0d0)
#define S_CR2		(ARENA + 0x0d8)
#define S_FIXUP		(ARENA + 0x0e0)
#define S_RUNNING	(ARENA + 0x0e8)

#define EVENT_NONE	0
#define EVENT_FAULT	1
#define EVENT_EXIT	2

/* Selectors of the GDT. */
#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_TSS		0x18	/* two entries */
#define SEL_USER_CODE	0x2b
#define SEL_USER_DATA	0x33
#define SEL_COMPAT_CODE	0x38
#define SEL_LIMIT	0x3f

#define VECTOR_END	0x80	/* INT that ends what runs at CPL 3 or in compatibility mode */

/* L1's OUTs to the test program; L2 may do the same. */
#define PORT_END	0x10
#define PORT_DEAD	0x11
#define PORT_GET	0x12	/* log the nested state */
#define PORT_SAME	0x13	/* save and restore into the same vCPU */
#define PORT_NEW	0x14	/* ... into a new VM */
#define PORT_SHADOW	0x15	/* the module's parameter shadow: off, and on at the next time */
#define PORT_ENABLE	0x16	/* ... enable */
#define PORT_SHADOW_L2	0x17	/* ... shadow_l2 */
#define PORT_OTHER	0x40	/* up to 0x7f: nothing but I/O */

#ifndef __ASSEMBLER__

#include <linux/build_bug.h>
#include <stdint.h>

/* Pages of the arena. */
#define PAGES(X)								\
	X(STATE, 1) X(PML4, 1) X(PDPT, 1) X(PD, 1) X(PT, 1) X(OTHER_PML4, 1)	\
	X(TABLES, 1) X(IDT, 1) X(L2_IDT, 1) X(STACK, 4) X(IST, 1) X(L2_STACK, 1)	\
	X(PROGRAM, 4) X(CODE, 1) X(L2_CODE, 2) X(BASELINE, 1)			\
	X(VMXON, 1) X(VMCS, 6) X(NOT_A_VMCS, 1)					\
	X(MSR_BITMAP, 1) X(IO_BITMAP_A, 1) X(IO_BITMAP_B, 1)			\
	X(VMREAD_BITMAP, 1) X(VMWRITE_BITMAP, 1) X(MSR_LIST, 1)			\
	X(VIRTUAL_APIC, 1) X(APIC_ACCESS, 1) X(PML, 1)				\
	X(EPT_PML4, 1) X(EPT_PDPT, 1) X(EPT_PD, 1) X(EPT_PT, 1) X(EPT_OTHER, 1)	\
	X(DATA, 1) X(HOLE, 1) X(MORE_DATA, 1) X(READ_ONLY, 1) X(SUPERVISOR, 1)	\
	X(NO_MEMORY, 1) X(L2_DATA, 4) X(LOG, 160)

enum arena_page {
#define X(_name, _nr) P_##_name, P_##_name##_LAST = P_##_name + (_nr) - 1,
	PAGES(X)
#undef X
	NR_PAGES
};

#define NR_VMCS		6
#define NR_REGS		16

enum reg {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
};

/* What a VM exit of L2 loads, beside registers. */
#define HOST_STATES(X)								\
	X(CR0) X(CR3) X(CR4) X(FS_BASE) X(GS_BASE) X(SYSENTER_CS) X(SYSENTER_ESP)	\
	X(SYSENTER_EIP) X(CS) X(SS) X(DS) X(ES) X(FS) X(GS) X(TR) X(GDT) X(GDT_LIMIT)	\
	X(IDT) X(IDT_LIMIT) X(DR7) X(LDT)

enum host_state {
#define X(_name) HOST_STATE_##_name,
	HOST_STATES(X)
#undef X
	NR_HOST_STATE
};

enum code {
	OP_NONE,
	OP_EXECUTE,	/* the instruction in the op's slot */
	OP_PREPARE,	/* VMCS value[0]: VMCLEAR, VMPTRLD, and everything that its L2 needs */
	OP_RUN,		/* L2, from value[0] on, for up to value[1] exits */
	OP_DUMP,	/* VMREAD of value[1] fields from the value[0]th on */
	OP_POKE,	/* poke[0] to memory at @address */
	OP_LOOK,	/* at the memory at @address */
	OP_REPEAT,	/* the value[0] ops before this one, value[1] times more */
};

#define OP_USER		0x01	/* at CPL 3 */
#define OP_COMPAT	0x02	/* in compatibility mode */
#define OP_MEMORY	0x04	/* poke both words to @address before, and log them afterwards */
#define OP_LAUNCH	0x08	/* OP_RUN: VMLAUNCH, otherwise what fits */
#define OP_RESUME	0x10	/* ... VMRESUME */
#define OP_CLEAR	0x20	/* VMCLEAR of the current VMCS before, see exclude.c */
#define OP_INVEPT	0x40	/* OP_POKE: and INVEPT, see exclude.c */

#define OP_NR_VALUES	4
#define NO_REG		0xff

struct op {
	uint8_t code;
	uint8_t flags;
	uint8_t varies;			/* this value differs from step to step, in ... */
	uint8_t reg[OP_NR_VALUES];	/* registers that get the values */
	uint8_t length;			/* of the instruction */
	uint64_t varying;		/* ... these bits */
	uint64_t value[OP_NR_VALUES];
	uint64_t address;
	uint64_t poke[2];
	uint8_t insn[16];
};

#define MAX_OPS		128
#define MAX_STEPS	1000
#define SLOT_SIZE	32

static_assert(NR_PAGES * 4096 <= ARENA_SIZE, "the arena has this size");
static_assert(MAX_OPS * sizeof(struct op) <= 4 * 4096, "the program has four pages");
static_assert(MAX_OPS * SLOT_SIZE <= 4096, "its instructions have one");

struct setting {
	uint64_t encoding;
	uint64_t value;
};

/* What L1's interpreter works with; the beginning is known to trampoline.S. */
struct state {
	uint64_t regs[NR_REGS];
	struct {
		uint64_t rip, cs, rflags, rsp, ss;
	} frame;
	uint64_t host_rsp;
	uint64_t event;
	uint64_t flags;
	uint64_t vector;
	uint64_t error;
	uint64_t fault_rip;
	uint64_t cr2;
	uint64_t fixup;
	uint64_t running;

	uint64_t nr_ops;
	uint64_t nr_settings;
	uint64_t writes_read_only;	/* L1 may VMWRITE read-only fields */
	uint64_t changes_ept12;		/* L1 changes entries that L2 uses */
	uint64_t op;			/* current one */
	uint64_t step;
	uint64_t log_end;		/* in items */
	uint64_t exit_fields[4];	/* which L1 reads after an exit, by number */
	uint64_t host_state[NR_HOST_STATE];	/* L1's, as it was in the beginning */
	uint8_t count[MAX_OPS];		/* of OP_REPEAT */
};

enum kind {
	LOG_FLAGS,
	LOG_VECTOR,
	LOG_ERROR,
	LOG_FAULT_RIP,
	LOG_CR2,
	LOG_EXIT,
	LOG_REG,
	LOG_MEMORY,
	LOG_FIELD,
	LOG_VMFAIL,
	LOG_HOST_STATE,
	LOG_KVM_EXIT,
	LOG_IO,
	LOG_STATE,
	LOG_PAGE,
	LOG_VMCS,
	LOG_END,
	NR_KINDS
};

/* One thing that was observed. */
struct item {
	uint64_t kind : 8;
	uint64_t op : 8;
	uint64_t step : 16;
	uint64_t what : 32;
	uint64_t value;
};

#define MAX_ITEMS ((P_LOG_LAST - P_LOG + 1) * 4096 / sizeof(struct item))

static inline struct state *the_state(void)
{
	return (struct state *)PAGE_AT(P_STATE);
}

static inline void log_item(enum kind kind, uint32_t what, uint64_t value)
{
	struct item *items = (struct item *)PAGE_AT(P_LOG);
	struct state *state = the_state();

	if (state->log_end == MAX_ITEMS)
		return;
	items[state->log_end++] = (struct item) {
		.kind = kind, .op = state->op, .step = state->step, .what = what, .value = value,
	};
}

/* trampoline.S */
void guest_execute(void);
void guest_vmexit(void);
void guest_tail(void);
void guest_vmlaunch(void);
void guest_vmresume(void);
extern const uint8_t guest_handlers[];		/* 32 entry points, 16 bytes apart */
extern const uint8_t guest_end_handler[];
extern const uint8_t l2_handlers[];

/* guest.c */
void guest_main(void);

#endif /* __ASSEMBLER__ */
#endif
