// SPDX-License-Identifier: GPL-2.0-only
#include <linux/srcu.h>

static int returns_locked(int error)
{
	int idx = 0;

	idx = srcu_read_lock(&kn_srcu); /* BAD */
	if (error)
		return error;
	srcu_read_unlock(&kn_srcu, idx);
	return 0;
}

static void ends_locked(int error)
{
	int idx;

	idx = srcu_read_lock(&kn_srcu); /* BAD */
	if (!error)
		srcu_read_unlock(&kn_srcu, idx);
}

static void leaves_locked(int error)
{
	int idx;

	idx = srcu_read_lock(&kn_srcu); /* BAD */
	if (error)
		return;
	srcu_read_unlock(&kn_srcu, idx);
}

static int unlocks_twice_is_fine(int error)
{
	int idx;

	idx = srcu_read_lock(&kn_srcu);
	if (error) {
		srcu_read_unlock(&kn_srcu, idx);
		return error;
	}
	srcu_read_unlock(&kn_srcu, idx);
	return 0;
}
