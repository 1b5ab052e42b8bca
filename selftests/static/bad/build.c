// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compiler.h>
#include <linux/export.h>

static noinline int gcc_warns_with_w1(void)
{
	int set_only; /* BAD */

	set_only = 1;
	return 0;
}

int sparse_warns(int __user *user);

int sparse_warns(int __user *user)
{
	return *user + gcc_warns_with_w1(); /* BAD */
}
