// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS12 page: field table and typed access.
 */
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/nospec.h>

#include "vmcs12.h"

/*
 * SDM volume 3, "Field Encoding in VMCS": bit 0 the high half, bits 11:10 the
 * type, bits 14:13 the width.  Bits 12 and 31:15 are reserved.
 */
#define ENCODING_BITS		15
#define ENCODING_TYPE(e)	(((e) >> 10) & 3)
#define ENCODING_WIDTH(e)	(((e) >> 13) & 3)
#define ENCODING_TYPE_RO	1

enum { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };

#define ENCODING_SIZE(e)						\
	(((e) & 1) || ENCODING_WIDTH(e) == WIDTH_32 ? sizeof(u32) :	\
	 ENCODING_WIDTH(e) == WIDTH_16 ? sizeof(u16) : sizeof(u64))

const struct vmcs12_field_info vmcs12_fields[VMCS12_NR_FIELDS] = {
#define VMCS_FIELD(_name, _encoding, _member, _offset, _shadow)	\
	[VMCS12_##_name] = {					\
		.name = #_name,					\
		.encoding = (_encoding),			\
		.offset = (_offset),				\
		.size = ENCODING_SIZE(_encoding),		\
		.shadow = VMCS12_SHADOW_##_shadow,		\
	},
#include <kvm-nested/vmcs_fields.h>
};

/*
 * Rotating the 16-bit encoding left by six puts the small index (bits 9:1)
 * above width and type, so that few slots between two fields stay empty.
 */
#define SLOT(e)	((((e) << 6) | ((e) >> 10)) & 0xffff)

/* Field number plus one by slot; zero where there is no field. */
static const u8 field_by_slot[] = {
#define VMCS_FIELD(name, encoding, member, offset, shadow) [SLOT(encoding)] = VMCS12_##name + 1,
#include <kvm-nested/vmcs_fields.h>
};

static_assert(VMCS12_NR_FIELDS < U8_MAX);

/* @encoding is the whole operand: reserved bits set make it unsupported. */
enum vmcs12_field vmcs12_field_find(unsigned long encoding)
{
	unsigned long slot;
	u8 field;

	if (encoding >> ENCODING_BITS)
		return VMCS12_NO_FIELD;

	slot = SLOT(encoding);
	if (slot >= ARRAY_SIZE(field_by_slot))
		return VMCS12_NO_FIELD;

	/* The guest chose the slot. */
	field = field_by_slot[array_index_nospec(slot, ARRAY_SIZE(field_by_slot))];
	return field ? field - 1 : VMCS12_NO_FIELD;
}

/* VM-exit information, which VMWRITE may not touch on every processor. */
bool vmcs12_field_is_readonly(enum vmcs12_field field)
{
	return ENCODING_TYPE(vmcs12_fields[field].encoding) == ENCODING_TYPE_RO;
}

/*
 * Guest state that stock KVM leaves in VMCS02 at L2's exit until L1 asks for
 * it: segment and descriptor-table registers, but not the access rights of CS
 * and SS, which are needed for L2's privilege level at each exit.
 */
bool vmcs12_field_is_lazy(enum vmcs12_field field)
{
	switch (field) {
	case VMCS12_GUEST_ES_SELECTOR ... VMCS12_GUEST_TR_SELECTOR:
	case VMCS12_GUEST_BNDCFGS:
	case VMCS12_GUEST_ES_LIMIT ... VMCS12_GUEST_IDTR_LIMIT:
	case VMCS12_GUEST_ES_AR_BYTES:
	case VMCS12_GUEST_DS_AR_BYTES ... VMCS12_GUEST_TR_AR_BYTES:
	case VMCS12_GUEST_ES_BASE ... VMCS12_GUEST_IDTR_BASE:
	case VMCS12_GUEST_PENDING_DBG_EXCEPTIONS:
		return true;
	default:
		return false;
	}
}

u64 vmcs12_field_read(const void *vmcs12, enum vmcs12_field field)
{
	const void *p = vmcs12 + vmcs12_fields[field].offset;

	switch (vmcs12_fields[field].size) {
	case sizeof(u16):
		return *(const u16 *)p;
	case sizeof(u32):
		return *(const u32 *)p;
	default:
		return *(const u64 *)p;
	}
}

/* Bits of @value that the field does not have are dropped, as by VMWRITE. */
void vmcs12_field_write(void *vmcs12, enum vmcs12_field field, u64 value)
{
	void *p = vmcs12 + vmcs12_fields[field].offset;

	switch (vmcs12_fields[field].size) {
	case sizeof(u16):
		*(u16 *)p = value;
		break;
	case sizeof(u32):
		*(u32 *)p = value;
		break;
	default:
		*(u64 *)p = value;
	}
}
