// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single fields between VMCS12 and another VMCS, mostly VMCS02, where stock KVM
 * moves all or none.
 *
 * After an L2's exit stock KVM leaves some guest state in VMCS02 until L1 asks
 * for any of it ("lazy"), and after any write that its VM entry doesn't look at
 * anyway it rebuilds VMCS02 as a whole ("dirty").  A dirty VMCS12 is never lazy.
 */
#include <linux/bitmap.h>

#include "kvm_intel.h"
#include "vmcs02.h"

/* From the current VMCS to VMCS12. */
void kn_vmcs_save(struct kvm_vcpu *vcpu, const unsigned long *fields)
{
	void *vmcs12 = kn_cached_vmcs12(vcpu);
	enum vmcs12_field field;

	vmcs12_for_each_field(field, fields)
		vmcs12_field_write(vmcs12, field, kn_vmcs_read(vmcs12_fields[field].encoding));
}

/* From VMCS12 to the current VMCS. */
void kn_vmcs_load(struct kvm_vcpu *vcpu, const unsigned long *fields)
{
	void *vmcs12 = kn_cached_vmcs12(vcpu);
	enum vmcs12_field field;

	vmcs12_for_each_field(field, fields)
		kn_vmcs_write(vmcs12_fields[field].encoding, vmcs12_field_read(vmcs12, field));
}

/* Whether VMCS02 has the value of @field and VMCS12 does not. */
bool kn_vmcs02_has(struct kn_vcpu *kv, enum vmcs12_field field)
{
	return *kn_vmcs12_lazy(kv->vcpu) && vmcs12_set_has(kn_classes.lazy, field) &&
	       !vmcs12_set_has(kv->fresh, field);
}

#define SAVE_UP_TO(end, type)							\
	for (nr = (end); i < nr; i++) {						\
		value = kn_vmcs_read(choice->saves[i].encoding);		\
		*(type *)(vmcs12 + choice->saves[i].offset) = value;		\
	}

/* With VMCS02 current: L2 has exited, and what @choice saves is all that is fresh of VMCS12. */
void kn_vmcs02_save(struct kn_vcpu *kv, const struct kn_choice *choice)
{
	void *vmcs12 = kn_cached_vmcs12(kv->vcpu);
	unsigned long i = 0, nr;
	u64 value;

	memcpy(kv->fresh, choice->saved, sizeof(kv->fresh));
	SAVE_UP_TO(choice->nr_saves_up_to[0], u16)
	SAVE_UP_TO(choice->nr_saves_up_to[1], u32)
	SAVE_UP_TO(choice->nr_saves_up_to[2], u64)
}

#undef SAVE_UP_TO

/* The way stock KVM looks into VMCS02 for a moment. */
static void make_current(struct kvm_vcpu *vcpu, void *vmcs, void *instead_of)
{
	*kn_current_vmcs(vcpu) = vmcs;
	kn_call(vmx_vcpu_load_vmcs)(vcpu, smp_processor_id(), instead_of);
}

/* With VMCS01 current: move @fields between VMCS12 and VMCS02, which then agree on them. */
static void visit(struct kn_vcpu *kv, const unsigned long *fields,
		  void (*move)(struct kvm_vcpu *vcpu, const unsigned long *fields))
{
	struct kvm_vcpu *vcpu = kv->vcpu;

	preempt_disable();
	make_current(vcpu, kn_vmcs02(vcpu), kn_vmcs01(vcpu));
	move(vcpu, fields);
	make_current(vcpu, kn_vmcs01(vcpu), kn_vmcs02(vcpu));
	preempt_enable();

	bitmap_or(kv->fresh, kv->fresh, fields, VMCS12_NR_FIELDS);
}

/* With VMCS01 current: bring what VMCS12 is missing of @fields, which are lazily kept. */
void kn_vmcs02_fetch(struct kn_vcpu *kv, const unsigned long *fields)
{
	unsigned long missing[VMCS12_SET_LONGS];

	vmcs12_set_subtract(missing, fields, kv->fresh);
	visit(kv, missing, kn_vmcs_save);
}

/* With VMCS01 current: bring all that is missing, so that VMCS12 may become dirty. */
void kn_vmcs02_complete(struct kn_vcpu *kv)
{
	if (!*kn_vmcs12_lazy(kv->vcpu))
		return;

	kn_vmcs02_fetch(kv, kn_classes.lazy);
	*kn_vmcs12_lazy(kv->vcpu) = false;
}

/*
 * VMCS02 is about to be freed.  Stock KVM goes on to believe that it has guest
 * state, and would bring zeros from the next one to some VMCS12, also over what
 * L1 has written there.
 */
void kn_vmcs02_leave(struct kn_vcpu *kv)
{
	*kn_vmcs12_lazy(kv->vcpu) = false;
}

/* With VMCS01 current: bring @fields, which a VM entry copies, from VMCS12 to VMCS02. */
void kn_vmcs02_store(struct kn_vcpu *kv, const unsigned long *fields)
{
	/* The next VM entry does it. */
	if (!*kn_vmcs12_dirty(kv->vcpu))
		visit(kv, fields, kn_vmcs_load);
}
