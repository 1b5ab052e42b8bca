// SPDX-License-Identifier: GPL-2.0-only
/* VM exits, as KVM's own statistics count them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knbench.h"

static uint64_t read_stat(int fd, struct kvm_stats_header *header, struct kvm_stats_desc *descs,
			  const char *name)
{
	struct kvm_stats_desc *desc = NULL;
	uint64_t value;
	uint32_t i;

	for (i = 0; i < header->num_desc; i++) {
		desc = get_stats_descriptor(descs, i, header);
		if (!strcmp(desc->name, name))
			break;
	}
	TEST_ASSERT(i < header->num_desc, "KVM has no statistic '%s'", name);

	read_stat_data(fd, header, desc, &value, 1);
	return value;
}

static uint64_t read_exits(int fd)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs;
	uint64_t exits;

	TEST_ASSERT(pread(fd, &header, sizeof(header), 0) == sizeof(header),
		    "cannot read KVM's statistics, errno: %i", errno);
	descs = read_stats_descriptors(fd, &header);
	exits = read_stat(fd, &header, descs, "exits") - read_stat(fd, &header, descs, "irq_exits");
	free(descs);
	return exits;
}

void exit_meter_init(struct exit_meter *meter, struct kvm_vcpu *vcpus[], int nr_vcpus)
{
	int i;

	TEST_ASSERT(nr_vcpus <= ARRAY_SIZE(meter->fds), "too many vCPUs: %d", nr_vcpus);
	meter->nr_fds = nr_vcpus;
	for (i = 0; i < nr_vcpus; i++)
		meter->fds[i] = vcpu_get_stats_fd(vcpus[i]);
}

void exit_meter_stage(struct exit_meter *meter, enum stage stage)
{
	uint64_t *exits = stage == STAGE_START ? &meter->at_start : &meter->at_end;
	int i;

	*exits = 0;
	for (i = 0; i < meter->nr_fds; i++)
		*exits += read_exits(meter->fds[i]);
}

void exit_meter_uninit(struct exit_meter *meter)
{
	int i;

	for (i = 0; i < meter->nr_fds; i++)
		close(meter->fds[i]);
}
