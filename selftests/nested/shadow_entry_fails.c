// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that invalid host and guest state makes VM entry fail in the same way whether VMWRITE of
 * it trapped or not, that L2 runs once the field is mended, and that L2 gets the guest state that
 * L1 wrote without traps, and none that L1 did not write.
 */
#include "entry.h"
#include "field.h"
#include "shadow.h"

#define CANONICAL	0x7fffffffffffull

#define NR_PASSES	3
#define NR_ROUNDS	40
#define NR_WARM_UP	5

enum {
	STAGE_PASS = 1,
	STAGE_LEARNT,
	STAGE_ROUNDS,
};

/* Each makes the entry fail by itself. */
static const struct row {
	const char *name;
	enum kn_want want;
	enum kn_how how;
	uint32_t field;
	uint64_t value;
} rows[] = {
	{ "pin-based controls 0", CONTROL, SET, PIN_BASED_VM_EXEC_CONTROL, 0 },
	{ "VM-exit controls 0", CONTROL, SET, VM_EXIT_CONTROLS, 0 },
	{ "CR3-target count", CONTROL, SET, CR3_TARGET_COUNT, 0x200 },
	{ "injection of a reserved type", CONTROL, SET, VM_ENTRY_INTR_INFO_FIELD,
	  BIT(31) | 1 << 8 },

	{ "host CR0 0", HOST, SET, HOST_CR0, 0 },
	{ "host CR4 without VMXE", HOST, CLEAR, HOST_CR4, X86_CR4_VMXE },
	{ "host CR3 beyond MAXPHYADDR", HOST, ADD, HOST_CR3, BIT_ULL(52) },
	{ "host SYSENTER_ESP noncanonical", HOST, SET, HOST_IA32_SYSENTER_ESP, NONCANONICAL },
	{ "host CS 0", HOST, SET, HOST_CS_SELECTOR, 0 },
	{ "host DS with TI", HOST, ADD, HOST_DS_SELECTOR, 4 },
	{ "host TR 0", HOST, SET, HOST_TR_SELECTOR, 0 },
	{ "host FS base not canonical", HOST, SET, HOST_FS_BASE, NONCANONICAL },
	{ "host GDTR base not canonical", HOST, SET, HOST_GDTR_BASE, NONCANONICAL },

	{ "guest CR0 without PE", STATE, CLEAR, GUEST_CR0, X86_CR0_PE },
	{ "guest CR4 without VMXE", STATE, CLEAR, GUEST_CR4, X86_CR4_VMXE },
	{ "guest RFLAGS without bit 1", STATE, CLEAR, GUEST_RFLAGS, BIT(1) },
	{ "guest activity state", STATE, SET, GUEST_ACTIVITY_STATE, 4 },
	{ "VMCS link pointer unaligned", LINK, SET, VMCS_LINK_POINTER, 0x1001 },
	{ "guest CS not present", STATE, CLEAR, GUEST_CS_AR_BYTES, BIT(7) },
	{ "guest CS with D and L", STATE, ADD, GUEST_CS_AR_BYTES, BIT(14) },
	{ "guest ES with a type of the system", STATE, SET, GUEST_ES_AR_BYTES, 0xc083 },
	{ "guest DS not accessed", STATE, CLEAR, GUEST_DS_AR_BYTES, BIT(0) },
	{ "guest TR unusable", STATE, ADD, GUEST_TR_AR_BYTES, BIT(16) },
	{ "guest TR with TI", STATE, ADD, GUEST_TR_SELECTOR, 4 },
	{ "guest FS base not canonical", STATE, SET, GUEST_FS_BASE, NONCANONICAL },
	{ "guest SYSENTER_EIP not canonical", STATE, SET, GUEST_SYSENTER_EIP, NONCANONICAL },
	{ "guest GDTR limit", STATE, SET, GUEST_GDTR_LIMIT, 0x10000 },
	{ "guest IDTR base not canonical", STATE, SET, GUEST_IDTR_BASE, NONCANONICAL },
};

static struct kn_check checks[ARRAY_SIZE(rows)];
KN_GROUP(checks, ARRAY_SIZE(rows));
/* Their fields, without access rights: whether VMWRITE of these traps depends on the processor. */
static uint32_t row_fields[ARRAY_SIZE(rows)];
static unsigned int nr_row_fields;

/* What L1 writes for L2 to see. */
static const uint32_t written[] = {
	GUEST_FS_BASE, GUEST_LDTR_SELECTOR, GUEST_TR_SELECTOR, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT,
	GUEST_IDTR_LIMIT, GUEST_ES_SELECTOR, GUEST_SYSENTER_ESP,
};

static struct gpr64_regs gprs;
static volatile uint64_t turn;
static volatile bool in_rounds;

static uint64_t pattern(unsigned int i)
{
	return (0x123456789abcull * (i + 1) + turn * 0x10001) & CANONICAL;
}

/* What L2 is to find in each field, by its row in the table above. */
static uint64_t guest_value(unsigned int i)
{
	switch (written[i]) {
	case GUEST_LDTR_SELECTOR:
		return 0x20 + 8 * (turn & 7);
	case GUEST_TR_SELECTOR:
		return 0x18 + 8 * (turn & 3);
	case GUEST_GDTR_LIMIT:
		return 0x7f + 8 * (turn & 15);
	case GUEST_IDTR_LIMIT:
		return 0xff + 16 * (turn & 15);
	case GUEST_ES_SELECTOR:
		return 0x10 + 8 * (turn & 1);
	default:
		return pattern(i);
	}
}

static uint64_t l2_value(uint32_t field)
{
	uint16_t selector;

	switch (field) {
	case GUEST_FS_BASE:
		return rdmsr(MSR_FS_BASE);
	case GUEST_LDTR_SELECTOR:
		asm volatile("sldt %0" : "=r" (selector));
		return selector;
	case GUEST_TR_SELECTOR:
		return get_tr();
	case GUEST_GDTR_BASE:
		return get_gdt().address;
	case GUEST_GDTR_LIMIT:
		return get_gdt().size;
	case GUEST_IDTR_LIMIT:
		return get_idt().size;
	case GUEST_ES_SELECTOR:
		return get_es();
	default:
		return rdmsr(MSR_IA32_SYSENTER_ESP);
	}
}

static void l2_make_rounds(void)
{
	uint64_t gs_base = rdmsr(MSR_GS_BASE);
	uint64_t eip = rdmsr(MSR_IA32_SYSENTER_EIP);

	for (;;) {
		struct kn_check *gets = KN_SITE("L2 gets the state that L1 wrote");
		struct kn_check *keeps = KN_SITE("L2 keeps the state that L1 did not write");

		for (unsigned int i = 0; i < ARRAY_SIZE(written); i++)
			kn_expect_at(gets, "state", l2_value(written[i]), guest_value(i),
				     turn << 16 | written[i]);
		kn_expect_at(keeps, "GS base", rdmsr(MSR_GS_BASE), gs_base, turn);
		kn_expect_at(keeps, "SYSENTER_EIP", rdmsr(MSR_IA32_SYSENTER_EIP), eip, turn);

		gs_base = pattern(20);
		eip = pattern(21);
		wrmsr(MSR_GS_BASE, gs_base);
		wrmsr(MSR_IA32_SYSENTER_EIP, eip);
		asm volatile("vmcall" : : : "memory");
	}
}

static void l2_guest_code(void)
{
	while (!in_rounds)
		asm volatile("vmcall" : : : "memory");
	l2_make_rounds();
}

static void expect_failure(struct kn_check *check, enum kn_want want, uint64_t pass)
{
	kn_expect_entry_fails(check, want, &gprs, false, pass);
}

static void check_row(unsigned int i, uint64_t pass)
{
	const struct row *row = &rows[i];
	uint64_t old = 0, bad, value = 0;

	kn_vmread(row->field, &old);
	bad = kn_changed(row->how, old, row->value);
	kn_vmwrite(row->field, bad);
	expect_failure(&checks[i], row->want, pass);

	/* What failed is still there for L1 to see. */
	kn_vmread(row->field, &value);
	kn_expect_at(&checks[i], "value", value, bad, pass);
	expect_failure(&checks[i], row->want, pass);

	kn_vmwrite(row->field, old);
	kn_l2_expect_vmcall(&checks[i], &gprs, false, pass);
	kn_vmread(row->field, &value);
	if (row->field != GUEST_RFLAGS)
		kn_expect_at(&checks[i], "value when mended", value, old, pass);
}

static void make_round(void)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(written); i++)
		vmwrite(written[i], guest_value(i));
	kn_l2_expect_vmcall(KN_SITE("L2 runs in each round"), &gprs, false, turn);
	for (unsigned int i = 0; i < ARRAY_SIZE(written); i++) {
		kn_vmread(written[i], &value);
		kn_expect_at(KN_SITE("L1 reads its values after L2's exit"), "value", value,
			     guest_value(i), turn << 16 | written[i]);
	}
	turn++;
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t l2_stack[KN_L2_STACK_SIZE];

	kn_l1_setup(vmx, l2_guest_code, &l2_stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	kn_l2_expect_vmcall(KN_SITE("L2 runs at first"), &gprs, true, 0);

	for (uint64_t pass = 0; pass < NR_PASSES; pass++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
			check_row(i, pass);
		GUEST_SYNC(STAGE_PASS);
	}

	in_rounds = true;
	while (turn < NR_WARM_UP)
		make_round();
	GUEST_SYNC(STAGE_LEARNT);
	while (turn < NR_WARM_UP + NR_ROUNDS)
		make_round();
	GUEST_SYNC(STAGE_ROUNDS);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	struct kn_check *passes = KN_SITE("L1 comes to the end of each pass");
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t learnt;

	kn_begin();
	kn_set_learning("1", "150", "1000000");
	vm = kn_vm_create(&vcpu, l1_guest_code);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		checks[i].name = rows[i].name;
		if (rows[i].field < GUEST_ES_AR_BYTES || rows[i].field > GUEST_TR_AR_BYTES)
			row_fields[nr_row_fields++] = rows[i].field;
	}

	/* In the first pass the fields trap. */
	kn_expect(passes, kn_run(vcpu), STAGE_PASS);
	learnt = kn_traps(vm, row_fields, nr_row_fields);
	KN_SHADOW_CHECK_EQ("fields trap before they are learnt", learnt >= nr_row_fields, true);
	for (unsigned int i = 1; i < NR_PASSES; i++)
		kn_expect(passes, kn_run(vcpu), STAGE_PASS);
	KN_SHADOW_CHECK_EQ("fields whose values fail the entry trap no more",
			   kn_traps(vm, row_fields, nr_row_fields) - learnt, 0);

	kn_expect(passes, kn_run(vcpu), STAGE_LEARNT);
	learnt = kn_traps(vm, written, ARRAY_SIZE(written));
	kn_expect(passes, kn_run(vcpu), STAGE_ROUNDS);
	KN_SHADOW_CHECK_EQ("fields that L2 sees trap no more",
			   kn_traps(vm, written, ARRAY_SIZE(written)) - learnt, 0);

	KN_SHADOW_COUNTED(vm, "shadow.joined", ARRAY_SIZE(rows));
	kn_run(vcpu);
	kn_finish(vm);
}
