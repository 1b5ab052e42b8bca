// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMCS12 in L1's memory, and KVM's copy of it: one is brought to the other, only
 * the bytes that fields are in.
 */
#include <linux/uaccess.h>

#include "kvm_intel.h"
#include "memory12.h"
#include "vmcs12.h"

/* With user access begun: zero if @nr words in memory are as those of the page. */
static __always_inline u64 unsafe_differences(const u64 *page, const u64 __user *user, int nr)
{
	u64 differences = 0;
	int i;

#pragma GCC unroll 16
	for (i = 0; i < nr; i++)
		differences |= kn_unsafe_difference(page[i], &user[i]);
	return differences;
}

/* With user access begun.  False if L1's memory can't be reached. */
static __always_inline bool unsafe_write(const u64 *page, u64 __user *user, int nr)
{
	int i;

#pragma GCC unroll 16
	for (i = 0; i < nr; i++)
		unsafe_put_user(page[i], &user[i], fault);
	return true;

fault:
	return false;
}

static __always_inline bool unsafe_update(u64 *page, const u64 __user *user, int nr, bool *changed)
{
	u64 value;
	int i;

	if (!unsafe_differences(page, user, nr))
		return true;

#pragma GCC unroll 16
	for (i = 0; i < nr; i++) {
		unsafe_get_user(value, &user[i], fault);
		page[i] = value;
	}
	*changed = true;
	return true;

fault:
	return false;
}

/* Bring L1's memory up to date.  False if it can't be reached. */
bool kn_memory12_write(struct kvm_vcpu *vcpu, gpa_t gpa, const u64 *page)
{
	struct kn_user_page to = kn_find_user_page(vcpu, gpa);
	bool all;

	if (!to.words || !user_access_begin(to.words, PAGE_SIZE))
		return false;
	all = unsafe_write(page, to.words, 1);
#define PUT(first, nr) all = all && unsafe_write(&page[first], &to.words[first], nr);
	VMCS12_RUNS(PUT)
#undef PUT
	user_access_end();

	if (all)
		kn_call(mark_page_dirty_in_slot)(vcpu->kvm, to.slot, gpa_to_gfn(gpa));
	return all;
}

/* Bring the copy up to date, if the header is as it was. */
enum memory12_state kn_memory12_read(struct kvm_vcpu *vcpu, gpa_t gpa, u64 *page)
{
	const u64 __user *from = kn_find_user_page(vcpu, gpa).words;
	bool changed, all;
	u64 header;

	if (!from || !user_read_access_begin(from, PAGE_SIZE))
		return MEMORY12_UNUSABLE;
	unsafe_get_user(header, from, fault);
	if ((u32)header != (u32)page[0])
		goto fault;
	changed = header != page[0];
	page[0] = header;
	all = true;
#define GET(first, nr) all = all && unsafe_update(&page[first], &from[first], nr, &changed);
	VMCS12_RUNS(GET)
#undef GET
	user_read_access_end();
	if (!all)
		return MEMORY12_UNUSABLE;
	return changed ? MEMORY12_CHANGED : MEMORY12_SAME;

fault:
	user_read_access_end();
	return MEMORY12_UNUSABLE;
}
