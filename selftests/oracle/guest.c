// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1: an interpreter that executes the ops of the program and logs what it observes.
 *
 * Nothing here may touch the test program's data, of which the guest has only the constants.
 */
#include <asm/msr-index.h>

#include "arena.h"
#include "field.h"
#include "program.h"

#pragma GCC target("general-regs-only")

#define STRING(_x)	__STRING(_x)
#define INITIAL_FLAGS	0x2ull
#define FAULT		0x10000ull

/* RFLAGS of an instruction of the interpreter, or FAULT; kn_l1.h's macro has its data elsewhere. */
#define TRY(_insn, ...)								\
({										\
	uint64_t __flags;							\
										\
	the_state()->event = EVENT_NONE;					\
	asm volatile("movq $1f, " STRING(S_FIXUP) "\n\t"			\
		     _insn "\n"							\
		     "1:\tpushfq\n\t"						\
		     "popq %[flags]\n\t"					\
		     "movq $0, " STRING(S_FIXUP)				\
		     : [flags] "=&r" (__flags) : __VA_ARGS__ : "cc", "memory");	\
	the_state()->event == EVENT_FAULT ? FAULT : __flags & KN_ALU_FLAGS;	\
})

static uint64_t try_vmread(uint64_t field, uint64_t *value)
{
	return TRY("vmread %[field], (%[value])", [field] "r" (field), [value] "r" (value));
}

static uint64_t try_vmwrite(uint64_t field, uint64_t value)
{
	return TRY("vmwrite %[value], %[field]", [field] "r" (field), [value] "r" (value));
}

/* Of all contexts, if this L1 may. */
static uint64_t try_invept(void)
{
	static const uint64_t descriptor[2];

	return TRY("invept (%[descriptor]), %[type]", [descriptor] "r" (descriptor),
		   [type] "r" (2ull));
}

static void log_field(uint32_t field)
{
	uint64_t value = 0, outcome;

	if (exclude_read(field))
		return;
	outcome = try_vmread(field, &value);

	if (outcome == VM_SUCCEED)
		log_item(LOG_FIELD, field, value);
	else
		log_item(LOG_VMFAIL, field, outcome);
}

static void out(uint8_t port)
{
	asm volatile("out %%al, %[port]" : : [port] "N" (port), "a" (0) : "memory");
}

static uint64_t get_host_state(enum host_state which)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;
	uint64_t value = 0;

	switch (which) {
	case HOST_STATE_CR0:		return get_cr0();
	case HOST_STATE_CR3:		return get_cr3();
	case HOST_STATE_CR4:		return get_cr4();
	case HOST_STATE_FS_BASE:	return rdmsr(MSR_FS_BASE);
	case HOST_STATE_GS_BASE:	return rdmsr(MSR_GS_BASE);
	case HOST_STATE_SYSENTER_CS:	return rdmsr(MSR_IA32_SYSENTER_CS);
	case HOST_STATE_SYSENTER_ESP:	return rdmsr(MSR_IA32_SYSENTER_ESP);
	case HOST_STATE_SYSENTER_EIP:	return rdmsr(MSR_IA32_SYSENTER_EIP);
	case HOST_STATE_CS:		return get_cs();
	case HOST_STATE_SS:		return get_ss();
	case HOST_STATE_DS:		return get_ds();
	case HOST_STATE_ES:		return get_es();
	case HOST_STATE_FS:		return get_fs();
	case HOST_STATE_GS:		return get_gs();
	case HOST_STATE_TR:		return get_tr();
	case HOST_STATE_LDT:
		asm volatile("sldt %w0" : "=r" (value));
		return (uint16_t)value;
	case HOST_STATE_GDT:
	case HOST_STATE_GDT_LIMIT:
		asm volatile("sgdt %0" : "=m" (table));
		return which == HOST_STATE_GDT ? table.base : table.limit;
	case HOST_STATE_IDT:
	case HOST_STATE_IDT_LIMIT:
		asm volatile("sidt %0" : "=m" (table));
		return which == HOST_STATE_IDT ? table.base : table.limit;
	default:
		asm volatile("mov %%dr7, %0" : "=r" (value));
		return value;
	}
}

/* What is different after a VM exit is logged, and put right. */
static void check_host_state(void)
{
	struct state *state = the_state();
	uint64_t value, wanted;

	for (unsigned int i = 0; i < NR_HOST_STATE; i++) {
		value = get_host_state(i);
		wanted = state->host_state[i];
		if (value == wanted)
			continue;

		log_item(LOG_HOST_STATE, i, value);
		switch (i) {
		case HOST_STATE_CR0:
			asm volatile("mov %0, %%cr0" : : "r" (wanted) : "memory");
			break;
		case HOST_STATE_CR3:
			asm volatile("mov %0, %%cr3" : : "r" (wanted) : "memory");
			break;
		case HOST_STATE_CR4:
			set_cr4(wanted);
			break;
		case HOST_STATE_FS_BASE:
			wrmsr(MSR_FS_BASE, wanted);
			break;
		case HOST_STATE_GS_BASE:
			wrmsr(MSR_GS_BASE, wanted);
			break;
		}
	}

	/* A VM exit leaves the largest limits. */
	state->host_state[HOST_STATE_GDT_LIMIT] = get_host_state(HOST_STATE_GDT_LIMIT);
	state->host_state[HOST_STATE_IDT_LIMIT] = get_host_state(HOST_STATE_IDT_LIMIT);
	state->host_state[HOST_STATE_DR7] = get_host_state(HOST_STATE_DR7);
}

/* What is to be excluded of the exit information is made one value, for whoever reads it later. */
static void settle_exit_fields(void)
{
	uint64_t reason = 0, insn_info = 0, cpu2 = 0;

	if (!the_state()->writes_read_only || try_vmread(VM_EXIT_REASON, &reason) != VM_SUCCEED ||
	    try_vmread(VMX_INSTRUCTION_INFO, &insn_info) != VM_SUCCEED ||
	    try_vmread(SECONDARY_VM_EXEC_CONTROL, &cpu2) != VM_SUCCEED)
		return;

	for (unsigned int i = 0; i < NR_LEFTOVERS; i++)
		if (exclude_leftover(leftovers[i], reason, insn_info, cpu2))
			try_vmwrite(leftovers[i], 0);
}

static void log_exit(void)
{
	struct state *state = the_state();

	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		if (state->exit_fields[i / 64] >> i % 64 & 1)
			log_field(kn_fields[i].encoding);
	check_host_state();
}

/* Executes what lies at @rip, with the registers as they are, and logs the outcome. */
static void execute(uint64_t rip, unsigned int flags)
{
	struct state *state = the_state();
	uint64_t before[NR_REGS], outcome;

	for (unsigned int i = 0; i < NR_REGS; i++)
		before[i] = state->regs[i];

	state->frame.rip = rip;
	state->frame.cs = flags & OP_USER ? SEL_USER_CODE :
			  flags & OP_COMPAT ? SEL_COMPAT_CODE : SEL_CODE;
	state->frame.ss = flags & OP_USER ? SEL_USER_DATA : SEL_DATA;
	state->frame.rsp = before[RSP];
	/* All six flags are set before, so that an instruction which leaves one alone is seen. */
	state->frame.rflags = INITIAL_FLAGS | KN_ALU_FLAGS;
	guest_execute();

	outcome = state->flags & KN_ALU_FLAGS;
	/* An exit to a wrong HOST_RIP is a fault. */
	if (state->event != EVENT_NONE)
		settle_exit_fields();
	log_item(LOG_FLAGS, 0, state->flags);
	if (state->event == EVENT_FAULT) {
		log_item(LOG_VECTOR, 0, state->vector);
		log_item(LOG_ERROR, 0, state->error);
		log_item(LOG_FAULT_RIP, 0, state->fault_rip);
		if (state->vector == PF_VECTOR)
			log_item(LOG_CR2, 0, state->cr2);
	}
	for (unsigned int i = 0; i < NR_REGS; i++)
		if (state->regs[i] != before[i])
			log_item(LOG_REG, i, state->regs[i]);
	if (state->event == EVENT_NONE && outcome == VM_FAIL_VALID)
		log_field(VM_INSTRUCTION_ERROR);
	if (state->event == EVENT_EXIT) {
		log_item(LOG_EXIT, 0, 0);
		log_exit();
	}
}

static void clear_current(void)
{
	uint64_t pointer, *at = &pointer;

	if (TRY("vmptrst (%[p])", [p] "r" (at)) == VM_SUCCEED)
		TRY("vmclear (%[p])", [p] "r" (at));
}

static void execute_op(const struct op *op, unsigned int index)
{
	uint64_t *memory = (uint64_t *)op->address;
	struct state *state = the_state();

	for (unsigned int i = 0; i < OP_NR_VALUES; i++) {
		uint64_t value = op->value[i];

		if (op->reg[i] == NO_REG)
			continue;
		if (op->varies == i)
			value ^= state->step * 0x9e3779b97f4a7c15ull & op->varying;
		state->regs[op->reg[i]] = value;
	}
	if (op->flags & OP_MEMORY) {
		memory[0] = op->poke[0];
		if (op->varies == OP_NR_VALUES)
			memory[0] ^= state->step * 0x9e3779b97f4a7c15ull & op->varying;
		memory[1] = op->poke[1];
	}

	if (op->flags & OP_CLEAR)
		clear_current();
	execute(PAGE_AT(P_CODE) + index * SLOT_SIZE, op->flags);

	if (op->flags & OP_MEMORY) {
		log_item(LOG_MEMORY, 0, memory[0]);
		log_item(LOG_MEMORY, 1, memory[1]);
	}
}

static uint64_t vmcs_address(unsigned int vmcs)
{
	return PAGE_AT(P_VMCS + vmcs);
}

static void prepare(unsigned int vmcs)
{
	struct setting *settings = (struct setting *)PAGE_AT(P_BASELINE);
	uint64_t pointer = vmcs_address(vmcs), outcome;
	struct state *state = the_state();

	outcome = TRY("vmclear (%[p])", [p] "r" (&pointer));
	log_item(LOG_FLAGS, 1, outcome);
	*(uint32_t *)pointer = rdmsr(MSR_IA32_VMX_BASIC);	/* a program may have spoilt it */
	outcome = TRY("vmptrld (%[p])", [p] "r" (&pointer));
	log_item(LOG_FLAGS, 2, outcome);
	if (outcome != VM_SUCCEED)
		return;

	for (unsigned int i = 0; i < state->nr_settings; i++) {
		outcome = try_vmwrite(settings[i].encoding, settings[i].value);
		if (outcome != VM_SUCCEED)
			log_item(LOG_VMFAIL, settings[i].encoding, outcome);
	}
}

/* Where L2 goes on, 0: nowhere. */
static uint64_t next_rip(void)
{
	uint64_t reason = 0, length = 0, rip = 0;

	if (try_vmread(VM_EXIT_REASON, &reason) != VM_SUCCEED || reason >> 16 ||
	    reason == EXIT_REASON_VMCALL || reason == EXIT_REASON_TRIPLE_FAULT ||
	    try_vmread(GUEST_RIP, &rip) != VM_SUCCEED)
		return 0;
	if (rip < PAGE_AT(P_L2_CODE) || rip >= PAGE_AT(P_L2_CODE_LAST + 1))
		return 0;

	switch (reason) {
	case EXIT_REASON_EXCEPTION_NMI:
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
		/* Over the instruction, by the end of what surrounds it. */
		return (rip | 63) + 1;
	case EXIT_REASON_CPUID ... EXIT_REASON_DR_ACCESS:
	case EXIT_REASON_IO_INSTRUCTION ... EXIT_REASON_MSR_WRITE:
	case EXIT_REASON_MWAIT_INSTRUCTION:
	case EXIT_REASON_MONITOR_INSTRUCTION ... EXIT_REASON_PAUSE_INSTRUCTION:
	case EXIT_REASON_APIC_ACCESS:
	case EXIT_REASON_GDTR_IDTR ... EXIT_REASON_LDTR_TR:
	case EXIT_REASON_INVEPT ... EXIT_REASON_RDTSCP:
	case EXIT_REASON_INVVPID ... EXIT_REASON_XSETBV:
	case EXIT_REASON_INVPCID ... EXIT_REASON_XRSTORS:
		if (try_vmread(VM_EXIT_INSTRUCTION_LEN, &length) != VM_SUCCEED)
			return 0;
		return rip + (length & 15);
	default:
		return rip;
	}
}

static void run(const struct op *op)
{
	struct state *state = the_state();
	uint64_t rip = op->value[0];

	for (unsigned int i = 0; i < op->value[1] && rip; i++) {
		uint64_t error = 0;

		if (rip != 1 && try_vmwrite(GUEST_RIP, rip) != VM_SUCCEED)
			return;
		if (!(op->flags & OP_LAUNCH))
			execute((uint64_t)guest_vmresume, 0);
		if (!(op->flags & OP_RESUME) && state->event == EVENT_NONE &&
		    (op->flags & OP_LAUNCH ||
		     (try_vmread(VM_INSTRUCTION_ERROR, &error) == VM_SUCCEED &&
		      error == ERR_VMRESUME_NONLAUNCHED)))
			execute((uint64_t)guest_vmlaunch, 0);
		if (state->event != EVENT_EXIT)
			return;
		rip = next_rip();
	}
}

static void dump(unsigned int first, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		log_field(kn_fields[(first + i) % KN_NR_FIELDS].encoding);
}

static void interpret(const struct op *op)
{
	struct state *state = the_state();

	switch (op->code) {
	case OP_EXECUTE:
		execute_op(op, state->op);
		break;
	case OP_PREPARE:
		prepare(op->value[0]);
		break;
	case OP_RUN:
		run(op);
		break;
	case OP_DUMP:
		dump(op->value[0], op->value[1]);
		break;
	case OP_POKE:
		*(volatile uint64_t *)op->address = op->poke[0];
		if (op->flags & OP_INVEPT)
			try_invept();
		break;
	case OP_LOOK:
		log_item(LOG_MEMORY, 0, *(volatile uint64_t *)op->address);
		break;
	case OP_REPEAT:
		if (state->count[state->op]++ < op->value[1])
			state->op -= op->value[0] + 1;
		else
			state->count[state->op] = 0;
		break;
	}
}

/* Everything gets to memory, where the test program sees it. */
static void clear_all(void)
{
	for (unsigned int i = 0; i < NR_VMCS; i++) {
		uint64_t pointer = vmcs_address(i);

		log_item(LOG_FLAGS, i, TRY("vmclear (%[p])", [p] "r" (&pointer)));
	}
	log_item(LOG_HOST_STATE, 100, rdmsr(MSR_EFER));
	log_item(LOG_HOST_STATE, 101, rdmsr(MSR_IA32_CR_PAT));
}

void guest_main(void)
{
	const struct op *ops = (struct op *)PAGE_AT(P_PROGRAM);
	struct state *state = the_state();

	for (unsigned int i = 0; i < NR_HOST_STATE; i++)
		state->host_state[i] = get_host_state(i);

	for (; state->op < state->nr_ops && state->step < MAX_STEPS; state->op++) {
		interpret(&ops[state->op]);
		state->step++;
	}
	state->op = MAX_OPS;
	clear_all();
	for (;;)
		out(PORT_END);
}
