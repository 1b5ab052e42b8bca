// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which fields a shadow VMCS holds.
 */
#include <linux/bitmap.h>

#include "choice.h"
#include "kvm_intel.h"

struct kn_classes kn_classes;
const struct kn_choice kn_choice_nothing;

/* Fields by what may be done with them. */
static unsigned long openable[VMCS12_SET_LONGS];
static unsigned long readonly[VMCS12_SET_LONGS];

/* The processor keeps reserved bits of access rights, which VMCS12 drops. */
static bool access_rights_keep_bits;

/* The parameter for a fixed set; empty: learn. */
static unsigned long fixed[VMCS12_SET_LONGS];
u32 kn_choice_generation;

#define VMCS_FIELD(name, encoding, member, offset, shadow)			\
	static_assert((offset) / 8 < VMCS12_NR_PLACES);
#include <kvm-nested/vmcs_fields.h>

void kn_choice_init(void)
{
	enum vmcs12_field field;

	for (field = 0; field < VMCS12_NR_FIELDS; field++) {
		enum vmcs12_effect effect = vmcs12_field_effect(field);

		if (field != vmcs12_field_base(field))
			continue;

		if (vmcs12_field_is_lazy(field))
			vmcs12_set_add(kn_classes.lazy, field);
		if (vmcs12_field_is_readonly(field))
			vmcs12_set_add(readonly, field);
		if (effect == VMCS12_EFFECT_COPIED)
			vmcs12_set_add(kn_classes.copied, field);
		if (effect == VMCS12_EFFECT_DERIVED)
			vmcs12_set_add(kn_classes.derived, field);
		if (vmcs12_field_is_checked(field))
			vmcs12_set_add(kn_classes.checked, field);
		if (effect == VMCS12_EFFECT_TRIGGER)
			vmcs12_set_add(kn_classes.trigger, field);

		/* L0 changes it in VMCS12 whenever it emulates an instruction. */
		if (field != VMCS12_VM_INSTRUCTION_ERROR)
			vmcs12_set_add(openable, field);
	}
	bitmap_or(kn_classes.late, kn_classes.copied, kn_classes.derived, VMCS12_NR_FIELDS);
	bitmap_or(kn_classes.late, kn_classes.late, kn_classes.checked, VMCS12_NR_FIELDS);
}

/* Every vCPU changes over when its shadow VMCS is copied out the next time. */
void kn_choice_set_fixed(const unsigned long *fields)
{
	int i;

	for (i = 0; i < VMCS12_SET_LONGS; i++)
		WRITE_ONCE(fixed[i], fields[i]);
	/* Whoever sees the new generation sees the new fields. */
	smp_store_release(&kn_choice_generation, kn_choice_generation + 1);
}

void kn_choice_get_fixed(unsigned long *fields)
{
	int i;

	for (i = 0; i < VMCS12_SET_LONGS; i++)
		fields[i] = READ_ONCE(fixed[i]);
}

bool kn_choice_is_fixed(void)
{
	return !vmcs12_set_is_empty(fixed);
}

/* With a shadow VMCS current: what happens to bits that access rights don't have. */
void kn_choice_probe(void)
{
	kn_vmcs_write(GUEST_ES_AR_BYTES, U32_MAX);
	WRITE_ONCE(access_rights_keep_bits,
		   kn_vmcs_read(GUEST_ES_AR_BYTES) != VMCS12_AR_BYTES_MASK);
}

bool kn_choice_may_open(struct kvm_vcpu *vcpu, enum learn_access access, enum vmcs12_field field)
{
	if (!vmcs12_set_has(openable, field))
		return false;

	if (access == LEARN_READ)
		return true;

	return !vmcs12_set_has(readonly, field) || kn_can_vmwrite_any_field(vcpu);
}

/*
 * Whether L1 must not get at the field both ways: the processor would let it read
 * reserved bits that it wrote, and VMCS12 has not.
 */
bool kn_choice_is_exclusive(enum vmcs12_field field)
{
	return access_rights_keep_bits && vmcs12_field_is_access_rights(field);
}

/* VMWRITE to the shadow VMCS has shown that this processor has no such field. */
void kn_choice_withdraw(enum vmcs12_field field)
{
	clear_bit(field, openable);
}

/* Returns false if there is no fixed set. */
static bool choose_fixed(struct kn_choice *choice, struct kvm_vcpu *vcpu)
{
	unsigned long wanted[VMCS12_SET_LONGS];
	enum vmcs12_field field;

	kn_choice_get_fixed(wanted);
	if (vmcs12_set_is_empty(wanted))
		return false;

	memset(choice->open, 0, sizeof(choice->open));
	vmcs12_for_each_field(field, wanted) {
		if (kn_choice_may_open(vcpu, LEARN_READ, field))
			vmcs12_set_add(choice->open[LEARN_READ], field);
		if (kn_choice_may_open(vcpu, LEARN_WRITE, field) && !kn_choice_is_exclusive(field))
			vmcs12_set_add(choice->open[LEARN_WRITE], field);
	}
	return true;
}

static void make_places(struct kn_choice *choice)
{
	u8 number[VMCS12_NR_PLACES] = {};	/* in the list, from 1 on */
	enum vmcs12_field field;

	choice->nr_places = 0;
	vmcs12_for_each_field(field, choice->any) {
		u8 place = vmcs12_fields[field].offset / 8;
		struct kn_place *entry;

		if (!number[place]) {
			choice->places[choice->nr_places] = place;
			choice->in_place[choice->nr_places].nr = 0;
			number[place] = ++choice->nr_places;
		}
		entry = &choice->in_place[number[place] - 1];
		entry->fields[entry->nr++] = field;
	}
}

static void make_saves(struct kn_choice *choice)
{
	static const u8 sizes[KN_NR_SIZES] = { sizeof(u16), sizeof(u32), sizeof(u64) };
	struct kn_saved *save = choice->saves;
	enum vmcs12_field field;
	int i;

	bitmap_and(choice->saved, choice->any, kn_classes.lazy, VMCS12_NR_FIELDS);
	for (i = 0; i < KN_NR_SIZES; i++) {
		vmcs12_for_each_field(field, choice->saved)
			if (vmcs12_fields[field].size == sizes[i])
				*save++ = (struct kn_saved){
					.encoding = vmcs12_fields[field].encoding,
					.offset = vmcs12_fields[field].offset,
				};
		choice->nr_saves_up_to[i] = save - choice->saves;
	}
}

static void add_written(struct kn_choice *choice, enum vmcs12_field field)
{
	choice->written_encoding[choice->nr_written] = vmcs12_fields[field].encoding;
	choice->written_field[choice->nr_written] = field;
	choice->written_number[field] = ++choice->nr_written;
}

static void make_lists(struct kn_choice *choice)
{
	enum vmcs12_field field;

	bitmap_or(choice->any, choice->open[LEARN_READ], choice->open[LEARN_WRITE],
		  VMCS12_NR_FIELDS);
	make_saves(choice);
	make_places(choice);

	choice->nr_written = 0;
	memset(choice->written_number, 0, sizeof(choice->written_number));
	vmcs12_for_each_field(field, choice->open_clean)
		add_written(choice, field);
	choice->nr_written_clean = choice->nr_written;
	vmcs12_for_each_field(field, kn_classes.trigger)
		if (vmcs12_set_has(choice->open[LEARN_WRITE], field))
			add_written(choice, field);
}

/* What is fixed, or else the members of @set. */
void kn_choice_make(struct kn_choice *choice, struct kvm_vcpu *vcpu, const struct learn_set *set)
{
	int i;

	choice->fixed = choose_fixed(choice, vcpu);
	if (!choice->fixed)
		memcpy(choice->open, set->members, sizeof(choice->open));
	choice->number = set->number;
	choice->generation = set->generation;

	vmcs12_set_subtract(choice->open_clean, choice->open[LEARN_WRITE], kn_classes.trigger);
	for (i = 0; i < LEARN_NR_ACCESSES; i++)
		vmcs_bitmap_build(choice->words[i], choice->open[i]);
	vmcs_bitmap_build(choice->words_clean, choice->open_clean);
	make_lists(choice);
}
