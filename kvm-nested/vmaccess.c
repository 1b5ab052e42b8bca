// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMREAD and VMWRITE of an L1, and of an L2 where L1's bitmaps let them through.
 *
 * Each function first finds out whether stock KVM has to do the access, while
 * nothing has changed yet; then it follows the SDM's description of the
 * instruction (volume 3, "VMX Instructions"), check by check.
 */
#include "insn.h"
#include "kvm_intel.h"
#include "vmaccess.h"
#include "vmcs02.h"

/* SDM volume 3, "VM Instruction Error Numbers". */
#define VMXERR_UNSUPPORTED_COMPONENT	12
#define VMXERR_READ_ONLY_COMPONENT	13

bool kn_vmaccess_enable = true;

/* One trapped access, decoded. */
struct vmaccess {
	struct kvm_vcpu *vcpu;
	bool by_l2;
	void *vmcs12;		/* where the field is */
	struct operand_info info;
	enum vmcs12_field field;
};

static int vmaccess_fallback(struct kn_vcpu *kv, enum kn_fallback cause)
{
	kv->counters.fallback[cause]++;
	return KN_STOCK;
}

static unsigned int vmaccess_size(struct vmaccess *access)
{
	return kn_in_long_mode(access->vcpu) ? sizeof(u64) : sizeof(u32);
}

/* Whether stock has to do the access, whatever it is; with the cause counted. */
static __always_inline int vmaccess_needs_stock(struct kn_vcpu *kv)
{
	if (!READ_ONCE(kn_vmaccess_enable))
		return vmaccess_fallback(kv, KN_FALLBACK_OFF);

	if (kn_uses_evmcs(kv->vcpu))
		return vmaccess_fallback(kv, KN_FALLBACK_EVMCS);

	return 0;
}

/* Returns KN_STOCK, with the cause counted, for an operand that is not handled here. */
static int vmaccess_decode(struct kn_vcpu *kv, struct vmaccess *access, u64 *by_l1, u64 *by_l2)
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	access->vcpu = vcpu;
	access->by_l2 = kn_in_l2(vcpu);
	access->vmcs12 = access->by_l2 ? kn_cached_shadow_vmcs12(vcpu) : kn_cached_vmcs12(vcpu);
	access->info = operand_decode(kn_vmcs_read(VMX_INSTRUCTION_INFO));
	access->field = vmcs12_field_find(kn_read_reg(vcpu, access->info.reg2));
	(access->by_l2 ? by_l2 : by_l1)[access->field]++;

	if (!access->info.is_reg && !kn_insn_translates(vcpu, &access->info))
		return vmaccess_fallback(kv, KN_FALLBACK_OPERAND);

	return 0;
}

/* Whether there is a VMCS12: L1's current one, or the one that L2's link pointer names. */
static bool vmaccess_has_vmcs12(const struct vmaccess *access)
{
	return (access->by_l2 ? kn_link_pointer(access->vcpu) : kn_current_vmptr(access->vcpu)) !=
	       KN_INVALID_GPA;
}

/* These two are rare, and their stack frames not for everybody. */

static noinline void fetch_field(struct kn_vcpu *kv, enum vmcs12_field field)
{
	unsigned long fields[VMCS12_SET_LONGS] = {};

	vmcs12_set_add(fields, field);
	kn_vmcs02_fetch(kv, fields);
}

static noinline void store_field(struct kn_vcpu *kv, enum vmcs12_field field)
{
	unsigned long fields[VMCS12_SET_LONGS] = {};

	vmcs12_set_add(fields, field);
	kn_vmcs02_store(kv, fields);
}

/* VMCS12 has the value of the field that L1 reads. */
static void complete_field(struct kn_vcpu *kv, enum vmcs12_field field)
{
	kn_shadow_fetch(kv, field);
	kn_shadow_trapped(kv, LEARN_READ, field);
	if (kn_vmcs02_has(kv, field))
		fetch_field(kv, field);
}

static int vmread(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct x86_exception e;
	struct vmaccess access;
	gva_t gva;
	u64 value;
	int r;

	if (vmaccess_decode(kv, &access, kv->counters.vmread, kv->counters.l2vmread))
		return KN_STOCK;

	if (!kn_insn_permitted(vcpu))
		return 1;

	if (!vmaccess_has_vmcs12(&access))
		return kn_insn_fail_invalid(vcpu);

	if (access.field == VMCS12_NO_FIELD)
		return kn_insn_fail_valid(vcpu, VMXERR_UNSUPPORTED_COMPONENT);

	if (access.by_l2)
		kn_shadow02_trapped(kv, LEARN_READ, access.field);
	else
		complete_field(kv, access.field);
	value = vmcs12_field_read(access.vmcs12, access.field);

	if (access.info.is_reg) {
		kn_write_reg(vcpu, access.info.reg1, value);
		return kn_insn_succeed(vcpu);
	}

	if (!kn_insn_translate(vcpu, &access.info, vmaccess_size(&access), true, &gva))
		return 1;

	r = kn_call(kvm_write_guest_virt_system)(vcpu, gva, &value, vmaccess_size(&access), &e);
	if (r)
		return kn_call(kvm_handle_memory_failure)(vcpu, r, &e);

	return kn_insn_succeed(vcpu);
}

int kn_vmread(struct kn_vcpu *kv)
{
	return vmaccess_needs_stock(kv) ?: vmread(kv);
}

/* Whether L1 may write the field at all. */
static bool vmwrite_allowed(struct vmaccess *access)
{
	return !vmcs12_field_is_readonly(access->field) ||
	       kn_can_vmwrite_any_field(access->vcpu);
}

static bool makes_dirty(enum vmcs12_field base)
{
	return vmcs12_set_has(kn_classes.derived, base) ||
	       vmcs12_set_has(kn_classes.trigger, base);
}

/*
 * Whether stock KVM has to do a write that succeeds: one that makes VMCS12 dirty,
 * which has to be complete then, or the next VM entry loads old values.
 */
static int vmwrite_needs_stock(struct kn_vcpu *kv, struct vmaccess *access)
{
	if (access->by_l2 || !*kn_vmcs12_lazy(kv->vcpu) || access->field == VMCS12_NO_FIELD ||
	    !vmwrite_allowed(access) || !makes_dirty(vmcs12_field_base(access->field)))
		return 0;

	return vmaccess_fallback(kv, KN_FALLBACK_LAZY);
}

/* L1's VMCS12 has a new value: see that everybody gets it. */
static void vmwrite_takes_effect(struct kn_vcpu *kv, enum vmcs12_field field)
{
	enum vmcs12_field base = vmcs12_field_base(field);

	if (vmcs12_set_has(kn_classes.copied, base))
		store_field(kv, base);
	else if (makes_dirty(base))
		*kn_vmcs12_dirty(kv->vcpu) = true;
	if (vmcs12_set_has(kn_classes.checked, base))
		kn_checks_forget(kv);

	kn_shadow_written(kv, field);
	kn_shadow_trapped(kv, LEARN_WRITE, field);
}

static int vmwrite(struct kn_vcpu *kv)
{
	struct kvm_vcpu *vcpu = kv->vcpu;
	struct x86_exception e;
	struct vmaccess access;
	u64 value = 0;
	gva_t gva;
	int r;

	if (vmaccess_decode(kv, &access, kv->counters.vmwrite, kv->counters.l2vmwrite) ||
	    vmwrite_needs_stock(kv, &access))
		return KN_STOCK;

	if (!kn_insn_permitted(vcpu))
		return 1;

	if (!vmaccess_has_vmcs12(&access))
		return kn_insn_fail_invalid(vcpu);

	if (access.info.is_reg) {
		value = kn_read_reg(vcpu, access.info.reg1);
	} else {
		if (!kn_insn_translate(vcpu, &access.info, vmaccess_size(&access), false, &gva))
			return 1;

		r = kn_walk_read(kv, gva, &value, vmaccess_size(&access), &e);
		if (r)
			return kn_call(kvm_handle_memory_failure)(vcpu, r, &e);
	}

	if (access.field == VMCS12_NO_FIELD)
		return kn_insn_fail_valid(vcpu, VMXERR_UNSUPPORTED_COMPONENT);

	if (!vmwrite_allowed(&access))
		return kn_insn_fail_valid(vcpu, VMXERR_READ_ONLY_COMPONENT);

	if (vmcs12_field_is_access_rights(access.field))
		value &= VMCS12_AR_BYTES_MASK;

	vmcs12_field_write(access.vmcs12, access.field, value);
	if (access.by_l2)
		kn_shadow02_trapped(kv, LEARN_WRITE, access.field);
	else
		vmwrite_takes_effect(kv, access.field);

	return kn_insn_succeed(vcpu);
}

int kn_vmwrite(struct kn_vcpu *kv)
{
	return vmaccess_needs_stock(kv) ?: vmwrite(kv);
}
