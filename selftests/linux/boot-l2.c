// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot-l2: boot a Linux L2 in the Linux L1 that this runs in, and print, as knbench --mark does,
 * what it costs from power-on to the L2's first process. QEMU has loaded everything before: the VM
 * starts stopped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define QEMU		"/usr/bin/qemu-system-x86_64-microvm"
#define CONSOLE_FD	9

/* As the L1's own, see run. */
#define KERNEL_OPTIONS									\
	"console=ttyS0 quiet mitigations=off nokaslr tsc=reliable no_timer_check "	\
	"cryptomgr.notests rdinit=/init reboot=t initcall_blacklist=jent_mod_init"

static void die(const char *why)
{
	fprintf(stderr, "boot-l2: %s\n", why);
	exit(1);
}

/* See mark() of knbench. */
static void mark(unsigned int units)
{
	int c;

	printf("mark %u\n", units);
	fflush(stdout);
	while ((c = getchar()) != '\n') {
		if (c == EOF)
			die("nobody answers");
	}
}

static void wait_for(FILE *from, const char *text)
{
	char seen[256] = "";
	size_t len = 0;
	int c;

	while (!strstr(seen, text)) {
		c = fgetc(from);
		if (c == EOF)
			die("the L2 is gone");
		if (len == sizeof(seen) - 1)
			memmove(seen, seen + 1, len--);
		seen[len++] = c;
		seen[len] = 0;
	}
}

static FILE *start_qemu(FILE **monitor_in, FILE **console)
{
	int to[2], from[2], serial[2];

	if (pipe(to) || pipe(from) || pipe(serial))
		die("no pipe");
	switch (fork()) {
	case -1:
		die("no process");
		break;
	case 0:
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(serial[1], CONSOLE_FD);
		execl(QEMU, QEMU, "-S", "-M", "microvm,rtc=on", "-accel", "kvm", "-cpu", "host",
		      "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
		      "-no-reboot", "-monitor", "stdio", "-serial", "file:/proc/self/fd/9",
		      "-kernel", "/linux/vmlinux", "-initrd", "/l2.cpio",
		      "-append", KERNEL_OPTIONS, NULL);
		die("no QEMU");
	}
	close(to[0]);
	close(from[1]);
	close(serial[1]);
	*monitor_in = fdopen(to[1], "w");
	*console = fdopen(serial[0], "r");
	return fdopen(from[0], "r");
}

int main(void)
{
	FILE *monitor, *monitor_in, *console;
	unsigned long long start, ticks;

	monitor = start_qemu(&monitor_in, &console);
	wait_for(monitor, "(qemu)");

	mark(0);
	mark(0);
	start = __rdtsc();
	fputs("cont\n", monitor_in);
	fflush(monitor_in);
	wait_for(console, "L2 is up");
	ticks = __rdtsc() - start;
	mark(1);

	printf("l2-boot %llu 0 %llu\n", ticks, ticks);
	fputs("quit\n", monitor_in);
	fflush(monitor_in);
	wait(NULL);
	return 0;
}
