#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Kernel and disk images of the emulated host.

  diskimage.py vmlinux VMLINUZ OUT           the uncompressed kernel of a bzImage
  diskimage.py boot STUB VMLINUX CPIO OUT    boot disk: stub, kernel segments, base initramfs
  diskimage.py run COMMAND-LINE CPIO OUT     run disk: kernel command line, this run's initramfs

boot/load.c reads both disks and describes their tables.
"""
import lzma
import struct
import subprocess
import sys

SECTOR = 512
STUB_SECTORS = 8
CYLINDER = 16 * 63 * SECTOR     # Bochs wants whole cylinders
PT_LOAD, PT_NOTE = 1, 4
XEN_ELFNOTE_PHYS32_ENTRY = 18
INITRD_ALIGN = 16 << 20


def vmlinux(bzimage):
    """The payload of a bzImage, by the boot protocol's own header."""
    setup_sectors = bzimage[0x1f1]
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    offset += (setup_sectors + 1) * SECTOR
    payload = bzimage[offset:offset + length - 4]       # the last word is the size unpacked
    if payload.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dcq"], input=payload, stdout=subprocess.PIPE,
                              check=True).stdout
    if payload.startswith(b"\xfd7zXZ"):
        return lzma.decompress(payload)
    sys.exit("diskimage: a kernel compressed with neither zstd nor xz")


def program_headers(elf):
    """(type, offset, paddr, filesz, memsz) of each program header of a 64-bit ELF."""
    start, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, _, offset, _, paddr, filesz, memsz = struct.unpack_from("<IIQQQQQ", elf,
                                                                      start + i * size)
        yield kind, offset, paddr, filesz, memsz


def pvh_entry(elf):
    """The address in the kernel's PVH note."""
    for kind, offset, _, filesz, _ in program_headers(elf):
        end = offset + filesz
        while kind == PT_NOTE and offset + 12 <= end:
            namesz, descsz, note = struct.unpack_from("<III", elf, offset)
            name = offset + 12
            desc = name + (namesz + 3 & ~3)
            if note == XEN_ELFNOTE_PHYS32_ENTRY and elf[name:name + namesz] == b"Xen\0":
                return int.from_bytes(elf[desc:desc + min(descsz, 8)], "little")
            offset = desc + (descsz + 3 & ~3)
    sys.exit("diskimage: the kernel has no PVH entry")


def padded(data, unit):
    return data + bytes(-len(data) % unit)


def boot_disk(stub, elf, cpio):
    if len(stub) > STUB_SECTORS * SECTOR:
        sys.exit("diskimage: the boot stub is too large")
    contents, parts, end = bytearray(), [], 0

    def add(data, address):
        lba = STUB_SECTORS + 1 + len(contents) // SECTOR
        contents.extend(padded(data, SECTOR))
        parts.append((lba, -(-len(data) // SECTOR), address, len(data)))

    for kind, offset, paddr, filesz, memsz in program_headers(elf):
        if kind != PT_LOAD:
            continue
        add(elf[offset:offset + filesz], paddr)
        if memsz > filesz:
            parts.append((0, 0, paddr + filesz, memsz - filesz))
        end = max(end, paddr + memsz)
    initrd = -(-end // INITRD_ALIGN) * INITRD_ALIGN
    add(cpio, initrd)

    table = struct.pack("<8sIIII", b"labboot", pvh_entry(elf), initrd, len(cpio), len(parts))
    for part in parts:
        table += struct.pack("<IIII", *part)
    if len(table) > SECTOR:
        sys.exit("diskimage: too many kernel segments")
    return padded(padded(stub, STUB_SECTORS * SECTOR) + padded(table, SECTOR) + contents, CYLINDER)


def run_disk(command_line, cpio):
    text = command_line.encode()
    if len(text) >= 2 * SECTOR - 12:
        sys.exit("diskimage: the kernel command line is too long")
    header = struct.pack("<8sI", b"labrun", len(cpio)) + text
    return padded(padded(header, 2 * SECTOR) + cpio, CYLINDER)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    what, *args, out = sys.argv[1:]
    if what == "vmlinux":
        image = vmlinux(read(args[0]))
    elif what == "boot":
        image = boot_disk(*(read(path) for path in args))
    else:
        image = run_disk(args[0], read(args[1]))
    with open(out, "wb") as file:
        file.write(image)


if __name__ == "__main__":
    main()
