/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash table of entries by UUID; the arithmetic of their statistics is in vm_figures.c. */
#include "local_vms.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "vm_figures.h"

#include <json-c/linkhash.h>
#include <pthread.h>

struct entry {
	char uuid[UUID_TEXT_SIZE];
	uint64_t ticket;         /* of the reading it shows */
	bool gone;               /* removed; kept until no older reading can be under way */
	bool marked;             /* its XML is to be read */
	bool reserved_hugepages; /* what reserved_mib is of */
	int32_t reserved_mib;    /* for what it is to have beyond what it has; 0: none */
	struct vm vm;
	char *why; /* its definition is not known; NULL: it is */
	char etag[17];
	char cdroms[DOMAIN_DISKS_MAX][DOMAIN_TARGET_SIZE];
	size_t n_cdroms;
	struct vm_counters counters;
	unsigned vcpus;
	struct http_body *body; /* made when it is asked for, dropped when the VM changes */
};

struct local_vms {
	pthread_mutex_t lock; /* of everything below */
	struct lh_table *entries;
	uint64_t tickets;
	struct inventory *inventory;
	struct claims *claims; /* NULL: straight to the inventory */
	const char *host_uuid;
	uint64_t changes;
};

struct local_vms *local_vms_new(struct inventory *inventory, const char *host_uuid)
{
	struct local_vms *vms = xcalloc(1, sizeof(*vms));

	pthread_mutex_init(&vms->lock, NULL);
	vms->inventory = inventory;
	vms->host_uuid = host_uuid;
	vms->entries = mem_check(lh_kchar_table_new(64, NULL));
	return vms;
}

/* What an entry shows; its place stays. */
static void entry_clear(struct entry *entry)
{
	vm_free(&entry->vm);
	free(entry->why);
	entry->why = NULL;
	http_body_unref(entry->body);
	entry->body = NULL;
	entry->counters = (struct vm_counters){0};
}

static void entry_free(struct entry *entry)
{
	entry_clear(entry);
	free(entry);
}

void local_vms_free(struct local_vms *vms)
{
	struct lh_entry *at, *next;

	if (!vms)
		return;
	lh_foreach_safe(vms->entries, at, next)
	{
		entry_free(lh_entry_v(at));
	}
	lh_table_free(vms->entries);
	pthread_mutex_destroy(&vms->lock);
	free(vms);
}

uint64_t local_vms_ticket(struct local_vms *vms)
{
	pthread_mutex_lock(&vms->lock);
	uint64_t ticket = ++vms->tickets;
	pthread_mutex_unlock(&vms->lock);
	return ticket;
}

/* The functions below that take a struct entry, and these two, are called with the lock held. */

static struct entry *find_any(struct local_vms *vms, const char *uuid)
{
	void *entry = NULL;

	lh_table_lookup_ex(vms->entries, uuid, &entry);
	return entry;
}

/* One that is there as far as anybody is told. */
static struct entry *find(struct local_vms *vms, const char *uuid)
{
	struct entry *entry = find_any(vms, uuid);

	return entry && !entry->gone ? entry : NULL;
}

static struct entry *make(struct local_vms *vms, const char *uuid)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));

	str_copy(entry->uuid, sizeof(entry->uuid), uuid);
	entry->gone = true; /* until it is put */
	if (lh_table_insert(vms->entries, entry->uuid, entry) < 0)
		mem_check(NULL);
	return entry;
}

bool local_vms_wants_definition(struct local_vms *vms, const struct domain_stats *stats)
{
	pthread_mutex_lock(&vms->lock);
	const struct entry *entry = find(vms, stats->uuid);
	bool wants = !entry || entry->marked || entry->vm.runstate != stats->runstate;
	pthread_mutex_unlock(&vms->lock);
	return wants;
}

void local_vms_mark(struct local_vms *vms, const char *uuid)
{
	struct lh_entry *at;

	pthread_mutex_lock(&vms->lock);
	lh_foreach(vms->entries, at)
	{
		struct entry *entry = lh_entry_v(at);

		if (!uuid || str_equal(entry->uuid, uuid))
			entry->marked = true;
	}
	pthread_mutex_unlock(&vms->lock);
}

/* A VM that nothing is known of but that it is there: safe from every change. */
static void begin_entry(struct local_vms *vms, struct entry *entry)
{
	entry->gone = false;
	entry->marked = true;
	entry->vm = (struct vm){.foreign = true};
	memcpy(entry->vm.uuid, entry->uuid, sizeof(entry->vm.uuid));
	str_copy(entry->vm.host_uuid, sizeof(entry->vm.host_uuid), vms->host_uuid);
	entry->vm.def.name = xstrdup(entry->uuid);
	entry->why = xstrdup("libvirt did not give it yet");
	vmdef_etag(&entry->vm.def, entry->etag);
}

static void take_definition(struct entry *entry, struct local_definition *definition)
{
	struct domain_reading *reading = &definition->reading;
	struct vm *vm = &entry->vm;

	entry->marked = false;
	free(entry->why);
	entry->why = steal(&definition->why);
	if (entry->why)
		return;
	vmdef_free(&vm->def);
	vm->def = reading->def;
	reading->def = (struct vmdef){0};
	if (str_is_empty(vm->def.name)) {
		free(vm->def.name);
		vm->def.name = xstrdup(entry->uuid);
	}
	for (size_t i = 0; i < OPLOG_COUNT; i++) {
		free(vm->oplog[i].message);
		vm->oplog[i] = reading->oplog[i];
		reading->oplog[i] = (struct oplog_entry){0};
	}
	free(vm->vnc);
	vm->vnc = steal(&reading->vnc);
	vm->foreign = reading->foreign;
	memcpy(entry->cdroms, definition->cdroms, sizeof(entry->cdroms));
	entry->n_cdroms = definition->n_cdroms;
	vmdef_etag(&vm->def, entry->etag);
}

static void drop_addresses(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_addresses; i++)
		free(vm->addresses[i]);
	free(vm->addresses);
	vm->addresses = NULL;
	vm->n_addresses = 0;
}

void local_vms_publish_by(struct local_vms *vms, struct claims *claims)
{
	pthread_mutex_lock(&vms->lock);
	vms->claims = claims;
	pthread_mutex_unlock(&vms->lock);
}

static void publish(struct local_vms *vms, const struct entry *entry, bool content)
{
	if (content || vms->claims) {
		struct vm_row row;

		vm_row_from_vm(&row, &entry->vm);
		if (vms->claims)
			claims_put_own(vms->claims, &row, clock_ms());
		else
			inventory_put_vm(vms->inventory, &row);
		vm_row_free(&row);
	} else {
		inventory_set_runstate(
			vms->inventory, entry->uuid, entry->vm.runstate, entry->vm.ts_ms);
	}
}

static void drop_body(struct entry *entry)
{
	http_body_unref(entry->body);
	entry->body = NULL;
}

void local_vms_put(struct local_vms *vms, const struct local_reading *reading)
{
	const struct domain_stats *stats = reading->stats;
	bool content = reading->definition != NULL;

	pthread_mutex_lock(&vms->lock);
	struct entry *entry = find_any(vms, stats->uuid);
	if (!entry)
		entry = make(vms, stats->uuid);
	if (reading->ticket < entry->ticket) {
		pthread_mutex_unlock(&vms->lock);
		return;
	}
	entry->ticket = reading->ticket;
	if (entry->gone) {
		begin_entry(vms, entry);
		entry->reserved_mib = 0; /* from now on it counts itself */
		content = true;
	}
	if (reading->definition)
		take_definition(entry, reading->definition);
	vms->changes += content || entry->vm.runstate != stats->runstate;
	entry->vm.runstate = stats->runstate;
	entry->vm.autostart = stats->autostart;
	entry->vm.ts_ms = reading->now_ms;
	if (stats->vcpus)
		entry->vcpus = stats->vcpus;
	else if (!entry->vm.foreign)
		entry->vcpus = (unsigned)vmdef_vcpus(&entry->vm.def);
	vm_figures_update(&entry->vm, &entry->counters, stats,
		&(struct vm_figures_context){
			reading->now_ns, reading->mhz, entry->cdroms, entry->n_cdroms});
	if (!vm_figures_is_active(stats->runstate))
		drop_addresses(&entry->vm);
	drop_body(entry);
	publish(vms, entry, content);
	pthread_mutex_unlock(&vms->lock);
}

static void remove_entry(struct local_vms *vms, struct entry *entry, uint64_t ticket)
{
	entry->ticket = ticket;
	entry->gone = true;
	entry_clear(entry);
	vms->changes++;
	if (vms->claims)
		claims_remove_own(vms->claims, entry->uuid, clock_ms());
	else
		inventory_remove_vm(vms->inventory, entry->uuid);
}

void local_vms_remove(struct local_vms *vms, uint64_t ticket, const char *uuid)
{
	pthread_mutex_lock(&vms->lock);
	struct entry *entry = find_any(vms, uuid);
	if (!entry)
		entry = make(vms, uuid);
	if (ticket >= entry->ticket)
		remove_entry(vms, entry, ticket);
	pthread_mutex_unlock(&vms->lock);
}

void local_vms_sweep(struct local_vms *vms, uint64_t ticket)
{
	struct lh_entry *at, *next;

	pthread_mutex_lock(&vms->lock);
	lh_foreach_safe(vms->entries, at, next)
	{
		struct entry *entry = lh_entry_v(at);

		if (entry->ticket >= ticket)
			continue;
		if (!entry->gone) {
			remove_entry(vms, entry, ticket);
		} else if (!entry->reserved_mib) {
			lh_table_delete_entry(vms->entries, at);
			entry_free(entry);
		}
	}
	pthread_mutex_unlock(&vms->lock);
}

static void add_memory(struct host_round *round, bool hugepages, int64_t mib)
{
	if (hugepages)
		round->vms_hugepages_mib += mib;
	else
		round->vms_memory_mib += mib;
}

/* Called with the lock held. */
static void sum_all(const struct local_vms *vms, struct host_round *round)
{
	struct lh_entry *at;

	lh_foreach(vms->entries, at)
	{
		const struct entry *entry = lh_entry_v(at);
		const struct vmstats *stats = &entry->vm.stats;

		add_memory(round, entry->reserved_hugepages, entry->reserved_mib);
		if (entry->gone)
			continue;
		add_memory(round, entry->vm.def.hugepages, stats->memory_capacity_mib);
		round->vms_resident_mib += stats->memory_used_mib;
		round->vms_mhz += stats->mhz_used;
		round->vms_vcpus += entry->vcpus;
	}
}

void local_vms_sum(struct local_vms *vms, struct host_round *round)
{
	pthread_mutex_lock(&vms->lock);
	sum_all(vms, round);
	pthread_mutex_unlock(&vms->lock);
}

bool local_vms_reserve(struct local_vms *vms, const char *uuid, bool hugepages, int32_t mib,
	int64_t limit_mib, int64_t *left_mib)
{
	struct host_round now = {0};

	pthread_mutex_lock(&vms->lock);
	sum_all(vms, &now);
	*left_mib = limit_mib - (hugepages ? now.vms_hugepages_mib : now.vms_memory_mib);
	bool fits = mib <= *left_mib;
	if (fits) {
		struct entry *entry = find_any(vms, uuid);

		if (!entry)
			entry = make(vms, uuid);
		entry->reserved_hugepages = hugepages;
		entry->reserved_mib = mib;
	}
	pthread_mutex_unlock(&vms->lock);
	return fits;
}

void local_vms_release(struct local_vms *vms, const char *uuid)
{
	pthread_mutex_lock(&vms->lock);
	struct entry *entry = find_any(vms, uuid);
	if (entry)
		entry->reserved_mib = 0;
	pthread_mutex_unlock(&vms->lock);
}

static int not_found(const char *uuid, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "there is no VM \"%s\" on this host", uuid);
}

static int check_known(const struct entry *entry, struct error *err)
{
	if (!entry->why)
		return 0;
	return error_set(err, ERR_STORED_DATA, "the definition of VM %s is not understood: %s",
		entry->vm.def.name, entry->why);
}

int local_vms_get(struct local_vms *vms, const char *uuid, struct vm *vm, struct error *err)
{
	*vm = (struct vm){0};
	pthread_mutex_lock(&vms->lock);
	const struct entry *entry = find(vms, uuid);
	if (entry)
		vm_copy(vm, &entry->vm);
	pthread_mutex_unlock(&vms->lock);
	return entry ? 0 : not_found(uuid, err);
}

struct http_body *local_vms_body(
	struct local_vms *vms, const char *uuid, char etag[static 17], struct error *err)
{
	struct http_body *body = NULL;

	etag[0] = '\0';
	pthread_mutex_lock(&vms->lock);
	struct entry *entry = find(vms, uuid);
	if (!entry)
		not_found(uuid, err);
	else if (check_known(entry, err))
		entry = NULL;
	if (entry && !entry->body) {
		cleanup_json struct json_object *json = vm_to_json(&entry->vm);
		char *text = json_text(json);

		entry->body = http_body_new(text, strlen(text));
	}
	if (entry) {
		memcpy(etag, entry->etag, sizeof(entry->etag));
		body = http_body_ref(entry->body);
	}
	pthread_mutex_unlock(&vms->lock);
	return body;
}

int local_vms_check_own(struct local_vms *vms, const char *uuid, struct error *err)
{
	int result;

	pthread_mutex_lock(&vms->lock);
	const struct entry *entry = find(vms, uuid);
	if (!entry)
		result = not_found(uuid, err);
	else if (!entry->why && entry->vm.foreign)
		result = error_set(err, ERR_STATE,
			"%s was not made by VirtX, so it is not changed by it", entry->vm.def.name);
	else
		result = check_known(entry, err);
	pthread_mutex_unlock(&vms->lock);
	return result;
}

bool local_vms_is_foreign(struct local_vms *vms, const char *uuid)
{
	pthread_mutex_lock(&vms->lock);
	const struct entry *entry = find(vms, uuid);
	bool foreign = !entry || entry->vm.foreign;
	pthread_mutex_unlock(&vms->lock);
	return foreign;
}

size_t local_vms_list_running(struct local_vms *vms, char (**list)[UUID_TEXT_SIZE])
{
	struct lh_entry *at;
	size_t count = 0;

	pthread_mutex_lock(&vms->lock);
	*list = xcalloc((size_t)lh_table_length(vms->entries), sizeof(**list));
	lh_foreach(vms->entries, at)
	{
		const struct entry *entry = lh_entry_v(at);

		if (!entry->gone && entry->vm.runstate == RUNSTATE_RUNNING)
			memcpy((*list)[count++], entry->uuid, UUID_TEXT_SIZE);
	}
	pthread_mutex_unlock(&vms->lock);
	return count;
}

uint64_t local_vms_changes(struct local_vms *vms)
{
	pthread_mutex_lock(&vms->lock);
	uint64_t changes = vms->changes;
	pthread_mutex_unlock(&vms->lock);
	return changes;
}

size_t local_vms_list_rows(struct local_vms *vms, struct vm_row **rows)
{
	struct lh_entry *at;
	size_t count = 0;

	pthread_mutex_lock(&vms->lock);
	*rows = xcalloc((size_t)lh_table_length(vms->entries) + 1, sizeof(**rows));
	lh_foreach(vms->entries, at)
	{
		const struct entry *entry = lh_entry_v(at);

		if (!entry->gone)
			vm_row_from_vm(&(*rows)[count++], &entry->vm);
	}
	pthread_mutex_unlock(&vms->lock);
	return count;
}

void local_vms_set_addresses(struct local_vms *vms, const char *uuid, char **list, size_t count)
{
	struct vm unused = {.addresses = list, .n_addresses = count};

	pthread_mutex_lock(&vms->lock);
	struct entry *entry = find(vms, uuid);
	if (entry && vm_figures_is_active(entry->vm.runstate)) {
		unused.addresses = entry->vm.addresses;
		unused.n_addresses = entry->vm.n_addresses;
		entry->vm.addresses = list;
		entry->vm.n_addresses = count;
		drop_body(entry);
	}
	pthread_mutex_unlock(&vms->lock);
	drop_addresses(&unused);
}
