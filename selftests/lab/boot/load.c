// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second half of the boot stub: kernel and initramfs from two ATA disks into memory.
 *
 * The boot disk holds what is the same for every run of a kernel (its ELF segments and the base
 * initramfs), the run disk what one run adds: a command line and a second cpio archive. The kernel
 * accepts concatenated archives as one initramfs, so neither has to be rebuilt for the other.
 */
#include <stdint.h>

#include "layout.h"

#define ATA_BASE		0x1f0
#define ATA_DATA		(ATA_BASE + 0)
#define ATA_COUNT		(ATA_BASE + 2)
#define ATA_LBA_LOW		(ATA_BASE + 3)
#define ATA_LBA_MID		(ATA_BASE + 4)
#define ATA_LBA_HIGH		(ATA_BASE + 5)
#define ATA_DEVICE		(ATA_BASE + 6)
#define ATA_COMMAND		(ATA_BASE + 7)
#define ATA_STATUS		(ATA_BASE + 7)
#define ATA_CONTROL		0x3f6

#define ATA_READ_SECTORS	0x20
#define ATA_BUSY		0x80
#define ATA_REQUEST		0x08
#define ATA_NO_INTERRUPT	0x02

enum disk { BOOT_DISK, RUN_DISK };

/* Follows the stub on the boot disk. A part without sectors is zeroed memory (.bss). */
struct boot_table {
	char magic[8];
	uint32_t entry;
	uint32_t initrd;
	uint32_t initrd_size;
	uint32_t parts;
	struct {
		uint32_t lba;
		uint32_t sectors;
		uint32_t address;
		uint32_t size;
	} part[30];
};

/* First sectors of the run disk; the archive follows. */
struct run_table {
	char magic[8];
	uint32_t archive_size;
	char command_line[2 * SECTOR - 12];
};

/* The PVH start-of-day structures (struct hvm_start_info, version 1). */
struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t module_list;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t memory_map_entries;
	uint32_t reserved;
};

struct module {
	uint64_t address;
	uint64_t size;
	uint64_t command_line;
	uint64_t reserved;
};

extern char memory_map[];
extern uint32_t memory_map_entries;

struct start_info start_info;

static struct module initrd;
static union {
	struct boot_table table;
	char sector[SECTOR];
} boot;
static union {
	struct run_table table;
	char sectors[2 * SECTOR];
} run;

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void *in_sector(void *to)
{
	uint32_t words = SECTOR / 4;

	asm volatile("rep insl" : "+D"(to), "+c"(words) : "d"(ATA_DATA) : "memory");
	return to;
}

static void zero(void *to, uint32_t size)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory");
}

/* Polled: the interrupt controller belongs to a BIOS that is never called again. */
static void read_sectors(enum disk disk, uint32_t lba, uint32_t sectors, void *to)
{
	while (sectors) {
		uint32_t count = sectors < 256 ? sectors : 256;

		outb(ATA_DEVICE, 0xe0 | disk << 4 | (lba >> 24 & 0x0f));
		outb(ATA_CONTROL, ATA_NO_INTERRUPT);
		outb(ATA_COUNT, count);		/* 256 is written as 0 */
		outb(ATA_LBA_LOW, lba);
		outb(ATA_LBA_MID, lba >> 8);
		outb(ATA_LBA_HIGH, lba >> 16);
		outb(ATA_COMMAND, ATA_READ_SECTORS);
		lba += count;
		sectors -= count;

		while (count--) {
			while ((inb(ATA_STATUS) & (ATA_BUSY | ATA_REQUEST)) != ATA_REQUEST)
				;
			to = in_sector(to);
		}
	}
}

static uint32_t sectors_of(uint32_t size)
{
	return (size + SECTOR - 1) / SECTOR;
}

/* Returns where the kernel wants to be entered. */
uint32_t load(void)
{
	uint32_t archive;

	read_sectors(BOOT_DISK, STUB_SECTORS, 1, boot.sector);
	for (uint32_t i = 0; i < boot.table.parts; i++) {
		void *address = (void *)boot.table.part[i].address;

		if (boot.table.part[i].sectors)
			read_sectors(BOOT_DISK, boot.table.part[i].lba, boot.table.part[i].sectors,
				     address);
		else
			zero(address, boot.table.part[i].size);
	}

	/* Between the archives lie only the zeros of a last sector, which the kernel skips. */
	archive = boot.table.initrd + sectors_of(boot.table.initrd_size) * SECTOR;
	read_sectors(RUN_DISK, 0, 2, run.sectors);
	read_sectors(RUN_DISK, 2, sectors_of(run.table.archive_size), (void *)archive);

	initrd.address = boot.table.initrd;
	initrd.size = archive + run.table.archive_size - boot.table.initrd;
	start_info.magic = 0x336ec578;
	start_info.version = 1;
	start_info.modules = 1;
	start_info.module_list = (uint32_t)&initrd;
	start_info.command_line = (uint32_t)run.table.command_line;
	start_info.memory_map = (uint32_t)memory_map;
	start_info.memory_map_entries = memory_map_entries;
	return boot.table.entry;
}
