// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where kvm-intel keeps what the module touches.
 *
 * Not part of the module: mklayout compiles this file against the types in the
 * BTF of one kvm-intel and turns the assembler output into layout.h.
 */
#include "btf.h"

#define DEFINE(symbol, value) asm volatile("\n.ascii \"->" #symbol " %c0\"" : : "i"(value))

#define SIZE(type) DEFINE(KN_SIZEOF_##type, sizeof(struct type))

#define MEMBER(type, member)								\
	do {										\
		DEFINE(KN_OFFSET_##type##_##member, __builtin_offsetof(struct type, member)); \
		DEFINE(KN_SIZE_##type##_##member, sizeof(((struct type *)0)->member));	\
	} while (0)

void layout(void);

void layout(void)
{
	/* Compared with the headers the module is built against. */
	SIZE(kvm);
	SIZE(kvm_vcpu);
	SIZE(module);
	SIZE(x86_exception);

	MEMBER(vcpu_vmx, vcpu);
	MEMBER(vcpu_vmx, nested);
	MEMBER(vcpu_vmx, exit_reason);
	MEMBER(vcpu_vmx, emulation_required);
	MEMBER(vcpu_vmx, vmcs01);
	MEMBER(vcpu_vmx, loaded_vmcs);
	MEMBER(loaded_vmcs, vmcs);
	MEMBER(loaded_vmcs, shadow_vmcs);
	MEMBER(loaded_vmcs, cpu);
	MEMBER(loaded_vmcs, launched);
	MEMBER(loaded_vmcs, controls_shadow);
	MEMBER(vmcs_controls_shadow, vm_entry);
	MEMBER(vmcs_controls_shadow, vm_exit);
	MEMBER(vmcs_controls_shadow, secondary_exec);
	MEMBER(vmcs_config, vmentry_ctrl);
	SIZE(vmx_uret_msr);
	MEMBER(vmx_uret_msr, load_into_hardware);
	MEMBER(vcpu_vmx, guest_uret_msrs);
	MEMBER(vcpu_vmx, guest_uret_msrs_loaded);
	MEMBER(nested_vmx, vmcs02);
	MEMBER(nested_vmx, need_vmcs12_to_shadow_sync);
	MEMBER(nested_vmx, vmxon);
	MEMBER(nested_vmx, vmxon_ptr);
	MEMBER(nested_vmx, current_vmptr);
	MEMBER(nested_vmx, posted_intr_nv);
	MEMBER(nested_vmx, force_msr_bitmap_recalc);
	MEMBER(nested_vmx, cached_vmcs12);
	MEMBER(nested_vmx, cached_shadow_vmcs12);
	MEMBER(nested_vmx, dirty_vmcs12);
	MEMBER(nested_vmx, need_sync_vmcs02_to_vmcs12_rare);
	MEMBER(nested_vmx, msrs);
	MEMBER(nested_vmx_msrs, misc_low);
	MEMBER(nested_vmx_msrs, basic);
	MEMBER(nested_vmx_msrs, secondary_ctls_high);
	MEMBER(nested_vmx_msrs, ept_caps);
	MEMBER(vmcs12, launch_state);
#ifdef HAVE_HV_EVMCS_VMPTR
	MEMBER(nested_vmx, hv_evmcs_vmptr);
#endif
	MEMBER(module_notes_attrs, notes);
	MEMBER(module_notes_attrs, attrs);

#define VMCS_FIELD(name, encoding, member, offset, shadow) MEMBER(vmcs12, member);
#define VMCS_FIELD_HIGH(name, encoding, member, offset, shadow)
#include "../include/kvm-nested/vmcs_fields.h"
}
