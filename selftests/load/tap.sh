#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced: TAP for the guest-side scripts of this folder; busybox sh.

passed=0 failed=0

# check DESCRIPTION COMMAND...: one test, passed if the command succeeds
check()
{
	description=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $description"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) $description"
	fi
}

finish()
{
	echo "1..$((passed + failed))"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}

# What the module leaves in the kernel, which must be the same before and after.
footprint()
{
	cat /sys/kernel/tracing/enabled_functions
	cat /sys/module/knt_table/parameters/show 2>/dev/null
	find /sys/kernel/debug/kvm_nested 2>/dev/null
	cut -d ' ' -f 1,3 /proc/modules | sort
	cat /sys/kernel/debug/kprobes/list 2>/dev/null
}

# knt_table shows all of kvm-intel's exit handlers; $1: more parameters. Reading /proc/kallsyms is
# slow work for an emulated host.
show_table()
{
	[ -e /tmp/table ] ||
		sed -n 's/^\([0-9a-f]*\) . kvm_vmx_exit_handlers\t.*/\1/p' /proc/kallsyms >/tmp/table
	insmod /load/knt_table.ko table=0x"$(cat /tmp/table)" entries=60 "$@"
}

# shellcheck disable=SC2034 # for who sources this
module=/lib/modules/$(uname -r)/extra/kvm-nested.ko
