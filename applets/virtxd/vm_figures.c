/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters to percent, MHz and KiB/s; bytes to MiB. */
#include "vm_figures.h"

#include "base/str.h"
#include "host_stats.h"

#define SHORTEST_INTERVAL_NS 1000000000
#define MIB                  (1024 * 1024)

static int32_t clamp(uint64_t number)
{
	return number > INT32_MAX ? INT32_MAX : (int32_t)number;
}

bool vm_figures_is_active(enum runstate runstate)
{
	return runstate != RUNSTATE_NONE && runstate != RUNSTATE_DELETED &&
	       runstate != RUNSTATE_POWEROFF;
}

static bool is_cdrom(const struct vm_figures_context *context, const char *target)
{
	for (size_t i = 0; i < context->n_cdroms; i++)
		if (str_equal(context->cdroms[i], target))
			return true;
	return false;
}

static void sum_disks(struct vmstats *to, const struct domain_stats *stats,
	const struct vm_figures_context *context)
{
	uint64_t capacity = 0, allocation = 0, physical = 0;

	for (unsigned i = 0; i < stats->n_disks; i++) {
		if (is_cdrom(context, stats->disks[i].target))
			continue;
		capacity += stats->disks[i].capacity;
		allocation += stats->disks[i].allocation;
		physical += stats->disks[i].physical;
	}
	to->disk_capacity_mib = (int64_t)(capacity / MIB);
	to->disk_allocation_mib = (int64_t)(allocation / MIB);
	to->disk_physical_mib = (int64_t)(physical / MIB);
}

static void update_rates(struct vmstats *to, struct vm_counters *last,
	const struct domain_stats *stats, const struct vm_figures_context *context)
{
	int64_t interval = context->now_ns - last->at_ns;

	if (last->at_ns && interval < SHORTEST_INTERVAL_NS)
		return;
	if (last->at_ns) {
		/* ns of work per second: ten million are one percent. */
		uint64_t work = host_stats_rate(last->cpu_ns, stats->cpu_time_ns, interval);

		to->cpu_utilization = clamp(work / 10000000);
		to->mhz_used = clamp((uint64_t)((double)work / 1e9 * context->mhz));
		to->net_rx_kib_s = clamp(
			host_stats_rate(last->rx_bytes, stats->net_rx_bytes, interval) / 1024);
		to->net_tx_kib_s = clamp(
			host_stats_rate(last->tx_bytes, stats->net_tx_bytes, interval) / 1024);
	}
	*last = (struct vm_counters){
		.cpu_ns = stats->cpu_time_ns,
		.rx_bytes = stats->net_rx_bytes,
		.tx_bytes = stats->net_tx_bytes,
		.at_ns = context->now_ns,
	};
}

void vm_figures_update(struct vm *vm, struct vm_counters *last, const struct domain_stats *stats,
	const struct vm_figures_context *context)
{
	struct vmstats *to = &vm->stats;

	if (!vm_figures_is_active(stats->runstate)) {
		to->cpu_utilization = to->mhz_used = to->net_rx_kib_s = to->net_tx_kib_s = 0;
		to->memory_used_mib = 0;
		*last = (struct vm_counters){0};
	}
	if (!to->memory_capacity_mib)
		to->memory_capacity_mib = vm->def.memory_mib;
	if (!stats->complete)
		return;
	if (stats->memory_max_kib)
		to->memory_capacity_mib = stats->memory_max_kib / 1024;
	sum_disks(to, stats, context);
	if (!vm_figures_is_active(stats->runstate))
		return;
	to->memory_used_mib = stats->memory_rss_kib / 1024;
	update_rates(to, last, stats, context);
}
