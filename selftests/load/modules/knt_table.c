// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: shows a table of function pointers, and takes one entry over.
 *
 *	insmod knt_table.ko table=ADDRESS entries=N [steal=INDEX]
 *
 * The address comes from /proc/kallsyms. Reading the parameter "show" gives a
 * line with the symbol of each entry. The stolen entry keeps working.
 */
#include <linux/module.h>

static ulong table;
module_param(table, ulong, 0444);

static uint entries;
module_param(entries, uint, 0444);

static int steal = -1;
module_param(steal, int, 0444);

static int (*stolen)(void *vcpu);

static int show(char *buffer, const struct kernel_param *kp)
{
	void **entry = (void **)table;
	int length = 0;
	uint i;

	for (i = 0; i < entries; i++)
		length += sysfs_emit_at(buffer, length, "%ps\n", entry[i]);
	return length;
}

static const struct kernel_param_ops show_ops = { .get = show };
module_param_cb(show, &show_ops, NULL, 0444);

static int thief(void *vcpu)
{
	return stolen(vcpu);
}

static int __init knt_table_init(void)
{
	if (!table || !entries || steal >= (int)entries)
		return -EINVAL;

	if (steal >= 0)
		stolen = xchg((void **)table + steal, (void *)thief);
	return 0;
}

static void __exit knt_table_exit(void)
{
	if (steal >= 0)
		xchg((void **)table + steal, (void *)stolen);
	synchronize_rcu();
}

module_init(knt_table_init);
module_exit(knt_table_exit);
MODULE_DESCRIPTION("kvm-nested test: look at a table of functions, or take an entry");
MODULE_LICENSE("GPL");
