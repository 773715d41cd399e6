/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The figures of this host (spec: statistics.md): what is read once, what is read every round, and
 * the arithmetic between. The collector brings libvirt's part; files are named by the caller, so
 * that tests bring their own.
 */
#ifndef VIRTXD_HOST_STATS_H
#define VIRTXD_HOST_STATS_H

#include "hypervisor/hypervisor.h"
#include "model/host.h"

struct host_files {
	const char *meminfo;
	const char *os_release[2]; /* the first that can be read */
	const char *max_freq;      /* of cpu0, kHz */
	const char *preplace;      /* lines "-o VALUE" */
};

/* Those of the running system. */
extern const struct host_files host_files_system;

/*
 * Fills identity and definition of a host, all that does not change: from libvirt and from the
 * files. What a file does not tell is empty or libvirt's. *mhz is that of one CPU. host is zeroed
 * first.
 */
void host_stats_identify(const struct host_files *files, const struct hypervisor_host *from,
	struct host *host, int32_t *mhz);

/* What one round knows. Sums are over all persistent VMs of the host. */
struct host_round {
	int64_t memory_kib; /* of the node */
	int32_t mhz;        /* of one CPU */
	int32_t cpus;       /* nodes x sockets x cores x threads */
	struct hypervisor_load load;
	int64_t at_ns;                             /* monotonic time of load; 0: load is unknown */
	int64_t vms_hugepages_mib, vms_memory_mib; /* defined, with and without huge pages */
	int64_t vms_resident_mib;
	int64_t vms_vcpus;
	int64_t vms_mhz; /* used */
};

/* The CPU time that the round before saw; zeroed at first. */
struct host_last {
	uint64_t busy_ns;
	int64_t at_ns;
};

/* Fills memory, hugepages and processor, and notes the round in *last. */
void host_stats_compute(const struct host_files *files, const struct host_round *round,
	struct host_last *last, struct host *host);

/*
 * MiB that all VMs together may have, as admission sees it: total without what the rest of the host
 * really needs. Of memory that is less than used_os: caches count as used there, but the kernel
 * gives them up. After host_stats_compute() with the same round.
 */
struct host_limits {
	int64_t memory, hugepages;
};
void host_stats_limits(const struct host_files *files, const struct host_round *round,
	const struct host *host, struct host_limits *limits);

/* Growth of a counter per second over an interval; 0 when it went backwards or there is no
 * interval. */
uint64_t host_stats_rate(uint64_t before, uint64_t now, int64_t interval_ns);

#endif
