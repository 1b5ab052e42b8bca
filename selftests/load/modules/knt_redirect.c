// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: owns the ftrace redirect of a function, as a live patch would.
 *
 *	insmod knt_redirect.ko function=NAME
 *
 * It sends the function where it was going anyway.
 */
#include <linux/ftrace.h>
#include <linux/module.h>

static char *function;
module_param(function, charp, 0444);

static void notrace nowhere(unsigned long ip, unsigned long parent_ip,
			    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ops = {
	.func = nowhere,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};

static int __init knt_redirect_init(void)
{
	int r;

	r = ftrace_set_filter(&ops, function, strlen(function), 0);
	if (r)
		return r;

	r = register_ftrace_function(&ops);
	if (r)
		ftrace_free_filter(&ops);
	return r;
}

static void __exit knt_redirect_exit(void)
{
	unregister_ftrace_function(&ops);
	ftrace_free_filter(&ops);
}

module_init(knt_redirect_init);
module_exit(knt_redirect_exit);
MODULE_DESCRIPTION("kvm-nested test: own an ftrace redirect");
MODULE_LICENSE("GPL");
