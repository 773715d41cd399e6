/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time to collect all domains of an embedded driver: ours beside the bare bulk
 * call, in turns on one connection. Usage: collect ROOT. Prints rows "NAME VALUE UNIT BASELINE".
 */
#include "base/clock.h"
#include "hypervisor/embedded.h"
#include "hypervisor/internal.h"

#include <stdint.h>
#include <stdio.h>

#define ROUNDS 31

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

/* The same groups of figures, and nothing done with them. */
static int collect_bare(virConnectPtr connection)
{
	virDomainStatsRecordPtr *records = NULL;
	int count = libvirt.virConnectGetAllDomainStats(
		connection, 0, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT);

	if (count >= 0)
		libvirt.virDomainStatsRecordListFree(records);
	return count;
}

static int measure(struct hypervisor *hypervisor, struct error *err)
{
	double ours[ROUNDS], bare[ROUNDS];
	virConnectPtr connection = hypervisor_connection(hypervisor, err);
	size_t domains = 0;

	if (!connection)
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free struct domain_stats *list = NULL;
		double start = (double)clock_us() / 1000;

		if (hypervisor_collect(hypervisor, 10000, &list, &domains, err) < 0)
			return -1;
		ours[i] = (double)clock_us() / 1000 - start;
		start = (double)clock_us() / 1000;
		if (collect_bare(connection) != (int)domains)
			return error_set(err, ERR_INTERNAL, "the bare call sees other domains");
		bare[i] = (double)clock_us() / 1000 - start;
	}
	libvirt.virConnectClose(connection);
	printf("collect_%zu_domains %.2f ms %.2f\n", domains, median(ours), median(bare));
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	cleanup_free char *uri = NULL;

	if (argc != 2) {
		fprintf(stderr, "usage: collect ROOT\n");
		return 2;
	}
	if (hypervisor_embedded_prepare(argv[1], &uri, &err) == 0) {
		struct hypervisor_config config = {.uri = uri};
		struct hypervisor *hypervisor = hypervisor_start(&config, &err);

		if (hypervisor) {
			if (hypervisor_wait(hypervisor, 60000, &err) == 0)
				measure(hypervisor, &err);
			hypervisor_stop(hypervisor);
		}
	}
	if (error_is_set(&err)) {
		fprintf(stderr, "collect: %s\n", err.message);
		return 1;
	}
	return 0;
}
