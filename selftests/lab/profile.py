#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sum up the emulator's instruction trace by function.

  profile.py KALLSYMS [--json FILE] <TRACE

The trace may have any number of traced sections; each becomes one of the report. It is counted as
it arrives, as it is far too large to keep. KALLSYMS is read at the end, when the guest has handed
it over.

The trace doesn't say in which VM an instruction ran, and a Linux in a VM has the host's addresses.
So a section is cut where control moved without a branch: VM entries, VM exits, interrupts. The VM
exits are then the cuts that lead to the kernel code right behind its VMRESUME, which makes known
what ran in the host and what in its guests.
"""
import argparse
import bisect
import collections
import json
import re
import sys

BEGIN, END = b"Tracing enabled", b"Tracing disabled"
# (0).[ticks] [0xphysical] cs:virtual (context): mnemonic operands ; bytes
INSTRUCTION = re.compile(rb"\(0\)\.\[\d+\] \[0x([0-9a-f]+)\] [0-9a-f]+:([0-9a-f]+) \(.*?\): (\w+)"
                         rb".*; ([0-9a-f]+)")
BRANCH = re.compile(rb"j|call|ret|iret|sys|int|loop")
ENTRY = (b"vmlaunch", b"vmresume")
VMX = frozenset(b"vmread vmwrite vmptrld vmptrst vmclear vmlaunch vmresume vmxon vmxoff vmcall "
                b"vmfunc invept invvpid".split())
KERNEL = 1 << 63
BEHIND_ENTRY = 64       # bytes in which the VM exit's target follows VMLAUNCH or VMRESUME
TOP = 40


class Stretch:
    """Instructions between two cuts."""
    def __init__(self, physical, virtual):
        self.start = physical, virtual
        self.addresses = collections.Counter()
        self.vmx = collections.Counter()
        self.entry = None       # where it ended with VMLAUNCH or VMRESUME


class Section:
    def __init__(self):
        self.stretches = []
        self.expected = None    # where the next instruction is, None after a branch
        self.entered = False

    def line(self, line):
        found = INSTRUCTION.match(line)
        if not found:
            return
        physical, virtual = int(found[1], 16), int(found[2], 16)
        name = found[3]
        if (not self.stretches or self.entered or
                self.expected and virtual not in self.expected):
            self.stretches.append(Stretch(physical, virtual))
        stretch = self.stretches[-1]
        stretch.addresses[virtual] += 1
        self.entered = name in ENTRY
        if name in VMX:
            stretch.vmx[name.decode()] += 1
            if self.entered:
                stretch.entry = physical
        # A repeated string instruction stays where it is.
        self.expected = None if BRANCH.match(name) else (virtual + len(found[4]) // 2, virtual)


def read_trace(trace):
    sections, section = [], None
    for line in trace:
        if section and line.startswith(b"(0)."):
            section.line(line)
        elif line.startswith(BEGIN):
            section = Section()
        elif section and line.startswith(END):
            sections.append(section)
            section = None
    return sections


def find_exit(sections):
    """The physical address where the host goes on after a VM exit.

    A guest hypervisor has such a place too, but the host sees all the guest's exits and more.
    """
    entries, starts = set(), collections.Counter()
    for section in sections:
        for stretch in section.stretches:
            if stretch.start[1] & KERNEL:
                starts[stretch.start[0]] += 1
            if stretch.entry:
                entries.add(stretch.entry)
    for physical, _ in starts.most_common():
        if any(entry < physical <= entry + BEHIND_ENTRY for entry in entries):
            return physical
    return None


def in_host(section, vm_exit):
    """(stretch, whether it ran in the host) for each stretch."""
    def enters(stretch):
        return vm_exit and stretch.entry and stretch.entry < vm_exit <= stretch.entry + BEHIND_ENTRY

    # A section that reaches a VM exit before it has made a VM entry began in a guest.
    host = True
    for stretch in section.stretches:
        if stretch.start[0] == vm_exit:
            host = False
            break
        if enters(stretch):
            break
    for stretch in section.stretches:
        host = host or stretch.start[0] == vm_exit
        yield stretch, host
        if host and enters(stretch):
            host = False


class Symbols:
    def __init__(self, path):
        symbols = []
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                address, kind, *name = line.split()
                if kind in "tTwW":
                    symbols.append((int(address, 16), " ".join(name)))
        symbols.sort()
        self.addresses = [address for address, _ in symbols]
        self.names = [name for _, name in symbols]

    def name(self, address):
        if address < KERNEL:
            return "[user]"
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.names[i] if i >= 0 else "[unknown]"


def summary(section, vm_exit, symbols):
    functions, vmx, guest_vmx = (collections.Counter() for _ in range(3))
    exits = 0
    for stretch, host in in_host(section, vm_exit):
        exits += stretch.start[0] == vm_exit
        if host:
            for address, count in stretch.addresses.items():
                functions[symbols.name(address)] += count
            vmx.update(stretch.vmx)
        else:
            functions["[guest]"] += stretch.addresses.total()
            guest_vmx.update(stretch.vmx)
    return {"total": functions.total(), "exits": exits, "functions": dict(functions.most_common()),
            "vmx": dict(vmx.most_common()), "guest_vmx": dict(guest_vmx.most_common())}


def show(number, data):
    print(f"profile {number}: {data['total']} instructions (emulated), {data['exits']} VM exits")
    for name, count in data["vmx"].items():
        print(f"{count:9}         {name} by the host")
    for name, count in data["guest_vmx"].items():
        print(f"{count:9}         {name} by a guest")
    functions = list(data["functions"].items())
    for name, count in functions[:TOP]:
        print(f"{count:9} {100 * count / data['total']:5.1f}%  {name}")
    if rest := sum(count for _, count in functions[TOP:]):
        print(f"{rest:9} {100 * rest / data['total']:5.1f}%  in {len(functions) - TOP} others")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kallsyms")
    parser.add_argument("--json")
    args = parser.parse_args()

    sections = read_trace(sys.stdin.buffer)
    if not sections:
        sys.exit("lab: no profile: the command executed no pair of 'xchg %bx,%bx'")
    try:
        symbols = Symbols(args.kallsyms)
    except FileNotFoundError:
        sys.exit("lab: no profile: the run ended before it handed over its symbols")
    vm_exit = find_exit(sections)
    data = [summary(section, vm_exit, symbols) for section in sections]
    for number, section in enumerate(data, 1):
        show(number, section)
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(data, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
