// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1's state, from the host fields of VMCS12 to VMCS01, when L2 exits.
 * SDM volume 3, "Loading Host State".
 *
 * Stock KVM does the same by functions for single segments, which are made for
 * whatever user space may want them to be.  An L1 in 64-bit mode leaves no choice
 * but for selectors and a few bases.
 */
#include "kvm_intel.h"
#include "segments.h"
#include "transition.h"
#include "vcpu.h"

#define LIMIT_FLAT	0xffffffff
#define LIMIT_TABLE	0xffff
#define LIMIT_TASK	0x67

/* SDM volume 3, "Loading Host Segment and Descriptor-Table Registers". */
#define AR_CODE		0xa09b	/* 64-bit, readable, accessed */
#define AR_DATA		0xc093	/* writable, accessed */
#define AR_TASK		0x8b	/* busy */
#define AR_UNUSABLE	0x10000

#define DR7_INIT	0x400

/* What is left to stock KVM: other modes, and what may fail. */
static bool needs_stock(struct kvm_vcpu *vcpu, const void *vmcs12)
{
	u32 controls = kn_vmcs12_member(vmcs12, vm_exit_controls, u32);

	return !READ_ONCE(kn_transition_enable) || !kn_host.unrestricted || kn_in_smm(vcpu) ||
	       !(controls & VM_EXIT_HOST_ADDR_SPACE_SIZE) ||
	       controls & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL ||
	       kn_vmcs12_member(vmcs12, vm_exit_msr_load_count, u32) ||
	       !kn_is_legal_gpa(vcpu, kn_vmcs12_member(vmcs12, host_cr3, u64));
}

static void load_efer(struct kn_vcpu *kv, const void *vmcs12)
{
	u64 efer = kn_efer(kv->vcpu) | EFER_LMA | EFER_LME;

	if (kn_vmcs12_member(vmcs12, vm_exit_controls, u32) & VM_EXIT_LOAD_IA32_EFER)
		efer = kn_vmcs12_member(vmcs12, host_ia32_efer, u64);
	kn_transition_set_efer(kv, efer);
}

/*
 * Behind CR0, CR4 and EFER.  Stock KVM works out anew what they mean for the MMU.
 * That is as it was, unless an L2 without EPT has shared this MMU.
 */
static void load_mmu(struct kn_vcpu *kv, const void *vmcs12)
{
	u64 cr0 = kn_vmcs12_member(vmcs12, host_cr0, u64);
	u64 cr3 = kn_vmcs12_member(vmcs12, host_cr3, u64);
	u64 cr4 = kn_vmcs12_member(vmcs12, host_cr4, u64);
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct kn_mmu_role role = kn_l1_mmu_role(vcpu);
	u64 efer = kn_efer(vcpu);
	int ignored;

	if (cr0 == kv->l1_mmu.cr0 && cr4 == kv->l1_mmu.cr4 && efer == kv->l1_mmu.efer &&
	    role.cpu == kv->l1_mmu.role.cpu && role.root == kv->l1_mmu.role.root) {
		kn_set_cr3(vcpu, cr3);
		kn_call(kvm_mmu_new_pgd)(vcpu, cr3);
		return;
	}

	/* It was legal, and a 64-bit L1 has no PDPTRs. */
	kn_call(nested_vmx_load_cr3)(vcpu, cr3, false, true, &ignored);
	kv->l1_mmu.cr0 = cr0;
	kv->l1_mmu.cr4 = cr4;
	kv->l1_mmu.efer = efer;
	kv->l1_mmu.role = kn_l1_mmu_role(vcpu);
}

static void load_control_registers(struct kn_vcpu *kv, void *vmcs12)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	kn_take_cr0_bits(vcpu);
	kn_call(vmx_set_cr0)(vcpu, kn_vmcs12_member(vmcs12, host_cr0, u64));
	kn_take_cr4_bits(vcpu);
	kn_call(vmx_set_cr4)(vcpu, kn_vmcs12_member(vmcs12, host_cr4, u64));
	kn_use_l1_mmu(vcpu);
	load_mmu(kv, vmcs12);
	kn_call(nested_vmx_transition_tlb_flush)(vcpu, vmcs12, false);
}

static void load_msrs(struct kvm_vcpu *vcpu, const void *vmcs12)
{
	u32 controls = kn_vmcs12_member(vmcs12, vm_exit_controls, u32);

	kn_vmcs_write(GUEST_SYSENTER_CS, kn_vmcs12_member(vmcs12, host_ia32_sysenter_cs, u32));
	kn_vmcs_write(GUEST_SYSENTER_ESP, kn_vmcs12_member(vmcs12, host_ia32_sysenter_esp, u64));
	kn_vmcs_write(GUEST_SYSENTER_EIP, kn_vmcs12_member(vmcs12, host_ia32_sysenter_eip, u64));
	if (controls & VM_EXIT_CLEAR_BNDCFGS)
		kn_vmcs_write(GUEST_BNDCFGS, 0);
	if (controls & VM_EXIT_LOAD_IA32_PAT)
		kn_set_pat(vcpu, kn_vmcs12_member(vmcs12, host_ia32_pat, u64));
}

static __always_inline void load_segment(enum segment segment, u16 selector, u64 base, u32 limit,
					 u32 rights)
{
	/* The encodings of one kind of field are two apart. */
	kn_vmcs_write(GUEST_ES_SELECTOR + 2 * segment, selector);
	kn_vmcs_write(GUEST_ES_BASE + 2 * segment, base);
	kn_vmcs_write(GUEST_ES_LIMIT + 2 * segment, limit);
	kn_vmcs_write(GUEST_ES_AR_BYTES + 2 * segment, rights);
}

static __always_inline void load_data(enum segment segment, u16 selector, u64 base)
{
	load_segment(segment, selector, base, LIMIT_FLAT, AR_DATA);
}

static void load_segments(struct kvm_vcpu *vcpu, const void *vmcs12)
{
	kn_vmcs_write(GUEST_IDTR_BASE, kn_vmcs12_member(vmcs12, host_idtr_base, u64));
	kn_vmcs_write(GUEST_GDTR_BASE, kn_vmcs12_member(vmcs12, host_gdtr_base, u64));
	kn_vmcs_write(GUEST_IDTR_LIMIT, LIMIT_TABLE);
	kn_vmcs_write(GUEST_GDTR_LIMIT, LIMIT_TABLE);

	load_segment(SEGMENT_CS, kn_vmcs12_member(vmcs12, host_cs_selector, u16), 0, LIMIT_FLAT,
		     AR_CODE);
	load_data(SEGMENT_DS, kn_vmcs12_member(vmcs12, host_ds_selector, u16), 0);
	load_data(SEGMENT_ES, kn_vmcs12_member(vmcs12, host_es_selector, u16), 0);
	load_data(SEGMENT_SS, kn_vmcs12_member(vmcs12, host_ss_selector, u16), 0);
	load_data(SEGMENT_FS, kn_vmcs12_member(vmcs12, host_fs_selector, u16),
		  kn_vmcs12_member(vmcs12, host_fs_base, u64));
	load_data(SEGMENT_GS, kn_vmcs12_member(vmcs12, host_gs_selector, u16),
		  kn_vmcs12_member(vmcs12, host_gs_base, u64));
	load_segment(SEGMENT_TR, kn_vmcs12_member(vmcs12, host_tr_selector, u16),
		     kn_vmcs12_member(vmcs12, host_tr_base, u64), LIMIT_TASK, AR_TASK);
	load_segment(SEGMENT_LDTR, 0, 0, 0, AR_UNUSABLE);
	kn_segments_are_new(vcpu);
}

/* What follows from an L2's DR7 is right for L1's if they are equal. */
static void load_dr7(struct kvm_vcpu *vcpu)
{
	if (kn_dr7_in_use(vcpu) == DR7_INIT)
		kn_vmcs_write(GUEST_DR7, DR7_INIT);
	else
		kn_call(kvm_set_dr)(vcpu, 7, DR7_INIT);
}

/* With VMCS01 current.  Returns false if stock KVM has to do it. */
bool kn_transition_load_host_state(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	void *vmcs12 = kn_cached_vmcs12(vcpu);
	u32 blocking;

	if (needs_stock(vcpu, vmcs12)) {
		kv->counters.transition_host_stock++;
		return false;
	}

	load_efer(kv, vmcs12);
	kn_write_reg(vcpu, VCPU_REGS_RSP, kn_vmcs12_member(vmcs12, host_rsp, u64));
	kn_write_reg(vcpu, VCPU_REGS_RIP, kn_vmcs12_member(vmcs12, host_rip, u64));
	kn_call(vmx_set_rflags)(vcpu, X86_EFLAGS_FIXED);
	blocking = kn_vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	if (blocking & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		kn_vmcs_write(GUEST_INTERRUPTIBILITY_INFO,
			      blocking & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	load_control_registers(kv, vmcs12);
	load_msrs(vcpu, vmcs12);
	load_segments(vcpu, vmcs12);
	load_dr7(vcpu);
	kn_clear_debugctl(vcpu);

	kv->counters.transition_host++;
	return true;
}
