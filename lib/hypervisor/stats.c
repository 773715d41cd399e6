/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt's states and typed parameters as ours (spec: statistics.md). */
#include "hypervisor/internal.h"

#include "base/str.h"

#include <errno.h>

enum runstate runstate_from_libvirt(int state, int reason)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
		return RUNSTATE_RUNNING;
	case VIR_DOMAIN_BLOCKED:
		return RUNSTATE_PAUSED;
	case VIR_DOMAIN_PAUSED:
		switch (reason) {
		case VIR_DOMAIN_PAUSED_MIGRATION:
			return RUNSTATE_MIGRATING;
		case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
			return RUNSTATE_TERMINATING;
		case VIR_DOMAIN_PAUSED_CRASHED:
			return RUNSTATE_CRASHED;
		case VIR_DOMAIN_PAUSED_STARTING_UP:
			return RUNSTATE_STARTUP;
		default:
			return RUNSTATE_PAUSED;
		}
	case VIR_DOMAIN_SHUTDOWN:
		return RUNSTATE_TERMINATING;
	case VIR_DOMAIN_SHUTOFF:
		switch (reason) {
		case VIR_DOMAIN_SHUTOFF_CRASHED:
			return RUNSTATE_CRASHED;
		case VIR_DOMAIN_SHUTOFF_MIGRATED:
			return RUNSTATE_DELETED;
		default:
			return RUNSTATE_POWEROFF;
		}
	case VIR_DOMAIN_CRASHED:
		return RUNSTATE_CRASHED;
	case VIR_DOMAIN_PMSUSPENDED:
		return RUNSTATE_PMSUSPENDED;
	default:
		return RUNSTATE_NONE;
	}
}

/* Any number of libvirt's as a count: negative ones and what is no whole number are 0. */
static uint64_t number(const virTypedParameter *param)
{
	switch (param->type) {
	case VIR_TYPED_PARAM_INT:
		return param->value.i > 0 ? (uint64_t)param->value.i : 0;
	case VIR_TYPED_PARAM_UINT:
		return param->value.ui;
	case VIR_TYPED_PARAM_LLONG:
		return param->value.l > 0 ? (uint64_t)param->value.l : 0;
	case VIR_TYPED_PARAM_ULLONG:
		return param->value.ul;
	default:
		return 0;
	}
}

uint64_t params_get_count(const virTypedParameter *params, int count, const char *field)
{
	for (int i = 0; i < count; i++)
		if (str_equal(params[i].field, field))
			return number(&params[i]);
	return 0;
}

static int64_t signed_number(const virTypedParameter *param)
{
	uint64_t value = number(param);

	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* "PREFIX7.rest": the index, and where the rest begins; NULL for another name. */
static const char *indexed_field(const char *field, const char *prefix, unsigned long *index)
{
	char *end;

	if (!str_starts_with(field, prefix))
		return NULL;
	field += strlen(prefix);
	if (*field < '0' || *field > '9')
		return NULL;
	errno = 0;
	*index = strtoul(field, &end, 10);
	return errno == 0 && *end == '.' ? end + 1 : NULL;
}

static void read_disk(struct domain_stats *stats, unsigned long index, const char *field,
	const virTypedParameter *param)
{
	struct domain_disk *disk;

	if (index >= DOMAIN_DISKS_MAX)
		return;
	disk = &stats->disks[index];
	if (str_equal(field, "name") && param->type == VIR_TYPED_PARAM_STRING)
		str_copy(disk->target, sizeof(disk->target), param->value.s);
	else if (str_equal(field, "capacity"))
		disk->capacity = number(param);
	else if (str_equal(field, "allocation"))
		disk->allocation = number(param);
	else if (str_equal(field, "physical"))
		disk->physical = number(param);
	if (index >= stats->n_disks)
		stats->n_disks = (unsigned)index + 1;
}

static void read_param(struct domain_stats *stats, const virTypedParameter *param,
	bool *has_maximum, bool *has_rss)
{
	const char *name = param->field;
	unsigned long index;
	const char *field;

	if (str_equal(name, "state.state")) {
		stats->state = (int)number(param);
	} else if (str_equal(name, "state.reason")) {
		stats->reason = (int)number(param);
	} else if (str_equal(name, "cpu.time")) {
		stats->cpu_time_ns = number(param);
	} else if (str_equal(name, "balloon.maximum")) {
		stats->memory_max_kib = signed_number(param);
		*has_maximum = true;
	} else if (str_equal(name, "balloon.rss")) {
		stats->memory_rss_kib = signed_number(param);
		*has_rss = true;
	} else if (str_equal(name, "vcpu.current")) {
		stats->vcpus = (unsigned)number(param);
	} else if ((field = indexed_field(name, "block.", &index))) {
		read_disk(stats, index, field, param);
	} else if ((field = indexed_field(name, "net.", &index))) {
		if (str_equal(field, "rx.bytes"))
			stats->net_rx_bytes += number(param);
		else if (str_equal(field, "tx.bytes"))
			stats->net_tx_bytes += number(param);
	}
}

void stats_from_params(
	struct domain_stats *stats, bool active, const virTypedParameter *params, int count)
{
	bool has_maximum = false, has_rss = false;

	for (int i = 0; i < count; i++)
		read_param(stats, &params[i], &has_maximum, &has_rss);
	stats->runstate = runstate_from_libvirt(stats->state, stats->reason);
	/* The resident size is what is missing when a busy domain was passed over (NOWAIT). */
	stats->complete = active ? has_rss : has_maximum;
	if (!active) {
		/* libvirt reads the statistics of process 0, its own, for a domain without a
		 * process. */
		stats->cpu_time_ns = 0;
		stats->memory_rss_kib = 0;
	}
}
