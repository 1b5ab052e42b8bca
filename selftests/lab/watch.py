#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the emulator, stream the guest's console, and judge how the run ended.

  watch.py --console FIFO --token TOKEN --name NAME --timeout SECONDS [--trace] -- EMULATOR...

The guest says `TOKEN start UPTIME` before its command and `TOKEN exit STATUS` after it. The exit
status is the command's; 124 when it didn't end in time; 125 when the run can't be trusted: the
kernel complained, the guest didn't boot, or the emulator stopped. --trace passes the emulator's
standard output on as file descriptor 3.
"""
import argparse
import os
import re
import select
import signal
import subprocess
import sys
import time

BOOT_LIMIT = 600
TIMED_OUT, UNTRUSTED = 124, 125

# Only lines of the kernel count: a test may well print the word WARNING.
KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\](?:\[[^]]*\])? (.*)")
COMPLAINT = re.compile(
    r"WARNING: |BUG[: ]|kernel BUG at|Oops|\[#\d+\]|Kernel panic|double fault|Missing ENDBR|"
    r"INFO: (rcu|task|possible|suspicious)|rcu: INFO|watchdog: |UBSAN: |unchecked MSR access|"
    r"list_(add|del) corruption|[Oo]bjects remaining|Slab cache still has objects|kmemleak: ")
# After these the guest may never reach its end: give it some seconds to finish the report.
HOPELESS = re.compile(r"Kernel panic|soft lockup|hard LOCKUP|rcu: INFO|INFO: rcu")
REPORT_SECONDS = 10


class Run:
    def __init__(self, args):
        self.args = args
        self.token = re.compile(re.escape(args.token) + r" (start|exit) (\S+)")
        self.begin = time.monotonic()
        self.started = None
        self.status = None
        self.complaint = None
        self.deadline = self.begin + BOOT_LIMIT
        self.progress = sys.stderr.isatty()
        self.rest = ""

    def say(self, text):
        self.clear_progress()
        print(f"lab: {text}", file=sys.stderr, flush=True)

    def show_progress(self):
        if self.progress and self.started is None:
            sys.stderr.write(f"\rlab: {self.args.name}: booting, "
                             f"{time.monotonic() - self.begin:.0f} s ")
            sys.stderr.flush()

    def clear_progress(self):
        if self.progress and self.started is None:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def show(self, text):
        if not text:
            return
        self.clear_progress()
        sys.stdout.write(text)
        sys.stdout.flush()

    def console(self, data):
        lines = (self.rest + data.decode(errors="replace").replace("\r", "")).split("\n")
        self.rest = lines.pop()
        for line in lines:
            if self.status is None:     # what follows is only the power-off
                self.line(line)

    def line(self, line):
        if said := self.token.search(line):
            self.show(line[:said.start()])
            self.marker(*said.groups())
            return
        self.show(line + "\n")
        if (kernel := KERNEL_LINE.search(line)) and COMPLAINT.search(kernel[1]):
            if not self.complaint:
                self.complaint = kernel[1]
            if HOPELESS.search(kernel[1]):
                self.deadline = min(self.deadline, time.monotonic() + REPORT_SECONDS)

    def marker(self, what, value):
        now = time.monotonic()
        if what == "exit":
            self.status = int(value)
            return
        self.say(f"{self.args.name}: up {now - self.begin:.1f} s after power-on "
                 f"({value} s by its own clock)")
        self.started = now
        self.deadline = now + self.args.timeout

    def verdict(self):
        """Exit status, and why if it isn't the command's."""
        if self.status is not None:
            status, why = self.status, None
        elif time.monotonic() < self.deadline:
            status, why = UNTRUSTED, "the emulator stopped"
        elif self.started is None:
            status, why = UNTRUSTED, f"the guest didn't boot in {BOOT_LIMIT} s"
        else:
            status, why = TIMED_OUT, f"the command didn't end in {self.args.timeout:g} s"
        if self.complaint:
            status = UNTRUSTED
            why = f"the guest's kernel complained: {self.complaint}" + (f"; {why}" if why else "")
        return status, why


def watch(run, console, emulator):
    stopped = False
    while run.status is None and not stopped:
        left = run.deadline - time.monotonic()
        if left <= 0:
            break
        stopped = emulator.poll() is not None
        while select.select([console], [], [], 0 if stopped else min(left, 1))[0]:
            data = os.read(console, 1 << 16)
            if not data:
                break
            run.console(data)
        run.show_progress()
    if run.status is None:
        run.show(run.rest)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--console", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("emulator", nargs="+")
    args = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(128 + signal.SIGINT))
    # Opened for writing too, so that the read side neither blocks nor sees an early end.
    console = os.open(args.console, os.O_RDWR | os.O_NONBLOCK)
    run = Run(args)
    emulator = subprocess.Popen(args.emulator, stdin=subprocess.DEVNULL,
                                stdout=3 if args.trace else subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    try:
        watch(run, console, emulator)
    finally:
        emulator.kill()
        emulator.wait()
    status, why = run.verdict()
    if why:
        run.say(f"FAILED: {why}")
    sys.exit(status)


if __name__ == "__main__":
    main()
