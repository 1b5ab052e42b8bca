/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS12 page: from a field's encoding to its place and back.
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_VMCS12_H
#define _KVM_NESTED_VMCS12_H

#include <linux/types.h>

/* Dense numbers of the fields, for tables and counters. */
enum vmcs12_field {
#define VMCS_FIELD(name, encoding, member, offset, shadow) VMCS12_##name,
#include <kvm-nested/vmcs_fields.h>
	VMCS12_NR_FIELDS,
	/* Stands for every encoding that has no field. */
	VMCS12_NO_FIELD = VMCS12_NR_FIELDS,
};

/* How stock KVM shadows a field in hardware. */
enum vmcs12_shadow {
	VMCS12_SHADOW_NO,
	VMCS12_SHADOW_RO,
	VMCS12_SHADOW_RW,
};

struct vmcs12_field_info {
	const char *name;
	u16 encoding;
	u16 offset;	/* in bytes, into the VMCS12 */
	u8 size;	/* in bytes; the high half of a 64-bit field has 4 */
	u8 shadow;	/* enum vmcs12_shadow */
};

extern const struct vmcs12_field_info vmcs12_fields[VMCS12_NR_FIELDS];

enum vmcs12_field vmcs12_field_find(unsigned long encoding);
bool vmcs12_field_is_readonly(enum vmcs12_field field);
bool vmcs12_field_is_lazy(enum vmcs12_field field);
u64 vmcs12_field_read(const void *vmcs12, enum vmcs12_field field);
void vmcs12_field_write(void *vmcs12, enum vmcs12_field field, u64 value);

#endif /* _KVM_NESTED_VMCS12_H */
