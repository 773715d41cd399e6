/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time to collect all domains of a libvirt: ours beside the bare bulk call, in turns.
 * Usage: collect URI PID, of its libvirtd. Prints rows "NAME VALUE UNIT BASELINE".
 */
#include "hypervisor/internal.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 31

/* What passed, and what this process and libvirtd used of the processors. */
enum spent { WALL, OWN, LIBVIRTD, SPENT_COUNT };
static const char *const spent_names[SPENT_COUNT] = {
	"wall_time", "own_processor_time", "processor_time_of_libvirtd"};

static clockid_t libvirtd_clock;

static double clock_in_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void spent_now(double ms[static SPENT_COUNT])
{
	ms[WALL] = clock_in_ms(CLOCK_MONOTONIC);
	ms[OWN] = clock_in_ms(CLOCK_PROCESS_CPUTIME_ID);
	ms[LIBVIRTD] = clock_in_ms(libvirtd_clock);
}

/* Of round i of each. */
static void note_spent(const double start[static SPENT_COUNT], double ms[][ROUNDS], int i)
{
	double end[SPENT_COUNT];

	spent_now(end);
	for (int k = 0; k < SPENT_COUNT; k++)
		ms[k][i] = end[k] - start[k];
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
	int count = libvirt.virConnectGetAllDomainStats(connection, STATS_GROUPS, &records,
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT |
			VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);

	if (count >= 0)
		libvirt.virDomainStatsRecordListFree(records);
	return count;
}

static int measure(struct hypervisor *hypervisor, struct error *err)
{
	double ours[SPENT_COUNT][ROUNDS], bare[SPENT_COUNT][ROUNDS], start[SPENT_COUNT];
	virConnectPtr connection = hypervisor_connection(hypervisor, err);
	size_t domains = 0;

	if (!connection)
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		cleanup_free struct domain_stats *list = NULL;

		spent_now(start);
		if (hypervisor_collect(hypervisor, 10000, &list, &domains, err) < 0)
			return -1;
		note_spent(start, ours, i);
		spent_now(start);
		if (collect_bare(connection) != (int)domains)
			return error_set(err, ERR_INTERNAL, "the bare call sees other domains");
		note_spent(start, bare, i);
	}
	libvirt.virConnectClose(connection);
	for (int k = 0; k < SPENT_COUNT; k++)
		printf("%zu_domains,_%s_(bare_call) %.2f ms %.2f\n", domains, spent_names[k],
			median(ours[k]), median(bare[k]));
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = {0};

	if (argc != 3 || clock_getcpuclockid((pid_t)strtoul(argv[2], NULL, 10), &libvirtd_clock)) {
		fprintf(stderr, "usage: collect URI PID\n");
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
