// SPDX-License-Identifier: GPL-2.0-only
/*
 * hand: give standard input to the host, out of the guest.
 *
 * Writes it to the emulated host's third ATA disk from user space. The guest's kernel has no disk
 * driver loaded (they are modules, and probing takes seconds), so nobody else drives the ports.
 * The first sector holds the size and is written last: a disk that says 0 was never completed.
 */
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include "layout.h"

#define ATA_BASE		0x170
#define ATA_DATA		(ATA_BASE + 0)
#define ATA_COUNT		(ATA_BASE + 2)
#define ATA_LBA_LOW		(ATA_BASE + 3)
#define ATA_LBA_MID		(ATA_BASE + 4)
#define ATA_LBA_HIGH		(ATA_BASE + 5)
#define ATA_DEVICE		(ATA_BASE + 6)
#define ATA_COMMAND		(ATA_BASE + 7)
#define ATA_STATUS		(ATA_BASE + 7)
#define ATA_CONTROL		0x376

#define ATA_WRITE_SECTORS	0x30
#define ATA_BUSY		0x80
#define ATA_REQUEST		0x08
#define ATA_ERROR		0x01
#define ATA_NO_INTERRUPT	0x02

static uint8_t wait_ready(void)
{
	uint8_t status;

	while ((status = inb(ATA_STATUS)) & ATA_BUSY)
		;
	return status;
}

static void write_sector(uint32_t lba, const void *data)
{
	outb(0xe0 | (lba >> 24 & 0x0f), ATA_DEVICE);
	outb(ATA_NO_INTERRUPT, ATA_CONTROL);
	outb(1, ATA_COUNT);
	outb(lba, ATA_LBA_LOW);
	outb(lba >> 8, ATA_LBA_MID);
	outb(lba >> 16, ATA_LBA_HIGH);
	outb(ATA_WRITE_SECTORS, ATA_COMMAND);
	if (!(wait_ready() & ATA_REQUEST))
		errx(1, "the disk takes no data at sector %u", lba);
	outsl(ATA_DATA, data, SECTOR / 4);
	if (wait_ready() & ATA_ERROR)
		errx(1, "write error at sector %u", lba);
}

int main(void)
{
	static char buffer[SECTOR];
	uint64_t size = 0;
	size_t have = 0;
	ssize_t got;

	if (iopl(3))
		err(1, "iopl");
	do {
		got = read(STDIN_FILENO, buffer + have, SECTOR - have);
		if (got < 0)
			err(1, "read");
		have += got;
		if (have < SECTOR && got)
			continue;
		memset(buffer + have, 0, SECTOR - have);
		if (have)
			write_sector(1 + size / SECTOR, buffer);
		size += have;
		have = 0;
	} while (got);

	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, &size, sizeof(size));
	write_sector(0, buffer);
	return EXIT_SUCCESS;
}
