/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is: see facts.h. The order of reading, and finding things again. */
#include "facts.h"

#include "applets/virtxd/operation_record.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/domain_xml.h"
#include "model/json.h"
#include "storage/beneath.h"
#include "storage/cluster_key.h"

#include <fcntl.h>
#include <grp.h>

#define WEIGHT_MAX  ((size_t)512 * 1024 * 1024)
#define RECORDS_MAX (8 * 1024 * 1024) /* bytes, as operations.c reads them */

void *facts_grow(void **list, size_t *n, size_t size)
{
	/* Room is doubled at powers of two. */
	if ((*n & (*n - 1)) == 0)
		*list = xreallocarray(*list, *n ? 2 * *n : 1, size);
	char *added = (char *)*list + size * (*n)++;
	memset(added, 0, size);
	return added;
}

bool facts_are_full(struct facts *facts)
{
	if (facts->weight < WEIGHT_MAX)
		return false;
	/* Once. */
	if (facts->weight != SIZE_MAX)
		facts_note_unseen(facts, "all of the storage: there is too much of it");
	facts->weight = SIZE_MAX;
	return true;
}

static void add_weight(struct facts *facts, size_t bytes)
{
	if (facts->weight < WEIGHT_MAX)
		facts->weight += bytes;
}

void facts_note_unseen(struct facts *facts, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	*(char **)facts_add(&facts->unseen) = text;
}

struct fact_item *facts_add_item(struct facts *facts, enum fact_kind kind, const char *path)
{
	struct fact_item *item = facts_add(&facts->items);

	item->kind = kind;
	item->path = xstrdup(path);
	add_weight(facts, sizeof(*item) + strlen(path));
	return item;
}

bool facts_is_served(const struct facts *facts, const char *host)
{
	struct error ignored = {0};
	bool served;

	/* With our own lock on it, it would look so. */
	if (str_equal(host, facts->host))
		return facts->own_served;
	return store_is_served(facts->store, host, false, &served, &ignored) == 0 && served;
}

/* The group of sanlock's daemon, where the lock manager is that and there is one. */
static void find_sanlock_group(struct facts *facts)
{
	const struct group *group = getgrnam("sanlock");

	facts->has_group = group && facts->settings->lock_manager == LOCK_MANAGER_SANLOCK;
	facts->group = group ? group->gr_gid : 0;
}

void facts_check_mode(struct facts *facts, int dir, const char *name, const char *path,
	mode_t wanted, bool of_sanlock)
{
	struct stat info;

	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(info.st_mode))
		return;
	bool group = of_sanlock && facts->has_group && info.st_gid != facts->group;
	if ((info.st_mode & 07777) == wanted && !group)
		return;
	struct fact_item *item = facts_add_item(facts, FACT_MODE, path);
	item->mode = info.st_mode & 07777;
	item->wanted = wanted;
	item->group = group;
}

void facts_read_xml(struct facts *facts, struct fact_vm *vm, const char *xml)
{
	const char *vms_dir = store_vms_dir(facts->store);
	cleanup_reading struct domain_reading reading = {0};
	struct error err = {0};

	if (domain_xml_read(xml, strlen(xml), vms_dir, &reading, &err) < 0) {
		vm->bad = xstrdup(err.message);
		return;
	}
	memcpy(vm->holds, reading.uuid, sizeof(vm->holds));
	free(vm->name);
	vm->name = xstrdup(reading.def.name);
	add_weight(facts, sizeof(*vm) + strlen(vm->name));
	vm->foreign = reading.foreign;
	for (size_t i = 0; i < reading.def.n_disks; i++) {
		const struct disk *disk = &reading.def.disks[i];

		if (str_is_empty(disk->path))
			continue;
		struct fact_disk *fact =
			facts_grow((void **)&vm->disks, &vm->n_disks, sizeof(*vm->disks));
		fact->path = xstrdup(disk->path);
		add_weight(facts, sizeof(*fact) + sizeof(struct fact_claim) + strlen(disk->path));
		fact->managed = disk->man == DISK_MANAGED;
		disk_lease_name(disk, vms_dir, fact->lease);
	}
}

static int compare_vms(const void *a, const void *b)
{
	const struct fact_vm *left = a, *right = b;
	int order = strcmp(left->uuid, right->uuid);

	return order ? order : strcmp(left->host, right->host);
}

static int compare_leases(const void *a, const void *b)
{
	return strcmp(((const struct fact_lease *)a)->name, ((const struct fact_lease *)b)->name);
}

static int compare_claims(const void *a, const void *b)
{
	const struct fact_claim *left = a, *right = b;
	int order = strcmp(left->disk->lease, right->disk->lease);

	if (!order)
		order = strcmp(left->vm->uuid, right->vm->uuid);
	/* Of what several sources say the managed one comes first. */
	return order ? order : right->disk->managed - left->disk->managed;
}

#define sort(array, compare)                                                               \
	do {                                                                               \
		if ((array)->n)                                                            \
			qsort((array)->list, (array)->n, sizeof(*(array)->list), compare); \
	} while (0)

static void add_claims(struct facts *facts, const struct fact_vm *vms, size_t n)
{
	for (size_t i = 0; i < n; i++)
		/* An entry that holds another VM says nothing. */
		for (size_t j = 0; j < vms[i].n_disks && str_equal(vms[i].holds, vms[i].uuid); j++)
			*(struct fact_claim *)facts_add(&facts->claims) =
				(struct fact_claim){.vm = &vms[i], .disk = &vms[i].disks[j]};
}

/* Which file of the datastore a lease belongs to. */
static void match_images(struct facts *facts)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];
		char name[33];

		if (item->kind != FACT_IMAGE)
			continue;
		const char *below = item->path + strlen(STORE_DATASTORE "/");
		str_md5_hex(below, strlen(below), name);
		struct fact_lease *lease = facts_find_lease(facts, name);
		if (lease && !lease->image)
			lease->image = xstrdup(item->path);
	}
}

/* In a history that is full, those with a key outlive the others: a VM whose create is remembered
 * there may have been deleted since. */
static size_t count_known(struct json_object *items, size_t count)
{
	bool full = count >= OPERATIONS_MAX;

	while (full && count > 0 &&
		json_object_object_get(json_object_array_get_idx(items, count - 1), "key"))
		count--;
	return count;
}

void facts_read_records(struct facts *facts)
{
	cleanup_free char *path = xasprintf("%s/operations.json", facts->settings->state_dir);
	cleanup_json struct json_object *json = NULL;
	struct json_object *items = NULL;
	struct error err = {0};
	size_t len = 0, count = 0;
	cleanup_free char *text = file_read(path, RECORDS_MAX, &len, &err);

	if (!text && err.code == ERR_NOT_FOUND)
		return;
	if (!text || json_parse(text, len, &json, &err) ||
		json_get_objects(json, "items", "", 2 * OPERATIONS_MAX, &items, &count, &err)) {
		facts_note_unseen(facts, "what virtxd has reported as done: %s", err.message);
		return;
	}
	count = count_known(items, count);
	/* The newest comes first in the file; it alone counts, for each VM. */
	for (size_t i = 0; i < count; i++) {
		struct operation *operation =
			operation_from_json(json_object_array_get_idx(items, i));
		bool unclear = !operation || operation->state != OPERATION_COMPLETED ||
			       str_equal(operation->kind, "migrate") ||
			       str_equal(operation->kind, "undefine");

		/* A recovery completes what another record tells of; a drain is about a host. */
		if (operation && !str_equal(operation->kind, "recover") &&
			!str_equal(operation->kind, "drain")) {
			struct fact_record *record = facts_add(&facts->records);

			memcpy(record->vm, operation->vm, sizeof(record->vm));
			record->deleted = str_equal(operation->kind, "delete");
			/* One that says nothing of where the VM is now still hides older ones. */
			record->kind = unclear ? NULL : xstrdup(operation->kind);
		}
		if (operation)
			operation_free(operation);
	}
}

/* The identity that virtxd last had here, or is told to have. */
static int find_host(struct facts *facts, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/host_uuid", facts->settings->state_dir);
	struct error cause = {0};

	if (uuid_canonical(facts->settings->host_uuid, facts->host))
		return 0;
	cleanup_free char *text = file_read(path, 128, NULL, &cause);
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	if (text && uuid_canonical(text, facts->host))
		return 0;
	error_set(err, ERR_NOT_FOUND, "which host this is cannot be told: %s",
		text ? "host_uuid in the state directory holds no UUID" : cause.message);
	return error_hint(err, "virtxd notes it at its first start; --host-uuid says it too");
}

/* The hosts' secret, where there is one: virtxd makes it. */
static void check_cluster_key(struct facts *facts)
{
	uint8_t key[CLUSTER_KEY_SIZE];
	struct error err = {0};
	struct stat info;
	int root = store_root(facts->store);

	if (fstatat(root, ".virtx-key", &info, AT_SYMLINK_NOFOLLOW) == 0 &&
		cluster_key_load(root, key, &err) < 0)
		facts->bad_key = xstrdup(err.message);
	explicit_bzero(key, sizeof(key));
}

static int open_store(struct facts *facts, struct error *err)
{
	const struct store_config config = {
		.vms_dir = facts->settings->vms_dir,
		.host_uuid = facts->host,
		.lock_manager = (enum lock_manager)facts->settings->lock_manager,
		.sanlock_io_timeout = (unsigned)facts->settings->sanlock_io_timeout,
	};
	struct error marker = {0};

	facts->store = store_look(&config, &marker, err);
	if (!facts->store)
		return -1;
	if (error_is_set(&marker))
		facts->bad_marker = xstrdup(marker.message);
	check_cluster_key(facts);
	return 0;
}

int facts_gather(struct facts *facts, const struct settings *settings, bool keep, struct error *err)
{
	struct error cause = {0};

	*facts = (struct facts){.settings = settings};

	if (find_host(facts, err) < 0 || open_store(facts, err) < 0) {
		facts_free(facts);
		return -1;
	}
	if (store_is_served(facts->store, facts->host, keep, &facts->own_served, &cause) < 0)
		facts_note_unseen(facts, "whether a virtxd runs: %s", cause.message);
	find_sanlock_group(facts);
	/* What an operation that goes on is doing shows in its intent: looked for before and after.
	 */
	facts_read_intents(facts);
	facts_read_register(facts);
	facts_read_domains(facts);
	facts_read_locks(facts);
	sort(&facts->leases, compare_leases);
	facts_read_datastore(facts);
	facts_read_records(facts);
	facts_read_intents(facts);
	sort(&facts->entries, compare_vms);
	sort(&facts->domains, compare_vms);
	add_claims(facts, facts->entries.list, facts->entries.n);
	add_claims(facts, facts->domains.list, facts->domains.n);
	sort(&facts->claims, compare_claims);
	match_images(facts);
	facts_look_at_images(facts);
	return 0;
}

static void free_vms(struct fact_vm *vms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < vms[i].n_disks; j++)
			free(vms[i].disks[j].path);
		free(vms[i].disks);
		free(vms[i].bad);
		free(vms[i].name);
		free(vms[i].xml);
	}
	free(vms);
}

#define free_all(array, member)                         \
	do {                                            \
		for (size_t i = 0; i < (array)->n; i++) \
			free((array)->list[i].member);  \
	} while (0)

void facts_free(struct facts *facts)
{
	free_all(&facts->hosts, bad_lockid);
	free_all(&facts->intents, bad);
	free_all(&facts->leases, name);
	free_all(&facts->leases, bad);
	free_all(&facts->leases, image);
	free_all(&facts->items, path);
	free_all(&facts->records, kind);
	for (size_t i = 0; i < facts->unseen.n; i++)
		free(facts->unseen.list[i]);
	free_vms(facts->entries.list, facts->entries.n);
	free_vms(facts->domains.list, facts->domains.n);
	free(facts->hosts.list);
	free(facts->intents.list);
	free(facts->leases.list);
	free(facts->items.list);
	free(facts->records.list);
	free(facts->claims.list);
	free(facts->unseen.list);
	free(facts->bad_marker);
	free(facts->bad_key);
	free(facts->bad_lockspace);
	store_close(facts->store);
	*facts = (struct facts){0};
}

/* The first of those with that UUID in a sorted list. */
static const struct fact_vm *find_vm(const struct fact_vm *vms, size_t n, const char *uuid)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(vms[middle].uuid, uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && str_equal(vms[low].uuid, uuid) ? &vms[low] : NULL;
}

const struct fact_vm *facts_find_entry(const struct facts *facts, const char *uuid)
{
	return find_vm(facts->entries.list, facts->entries.n, uuid);
}

const struct fact_vm *facts_find_domain(const struct facts *facts, const char *uuid)
{
	return find_vm(facts->domains.list, facts->domains.n, uuid);
}

struct fact_lease *facts_find_lease(const struct facts *facts, const char *name)
{
	const struct fact_lease key = {.name = (char *)(uintptr_t)name};

	return facts->leases.n == 0 ? NULL
				    : bsearch(&key, facts->leases.list, facts->leases.n,
					      sizeof(*facts->leases.list), compare_leases);
}

const struct fact_host *facts_find_host(const struct facts *facts, const char *uuid)
{
	for (size_t i = 0; i < facts->hosts.n; i++)
		if (str_equal(facts->hosts.list[i].uuid, uuid))
			return &facts->hosts.list[i];
	return NULL;
}

const struct fact_intent *facts_find_intent(const struct facts *facts, const char *vm)
{
	for (size_t i = 0; i < facts->intents.n; i++)
		if (!facts->intents.list[i].bad && str_equal(facts->intents.list[i].vm, vm))
			return &facts->intents.list[i];
	return NULL;
}

bool facts_has_vm(const struct facts *facts, const char *uuid)
{
	return facts_find_entry(facts, uuid) || facts_find_domain(facts, uuid);
}

char *facts_name_vm(const struct facts *facts, const char *uuid)
{
	const struct fact_vm *vm = facts_find_entry(facts, uuid);

	if (!vm || str_is_empty(vm->name))
		vm = facts_find_domain(facts, uuid);
	if (!vm || str_is_empty(vm->name))
		return xasprintf("VM %s", uuid);
	return xasprintf("VM %s (%s)", vm->name, uuid);
}
