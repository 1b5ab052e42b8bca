// SPDX-License-Identifier: GPL-2.0-only
/*
 * Built with Kbuild: the encodings of vmcs_fields.h are those of the kernel's headers, and the
 * offsets those in the BTF of its kvm-intel.
 */
#include <linux/build_bug.h>
#include <asm/vmx.h>

#include "layout.h"

#define VMCS_FIELD(name, encoding, member, offset, shadow)		\
	static_assert((name) == (encoding));				\
	static_assert(KN_OFFSET_vmcs12_##member == (offset));
#define VMCS_FIELD_HIGH(name, encoding, member, offset, shadow)		\
	static_assert((name) == (encoding));				\
	static_assert(KN_OFFSET_vmcs12_##member + sizeof(u32) == (offset));
#include <kvm-nested/vmcs_fields.h>
