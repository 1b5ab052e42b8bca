/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS12 page: from a field's encoding to its place and back.
 *
 * Nothing here knows a vCPU; the unit tests run it in user space.
 */
#ifndef _KVM_NESTED_VMCS12_H
#define _KVM_NESTED_VMCS12_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/string.h>
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

/*
 * How a new value of a field gets from VMCS12 to where L2 or the processor sees
 * it, when stock KVM emulates VM entry and VM exit.
 */
enum vmcs12_effect {
	/* Each VM entry, or the VM exit, looks at VMCS12. */
	VMCS12_EFFECT_ALWAYS,
	/* A VM entry writes it to VMCS02 as it is, but only of a dirty VMCS12. */
	VMCS12_EFFECT_COPIED,
	/* A VM entry works something out from it, but only of a dirty VMCS12... */
	VMCS12_EFFECT_DERIVED,
	/* ... and from other things, so that writing the same value has an effect. */
	VMCS12_EFFECT_TRIGGER,
};

struct vmcs12_field_info {
	const char *name;
	u16 encoding;
	u16 offset;	/* in bytes, into the VMCS12 */
	u8 size;	/* in bytes; the high half of a 64-bit field has 4 */
	bool high;	/* is the high half of the field before it */
	bool has_high;
	u8 shadow;	/* enum vmcs12_shadow */
	u64 mask;	/* the bits that the field has */
};

/* All fields are in so many times eight bytes, none in more than one of these. */
#define VMCS12_NR_PLACES	125

/* Runs of these that have fields, or the launch state behind the header, as X(first, number). */
#define VMCS12_RUNS(X)								\
	X(1, 1) X(5, 13) X(18, 12) X(30, 12) X(43, 4) X(51, 12) X(63, 11) X(74, 11)	\
	X(93, 12) X(105, 12) X(120, 5)

/* Some processors drop the reserved bits of access rights; KVM always does. */
#define VMCS12_AR_BYTES_MASK	0x1f0ff

/* A set of fields, one bit each. */
#define VMCS12_SET_LONGS	BITS_TO_LONGS(VMCS12_NR_FIELDS)

static inline bool vmcs12_set_has(const unsigned long *set, enum vmcs12_field field)
{
	return set[field / BITS_PER_LONG] >> field % BITS_PER_LONG & 1;
}

static inline void vmcs12_set_add(unsigned long *set, enum vmcs12_field field)
{
	set[field / BITS_PER_LONG] |= BIT(field % BITS_PER_LONG);
}

static inline void vmcs12_set_remove(unsigned long *set, enum vmcs12_field field)
{
	set[field / BITS_PER_LONG] &= ~BIT(field % BITS_PER_LONG);
}

static inline bool vmcs12_set_is_empty(const unsigned long *set)
{
	unsigned long any = 0;

	for (unsigned int w = 0; w < VMCS12_SET_LONGS; w++)
		any |= set[w];
	return !any;
}

static inline bool vmcs12_sets_meet(const unsigned long *one, const unsigned long *other)
{
	unsigned long any = 0;

	for (unsigned int w = 0; w < VMCS12_SET_LONGS; w++)
		any |= one[w] & other[w];
	return any;
}

static inline bool vmcs12_set_contains(const unsigned long *set, const unsigned long *other)
{
	unsigned long more = 0;

	for (unsigned int w = 0; w < VMCS12_SET_LONGS; w++)
		more |= other[w] & ~set[w];
	return !more;
}

/* Sets @result to what is in @one and not in @other, and returns whether there is any. */
static inline bool vmcs12_set_subtract(unsigned long *result, const unsigned long *one,
				       const unsigned long *other)
{
	unsigned long any = 0;

	for (unsigned int w = 0; w < VMCS12_SET_LONGS; w++)
		any |= result[w] = one[w] & ~other[w];
	return any;
}

/* What is left of a set while it is gone through. */
struct vmcs12_rest {
	const unsigned long *set;
	unsigned long bits;
	unsigned int word;
};

static __always_inline bool vmcs12_first_field(struct vmcs12_rest *rest, enum vmcs12_field *field)
{
	while (!rest->bits) {
		if (++rest->word == VMCS12_SET_LONGS)
			return false;
		rest->bits = rest->set[rest->word];
	}

	*field = rest->word * BITS_PER_LONG + __ffs(rest->bits);
	return true;
}

#define vmcs12_for_each_field(field, _set)					\
	for (struct vmcs12_rest __rest = { .set = (_set), .bits = *(_set) };	\
	     vmcs12_first_field(&__rest, &(field));				\
	     __rest.bits &= __rest.bits - 1)

extern const struct vmcs12_field_info vmcs12_fields[VMCS12_NR_FIELDS];

enum vmcs12_field vmcs12_field_find(unsigned long encoding);
bool vmcs12_field_is_readonly(enum vmcs12_field field);
bool vmcs12_field_is_lazy(enum vmcs12_field field);
/* Whether a VM entry that injects no event checks the control field or host field. */
bool vmcs12_field_is_checked(enum vmcs12_field field);
enum vmcs12_effect vmcs12_field_effect(enum vmcs12_field field);
int vmcs12_set_parse(unsigned long *set, const char *names);

/* The 64-bit field of a high half; any other field itself. */
static inline enum vmcs12_field vmcs12_field_base(enum vmcs12_field field)
{
	return field - vmcs12_fields[field].high;
}

static inline bool vmcs12_field_is_access_rights(enum vmcs12_field field)
{
	return field >= VMCS12_GUEST_ES_AR_BYTES && field <= VMCS12_GUEST_TR_AR_BYTES;
}

/* The last field does not end at the end of the page, so 64 bits can be read of each. */
static inline u64 vmcs12_field_read(const void *vmcs12, enum vmcs12_field field)
{
	const struct vmcs12_field_info *info = &vmcs12_fields[field];
	u64 value;

	memcpy(&value, vmcs12 + info->offset, sizeof(value));
	return value & info->mask;
}

/* Bits of @value that the field does not have are dropped. */
static inline void vmcs12_field_write(void *vmcs12, enum vmcs12_field field, u64 value)
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

#endif /* _KVM_NESTED_VMCS12_H */
