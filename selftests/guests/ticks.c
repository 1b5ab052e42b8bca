// SPDX-License-Identifier: GPL-2.0-only
/*
 * ticks: print the TSC, which on the emulated host counts instructions.
 */
#include <stdio.h>
#include <x86intrin.h>

int main(void)
{
	printf("%llu\n", __rdtsc());
	return 0;
}
