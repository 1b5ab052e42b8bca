# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# Sourced, in the emulated host and in the Linux L1: QEMU's microvm with the kernel of this level.

kernel_options="quiet mitigations=off nokaslr tsc=reliable no_timer_check cryptomgr.notests \
rdinit=/init initcall_blacklist=jent_mod_init"

# microvm CPU MB INITRAMFS WORDS [OPTION]...: WORDS are for the kernel's command line. One that
# hangs is ended after ten minutes.
microvm()
{
	cpu=$1 mb=$2 initramfs=$3 words=$4
	shift 4
	timeout 600 /usr/bin/qemu-system-x86_64-microvm -M microvm,rtc=on -accel kvm -cpu "$cpu" \
		-m "$mb" -nodefaults -no-user-config -display none \
		-kernel /linux/vmlinux -initrd "$initramfs" \
		-append "console=ttyS0 reboot=t $kernel_options $words" "$@"
}

# The initramfs of the L1: its own files, and those of this level that it needs, too.
l1_initramfs()
{
	(
		cd /linux/l1 && find . | cpio -o -H newc
		cd / && {
			printf "%s\n" lib linux
			[ ! -e bench ] || find bench
			find bin/busybox lib/x86_64-linux-gnu lib64 linux/vmlinux linux/microvm.sh usr
		} | cpio -o -H newc
	) 2>/dev/null
}
