// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

struct thing {
	int number;
};

static int uses_after_free(struct thing *thing)
{
	kfree(thing);
	return thing->number; /* BAD */
}
