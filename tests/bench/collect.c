/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time to collect all domains of a libvirt: ours beside the bare bulk call, in turns.
 * Usage: collect URI. Prints rows "NAME VALUE UNIT BASELINE".
 */
#include "base/clock.h"
#include "hypervisor/internal.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 31

/* ms: what passed, and what this process used of the processors. */
struct spent {
	double wall, cpu;
};

static struct spent spent_now(void)
{
	struct timespec cpu;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return (struct spent){
		(double)clock_us() / 1000, (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6};
}

static void spent_since(struct spent start, double *wall, double *cpu)
{
	struct spent end = spent_now();

	*wall = end.wall - start.wall;
	*cpu = end.cpu - start.cpu;
}

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
	double wall[2][ROUNDS], cpu[2][ROUNDS];
	virConnectPtr connection = hypervisor_connection(hypervisor, err);
	size_t domains = 0;

	if (!connection)
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free struct domain_stats *list = NULL;
		struct spent start = spent_now();

		if (hypervisor_collect(hypervisor, 10000, &list, &domains, err) < 0)
			return -1;
		spent_since(start, &wall[0][i], &cpu[0][i]);
		start = spent_now();
		if (collect_bare(connection) != (int)domains)
			return error_set(err, ERR_INTERNAL, "the bare call sees other domains");
		spent_since(start, &wall[1][i], &cpu[1][i]);
	}
	libvirt.virConnectClose(connection);
	printf("%zu_domains,_wall_time_(the_bare_bulk_call) %.2f ms %.2f\n", domains,
		median(wall[0]), median(wall[1]));
	printf("%zu_domains,_own_processor_time_(likewise) %.2f ms %.2f\n", domains, median(cpu[0]),
		median(cpu[1]));
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = {0};

	if (argc != 2) {
		fprintf(stderr, "usage: collect URI\n");
		return 2;
	}
	struct hypervisor_config config = {.uri = argv[1]};
	struct hypervisor *hypervisor = hypervisor_start(&config, &err);

	if (hypervisor) {
		if (hypervisor_wait(hypervisor, 60000, &err) == 0)
			measure(hypervisor, &err);
		hypervisor_stop(hypervisor);
	}
	if (error_is_set(&err)) {
		fprintf(stderr, "collect: %s\n", err.message);
		return 1;
	}
	return 0;
}
