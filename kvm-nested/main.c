// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-nested: load, unload, parameters.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/module.h>

#include "hook.h"
#include "pages.h"
#include "transition.h"
#include "vcpu.h"
#include "vept.h"
#include "vmaccess.h"
#include "walk.h"

static int set_bool(const char *value, int (*set)(bool on))
{
	bool on;
	int r;

	r = kstrtobool(value, &on);
	if (r)
		return r;

	return set(on);
}

static int set_enable(const char *value, const struct kernel_param *kp)
{
	return set_bool(value, kn_vcpu_set_enable);
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

module_param_named(vmptr, kn_vmptr_enable, bool, 0644);
MODULE_PARM_DESC(vmptr, "keep the copies of several VMCSs (bool, default Y)");

module_param_named(pages, kn_pages_enable, bool, 0644);
MODULE_PARM_DESC(pages, "remember where the pages are that VM entries need (bool, default Y)");

module_param_named(walk, kn_walk_enable, bool, 0644);
MODULE_PARM_DESC(walk, "remember page walks of L1 for its memory operands (bool, default Y)");

module_param_named(transition, kn_transition_enable, bool, 0644);
MODULE_PARM_DESC(transition, "work less out anew at each transition between L1 and L2 (bool, default Y)");

static int set_shadow(const char *value, const struct kernel_param *kp)
{
	return set_bool(value, kn_vcpu_set_shadow);
}

static const struct kernel_param_ops shadow_ops = {
	.set = set_shadow,
	.get = param_get_bool,
};
module_param_cb(shadow, &shadow_ops, &kn_shadow_enable, 0644);
MODULE_PARM_DESC(shadow, "learn which VMCS fields to shadow in hardware (bool, default Y)");

static int set_shadow_l2(const char *value, const struct kernel_param *kp)
{
	return set_bool(value, kn_vcpu_set_shadow02);
}

static const struct kernel_param_ops shadow_l2_ops = {
	.set = set_shadow_l2,
	.get = param_get_bool,
};
module_param_cb(shadow_l2, &shadow_l2_ops, &kn_shadow02_enable, 0644);
MODULE_PARM_DESC(shadow_l2, "the same for the L2 of an L1 that gives it a shadow VMCS (bool, default Y)");

static int set_vept(const char *value, const struct kernel_param *kp)
{
	return set_bool(value, kn_vcpu_set_vept);
}

static const struct kernel_param_ops vept_ops = {
	.set = set_vept,
	.get = param_get_bool,
};
module_param_cb(vept, &vept_ops, &kn_vept_enable, 0644);
MODULE_PARM_DESC(vept, "own tables for the memory of an L2 that L1 has an EPT for (bool, default Y)");

struct bounded {
	unsigned int *value;
	unsigned int min;
	unsigned int max;
};

static int set_bounded(const char *value, const struct kernel_param *kp)
{
	const struct bounded *param = kp->arg;
	unsigned int number;
	int r;

	r = kstrtouint(value, 0, &number);
	if (r)
		return r;
	if (number < param->min || number > param->max)
		return -EINVAL;

	WRITE_ONCE(*param->value, number);
	return 0;
}

static int get_bounded(char *buffer, const struct kernel_param *kp)
{
	const struct bounded *param = kp->arg;

	return sysfs_emit(buffer, "%u\n", *param->value);
}

static const struct kernel_param_ops bounded_ops = {
	.set = set_bounded,
	.get = get_bounded,
};

static struct bounded shadow_fields = { &kn_shadow_fields, 0, VMCS12_NR_FIELDS };
module_param_cb(shadow_fields, &bounded_ops, &shadow_fields, 0644);
MODULE_PARM_DESC(shadow_fields, "fields shadowed for one VMCS at most (uint, default 128)");

static struct bounded shadow_learn = { &kn_shadow_learn, 1, LEARN_MAX_THRESHOLD };
module_param_cb(shadow_learn, &bounded_ops, &shadow_learn, 0644);
MODULE_PARM_DESC(shadow_learn, "exits of L2 after which a field has to trap until it is shadowed (uint, 1 to 63, default 3)");

static struct bounded shadow_review = { &kn_shadow_review, 1, UINT_MAX };
module_param_cb(shadow_review, &bounded_ops, &shadow_review, 0644);
MODULE_PARM_DESC(shadow_review, "exits of L2 between tests whether a shadowed field is still used (uint, default 256)");

static int set_vept_window(const char *value, const struct kernel_param *kp)
{
	unsigned int number;
	int r;

	r = kstrtouint(value, 0, &number);
	if (r)
		return r;
	if (!is_power_of_2(number) || number > KN_VEPT_WINDOW)
		return -EINVAL;

	WRITE_ONCE(kn_vept_window, number);
	return 0;
}

static const struct kernel_param_ops vept_window_ops = {
	.set = set_vept_window,
	.get = param_get_uint,
};
module_param_cb(vept_window, &vept_window_ops, &kn_vept_window, 0644);
MODULE_PARM_DESC(vept_window, "pages of L2 that are mapped together, as far as L1 has them (uint, 1, 2, 4, ... 64, default 64)");

static struct bounded vept_tables = { &kn_vept_max_tables, 1, UINT_MAX };
module_param_cb(vept_tables, &bounded_ops, &vept_tables, 0644);
MODULE_PARM_DESC(vept_tables, "tables for the L2s of one VM at most, of 8 KB each (uint, default 16384)");

static int set_shadow_fixed(const char *value, const struct kernel_param *kp)
{
	unsigned long fields[VMCS12_SET_LONGS];
	int r;

	r = vmcs12_set_parse(fields, value);
	if (r)
		return r;

	kn_choice_set_fixed(fields);
	return 0;
}

static int get_shadow_fixed(char *buffer, const struct kernel_param *kp)
{
	unsigned long fields[VMCS12_SET_LONGS];
	enum vmcs12_field field;
	int length = 0;

	kn_choice_get_fixed(fields);
	vmcs12_for_each_field(field, fields)
		length += sysfs_emit_at(buffer, length, "%s%s", length ? "," : "",
					vmcs12_fields[field].name);
	return length + sysfs_emit_at(buffer, length, "\n");
}

static const struct kernel_param_ops shadow_fixed_ops = {
	.set = set_shadow_fixed,
	.get = get_shadow_fixed,
};
module_param_cb(shadow_fixed, &shadow_fixed_ops, NULL, 0644);
MODULE_PARM_DESC(shadow_fixed, "fields to shadow instead of learning, by name (list with commas, default empty)");

/*
 * vCPUs are adopted, and files can be opened, only once nothing can fail any
 * more: a load that fails must not wait for anybody.
 */
static int __init kvm_nested_init(void)
{
	int r;

	kn_choice_init();
	r = kn_vept_init();
	if (r)
		return r;
	r = kn_hook_attach();
	if (r) {
		kn_vept_exit();
		return r;
	}

	kn_stats_init();
	kn_vcpu_open();
	pr_info("attached to kvm-intel\n");
	return 0;
}

/* The parameters can be written until after this function. */
static void __exit kvm_nested_exit(void)
{
	kn_vcpu_close();
	kn_vept_exit();
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
