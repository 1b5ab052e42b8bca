/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMCS12 in L1's memory.
 */
#ifndef _KVM_NESTED_MEMORY12_H
#define _KVM_NESTED_MEMORY12_H

#include <linux/kvm_host.h>

enum memory12_state {
	MEMORY12_SAME,
	MEMORY12_CHANGED,
	MEMORY12_UNUSABLE,
};

bool kn_memory12_write(struct kvm_vcpu *vcpu, gpa_t gpa, const u64 *page);
enum memory12_state kn_memory12_read(struct kvm_vcpu *vcpu, gpa_t gpa, u64 *page);

/*
 * With user access begun: zero if the word in memory is @word.  Where there is no
 * memory something else, for it says -EFAULT.
 */
#define kn_unsafe_difference(word, user)					\
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

#endif /* _KVM_NESTED_MEMORY12_H */
