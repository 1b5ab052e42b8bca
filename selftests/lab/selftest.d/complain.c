// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that makes the kernel complain on purpose, for the lab's own test.
 */
#include <linux/bug.h>
#include <linux/module.h>
#include <linux/slab.h>

static char *how = "oops";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "oops, warn, or leak (an object of a slab cache that is destroyed)");

static noinline void complain_oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
}

static void complain_construct(void *object)
{
}

/* A cache with a constructor is never merged with another, so it is really destroyed. */
static int complain_leak(void)
{
	struct kmem_cache *cache = kmem_cache_create("complain", 64, 0, 0, complain_construct);

	if (!cache)
		return -ENOMEM;
	WARN_ON(!kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_destroy(cache);
	return 0;
}

static int __init complain_init(void)
{
	if (!strcmp(how, "leak"))
		return complain_leak();
	if (strcmp(how, "warn"))
		complain_oops();
	WARN(1, "complaining on purpose\n");
	return 0;
}

static void __exit complain_exit(void)
{
}

module_init(complain_init);
module_exit(complain_exit);

MODULE_DESCRIPTION("Makes the kernel complain");
MODULE_LICENSE("GPL");
