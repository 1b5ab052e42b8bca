// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMCS12 in L1's memory, and KVM's copy of it: one is brought to the other, only
 * as far as they differ, and only the bytes that fields are in.
 */
#include <linux/uaccess.h>

#include "kvm_intel.h"
#include "memory12.h"
#include "vmcs12.h"

/* Anything is in so many words, the header in the first; a few are looked at a time. */
#define NR_WORDS	VMCS12_NR_PLACES
#define AT_ONCE		5
static_assert(NR_WORDS % AT_ONCE == 0);

/* Where the page of L1 is in the VM's owner; NULL if it is nowhere, or read-only. */
static u64 __user *user_page(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	unsigned long hva;
	bool writable;

	hva = kn_call(kvm_vcpu_gfn_to_hva_prot)(vcpu, gpa_to_gfn(gpa), &writable);
	if (kvm_is_error_hva(hva) || !writable)
		return NULL;
	return (u64 __user *)hva;
}

/*
 * With user access begun: zero if the word in memory is @word.  Where there is no
 * memory something else, for it says -EFAULT.
 */
#define unsafe_difference(word, user)						\
({										\
	u64 __difference = (word);						\
										\
	asm volatile("1: xorq %1, %0\n"						\
		     "2:\n"							\
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %0)	\
		     : "+r"(__difference)					\
		     : "m"(*(const u64 __force *)(user))			\
		     : "cc");							\
	__difference;								\
})

/* With user access begun: about where the first word is that differs, or can't be reached. */
static __always_inline int unsafe_find_difference(const u64 *page, const u64 __user *user)
{
	int i;

	for (i = 0; i < NR_WORDS; i += AT_ONCE)
		if (unsafe_difference(page[i], &user[i]) |
		    unsafe_difference(page[i + 1], &user[i + 1]) |
		    unsafe_difference(page[i + 2], &user[i + 2]) |
		    unsafe_difference(page[i + 3], &user[i + 3]) |
		    unsafe_difference(page[i + 4], &user[i + 4]))
			break;
	return i;
}

/* Bring L1's memory up to date.  False if it can't be reached. */
bool kn_memory12_write(struct kvm_vcpu *vcpu, gpa_t gpa, const u64 *page)
{
	u64 __user *to = user_page(vcpu, gpa);
	int first, i;

	if (!to || !user_access_begin(to, PAGE_SIZE))
		return false;
	first = unsafe_find_difference(page, to);
	for (i = first; i < NR_WORDS; i++)
		unsafe_put_user(page[i], &to[i], fault);
	user_access_end();

	if (first < NR_WORDS)
		kn_call(kvm_vcpu_mark_page_dirty)(vcpu, gpa_to_gfn(gpa));
	return true;

fault:
	user_access_end();
	return false;
}

/* Bring the copy up to date, if the header is as it was. */
enum memory12_state kn_memory12_read(struct kvm_vcpu *vcpu, gpa_t gpa, u64 *page)
{
	const u64 __user *from = user_page(vcpu, gpa);
	int first, i;
	u64 value;

	if (!from || !user_read_access_begin(from, PAGE_SIZE))
		return MEMORY12_UNUSABLE;
	first = unsafe_find_difference(page, from);
	for (i = first; i < NR_WORDS; i++) {
		unsafe_get_user(value, &from[i], fault);
		if (!i && (u32)value != (u32)page[0])
			goto fault;
		page[i] = value;
	}
	user_read_access_end();
	return first < NR_WORDS ? MEMORY12_CHANGED : MEMORY12_SAME;

fault:
	user_read_access_end();
	return MEMORY12_UNUSABLE;
}
