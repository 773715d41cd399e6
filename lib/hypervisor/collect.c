/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of all domains in one call.
 *
 * A stopped (SIGSTOP) or hung QEMU process blocks libvirt's bulk call for as
 * long as it lasts. So the call is made in a thread that can be left behind; the
 * one that hangs holds the domain's job, and later calls, which all say NOWAIT,
 * pass over that domain alone: its figures go stale, those of the others do not.
 */
#include "hypervisor/internal.h"

#include "base/deadline.h"
#include "base/str.h"

/* Each has met a different hung QEMU, and holds one of libvirtd's workers. */
#define LEFT_BEHIND_MAX 3
#define ONE_TIMEOUT_MS  2000

/* What the thread works on and with; it is freed by whoever has it last. */
struct collection {
	struct hypervisor *hypervisor;
	virConnectPtr connection;
	unsigned groups;
	char uuid[UUID_TEXT_SIZE]; /* "": all persistent domains */
	struct domain_stats *list;
	size_t count;
	struct error err;
};

static void collection_free(struct collection *collection)
{
	if (collection->connection)
		libvirt.virConnectClose(collection->connection);
	hypervisor_unref(collection->hypervisor);
	free(collection->list);
	free(collection);
}

static void collection_discard(void *argument)
{
	struct collection *collection = argument;

	atomic_fetch_sub(&collection->hypervisor->left_behind, 1);
	collection_free(collection);
}

static int compare_uuids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The UUIDs of the domains with autostart, sorted, in one call; the caller frees them. */
static int list_autostart(
	virConnectPtr connection, char (**uuids)[UUID_TEXT_SIZE], size_t *count, struct error *err)
{
	virDomainPtr *domains = NULL;
	int n = libvirt.virConnectListAllDomains(connection, &domains,
		VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_AUTOSTART);

	if (n < 0)
		return libvirt_error(err, "listing domains");
	*uuids = xcalloc((size_t)n + 1, sizeof(**uuids));
	for (int i = 0; i < n; i++) {
		libvirt.virDomainGetUUIDString(domains[i], (*uuids)[i]);
		libvirt.virDomainFree(domains[i]);
	}
	free(domains);
	*count = (size_t)n;
	qsort(*uuids, *count, sizeof(**uuids), compare_uuids);
	return 0;
}

static void read_record(struct domain_stats *stats, const virDomainStatsRecord *record)
{
	/* No call to the driver: both come with the record. */
	bool active = libvirt.virDomainGetID(record->dom) != (unsigned)-1;

	libvirt.virDomainGetUUIDString(record->dom, stats->uuid);
	stats_from_params(stats, active, record->params, record->nparams);
}

static int collect_all(struct collection *collection)
{
	cleanup_free char(*autostart)[UUID_TEXT_SIZE] = NULL;
	virDomainStatsRecordPtr *records = NULL;
	size_t n_autostart = 0;
	int n;

	if (list_autostart(collection->connection, &autostart, &n_autostart, &collection->err))
		return -1;
	n = libvirt.virConnectGetAllDomainStats(collection->connection, collection->groups,
		&records,
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT |
			VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (n < 0)
		return libvirt_error(&collection->err, "reading the statistics of all domains");
	collection->list = xcalloc((size_t)n + 1, sizeof(*collection->list));
	collection->count = (size_t)n;
	for (int i = 0; i < n; i++) {
		struct domain_stats *stats = &collection->list[i];

		read_record(stats, records[i]);
		stats->persistent = true;
		stats->autostart = bsearch(stats->uuid, autostart, n_autostart, UUID_TEXT_SIZE,
					   compare_uuids) != NULL;
	}
	libvirt.virDomainStatsRecordListFree(records);
	return 0;
}

static int collect_uuid(struct collection *collection)
{
	virDomainStatsRecordPtr *records = NULL;
	cleanup_domain virDomainPtr domain = NULL;
	virDomainPtr domains[2] = {NULL, NULL};
	struct domain_stats *stats;
	int autostart = 0;
	int n;

	domain = libvirt.virDomainLookupByUUIDString(collection->connection, collection->uuid);
	if (!domain)
		return libvirt_error(&collection->err, "looking for VM %s", collection->uuid);
	domains[0] = domain;
	n = libvirt.virDomainListGetStats(
		domains, collection->groups, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	if (n < 0)
		return libvirt_error(
			&collection->err, "reading the statistics of VM %s", collection->uuid);
	if (n == 0) {
		libvirt.virDomainStatsRecordListFree(records);
		return error_set(
			&collection->err, ERR_NOT_FOUND, "VM %s went away", collection->uuid);
	}
	collection->list = xcalloc(1, sizeof(*collection->list));
	collection->count = 1;
	stats = &collection->list[0];
	read_record(stats, records[0]);
	libvirt.virDomainStatsRecordListFree(records);
	stats->persistent = libvirt.virDomainIsPersistent(domain) == 1;
	libvirt.virDomainGetAutostart(domain, &autostart); /* stays 0 for a transient one */
	stats->autostart = autostart != 0;
	return 0;
}

static void collection_run(void *argument)
{
	struct collection *collection = argument;

	collection->connection = hypervisor_connection(collection->hypervisor, &collection->err);
	if (!collection->connection)
		return;
	if (*collection->uuid)
		collect_uuid(collection);
	else
		collect_all(collection);
}

/* One call with a deadline: ERR_TIMEOUT when it was left behind. */
static int collect_groups(struct hypervisor *hypervisor, const char *uuid, unsigned groups,
	unsigned timeout_ms, struct domain_stats **list, size_t *count, struct error *err)
{
	struct collection *collection = xcalloc(1, sizeof(*collection));
	int result = 0;

	collection->hypervisor = hypervisor_ref(hypervisor);
	collection->groups = groups;
	str_copy(collection->uuid, sizeof(collection->uuid), uuid);
	if (!deadline_run(collection_run, collection_discard, collection, timeout_ms)) {
		atomic_fetch_add(&hypervisor->left_behind, 1); /* until collection_discard() */
		return error_set(err, ERR_TIMEOUT, "libvirt did not give statistics within %u ms",
			timeout_ms);
	}
	if (error_is_set(&collection->err)) {
		*err = collection->err;
		result = -1;
	} else {
		*list = steal(&collection->list);
		*count = collection->count;
	}
	collection_free(collection);
	return result;
}

/* Everything, or the states alone (which need no QEMU's answer) when that hangs. */
static int collect(struct hypervisor *hypervisor, const char *uuid, unsigned timeout_ms,
	struct domain_stats **list, size_t *count, struct error *err)
{
	if (atomic_load(&hypervisor->left_behind) < LEFT_BEHIND_MAX) {
		if (collect_groups(hypervisor, uuid, STATS_GROUPS, timeout_ms, list, count, err) ==
			0)
			return 0;
		if (err->code != ERR_TIMEOUT)
			return -1;
		error_clear(err);
	}
	if (atomic_load(&hypervisor->left_behind) < 2 * LEFT_BEHIND_MAX &&
		collect_groups(hypervisor, uuid, VIR_DOMAIN_STATS_STATE, timeout_ms, list, count,
			err) == 0)
		return 0;
	if (err->code == ERR_TIMEOUT)
		error_clear(err);
	return error_set(err, ERR_UNAVAILABLE, "libvirt does not answer");
}

int hypervisor_collect(struct hypervisor *hypervisor, unsigned timeout_ms,
	struct domain_stats **list, size_t *count, struct error *err)
{
	return collect(hypervisor, "", timeout_ms, list, count, err);
}

int hypervisor_collect_one(struct hypervisor *hypervisor, const char *uuid,
	struct domain_stats *stats, struct error *err)
{
	cleanup_free struct domain_stats *list = NULL;
	size_t count;

	if (!uuid_is_valid(uuid))
		return error_set(err, ERR_NOT_FOUND, "%s is not the UUID of a VM", uuid);
	if (collect(hypervisor, uuid, ONE_TIMEOUT_MS, &list, &count, err))
		return -1;
	*stats = list[0];
	return 0;
}
