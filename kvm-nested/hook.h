/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KVM_NESTED_HOOK_H
#define _KVM_NESTED_HOOK_H

int kn_hook_attach(void);
void kn_hook_detach(void);

#endif /* _KVM_NESTED_HOOK_H */
