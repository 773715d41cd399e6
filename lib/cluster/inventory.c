/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known: two tables under one lock. The lists made of them are in inventory_list.c. */
#include "cluster/inventory.h"

#include "base/str.h"
#include "cluster/inventory_private.h"
#include "model/json.h"
#include "model/sieve.h"

#include <stdatomic.h>

static void free_vm(void *row)
{
	vm_row_free(row);
	free(row);
}

static void free_host(void *host)
{
	host_free(host);
	free(host);
}

struct inventory *inventory_new(void)
{
	static atomic_uint made;
	struct inventory *inventory = xcalloc(1, sizeof(*inventory));
	uint64_t start = (uint64_t)atomic_fetch_add(&made, 1) << 40;

	inventory->vms_version = inventory->hosts_version =
		(struct inventory_version){start, start};

	pthread_rwlock_init(&inventory->lock, NULL);
	table_init(&inventory->vms, free_vm);
	table_init(&inventory->hosts, free_host);
	return inventory;
}

void inventory_free(struct inventory *inventory)
{
	if (!inventory)
		return;
	table_free(&inventory->vms);
	table_free(&inventory->hosts);
	pthread_rwlock_destroy(&inventory->lock);
	free(inventory);
}

/* Called with the lock held for writing. */
static void note_change(struct inventory_version *version, bool content)
{
	version->revision++;
	version->content += content;
}

/* The item without its time, which is added when the list is made. */
static struct json_object *vm_item(const struct vm_row *row)
{
	struct vm_row timeless = *row;

	timeless.ts_ms = 0;
	return vm_row_to_json(&timeless, NULL);
}

static struct json_object *host_item(const struct host *host)
{
	struct host timeless = *host;

	timeless.ts_ms = 0;
	return host_row_to_json(&timeless);
}

void inventory_put_vm(struct inventory *inventory, const struct vm_row *row)
{
	struct vm_row *copy = xmalloc(sizeof(*copy));

	vm_row_copy(copy, row);
	const struct table_row put = {.uuid = row->uuid,
		.name = copy->name ? copy->name : "",
		.ts_ms = row->ts_ms,
		.row = copy,
		.json = vm_item(row),
		.sieve = sieve_of_row(row)};
	pthread_rwlock_wrlock(&inventory->lock);
	note_change(&inventory->vms_version, table_put(&inventory->vms, &put));
	pthread_rwlock_unlock(&inventory->lock);
}

void inventory_put_host(struct inventory *inventory, const struct host *host)
{
	struct host *copy = xmalloc(sizeof(*copy));

	host_copy(copy, host);
	const struct table_row put = {.uuid = host->uuid,
		.name = copy->name ? copy->name : "",
		.ts_ms = host->ts_ms,
		.row = copy,
		.json = host_item(host)};
	pthread_rwlock_wrlock(&inventory->lock);
	note_change(&inventory->hosts_version, table_put(&inventory->hosts, &put));
	pthread_rwlock_unlock(&inventory->lock);
}

void inventory_set_runstate(
	struct inventory *inventory, const char *uuid, enum runstate runstate, int64_t ts_ms)
{
	bool content = false;

	pthread_rwlock_wrlock(&inventory->lock);
	struct table_entry *entry = table_find(&inventory->vms, uuid);
	if (entry) {
		struct vm_row *row = entry->row;

		row->ts_ms = entry->ts_ms = ts_ms;
		if (row->runstate != runstate) {
			row->runstate = runstate;
			content = table_render(entry, vm_item(row));
		}
		note_change(&inventory->vms_version, content);
	}
	pthread_rwlock_unlock(&inventory->lock);
}

void inventory_remove_vm(struct inventory *inventory, const char *uuid)
{
	pthread_rwlock_wrlock(&inventory->lock);
	if (table_remove(&inventory->vms, uuid))
		note_change(&inventory->vms_version, true);
	pthread_rwlock_unlock(&inventory->lock);
}

void inventory_set_drained(struct inventory *inventory, const char *uuid, bool drained)
{
	pthread_rwlock_wrlock(&inventory->lock);
	struct table_entry *entry = table_find(&inventory->hosts, uuid);
	if (entry) {
		struct host *host = entry->row;

		host->drained = drained;
		note_change(&inventory->hosts_version, table_render(entry, host_item(host)));
	}
	pthread_rwlock_unlock(&inventory->lock);
}

/* What a message says of a name that several rows have. */
static int ambiguous(const struct table *table, size_t first, const char *what, const char *name,
	struct error *err)
{
	char list[10 * (UUID_TEXT_SIZE + 1) + 8] = "";
	size_t used = 0, shown = 0, at = first;

	for (; at < table->count && str_equal(table->entries[at]->name, name); at++) {
		if (shown++ >= 10)
			continue;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
			table->entries[at]->uuid);
	}
	return error_set(err, ERR_AMBIGUOUS, "%zu %ss are named \"%s\": %s%s", at - first, what,
		name, list, at - first > 10 ? ", ..." : "");
}

/* Finds by UUID, then by name. Called with the lock held; NULL with err. */
static const struct table_entry *find(
	const struct table *table, const char *what, const char *id, struct error *err)
{
	char uuid[UUID_TEXT_SIZE];
	const struct table_entry *entry = uuid_canonical(id, uuid) ? table_find(table, uuid) : NULL;

	if (entry)
		return entry;
	size_t first = table_lower_bound(table, id, "");
	if (!*id || first == table->count || !str_equal(table->entries[first]->name, id)) {
		error_set(err, ERR_NOT_FOUND, "there is no %s \"%s\"", what, id);
		return NULL;
	}
	if (first + 1 < table->count && str_equal(table->entries[first + 1]->name, id)) {
		ambiguous(table, first, what, id, err);
		return NULL;
	}
	return table->entries[first];
}

/* Copies a name, cut between characters where it is longer than a VM's may be. */
static void copy_name(char name[static VMDEF_MAX_NAME + 1], const char *from)
{
	size_t len = strnlen(from, VMDEF_MAX_NAME + 1);

	if (len > VMDEF_MAX_NAME)
		for (len = VMDEF_MAX_NAME; len && ((unsigned char)from[len] & 0xc0) == 0x80; len--)
			;
	memcpy(name, from, len);
	name[len] = '\0';
}

int inventory_find_vm(
	struct inventory *inventory, const char *id, struct vm_place *place, struct error *err)
{
	*place = (struct vm_place){0};
	pthread_rwlock_rdlock(&inventory->lock);
	const struct table_entry *entry = find(&inventory->vms, "VM", id, err);
	if (entry) {
		const struct vm_row *row = entry->row;

		memcpy(place->uuid, entry->uuid, sizeof(place->uuid));
		memcpy(place->host_uuid, row->host_uuid, sizeof(place->host_uuid));
		copy_name(place->name, entry->name);
		place->runstate = row->runstate;
	}
	pthread_rwlock_unlock(&inventory->lock);
	return entry ? 0 : -1;
}

int inventory_find_host(struct inventory *inventory, const char *id,
	char uuid[static UUID_TEXT_SIZE], struct error *err)
{
	uuid[0] = '\0';
	pthread_rwlock_rdlock(&inventory->lock);
	const struct table_entry *entry = find(&inventory->hosts, "host", id, err);
	if (entry)
		memcpy(uuid, entry->uuid, UUID_TEXT_SIZE);
	pthread_rwlock_unlock(&inventory->lock);
	return entry ? 0 : -1;
}

int inventory_get_host(
	struct inventory *inventory, const char *uuid, struct host *host, struct error *err)
{
	*host = (struct host){0};
	pthread_rwlock_rdlock(&inventory->lock);
	const struct table_entry *entry = table_find(&inventory->hosts, uuid);
	if (entry)
		host_copy(host, entry->row);
	pthread_rwlock_unlock(&inventory->lock);
	return entry ? 0 : error_set(err, ERR_NOT_FOUND, "there is no host \"%s\"", uuid);
}

size_t inventory_list_host_vms(
	struct inventory *inventory, const char *host_uuid, char (**list)[UUID_TEXT_SIZE])
{
	size_t count = 0;

	pthread_rwlock_rdlock(&inventory->lock);
	const struct table *vms = &inventory->vms;
	*list = xcalloc(vms->count, sizeof(**list));
	for (size_t i = 0; i < vms->count; i++) {
		const struct vm_row *row = vms->entries[i]->row;

		if (str_equal(row->host_uuid, host_uuid))
			memcpy((*list)[count++], row->uuid, UUID_TEXT_SIZE);
	}
	pthread_rwlock_unlock(&inventory->lock);
	return count;
}

static struct inventory_version read_version(
	struct inventory *inventory, const struct inventory_version *version)
{
	pthread_rwlock_rdlock(&inventory->lock);
	struct inventory_version copy = *version;
	pthread_rwlock_unlock(&inventory->lock);
	return copy;
}

struct inventory_version inventory_vms_version(struct inventory *inventory)
{
	return read_version(inventory, &inventory->vms_version);
}

struct inventory_version inventory_hosts_version(struct inventory *inventory)
{
	return read_version(inventory, &inventory->hosts_version);
}

void inventory_count(struct inventory *inventory, struct inventory_counts *counts)
{
	*counts = (struct inventory_counts){0};
	pthread_rwlock_rdlock(&inventory->lock);
	for (size_t i = 0; i < inventory->vms.count; i++) {
		const struct vm_row *row = inventory->vms.entries[i]->row;

		counts->vms[row->runstate]++;
	}
	for (size_t i = 0; i < inventory->hosts.count; i++) {
		const struct host *host = inventory->hosts.entries[i]->row;

		counts->hosts[host->cstate]++;
	}
	pthread_rwlock_unlock(&inventory->lock);
}
