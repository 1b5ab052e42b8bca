/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that are redirected, and how to call them all the same: what hook.c and
 * the files with the replacements share.
 */
#ifndef _KVM_NESTED_DISPLACED_H
#define _KVM_NESTED_DISPLACED_H

#include <linux/kvm_host.h>
#include <linux/static_call.h>

#include "redirects.h"

typedef int kn_copy_cached_fn(struct kvm *kvm, struct gfn_to_hva_cache *ghc, void *data,
			      unsigned long len);

#define X(module, symbol, ...)						\
	typedef typeof(__VA_ARGS__) symbol##_fn;			\
	typeof(__VA_ARGS__) hook_##symbol;				\
	void enter_##symbol(void);					\
	DECLARE_STATIC_CALL(kn_##symbol, symbol##_fn);
REDIRECTS(X)
#undef X

/* Watched, not replaced. */
void watch_nested_vmx_vmexit(struct kvm_vcpu *vcpu);
void enter_nested_vmx_vmexit(void);

#endif /* _KVM_NESTED_DISPLACED_H */
