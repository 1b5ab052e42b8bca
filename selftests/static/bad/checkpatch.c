// SPDX-License-Identifier: GPL-2.0-only
static int no_blank_line(void)
{
	int r = 0;
	if (r) /* BAD */
		r = 1;

	return r;
}
