/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's only view of kvm.ko and kvm-intel.ko.
 *
 * Structures: typed access to members whose offsets mklayout took from the BTF
 * of the one kvm-intel that the module is built for.
 *
 * Functions: static calls that kvm_intel.c points at the running kernel's symbols.
 * A static call is a direct call, so it may enter functions whose ENDBR the
 * kernel has sealed, and nothing is imported at link time: without kvm.ko the
 * module still loads far enough to say what is missing.
 */
#ifndef _KVM_NESTED_KVM_INTEL_H
#define _KVM_NESTED_KVM_INTEL_H

#include <linux/kvm_host.h>
#include <linux/static_call.h>
#include <asm/asm.h>
#include <asm/vmx.h>

#include <kvm-nested/counters.h>

#include "compat.h"
#include "layout.h"

static_assert(sizeof(struct kvm) == KN_SIZEOF_kvm);
static_assert(sizeof(struct kvm_vcpu) == KN_SIZEOF_kvm_vcpu);
static_assert(sizeof(struct module) == KN_SIZEOF_module);
static_assert(KN_OFFSET_vcpu_vmx_vcpu == 0);

#define VMCS_FIELD(name, encoding, member, offset, shadow) \
	static_assert(KN_OFFSET_vmcs12_##member == (offset));
#define VMCS_FIELD_HIGH(name, encoding, member, offset, shadow) \
	static_assert(KN_OFFSET_vmcs12_##member + sizeof(u32) == (offset));
#include <kvm-nested/vmcs_fields.h>

#define kn_member(base, strct, member, type)						\
({											\
	static_assert(sizeof(type) == KN_SIZE_##strct##_##member);			\
	(type *)((void *)(base) + KN_OFFSET_##strct##_##member);			\
})

/* Private to arch/x86/kvm; passed from one of KVM's functions to the next. */
struct x86_exception {
	u64 opaque[DIV_ROUND_UP(KN_SIZEOF_x86_exception, sizeof(u64))];
};

#define KN_INVALID_GPA		(~(gpa_t)0)
#define KN_EVMPTR_INVALID	(~0ULL)

#define MSR_VMX_MISC_VMWRITE_ANY	BIT(29)

static inline void *kn_nested(struct kvm_vcpu *vcpu)
{
	return (void *)vcpu + KN_OFFSET_vcpu_vmx_nested;
}

static inline u32 kn_exit_reason(struct kvm_vcpu *vcpu)
{
	return *kn_member(vcpu, vcpu_vmx, exit_reason, u32);
}

/* VM exits of the vCPU so far, with the one that is being handled. */
static inline u64 kn_nr_exits(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->stat.exits);
}

/* KVM lets interrupts in that have come with a VM exit, and has not counted it yet. */
static inline bool kn_exit_is_new(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->arch.handling_intr_from_guest);
}

static inline bool kn_in_vmx_operation(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_nested(vcpu), nested_vmx, vmxon, bool);
}

static inline gpa_t kn_current_vmptr(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_nested(vcpu), nested_vmx, current_vmptr, gpa_t);
}

/* KVM's copy of the current VMCS12; L1's page has the values only after VMCLEAR. */
static inline void *kn_cached_vmcs12(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_nested(vcpu), nested_vmx, cached_vmcs12, void *);
}

static inline void kn_set_cached_vmcs12(struct kvm_vcpu *vcpu, void *page)
{
	*kn_member(kn_nested(vcpu), nested_vmx, cached_vmcs12, void *) = page;
}

/* Another VMCS12 becomes the current one, or none. */
static inline void kn_set_current_vmptr(struct kvm_vcpu *vcpu, gpa_t vmptr)
{
	void *nested = kn_nested(vcpu);

	*kn_member(nested, nested_vmx, current_vmptr, gpa_t) = vmptr;
	*kn_member(nested, nested_vmx, posted_intr_nv, u16) = -1;
	*kn_member(nested, nested_vmx, force_msr_bitmap_recalc, bool) = true;
}

static inline gpa_t kn_vmxon_ptr(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_nested(vcpu), nested_vmx, vmxon_ptr, gpa_t);
}

/* Of the current VMCS12: not zero after VMLAUNCH. */
static inline u32 *kn_launch_state(struct kvm_vcpu *vcpu)
{
	return kn_member(kn_cached_vmcs12(vcpu), vmcs12, launch_state, u32);
}

/* A field of such a copy, by its name there. */
#define kn_vmcs12_member(vmcs12, member, type) (*kn_member(vmcs12, vmcs12, member, type))

/* KVM's copy of the VMCS12 that L2 reads and writes, while L2 runs. */
static inline void *kn_cached_shadow_vmcs12(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_nested(vcpu), nested_vmx, cached_shadow_vmcs12, void *);
}

/* Where L1 has that VMCS12; KN_INVALID_GPA if L2 has none. */
static inline gpa_t kn_link_pointer(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_cached_vmcs12(vcpu), vmcs12, vmcs_link_pointer, u64);
}

/* L1 lets its L2 use VMCS shadowing. */
static inline bool kn_vmcs12_shadows(struct kvm_vcpu *vcpu)
{
	const void *vmcs12 = kn_cached_vmcs12(vcpu);

	return *kn_member(vmcs12, vmcs12, secondary_vm_exec_control, u32) &
	       SECONDARY_EXEC_SHADOW_VMCS &&
	       *kn_member(vmcs12, vmcs12, cpu_based_vm_exec_control, u32) &
	       CPU_BASED_ACTIVATE_SECONDARY_CONTROLS;
}

/* The next VM entry rebuilds all of VMCS02. */
static inline bool *kn_vmcs12_dirty(struct kvm_vcpu *vcpu)
{
	return kn_member(kn_nested(vcpu), nested_vmx, dirty_vmcs12, bool);
}

/* Guest state of the last L2 run is still in VMCS02 only. */
static inline bool *kn_vmcs12_lazy(struct kvm_vcpu *vcpu)
{
	return kn_member(kn_nested(vcpu), nested_vmx, need_sync_vmcs02_to_vmcs12_rare, bool);
}

/* The hardware shadow VMCS gets its fields from VMCS12 before L1 runs again. */
static inline bool *kn_shadow_stale(struct kvm_vcpu *vcpu)
{
	return kn_member(kn_nested(vcpu), nested_vmx, need_vmcs12_to_shadow_sync, bool);
}

/* KVM's struct loaded_vmcs: VMCS01, VMCS02, and which of the two is current. */

static inline void *kn_vmcs01(struct kvm_vcpu *vcpu)
{
	return (void *)vcpu + KN_OFFSET_vcpu_vmx_vmcs01;
}

static inline void *kn_vmcs02(struct kvm_vcpu *vcpu)
{
	return kn_nested(vcpu) + KN_OFFSET_nested_vmx_vmcs02;
}

static inline void **kn_current_vmcs(struct kvm_vcpu *vcpu)
{
	return kn_member(vcpu, vcpu_vmx, loaded_vmcs, void *);
}

/* Physical addresses of the two VMCS regions. */

static inline u64 kn_vmcs_region(void *vmcs)
{
	return virt_to_phys(*kn_member(vmcs, loaded_vmcs, vmcs, void *));
}

/* The shadow VMCS of VMCS01; NULL if the processor has no such thing. */
static inline void *kn_shadow_vmcs(struct kvm_vcpu *vcpu)
{
	return *kn_member(kn_vmcs01(vcpu), loaded_vmcs, shadow_vmcs, void *);
}

static inline bool kn_has_shadow_vmcs(struct kvm_vcpu *vcpu)
{
	return kn_shadow_vmcs(vcpu);
}

static inline u64 kn_shadow_region(struct kvm_vcpu *vcpu)
{
	return virt_to_phys(kn_shadow_vmcs(vcpu));
}

/* What KVM clears with the VMCS, if that was launched; NULL for nothing. */
static inline void kn_set_shadow_vmcs(void *vmcs, void *region)
{
	WRITE_ONCE(*kn_member(vmcs, loaded_vmcs, shadow_vmcs, void *), region);
}

/* As KVM has the control fields of the current VMCS. */

static inline u32 kn_entry_controls(struct kvm_vcpu *vcpu)
{
	void *controls = *kn_current_vmcs(vcpu) + KN_OFFSET_loaded_vmcs_controls_shadow;

	return *kn_member(controls, vmcs_controls_shadow, vm_entry, u32);
}

static inline u32 kn_exit_controls(struct kvm_vcpu *vcpu)
{
	void *controls = *kn_current_vmcs(vcpu) + KN_OFFSET_loaded_vmcs_controls_shadow;

	return *kn_member(controls, vmcs_controls_shadow, vm_exit, u32);
}

/* The CPU where the VMCS is active, -1 if nowhere. */
static inline int kn_vmcs_cpu(void *vmcs)
{
	return READ_ONCE(*kn_member(vmcs, loaded_vmcs, cpu, int));
}

static inline bool kn_vmcs_launched(void *vmcs)
{
	return *kn_member(vmcs, loaded_vmcs, launched, bool);
}

/* "VMWRITE to any supported field", as L1's IA32_VMX_MISC offers it. */
static inline bool kn_can_vmwrite_any_field(struct kvm_vcpu *vcpu)
{
	void *msrs = kn_nested(vcpu) + KN_OFFSET_nested_vmx_msrs;

	return *kn_member(msrs, nested_vmx_msrs, misc_low, u32) & MSR_VMX_MISC_VMWRITE_ANY;
}

/* What L1 may read in its IA32_VMX_BASIC. */
static inline u32 kn_vmcs12_revision(struct kvm_vcpu *vcpu)
{
	void *msrs = kn_nested(vcpu) + KN_OFFSET_nested_vmx_msrs;

	return *kn_member(msrs, nested_vmx_msrs, basic, u64) & GENMASK(30, 0);
}

/* L1 may give its L2 a shadow VMCS. */
static inline bool kn_may_shadow(struct kvm_vcpu *vcpu)
{
	void *msrs = kn_nested(vcpu) + KN_OFFSET_nested_vmx_msrs;

	return *kn_member(msrs, nested_vmx_msrs, secondary_ctls_high, u32) &
	       SECONDARY_EXEC_SHADOW_VMCS;
}

static inline bool kn_uses_evmcs(struct kvm_vcpu *vcpu)
{
#ifdef KN_KVM_HAS_EVMCS
	return *kn_member(kn_nested(vcpu), nested_vmx, hv_evmcs_vmptr, gpa_t) !=
	       KN_EVMPTR_INVALID;
#else
	return false;
#endif
}

/* L1 was offered Hyper-V's interfaces, enlightened VMCSs among them. */
static inline bool kn_uses_hyperv(struct kvm_vcpu *vcpu)
{
#ifdef KN_KVM_HAS_EVMCS
	return vcpu->arch.hyperv_enabled;
#else
	return false;
#endif
}

static inline bool kn_in_smm(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.hflags & HF_SMM_MASK;
}

static inline bool kn_in_l2(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.hflags & HF_GUEST_MASK;
}

/* Where the bits of a physical address are, as CPUID tells L1. */
static inline unsigned int kn_address_bits(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.maxphyaddr;
}

static inline bool kn_is_legal_gpa(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	return !(gpa >> kn_address_bits(vcpu));
}

static inline u64 kn_efer(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.efer;
}

/* Both without what the guest may change by itself, which is nothing that paging depends on. */
static inline unsigned long kn_cr0(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr0;
}

static inline unsigned long kn_cr4(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr4;
}

static inline bool kn_in_long_mode(struct kvm_vcpu *vcpu)
{
	return kn_efer(vcpu) & EFER_LMA;
}

static inline bool kn_in_protected_mode(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr0 & X86_CR0_PE;
}

static inline bool kn_has_lam(struct kvm_vcpu *vcpu)
{
	return !(vcpu->arch.cr4_guest_rsvd_bits & X86_CR4_LAM_SUP);
}

static inline u8 kn_linear_bits(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.cr4 & X86_CR4_LA57 ? 57 : 48;
}

/*
 * VMX instructions of the host.  It may have left VMX operation for a reboot,
 * with vCPU threads still running: then they raise #UD, and nothing matters any
 * more.
 */

/* Reads the current VMCS, which at a VM exit of L1 is VMCS01. */
static inline unsigned long kn_vmcs_read(unsigned long field)
{
	unsigned long value;

	asm volatile("1: vmread %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "=r"(value) : "r"(field), "0"(0UL) : "cc");
	return value;
}

/* False if the processor has no such field. */
static inline bool kn_vmcs_write(unsigned long field, unsigned long value)
{
	bool done;

	asm volatile("1: vmwrite %[value], %[field]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "=@cca"(done) : [field] "r"(field), [value] "rm"(value));
	return done;
}

static inline void kn_vmptrld(u64 region)
{
	asm volatile("1: vmptrld %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m"(region) : "cc", "memory");
}

static inline u64 kn_vmptrst(void)
{
	u64 region = KN_INVALID_GPA;

	asm volatile("1: vmptrst %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+m"(region) : : "cc");
	return region;
}

static inline void kn_vmclear(u64 region)
{
	asm volatile("1: vmclear %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "m"(region) : "cc", "memory");
}

/* With VMCS01 current: let L1 at the hardware shadow VMCS, or not. */

static inline void kn_set_secondary_controls(struct kvm_vcpu *vcpu, u32 clear, u32 set)
{
	void *controls = kn_vmcs01(vcpu) + KN_OFFSET_loaded_vmcs_controls_shadow;
	u32 *secondary = kn_member(controls, vmcs_controls_shadow, secondary_exec, u32);

	*secondary = (*secondary & ~clear) | set;
	kn_vmcs_write(SECONDARY_VM_EXEC_CONTROL, *secondary);
}

static inline void kn_enable_shadow_vmcs(struct kvm_vcpu *vcpu)
{
	kn_set_secondary_controls(vcpu, 0, SECONDARY_EXEC_SHADOW_VMCS);
	kn_vmcs_write(VMCS_LINK_POINTER, kn_shadow_region(vcpu));
}

static inline void kn_disable_shadow_vmcs(struct kvm_vcpu *vcpu)
{
	kn_set_secondary_controls(vcpu, SECONDARY_EXEC_SHADOW_VMCS, 0);
	kn_vmcs_write(VMCS_LINK_POINTER, KN_INVALID_GPA);
}

/*
 * A general-purpose register of the guest in the width of its mode.  KVM has
 * all of them in memory but RSP, which it fetches on demand.
 */
static inline unsigned long kn_read_reg(struct kvm_vcpu *vcpu, unsigned int reg)
{
	if (reg == VCPU_REGS_RSP && !(vcpu->arch.regs_avail & BIT(VCPU_REGS_RSP))) {
		vcpu->arch.regs[VCPU_REGS_RSP] = kn_vmcs_read(GUEST_RSP);
		vcpu->arch.regs_avail |= BIT(VCPU_REGS_RSP);
	}

	return kn_in_long_mode(vcpu) ? vcpu->arch.regs[reg] : (u32)vcpu->arch.regs[reg];
}

static inline void kn_write_reg(struct kvm_vcpu *vcpu, unsigned int reg, unsigned long value)
{
	vcpu->arch.regs[reg] = kn_in_long_mode(vcpu) ? value : (u32)value;
	vcpu->arch.regs_avail |= BIT(reg);
	vcpu->arch.regs_dirty |= BIT(reg);
}

/* KVM lets the guest have its CR3, which is in the VMCS then unless KVM has fetched it. */
static inline bool kn_has_cr3(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs_avail & BIT(VCPU_EXREG_CR3) ||
	       !(kn_vmcs_read(CPU_BASED_VM_EXEC_CONTROL) & CPU_BASED_CR3_LOAD_EXITING);
}

static inline unsigned long kn_read_cr3(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs_avail & BIT(VCPU_EXREG_CR3) ? vcpu->arch.cr3 :
							     kn_vmcs_read(GUEST_CR3);
}

#define KN_NR_SYSCALL_MSRS	3

/* What does not change while the module is attached. */
struct kn_host {
	u64 efer;
	bool switches_efer;	/* by fields of a VMCS, where the guest's is another */
	bool unrestricted;	/* guests run in any mode, so that KVM emulates none */
	int *nx_huge_pages;
	/* Numbers that KVM has given to STAR, LSTAR and SYSCALL_MASK; -1 for none. */
	int syscall_msr[KN_NR_SYSCALL_MSRS];
};

extern struct kn_host kn_host;

/*
 * Whether the MSRs of the SYSCALL instruction are loaded for the guest.  KVM loads
 * what there is to load before the vCPU enters the guest, unless it has done so.
 */
static inline void kn_set_syscall_msrs(struct kvm_vcpu *vcpu, bool load)
{
	void *msrs = (void *)vcpu + KN_OFFSET_vcpu_vmx_guest_uret_msrs;
	int i;

	for (i = 0; i < KN_NR_SYSCALL_MSRS; i++) {
		void *msr = msrs + kn_host.syscall_msr[i] * KN_SIZEOF_vmx_uret_msr;
		bool *loads = kn_member(msr, vmx_uret_msr, load_into_hardware, bool);

		if (kn_host.syscall_msr[i] < 0 || *loads == load)
			continue;
		*loads = load;
		*kn_member(vcpu, vcpu_vmx, guest_uret_msrs_loaded, bool) = false;
	}
}

/* With VMCS01 current, behind an exit of L2: what KVM knows of L1's state. */

static inline void kn_set_efer(struct kvm_vcpu *vcpu, u64 efer)
{
	vcpu->arch.efer = efer;
}

/* The guest's, where the VM's owner does not debug it; else 0, which no DR7 is. */
static inline u64 kn_dr7_in_use(struct kvm_vcpu *vcpu)
{
	return vcpu->guest_debug ? 0 : vcpu->arch.dr7;
}

static inline void kn_set_pat(struct kvm_vcpu *vcpu, u64 pat)
{
	kn_vmcs_write(GUEST_IA32_PAT, pat);
	vcpu->arch.pat = pat;
}

/* KVM keeps a bit of the host's there. */
static inline void kn_clear_debugctl(struct kvm_vcpu *vcpu)
{
	kn_vmcs_write(GUEST_IA32_DEBUGCTL, vcpu->arch.host_debugctl & DEBUGCTLMSR_FREEZE_IN_SMM);
}

static inline void kn_take_cr0_bits(struct kvm_vcpu *vcpu)
{
	vcpu->arch.cr0_guest_owned_bits = ~kn_vmcs_read(CR0_GUEST_HOST_MASK);
}

static inline void kn_take_cr4_bits(struct kvm_vcpu *vcpu)
{
	vcpu->arch.cr4_guest_owned_bits = ~kn_vmcs_read(CR4_GUEST_HOST_MASK);
}

/* What the MMU for L1 was worked out to from control registers, EFER and CPUID. */
struct kn_mmu_role {
	u64 cpu;
	u32 root;
};

static inline struct kn_mmu_role kn_l1_mmu_role(struct kvm_vcpu *vcpu)
{
	return (struct kn_mmu_role){
		.cpu = vcpu->arch.root_mmu.cpu_role.as_u64,
		.root = vcpu->arch.root_mmu.root_role.word,
	};
}

/* Translates the linear addresses of an L2 that L1 has an EPT for. */
static inline bool kn_uses_l2_mmu(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.walk_mmu == &vcpu->arch.nested_mmu;
}

static inline u64 kn_l2_mmu_role(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.nested_mmu.cpu_role.as_u64;
}

static inline void kn_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	vcpu->arch.cr3 = cr3;
	vcpu->arch.regs_avail |= BIT(VCPU_EXREG_CR3);
	vcpu->arch.regs_dirty |= BIT(VCPU_EXREG_CR3);
}

static inline void kn_use_l1_mmu(struct kvm_vcpu *vcpu)
{
	vcpu->arch.mmu = &vcpu->arch.root_mmu;
	vcpu->arch.walk_mmu = &vcpu->arch.root_mmu;
}

/* KVM is not to emulate the guest, and does not know its segments. */
static inline void kn_segments_are_new(struct kvm_vcpu *vcpu)
{
	vcpu->arch.regs_avail &= ~BIT(VCPU_EXREG_SEGMENTS);
	*kn_member(vcpu, vcpu_vmx, emulation_required, bool) = false;
}

typedef int kn_exit_handler_fn(struct kvm_vcpu *vcpu);

/*
 * Functions the module calls, as X(module, symbol, type).  The types repeat
 * the prototypes of headers that no kernel package ships.
 */
#define KN_CALLS(X)									\
	X(kvm, kvm_skip_emulated_instruction, int (struct kvm_vcpu *))			\
	X(kvm, kvm_queue_exception, void (struct kvm_vcpu *, unsigned int))		\
	X(kvm, kvm_queue_exception_e, void (struct kvm_vcpu *, unsigned int, u32))	\
	X(kvm, kvm_read_guest_virt,							\
	  int (struct kvm_vcpu *, gva_t, void *, unsigned int, struct x86_exception *))	\
	X(kvm, kvm_write_guest_virt_system,						\
	  int (struct kvm_vcpu *, gva_t, void *, unsigned int, struct x86_exception *))	\
	X(kvm, kvm_vcpu_gfn_to_memslot,							\
	  struct kvm_memory_slot *(struct kvm_vcpu *, gfn_t))				\
	X(kvm, mark_page_dirty_in_slot,							\
	  void (struct kvm *, const struct kvm_memory_slot *, gfn_t))			\
	X(kvm, kvm_find_user_return_msr, int (u32))					\
	X(kvm, kvm_get_running_vcpu, struct kvm_vcpu *(void))				\
	X(kvm, kvm_handle_memory_failure,						\
	  int (struct kvm_vcpu *, int, struct x86_exception *))				\
	X(kvm_intel, __loaded_vmcs_clear, void (void *))				\
	X(kvm_intel, vmx_vcpu_load_vmcs, void (struct kvm_vcpu *, int, void *))		\
	X(kvm, kvm_set_dr, int (struct kvm_vcpu *, int, unsigned long))			\
	X(kvm, kvm_mmu_new_pgd, void (struct kvm_vcpu *, gpa_t))			\
	X(kvm, kvm_make_all_cpus_request, bool (struct kvm *, unsigned int))		\
	X(kvm, kvm_mmu_max_mapping_level,						\
	  int (struct kvm *, const struct kvm_memory_slot *, gfn_t, int))		\
	X(kvm, mmu_try_to_unsync_pages,							\
	  int (struct kvm *, const struct kvm_memory_slot *, gfn_t, bool, bool))	\
	X(kvm_intel, nested_vmx_load_cr3,						\
	  int (struct kvm_vcpu *, unsigned long, bool, bool, int *))			\
	X(kvm_intel, nested_vmx_transition_tlb_flush,					\
	  void (struct kvm_vcpu *, void *, bool))					\
	X(kvm_intel, vmx_get_mt_mask, u8 (struct kvm_vcpu *, gfn_t, bool))		\
	X(kvm_intel, vmx_get_rflags, unsigned long (struct kvm_vcpu *))			\
	X(kvm_intel, vmx_set_cr0, void (struct kvm_vcpu *, unsigned long))		\
	X(kvm_intel, vmx_set_cr4, void (struct kvm_vcpu *, unsigned long))		\
	X(kvm_intel, vmx_set_efer, int (struct kvm_vcpu *, u64))			\
	X(kvm_intel, vmx_set_rflags, void (struct kvm_vcpu *, unsigned long))

#define X(module, symbol, ...)						\
	typedef typeof(__VA_ARGS__) kn_##symbol##_fn;			\
	DECLARE_STATIC_CALL(kn_##symbol, kn_##symbol##_fn);
KN_CALLS(X)
#undef X

#define kn_call(symbol) static_call(kn_##symbol)

/* A page of the guest, where the VM's owner has it. */
struct kn_user_page {
	struct kvm_memory_slot *slot;
	u64 __user *words;	/* NULL if it is nowhere, or read-only */
};

/* Must hold the VM's SRCU, as exit handlers do.  Mostly it is in the slot of the page before. */
static inline struct kn_user_page kn_find_user_page(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	struct kn_user_page page = { .slot = vcpu->last_used_slot };
	gfn_t gfn = gpa_to_gfn(gpa);

	if (!page.slot || vcpu->last_used_slot_gen != kvm_vcpu_memslots(vcpu)->generation ||
	    gfn - page.slot->base_gfn >= page.slot->npages)
		page.slot = kn_call(kvm_vcpu_gfn_to_memslot)(vcpu, gfn);
	if (page.slot && !(page.slot->flags & (KVM_MEMSLOT_INVALID | KVM_MEM_READONLY)))
		page.words = (u64 __user *)__gfn_to_hva_memslot(page.slot, gfn);
	return page;
}

/* How the log begins that says why the module does not load. */
#define pr_no(fmt, ...) pr_err("not attached: " fmt "\n", ##__VA_ARGS__)

int kn_kvm_intel_get(void);
void kn_kvm_intel_put(void);
unsigned long kn_symbol(const char *module, const char *symbol);

#endif /* _KVM_NESTED_KVM_INTEL_H */
