/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS field table for tests.
 */
#ifndef SELFTEST_NESTED_FIELD_H
#define SELFTEST_NESTED_FIELD_H

#include "l1.h"

enum kn_shadow {
	KN_SHADOW_NO,
	KN_SHADOW_RO,
	KN_SHADOW_RW,
};

struct kn_field {
	const char *name;
	uint16_t encoding;
	uint16_t offset;	/* in KVM's VMCS12 */
	enum kn_shadow shadow;	/* how stock KVM shadows it, where the hardware can */
};

static const struct kn_field kn_fields[] = {
#define VMCS_FIELD(_name, _encoding, _member, _offset, _shadow)	\
	{ #_name, _encoding, _offset, KN_SHADOW_##_shadow },
#include "kvm-nested/vmcs_fields.h"
};

#define KN_NR_FIELDS	ARRAY_SIZE(kn_fields)

/* NULL if there is no such field. */
static inline const struct kn_field *kn_field_find(uint64_t encoding)
{
	for (unsigned int i = 0; i < KN_NR_FIELDS; i++)
		if (kn_fields[i].encoding == encoding)
			return &kn_fields[i];
	return NULL;
}

/* Bits 14:13 of an encoding tell the width, 11:10 the type, bit 0 the upper half. */
static inline bool kn_field_is_high(const struct kn_field *field)
{
	return field->encoding & 1;
}

static inline bool kn_field_is_read_only(const struct kn_field *field)
{
	return (field->encoding >> 10 & 3) == 1;
}

/* The bits that a VMWRITE to @field leaves there. */
static inline uint64_t kn_field_mask(const struct kn_field *field)
{
	/* KVM drops the reserved bits of access rights, as some processors do. */
	if (field->encoding >= GUEST_ES_AR_BYTES && field->encoding <= GUEST_TR_AR_BYTES)
		return 0x1f0ff;
	if (kn_field_is_high(field))
		return 0xffffffff;

	switch (field->encoding >> 13) {
	case 0:
		return 0xffff;
	case 2:
		return 0xffffffff;
	default:
		return ~0ull;
	}
}

/* What field @encoding, which is one, has in the memory of a VMCS that is not current. */
static inline uint64_t kn_region_read(const void *region, uint32_t encoding)
{
	const struct kn_field *field = kn_field_find(encoding);
	uint64_t value;

	memcpy(&value, region + field->offset, sizeof(value));
	return value & kn_field_mask(field);
}

static inline unsigned int kn_field_size(const struct kn_field *field)
{
	static const unsigned int size[] = { 2, 8, 4, 8 };

	return kn_field_is_high(field) ? 4 : size[field->encoding >> 13];
}

static inline void kn_region_write(void *region, uint32_t encoding, uint64_t value)
{
	const struct kn_field *field = kn_field_find(encoding);

	memcpy(region + field->offset, &value, kn_field_size(field));
}

/* A value that no two fields have in common in any 16 bits, different for each @seed. */
static inline uint64_t kn_field_pattern(const struct kn_field *field, unsigned int seed)
{
	uint64_t hash = (field->encoding + 1) * 0x9e3779b97f4a7c15ull * (2 * seed + 1);

	return hash ^ hash >> 29;
}

#endif
