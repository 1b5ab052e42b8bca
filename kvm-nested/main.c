// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-nested: load, unload, parameters.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "hook.h"
#include "vcpu.h"
#include "vmaccess.h"

static int set_enable(const char *value, const struct kernel_param *kp)
{
	bool on;
	int r;

	r = kstrtobool(value, &on);
	if (r)
		return r;

	kn_vcpu_set_enable(on);
	return 0;
}

static int get_enable(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%c\n", kn_vcpu_get_enable() ? 'Y' : 'N');
}

static const struct kernel_param_ops enable_ops = {
	.set = set_enable,
	.get = get_enable,
};
module_param_cb(enable, &enable_ops, NULL, 0644);
MODULE_PARM_DESC(enable, "adopt the vCPUs of L1 hypervisors; 0 gives all of them back (bool, default Y)");

module_param_named(vmaccess, kn_vmaccess_enable, bool, 0644);
MODULE_PARM_DESC(vmaccess, "emulate VMREAD and VMWRITE here (bool, default Y)");

/*
 * vCPUs are adopted, and files can be opened, only once nothing can fail any
 * more: a load that fails must not wait for anybody.
 */
static int __init kvm_nested_init(void)
{
	int r;

	r = kn_hook_attach();
	if (r)
		return r;

	kn_stats_init();
	kn_vcpu_open();
	pr_info("attached to kvm-intel\n");
	return 0;
}

/* The parameters can be written until after this function. */
static void __exit kvm_nested_exit(void)
{
	kn_vcpu_close();
	kn_hook_detach();
	kn_vcpu_exit();
	kn_stats_exit();
}

module_init(kvm_nested_init);
module_exit(kvm_nested_exit);

MODULE_AUTHOR("The kvm-nested developers");
MODULE_DESCRIPTION("Faster, observable nested VMX for a stock KVM");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: kvm-intel");
