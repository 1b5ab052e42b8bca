// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verify that two VMCSs that one L1 runs in turn, using other fields of each and leaving other
 * values there, have what is theirs, each without traps after a while; and that VMCLEAR writes what
 * is theirs to their memory.
 */
#include "field.h"
#include "l2.h"
#include "shadow.h"

#define NR_WARM_UP	10
#define NR_ROUNDS	100
#define NR_VMCSS	2
#define NR_FIELDS	7

enum {
	STAGE_LEARNT = 1,
	STAGE_ROUNDS,
};

/*
 * What L1 writes and reads of each, without an effect on L2 but for the base that is the second
 * field. Two are written to one VMCS and only read, now and then, of the other. The last must trap
 * unless L1 has just loaded the VMCS, as it has in each round.
 */
static const uint32_t fields[NR_VMCSS][NR_FIELDS] = {
	{ TSC_OFFSET, GUEST_FS_BASE, IO_BITMAP_A, GUEST_LDTR_BASE, VM_ENTRY_MSR_LOAD_ADDR,
	  GUEST_SYSENTER_EIP, GUEST_PDPTR3 },
	{ TSC_OFFSET, GUEST_GS_BASE, IO_BITMAP_B, GUEST_LDTR_LIMIT, VIRTUAL_APIC_PAGE_ADDR,
	  GUEST_SYSENTER_EIP, GUEST_PDPTR3 },
};

/* Two VMCSs of L1, and what each is to have in the fields of both. */
static struct vmcs {
	void *region;
	uint64_t gpa;
	uint64_t model[NR_VMCSS][NR_FIELDS];
	uint64_t fs_base, gs_base;	/* L1's, for L2 to see */
	struct gpr64_regs gprs;
	uint64_t stack[KN_L2_STACK_SIZE];
} vmcss[NR_VMCSS];

static uint64_t pattern(unsigned int which, unsigned int i, uint64_t round)
{
	return (0x9e3779b9 * (which * NR_FIELDS + i + 1) + round * 0x10201) & 0x7fffffff;
}

static void l2_guest_code(struct vmcs *vmcs)
{
	for (uint64_t round = 0;; round++) {
		kn_expect_at(KN_SITE("each L2 gets the FS base of its VMCS"), "FS base",
			     rdmsr(MSR_FS_BASE), vmcs->fs_base, round);
		kn_expect_at(KN_SITE("each L2 gets the GS base of its VMCS"), "GS base",
			     rdmsr(MSR_GS_BASE), vmcs->gs_base, round);
		asm volatile("vmcall" : : "a" (vmcs->gpa) : "memory");
	}
}

/* The same field may stand in both rows. */
static void note_write(struct vmcs *vmcs, uint32_t field, uint64_t value)
{
	for (unsigned int i = 0; i < NR_VMCSS; i++)
		for (unsigned int j = 0; j < NR_FIELDS; j++)
			if (fields[i][j] == field)
				vmcs->model[i][j] = value;
	if (field == GUEST_FS_BASE)
		vmcs->fs_base = value;
	if (field == GUEST_GS_BASE)
		vmcs->gs_base = value;
}

static void expect_fields(struct kn_check *check, struct vmcs *vmcs, unsigned int row,
			  uint64_t round)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		kn_expect_at(check, "outcome", kn_vmread(fields[row][i], &value), VM_SUCCEED,
			     fields[row][i]);
		kn_expect_at(check, "value", value, vmcs->model[row][i],
			     round << 16 | fields[row][i]);
	}
}

static void make_round(unsigned int which, uint64_t round)
{
	struct vmcs *vmcs = &vmcss[which];

	GUEST_ASSERT(kn_vmptrld(vmcs->gpa) == VM_SUCCEED);
	expect_fields(KN_SITE("a VMCS has its values when it is loaded"), vmcs, which, round);
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		note_write(vmcs, fields[which][i], pattern(which, i, round));
		vmwrite(fields[which][i], pattern(which, i, round));
	}
	GUEST_ASSERT(kn_l2_enter(&vmcs->gprs, !round) == VM_SUCCEED);
	GUEST_ASSERT(vmreadz(VM_EXIT_REASON) == EXIT_REASON_VMCALL);
	kn_expect_at(KN_SITE("each L2 runs with its registers"), "RAX", vmcs->gprs.rax, vmcs->gpa,
		     round);
	vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) + 3);
	expect_fields(KN_SITE("a VMCS has its values after L2's exit"), vmcs, which, round);
}

static void expect_region(struct kn_check *check, const struct vmcs *vmcs)
{
	for (unsigned int i = 0; i < NR_VMCSS; i++)
		for (unsigned int j = 0; j < NR_FIELDS; j++)
			kn_expect_at(check, "value in the region",
				     kn_region_read(vmcs->region, fields[i][j]), vmcs->model[i][j],
				     fields[i][j]);
}

static void check_regions(void)
{
	struct kn_check *other = KN_SITE("fields only written at first keep their values");
	uint64_t last = NR_WARM_UP + NR_ROUNDS;

	for (unsigned int which = 0; which < NR_VMCSS; which++) {
		GUEST_ASSERT(kn_vmptrld(vmcss[which].gpa) == VM_SUCCEED);
		expect_fields(other, &vmcss[which], !which, last);
	}

	/* One that is not current any more, and one that is and has values nobody has seen yet. */
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		note_write(&vmcss[1], fields[1][i], pattern(1, i, last));
		vmwrite(fields[1][i], pattern(1, i, last));
	}
	GUEST_ASSERT(kn_vmclear(vmcss[0].gpa) == VM_SUCCEED);
	expect_region(KN_SITE("VMCLEAR of the VMCS loaded before"), &vmcss[0]);
	GUEST_ASSERT(kn_vmclear(vmcss[1].gpa) == VM_SUCCEED);
	expect_region(KN_SITE("VMCLEAR of the current VMCS"), &vmcss[1]);

	for (unsigned int which = 0; which < NR_VMCSS; which++) {
		GUEST_ASSERT(kn_vmptrld(vmcss[which].gpa) == VM_SUCCEED);
		for (unsigned int row = 0; row < NR_VMCSS; row++)
			expect_fields(KN_SITE("a VMCS that was cleared has its values"),
				      &vmcss[which], row, last);
	}
}

static void setup(struct vmx_pages *vmx, unsigned int which)
{
	struct vmcs *vmcs = &vmcss[which];

	*(uint32_t *)vmcs->region = vmcs_revision();
	GUEST_ASSERT(kn_vmclear(vmcs->gpa) == VM_SUCCEED);
	GUEST_ASSERT(kn_vmptrld(vmcs->gpa) == VM_SUCCEED);
	prepare_vmcs(vmx, l2_guest_code, &vmcs->stack[KN_L2_STACK_SIZE]);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		vmreadz(CPU_BASED_VM_EXEC_CONTROL) | CPU_BASED_USE_MSR_BITMAPS);
	for (unsigned int i = 0; i < NR_VMCSS; i++) {
		for (unsigned int j = 0; j < NR_FIELDS; j++) {
			note_write(vmcs, fields[i][j], pattern(which, i * NR_FIELDS + j, 1000));
			vmwrite(fields[i][j], pattern(which, i * NR_FIELDS + j, 1000));
		}
	}
	vmcs->gprs.rdi = (uint64_t)vmcs;
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	uint64_t round = 0;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	/* The library's shadow VMCS serves as another ordinary one. */
	vmcss[0].region = vmx->vmcs;
	vmcss[0].gpa = vmx->vmcs_gpa;
	vmcss[1].region = vmx->shadow_vmcs;
	vmcss[1].gpa = vmx->shadow_vmcs_gpa;
	for (unsigned int which = 0; which < NR_VMCSS; which++)
		setup(vmx, which);

	for (; round < NR_WARM_UP; round++)
		for (unsigned int which = 0; which < NR_VMCSS; which++)
			make_round(which, round);
	GUEST_SYNC(STAGE_LEARNT);
	for (; round < NR_WARM_UP + NR_ROUNDS; round++)
		for (unsigned int which = 0; which < NR_VMCSS; which++)
			make_round(which, round);
	GUEST_SYNC(STAGE_ROUNDS);
	check_regions();
	GUEST_DONE();
}

static uint64_t traps(struct kvm_vm *vm)
{
	return kn_traps(vm, fields[0], NR_FIELDS) + kn_traps(vm, fields[1], NR_FIELDS);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t learnt;

	kn_begin();
	kn_set_learning("3", "64", "1000000");
	vm = kn_vm_create(&vcpu, l1_guest_code);

	KN_CHECK_EQ("L1 makes the first rounds", kn_run(vcpu), STAGE_LEARNT);
	learnt = traps(vm);
	KN_CHECK_EQ("L1 makes many rounds", kn_run(vcpu), STAGE_ROUNDS);
	KN_SHADOW_CHECK_EQ("neither VMCS traps any more", traps(vm) - learnt, 0);
	/* In the warm-up, and with both VMCSs. */
	KN_SHADOW_COUNTED(vm, "shadow.joined", 4 * NR_FIELDS);
	KN_SHADOW_COUNTED(vm, "shadow.copied_in", NR_VMCSS * NR_ROUNDS);
	KN_SHADOW_COUNTED(vm, "exit.VMPTRLD.module", NR_VMCSS * (NR_ROUNDS - 1));
	kn_run(vcpu);
	kn_finish(vm);
}
