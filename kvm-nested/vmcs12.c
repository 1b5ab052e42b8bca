// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS12 page: field table and typed access.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include "vmcs12.h"

/*
 * SDM volume 3, "Field Encoding in VMCS": bit 0 the high half, bits 9:1 the index,
 * bits 11:10 the type, bits 14:13 the width.  Bits 12 and 31:15 are reserved.
 */
#define ENCODING_BITS		15
#define ENCODING_TYPE(e)	(((e) >> 10) & 3)
#define ENCODING_WIDTH(e)	(((e) >> 13) & 3)
#define ENCODING_TYPE_RO	1
#define ENCODING_TYPE_GUEST	2

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
		.mask = U64_MAX >> (64 - 8 * ENCODING_SIZE(_encoding)),	\
		.size = ENCODING_SIZE(_encoding),		\
		.high = (_encoding) & 1,			\
		.has_high = ENCODING_WIDTH(_encoding) == WIDTH_64 && !((_encoding) & 1), \
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

bool vmcs12_field_is_checked(enum vmcs12_field field)
{
	unsigned int type;

	field = vmcs12_field_base(field);
	type = ENCODING_TYPE(vmcs12_fields[field].encoding);
	if (type == ENCODING_TYPE_RO || type == ENCODING_TYPE_GUEST)
		return false;

	switch (field) {
	/* Anything goes. */
	case VMCS12_EXCEPTION_BITMAP:
	case VMCS12_PAGE_FAULT_ERROR_CODE_MASK:
	case VMCS12_PAGE_FAULT_ERROR_CODE_MATCH:
	case VMCS12_CR0_GUEST_HOST_MASK:
	case VMCS12_CR4_GUEST_HOST_MASK:
	case VMCS12_CR0_READ_SHADOW:
	case VMCS12_CR4_READ_SHADOW:
	case VMCS12_TSC_OFFSET:
	case VMCS12_HOST_RSP:
	/* Checked where there is an event. */
	case VMCS12_VM_ENTRY_INTR_INFO_FIELD:
	case VMCS12_VM_ENTRY_EXCEPTION_ERROR_CODE:
	case VMCS12_VM_ENTRY_INSTRUCTION_LEN:
		return false;
	default:
		return true;
	}
}

enum vmcs12_effect vmcs12_field_effect(enum vmcs12_field field)
{
	switch (vmcs12_field_base(field)) {
	/* Whether L2 has VPIDs, XSAVES and BNDCFGS; and which XSAVES. */
	case VMCS12_SECONDARY_VM_EXEC_CONTROL:
	case VMCS12_VM_ENTRY_CONTROLS:
	case VMCS12_XSS_EXIT_BITMAP:
	/* Merged with what L0 wants. */
	case VMCS12_CR4_GUEST_HOST_MASK:
	case VMCS12_PAGE_FAULT_ERROR_CODE_MASK:
	case VMCS12_PAGE_FAULT_ERROR_CODE_MATCH:
	/* Where the processor has virtual-interrupt delivery. */
	case VMCS12_EOI_EXIT_BITMAP0:
	case VMCS12_EOI_EXIT_BITMAP1:
	case VMCS12_EOI_EXIT_BITMAP2:
	case VMCS12_EOI_EXIT_BITMAP3:
		return VMCS12_EFFECT_DERIVED;
	/* The list that they describe is looked through. */
	case VMCS12_VM_EXIT_MSR_STORE_ADDR:
	case VMCS12_VM_EXIT_MSR_STORE_COUNT:
	/* Not always brought back from VMCS02 at L2's exit. */
	case VMCS12_GUEST_PDPTR0:
	case VMCS12_GUEST_PDPTR1:
	case VMCS12_GUEST_PDPTR2:
	case VMCS12_GUEST_PDPTR3:
	case VMCS12_GUEST_BNDCFGS:
		return VMCS12_EFFECT_TRIGGER;
	case VMCS12_GUEST_SYSENTER_CS:
	case VMCS12_GUEST_SYSENTER_ESP:
	case VMCS12_GUEST_SYSENTER_EIP:
	case VMCS12_GUEST_CS_AR_BYTES:
	case VMCS12_GUEST_SS_AR_BYTES:
		return VMCS12_EFFECT_COPIED;
	default:
		return vmcs12_field_is_lazy(field) ? VMCS12_EFFECT_COPIED : VMCS12_EFFECT_ALWAYS;
	}
}

/* The field with the first @length characters of @name as its name. */
static enum vmcs12_field field_by_name(const char *name, size_t length)
{
	enum vmcs12_field field;

	for (field = 0; field < VMCS12_NR_FIELDS; field++)
		if (!strncmp(vmcs12_fields[field].name, name, length) &&
		    !vmcs12_fields[field].name[length])
			break;

	return field;
}

/* @names have commas between them, and maybe a newline behind.  -EINVAL if one is unknown. */
int vmcs12_set_parse(unsigned long *set, const char *names)
{
	unsigned long parsed[VMCS12_SET_LONGS] = {};
	enum vmcs12_field field;
	size_t length;

	while (*names && *names != '\n') {
		length = strcspn(names, ",\n");
		field = field_by_name(names, length);
		if (field == VMCS12_NO_FIELD)
			return -EINVAL;
		vmcs12_set_add(parsed, vmcs12_field_base(field));
		names += length;
		if (*names == ',')
			names++;
	}

	memcpy(set, parsed, sizeof(parsed));
	return 0;
}
