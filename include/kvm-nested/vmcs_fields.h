/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS fields that KVM offers to an L1, one line each.
 *
 * Define the macros below, include this file, and it expands once for every
 * field in ascending order of the groups of SDM volume 3, appendix "Field
 * Encoding in VMCS".  Both macros are undefined again at the end.
 *
 * VMCS_FIELD(name, encoding, member, offset, shadow)
 *	@name:     the field's name, as the SDM's headings shorten to in <asm/vmx.h>
 *	@encoding: operand of VMREAD and VMWRITE
 *	@member:   member of KVM's struct vmcs12 that holds the value
 *	@offset:   its offset there in bytes.  VMCS12 is ABI: L1 keeps it in its
 *		   memory and migrates with it, so no offset ever changes.
 *	@shadow:   how stock KVM shadows the field: NO, RO (L1 reads it without a
 *		   VM exit) or RW (L1 also writes it so)
 *
 * VMCS_FIELD_HIGH(name, encoding, member, offset, shadow)
 *	The same for the upper 32 bits of a 64-bit field.  Left undefined, it
 *	is VMCS_FIELD().
 */

#ifndef VMCS_FIELD_HIGH
#define VMCS_FIELD_HIGH VMCS_FIELD
#endif

/* 16-bit control fields */
VMCS_FIELD(VIRTUAL_PROCESSOR_ID, 0x0000, virtual_processor_id, 960, NO)
VMCS_FIELD(POSTED_INTR_NV, 0x0002, posted_intr_nv, 962, NO)

/* 16-bit guest-state fields */
VMCS_FIELD(GUEST_ES_SELECTOR, 0x0800, guest_es_selector, 964, NO)
VMCS_FIELD(GUEST_CS_SELECTOR, 0x0802, guest_cs_selector, 966, NO)
VMCS_FIELD(GUEST_SS_SELECTOR, 0x0804, guest_ss_selector, 968, NO)
VMCS_FIELD(GUEST_DS_SELECTOR, 0x0806, guest_ds_selector, 970, NO)
VMCS_FIELD(GUEST_FS_SELECTOR, 0x0808, guest_fs_selector, 972, NO)
VMCS_FIELD(GUEST_GS_SELECTOR, 0x080a, guest_gs_selector, 974, NO)
VMCS_FIELD(GUEST_LDTR_SELECTOR, 0x080c, guest_ldtr_selector, 976, NO)
VMCS_FIELD(GUEST_TR_SELECTOR, 0x080e, guest_tr_selector, 978, NO)
VMCS_FIELD(GUEST_INTR_STATUS, 0x0810, guest_intr_status, 980, RW)
VMCS_FIELD(GUEST_PML_INDEX, 0x0812, guest_pml_index, 996, RW)

/* 16-bit host-state fields */
VMCS_FIELD(HOST_ES_SELECTOR, 0x0c00, host_es_selector, 982, NO)
VMCS_FIELD(HOST_CS_SELECTOR, 0x0c02, host_cs_selector, 984, NO)
VMCS_FIELD(HOST_SS_SELECTOR, 0x0c04, host_ss_selector, 986, NO)
VMCS_FIELD(HOST_DS_SELECTOR, 0x0c06, host_ds_selector, 988, NO)
VMCS_FIELD(HOST_FS_SELECTOR, 0x0c08, host_fs_selector, 990, RW)
VMCS_FIELD(HOST_GS_SELECTOR, 0x0c0a, host_gs_selector, 992, RW)
VMCS_FIELD(HOST_TR_SELECTOR, 0x0c0c, host_tr_selector, 994, NO)

/* 64-bit control fields */
VMCS_FIELD(IO_BITMAP_A, 0x2000, io_bitmap_a, 40, NO)
VMCS_FIELD_HIGH(IO_BITMAP_A_HIGH, 0x2001, io_bitmap_a, 44, NO)
VMCS_FIELD(IO_BITMAP_B, 0x2002, io_bitmap_b, 48, NO)
VMCS_FIELD_HIGH(IO_BITMAP_B_HIGH, 0x2003, io_bitmap_b, 52, NO)
VMCS_FIELD(MSR_BITMAP, 0x2004, msr_bitmap, 56, NO)
VMCS_FIELD_HIGH(MSR_BITMAP_HIGH, 0x2005, msr_bitmap, 60, NO)
VMCS_FIELD(VM_EXIT_MSR_STORE_ADDR, 0x2006, vm_exit_msr_store_addr, 64, NO)
VMCS_FIELD_HIGH(VM_EXIT_MSR_STORE_ADDR_HIGH, 0x2007, vm_exit_msr_store_addr, 68, NO)
VMCS_FIELD(VM_EXIT_MSR_LOAD_ADDR, 0x2008, vm_exit_msr_load_addr, 72, NO)
VMCS_FIELD_HIGH(VM_EXIT_MSR_LOAD_ADDR_HIGH, 0x2009, vm_exit_msr_load_addr, 76, NO)
VMCS_FIELD(VM_ENTRY_MSR_LOAD_ADDR, 0x200a, vm_entry_msr_load_addr, 80, NO)
VMCS_FIELD_HIGH(VM_ENTRY_MSR_LOAD_ADDR_HIGH, 0x200b, vm_entry_msr_load_addr, 84, NO)
VMCS_FIELD(PML_ADDRESS, 0x200e, pml_address, 312, NO)
VMCS_FIELD_HIGH(PML_ADDRESS_HIGH, 0x200f, pml_address, 316, NO)
VMCS_FIELD(TSC_OFFSET, 0x2010, tsc_offset, 88, NO)
VMCS_FIELD_HIGH(TSC_OFFSET_HIGH, 0x2011, tsc_offset, 92, NO)
VMCS_FIELD(VIRTUAL_APIC_PAGE_ADDR, 0x2012, virtual_apic_page_addr, 96, NO)
VMCS_FIELD_HIGH(VIRTUAL_APIC_PAGE_ADDR_HIGH, 0x2013, virtual_apic_page_addr, 100, NO)
VMCS_FIELD(APIC_ACCESS_ADDR, 0x2014, apic_access_addr, 104, NO)
VMCS_FIELD_HIGH(APIC_ACCESS_ADDR_HIGH, 0x2015, apic_access_addr, 108, NO)
VMCS_FIELD(POSTED_INTR_DESC_ADDR, 0x2016, posted_intr_desc_addr, 112, NO)
VMCS_FIELD_HIGH(POSTED_INTR_DESC_ADDR_HIGH, 0x2017, posted_intr_desc_addr, 116, NO)
VMCS_FIELD(VM_FUNCTION_CONTROL, 0x2018, vm_function_control, 296, NO)
VMCS_FIELD_HIGH(VM_FUNCTION_CONTROL_HIGH, 0x2019, vm_function_control, 300, NO)
VMCS_FIELD(EPT_POINTER, 0x201a, ept_pointer, 120, NO)
VMCS_FIELD_HIGH(EPT_POINTER_HIGH, 0x201b, ept_pointer, 124, NO)
VMCS_FIELD(EOI_EXIT_BITMAP0, 0x201c, eoi_exit_bitmap0, 128, NO)
VMCS_FIELD_HIGH(EOI_EXIT_BITMAP0_HIGH, 0x201d, eoi_exit_bitmap0, 132, NO)
VMCS_FIELD(EOI_EXIT_BITMAP1, 0x201e, eoi_exit_bitmap1, 136, NO)
VMCS_FIELD_HIGH(EOI_EXIT_BITMAP1_HIGH, 0x201f, eoi_exit_bitmap1, 140, NO)
VMCS_FIELD(EOI_EXIT_BITMAP2, 0x2020, eoi_exit_bitmap2, 144, NO)
VMCS_FIELD_HIGH(EOI_EXIT_BITMAP2_HIGH, 0x2021, eoi_exit_bitmap2, 148, NO)
VMCS_FIELD(EOI_EXIT_BITMAP3, 0x2022, eoi_exit_bitmap3, 152, NO)
VMCS_FIELD_HIGH(EOI_EXIT_BITMAP3_HIGH, 0x2023, eoi_exit_bitmap3, 156, NO)
VMCS_FIELD(EPTP_LIST_ADDRESS, 0x2024, eptp_list_address, 304, NO)
VMCS_FIELD_HIGH(EPTP_LIST_ADDRESS_HIGH, 0x2025, eptp_list_address, 308, NO)
VMCS_FIELD(VMREAD_BITMAP, 0x2026, vmread_bitmap, 280, NO)
VMCS_FIELD_HIGH(VMREAD_BITMAP_HIGH, 0x2027, vmread_bitmap, 284, NO)
VMCS_FIELD(VMWRITE_BITMAP, 0x2028, vmwrite_bitmap, 288, NO)
VMCS_FIELD_HIGH(VMWRITE_BITMAP_HIGH, 0x2029, vmwrite_bitmap, 292, NO)
VMCS_FIELD(XSS_EXIT_BITMAP, 0x202c, xss_exit_bitmap, 160, NO)
VMCS_FIELD_HIGH(XSS_EXIT_BITMAP_HIGH, 0x202d, xss_exit_bitmap, 164, NO)
VMCS_FIELD(ENCLS_EXITING_BITMAP, 0x202e, encls_exiting_bitmap, 320, NO)
VMCS_FIELD_HIGH(ENCLS_EXITING_BITMAP_HIGH, 0x202f, encls_exiting_bitmap, 324, NO)
VMCS_FIELD(TSC_MULTIPLIER, 0x2032, tsc_multiplier, 328, NO)
VMCS_FIELD_HIGH(TSC_MULTIPLIER_HIGH, 0x2033, tsc_multiplier, 332, NO)

/* 64-bit read-only data fields */
VMCS_FIELD(GUEST_PHYSICAL_ADDRESS, 0x2400, guest_physical_address, 168, RO)
VMCS_FIELD_HIGH(GUEST_PHYSICAL_ADDRESS_HIGH, 0x2401, guest_physical_address, 172, RO)

/* 64-bit guest-state fields */
VMCS_FIELD(VMCS_LINK_POINTER, 0x2800, vmcs_link_pointer, 176, NO)
VMCS_FIELD_HIGH(VMCS_LINK_POINTER_HIGH, 0x2801, vmcs_link_pointer, 180, NO)
VMCS_FIELD(GUEST_IA32_DEBUGCTL, 0x2802, guest_ia32_debugctl, 184, NO)
VMCS_FIELD_HIGH(GUEST_IA32_DEBUGCTL_HIGH, 0x2803, guest_ia32_debugctl, 188, NO)
VMCS_FIELD(GUEST_IA32_PAT, 0x2804, guest_ia32_pat, 192, NO)
VMCS_FIELD_HIGH(GUEST_IA32_PAT_HIGH, 0x2805, guest_ia32_pat, 196, NO)
VMCS_FIELD(GUEST_IA32_EFER, 0x2806, guest_ia32_efer, 200, NO)
VMCS_FIELD_HIGH(GUEST_IA32_EFER_HIGH, 0x2807, guest_ia32_efer, 204, NO)
VMCS_FIELD(GUEST_IA32_PERF_GLOBAL_CTRL, 0x2808, guest_ia32_perf_global_ctrl, 208, NO)
VMCS_FIELD_HIGH(GUEST_IA32_PERF_GLOBAL_CTRL_HIGH, 0x2809, guest_ia32_perf_global_ctrl, 212, NO)
VMCS_FIELD(GUEST_PDPTR0, 0x280a, guest_pdptr0, 216, NO)
VMCS_FIELD_HIGH(GUEST_PDPTR0_HIGH, 0x280b, guest_pdptr0, 220, NO)
VMCS_FIELD(GUEST_PDPTR1, 0x280c, guest_pdptr1, 224, NO)
VMCS_FIELD_HIGH(GUEST_PDPTR1_HIGH, 0x280d, guest_pdptr1, 228, NO)
VMCS_FIELD(GUEST_PDPTR2, 0x280e, guest_pdptr2, 232, NO)
VMCS_FIELD_HIGH(GUEST_PDPTR2_HIGH, 0x280f, guest_pdptr2, 236, NO)
VMCS_FIELD(GUEST_PDPTR3, 0x2810, guest_pdptr3, 240, NO)
VMCS_FIELD_HIGH(GUEST_PDPTR3_HIGH, 0x2811, guest_pdptr3, 244, NO)
VMCS_FIELD(GUEST_BNDCFGS, 0x2812, guest_bndcfgs, 248, NO)
VMCS_FIELD_HIGH(GUEST_BNDCFGS_HIGH, 0x2813, guest_bndcfgs, 252, NO)

/* 64-bit host-state fields */
VMCS_FIELD(HOST_IA32_PAT, 0x2c00, host_ia32_pat, 256, NO)
VMCS_FIELD_HIGH(HOST_IA32_PAT_HIGH, 0x2c01, host_ia32_pat, 260, NO)
VMCS_FIELD(HOST_IA32_EFER, 0x2c02, host_ia32_efer, 264, NO)
VMCS_FIELD_HIGH(HOST_IA32_EFER_HIGH, 0x2c03, host_ia32_efer, 268, NO)
VMCS_FIELD(HOST_IA32_PERF_GLOBAL_CTRL, 0x2c04, host_ia32_perf_global_ctrl, 272, NO)
VMCS_FIELD_HIGH(HOST_IA32_PERF_GLOBAL_CTRL_HIGH, 0x2c05, host_ia32_perf_global_ctrl, 276, NO)

/* 32-bit control fields */
VMCS_FIELD(PIN_BASED_VM_EXEC_CONTROL, 0x4000, pin_based_vm_exec_control, 744, RW)
VMCS_FIELD(CPU_BASED_VM_EXEC_CONTROL, 0x4002, cpu_based_vm_exec_control, 748, RW)
VMCS_FIELD(EXCEPTION_BITMAP, 0x4004, exception_bitmap, 752, RW)
VMCS_FIELD(PAGE_FAULT_ERROR_CODE_MASK, 0x4006, page_fault_error_code_mask, 756, NO)
VMCS_FIELD(PAGE_FAULT_ERROR_CODE_MATCH, 0x4008, page_fault_error_code_match, 760, NO)
VMCS_FIELD(CR3_TARGET_COUNT, 0x400a, cr3_target_count, 764, NO)
VMCS_FIELD(VM_EXIT_CONTROLS, 0x400c, vm_exit_controls, 768, NO)
VMCS_FIELD(VM_EXIT_MSR_STORE_COUNT, 0x400e, vm_exit_msr_store_count, 772, NO)
VMCS_FIELD(VM_EXIT_MSR_LOAD_COUNT, 0x4010, vm_exit_msr_load_count, 776, NO)
VMCS_FIELD(VM_ENTRY_CONTROLS, 0x4012, vm_entry_controls, 780, NO)
VMCS_FIELD(VM_ENTRY_MSR_LOAD_COUNT, 0x4014, vm_entry_msr_load_count, 784, NO)
VMCS_FIELD(VM_ENTRY_INTR_INFO_FIELD, 0x4016, vm_entry_intr_info_field, 788, RW)
VMCS_FIELD(VM_ENTRY_EXCEPTION_ERROR_CODE, 0x4018, vm_entry_exception_error_code, 792, RW)
VMCS_FIELD(VM_ENTRY_INSTRUCTION_LEN, 0x401a, vm_entry_instruction_len, 796, RW)
VMCS_FIELD(TPR_THRESHOLD, 0x401c, tpr_threshold, 800, RW)
VMCS_FIELD(SECONDARY_VM_EXEC_CONTROL, 0x401e, secondary_vm_exec_control, 804, NO)

/* 32-bit read-only data fields */
VMCS_FIELD(VM_INSTRUCTION_ERROR, 0x4400, vm_instruction_error, 808, NO)
VMCS_FIELD(VM_EXIT_REASON, 0x4402, vm_exit_reason, 812, RO)
VMCS_FIELD(VM_EXIT_INTR_INFO, 0x4404, vm_exit_intr_info, 816, RO)
VMCS_FIELD(VM_EXIT_INTR_ERROR_CODE, 0x4406, vm_exit_intr_error_code, 820, RO)
VMCS_FIELD(IDT_VECTORING_INFO_FIELD, 0x4408, idt_vectoring_info_field, 824, RO)
VMCS_FIELD(IDT_VECTORING_ERROR_CODE, 0x440a, idt_vectoring_error_code, 828, RO)
VMCS_FIELD(VM_EXIT_INSTRUCTION_LEN, 0x440c, vm_exit_instruction_len, 832, RO)
VMCS_FIELD(VMX_INSTRUCTION_INFO, 0x440e, vmx_instruction_info, 836, NO)

/* 32-bit guest-state fields */
VMCS_FIELD(GUEST_ES_LIMIT, 0x4800, guest_es_limit, 840, NO)
VMCS_FIELD(GUEST_CS_LIMIT, 0x4802, guest_cs_limit, 844, NO)
VMCS_FIELD(GUEST_SS_LIMIT, 0x4804, guest_ss_limit, 848, NO)
VMCS_FIELD(GUEST_DS_LIMIT, 0x4806, guest_ds_limit, 852, NO)
VMCS_FIELD(GUEST_FS_LIMIT, 0x4808, guest_fs_limit, 856, NO)
VMCS_FIELD(GUEST_GS_LIMIT, 0x480a, guest_gs_limit, 860, NO)
VMCS_FIELD(GUEST_LDTR_LIMIT, 0x480c, guest_ldtr_limit, 864, NO)
VMCS_FIELD(GUEST_TR_LIMIT, 0x480e, guest_tr_limit, 868, NO)
VMCS_FIELD(GUEST_GDTR_LIMIT, 0x4810, guest_gdtr_limit, 872, NO)
VMCS_FIELD(GUEST_IDTR_LIMIT, 0x4812, guest_idtr_limit, 876, NO)
VMCS_FIELD(GUEST_ES_AR_BYTES, 0x4814, guest_es_ar_bytes, 880, NO)
VMCS_FIELD(GUEST_CS_AR_BYTES, 0x4816, guest_cs_ar_bytes, 884, RO)
VMCS_FIELD(GUEST_SS_AR_BYTES, 0x4818, guest_ss_ar_bytes, 888, RO)
VMCS_FIELD(GUEST_DS_AR_BYTES, 0x481a, guest_ds_ar_bytes, 892, NO)
VMCS_FIELD(GUEST_FS_AR_BYTES, 0x481c, guest_fs_ar_bytes, 896, NO)
VMCS_FIELD(GUEST_GS_AR_BYTES, 0x481e, guest_gs_ar_bytes, 900, NO)
VMCS_FIELD(GUEST_LDTR_AR_BYTES, 0x4820, guest_ldtr_ar_bytes, 904, NO)
VMCS_FIELD(GUEST_TR_AR_BYTES, 0x4822, guest_tr_ar_bytes, 908, NO)
VMCS_FIELD(GUEST_INTERRUPTIBILITY_INFO, 0x4824, guest_interruptibility_info, 912, RW)
VMCS_FIELD(GUEST_ACTIVITY_STATE, 0x4826, guest_activity_state, 916, NO)
VMCS_FIELD(GUEST_SYSENTER_CS, 0x482a, guest_sysenter_cs, 920, NO)
VMCS_FIELD(VMX_PREEMPTION_TIMER_VALUE, 0x482e, vmx_preemption_timer_value, 928, RW)

/* 32-bit host-state fields */
VMCS_FIELD(HOST_IA32_SYSENTER_CS, 0x4c00, host_ia32_sysenter_cs, 924, NO)

/* Natural-width control fields */
VMCS_FIELD(CR0_GUEST_HOST_MASK, 0x6000, cr0_guest_host_mask, 344, RW)
VMCS_FIELD(CR4_GUEST_HOST_MASK, 0x6002, cr4_guest_host_mask, 352, NO)
VMCS_FIELD(CR0_READ_SHADOW, 0x6004, cr0_read_shadow, 360, RW)
VMCS_FIELD(CR4_READ_SHADOW, 0x6006, cr4_read_shadow, 368, RW)

/* Natural-width read-only data fields */
VMCS_FIELD(EXIT_QUALIFICATION, 0x6400, exit_qualification, 408, RO)
VMCS_FIELD(GUEST_LINEAR_ADDRESS, 0x640a, guest_linear_address, 416, RO)

/* Natural-width guest-state fields */
VMCS_FIELD(GUEST_CR0, 0x6800, guest_cr0, 424, RW)
VMCS_FIELD(GUEST_CR3, 0x6802, guest_cr3, 432, RW)
VMCS_FIELD(GUEST_CR4, 0x6804, guest_cr4, 440, RW)
VMCS_FIELD(GUEST_ES_BASE, 0x6806, guest_es_base, 448, NO)
VMCS_FIELD(GUEST_CS_BASE, 0x6808, guest_cs_base, 456, NO)
VMCS_FIELD(GUEST_SS_BASE, 0x680a, guest_ss_base, 464, NO)
VMCS_FIELD(GUEST_DS_BASE, 0x680c, guest_ds_base, 472, NO)
VMCS_FIELD(GUEST_FS_BASE, 0x680e, guest_fs_base, 480, NO)
VMCS_FIELD(GUEST_GS_BASE, 0x6810, guest_gs_base, 488, NO)
VMCS_FIELD(GUEST_LDTR_BASE, 0x6812, guest_ldtr_base, 496, NO)
VMCS_FIELD(GUEST_TR_BASE, 0x6814, guest_tr_base, 504, NO)
VMCS_FIELD(GUEST_GDTR_BASE, 0x6816, guest_gdtr_base, 512, NO)
VMCS_FIELD(GUEST_IDTR_BASE, 0x6818, guest_idtr_base, 520, NO)
VMCS_FIELD(GUEST_DR7, 0x681a, guest_dr7, 528, NO)
VMCS_FIELD(GUEST_RSP, 0x681c, guest_rsp, 536, RW)
VMCS_FIELD(GUEST_RIP, 0x681e, guest_rip, 544, RW)
VMCS_FIELD(GUEST_RFLAGS, 0x6820, guest_rflags, 552, RW)
VMCS_FIELD(GUEST_PENDING_DBG_EXCEPTIONS, 0x6822, guest_pending_dbg_exceptions, 560, NO)
VMCS_FIELD(GUEST_SYSENTER_ESP, 0x6824, guest_sysenter_esp, 568, NO)
VMCS_FIELD(GUEST_SYSENTER_EIP, 0x6826, guest_sysenter_eip, 576, NO)

/* Natural-width host-state fields */
VMCS_FIELD(HOST_CR0, 0x6c00, host_cr0, 584, NO)
VMCS_FIELD(HOST_CR3, 0x6c02, host_cr3, 592, NO)
VMCS_FIELD(HOST_CR4, 0x6c04, host_cr4, 600, NO)
VMCS_FIELD(HOST_FS_BASE, 0x6c06, host_fs_base, 608, RW)
VMCS_FIELD(HOST_GS_BASE, 0x6c08, host_gs_base, 616, RW)
VMCS_FIELD(HOST_TR_BASE, 0x6c0a, host_tr_base, 624, NO)
VMCS_FIELD(HOST_GDTR_BASE, 0x6c0c, host_gdtr_base, 632, NO)
VMCS_FIELD(HOST_IDTR_BASE, 0x6c0e, host_idtr_base, 640, NO)
VMCS_FIELD(HOST_IA32_SYSENTER_ESP, 0x6c10, host_ia32_sysenter_esp, 648, NO)
VMCS_FIELD(HOST_IA32_SYSENTER_EIP, 0x6c12, host_ia32_sysenter_eip, 656, NO)
VMCS_FIELD(HOST_RSP, 0x6c14, host_rsp, 664, NO)
VMCS_FIELD(HOST_RIP, 0x6c16, host_rip, 672, NO)

#undef VMCS_FIELD_HIGH
#undef VMCS_FIELD
