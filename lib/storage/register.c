/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register and the intents beside it: see register.h. */
#include "storage/register.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>

#define ENTRY  ".xml"
#define INTENT ".intent"

/* What went wrong below becomes a failure of the register; what callers tell apart stays. */
static int as_register(struct error *err, const char *vm)
{
	if (err->code == ERR_STORAGE)
		err->code = ERR_REGISTER;
	return error_prefix(err, "register entry of VM %s", vm);
}

static int check_uuids(const char *host, const char *vm, struct error *err)
{
	if (store_check_uuid("the host", host, err) < 0)
		return -1;
	return store_check_uuid("the VM", vm, err);
}

/* Opens a host's directory, made first when `make`; the caller closes it. */
static int open_host(const struct store *store, const char *host, bool make, struct error *err)
{
	cleanup_close int xml = store_open_dir(store, STORE_REGISTER, err);

	if (xml < 0 || (make && beneath_make_dir(xml, host, STORE_MODE_DIR, err) < 0))
		return -1;
	return beneath_open_dir(xml, host, err);
}

static int save(const struct store *store, const char *host, const char *vm, const char *extension,
	const char *text, struct error *err)
{
	if (check_uuids(host, vm, err) < 0)
		return -1;
	if (strlen(text) > REGISTER_MAX_XML)
		return error_set(err, ERR_REGISTER, "register entry of VM %s: over %d bytes", vm,
			REGISTER_MAX_XML);
	cleanup_free char *name = xasprintf("%s%s", vm, extension);
	cleanup_close int dir = open_host(store, host, true, err);
	if (dir < 0 ||
		file_write_atomic_at(dir, name, vm, text, strlen(text), STORE_MODE_FILE, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_REGISTER;
		return as_register(err, vm);
	}
	return 0;
}

/* What an entry must be before it is read: a regular file of a sane size. */
static int check_entry(int dir, const char *name, struct error *err)
{
	struct stat info;

	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return beneath_fail(err, "look at", name);
	if (!S_ISREG(info.st_mode))
		return error_set(err, ERR_STORED_DATA, "%s is not a regular file", name);
	if (info.st_size > REGISTER_MAX_XML)
		return error_set(
			err, ERR_STORED_DATA, "%s is over %d bytes", name, REGISTER_MAX_XML);
	return 0;
}

static char *load(const struct store *store, const char *host, const char *vm,
	const char *extension, struct error *err)
{
	size_t len;

	if (check_uuids(host, vm, err) < 0)
		return NULL;
	cleanup_free char *name = xasprintf("%s%s", vm, extension);
	cleanup_close int dir = open_host(store, host, false, err);
	if (dir < 0 || check_entry(dir, name, err) < 0) {
		as_register(err, vm);
		return NULL;
	}
	cleanup_close int fd = beneath_open_file(dir, name, O_RDONLY, err);
	cleanup_free char *text = NULL;
	if (fd >= 0)
		text = file_read_fd(fd, name, REGISTER_MAX_XML, &len, err);
	if (text && strlen(text) != len)
		error_set(err, ERR_STORED_DATA, "%s holds a NUL byte", name);
	if (error_is_set(err)) {
		as_register(err, vm);
		return NULL;
	}
	return steal(&text);
}

static int remove_entry(const struct store *store, const char *host, const char *vm,
	const char *extension, struct error *err)
{
	if (check_uuids(host, vm, err) < 0)
		return -1;
	cleanup_free char *name = xasprintf("%s%s", vm, extension);
	cleanup_close int dir = open_host(store, host, false, err);
	if (dir < 0 && err->code == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (dir < 0)
		return as_register(err, vm);
	if (unlinkat(dir, name, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		beneath_fail(err, "remove", name);
	} else if (fsync(dir) < 0) {
		beneath_fail(err, "sync the directory of", name);
	}
	return error_is_set(err) ? as_register(err, vm) : 0;
}

int register_save(const struct store *store, const char *host, const char *vm, const char *xml,
	struct error *err)
{
	return save(store, host, vm, ENTRY, xml, err);
}

char *register_load(const struct store *store, const char *host, const char *vm, struct error *err)
{
	return load(store, host, vm, ENTRY, err);
}

int register_remove(const struct store *store, const char *host, const char *vm, struct error *err)
{
	return remove_entry(store, host, vm, ENTRY, err);
}

int register_move(const struct store *store, const char *vm, const char *from_host,
	const char *to_host, struct error *err)
{
	if (check_uuids(from_host, vm, err) < 0 || check_uuids(to_host, vm, err) < 0)
		return -1;
	struct stat info;
	cleanup_free char *name = xasprintf("%s%s", vm, ENTRY);
	cleanup_close int from = open_host(store, from_host, false, err);
	if (from < 0 || check_entry(from, name, err) < 0)
		return as_register(err, vm);
	cleanup_close int to = open_host(store, to_host, true, err);
	if (to < 0)
		return as_register(err, vm);
	/* One rename, so that no cut shows the VM on both hosts or on none; that rules out NFS's
	 * way round RENAME_NOREPLACE. */
	if (fstatat(to, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERR_EXISTS, "host %s has a register entry of VM %s already",
			to_host, vm);
	if (errno != ENOENT || renameat(from, name, to, name) < 0) {
		beneath_fail(err, "move", name);
		return as_register(err, vm);
	}
	if (fsync(to) < 0 || fsync(from) < 0) {
		beneath_fail(err, "sync the directories of", name);
		return as_register(err, vm);
	}
	return 0;
}

int intent_save(const struct store *store, const char *vm, const char *json, struct error *err)
{
	return save(store, store->host, vm, INTENT, json, err);
}

char *intent_load(const struct store *store, const char *vm, struct error *err)
{
	return intent_load_of(store, store->host, vm, err);
}

char *intent_load_of(const struct store *store, const char *host, const char *vm, struct error *err)
{
	return load(store, host, vm, INTENT, err);
}

int intent_remove(const struct store *store, const char *vm, struct error *err)
{
	return remove_entry(store, store->host, vm, INTENT, err);
}

int intent_take(const struct store *store, const char *vm, const char *from_host, struct error *err)
{
	if (check_uuids(from_host, vm, err) < 0 || check_uuids(store->host, vm, err) < 0)
		return -1;
	cleanup_free char *name = xasprintf("%s" INTENT, vm);
	cleanup_close int from = open_host(store, from_host, false, err);
	cleanup_close int to = from < 0 ? -1 : open_host(store, store->host, true, err);
	if (to < 0)
		return as_register(err, vm);
	if (renameat(from, name, to, name) < 0) {
		beneath_fail(err, "take", name);
		return as_register(err, vm);
	}
	if (fsync(to) < 0 || fsync(from) < 0) {
		beneath_fail(err, "sync the directories of", name);
		return as_register(err, vm);
	}
	return 0;
}

int intent_set_aside(const struct store *store, const char *vm, struct error *err)
{
	if (check_uuids(store->host, vm, err) < 0)
		return -1;
	cleanup_free char *name = xasprintf("%s" INTENT, vm);
	cleanup_free char *aside = xasprintf("%s" INTENT ".bad", vm);
	cleanup_close int dir = open_host(store, store->host, false, err);
	if (dir < 0)
		return as_register(err, vm);
	if (renameat(dir, name, dir, aside) < 0 || fsync(dir) < 0) {
		beneath_fail(err, "set aside", name);
		return as_register(err, vm);
	}
	return 0;
}

static bool is_temporary(const char *name, const char *vm)
{
	return str_starts_with(name, vm) && str_starts_with(name + strlen(vm), ".tmp-");
}

static int visit_rest(void *context, int dir, const char *name)
{
	const char *vm = context;

	(void)dir;
	return is_temporary(name, vm) ||
	       (str_starts_with(name, vm) && str_equal(name + strlen(vm), INTENT));
}

static int sweep_rest(void *context, int dir, const char *name)
{
	if (is_temporary(name, context))
		unlinkat(dir, name, 0);
	return 0;
}

/* What visit says of the names in this host's directory. */
static int visit_own(const struct store *store, const char *vm,
	int (*visit)(void *context, int dir, const char *name), struct error *err)
{
	char uuid[UUID_TEXT_SIZE];

	if (check_uuids(store->host, vm, err) < 0)
		return -1;
	str_copy(uuid, sizeof(uuid), vm);
	cleanup_close int dir = open_host(store, store->host, false, err);
	return dir < 0 ? -1 : beneath_each(dir, visit, uuid, err);
}

int register_has_rest(const struct store *store, const char *vm, struct error *err)
{
	return visit_own(store, vm, visit_rest, err);
}

int register_sweep(const struct store *store, const char *vm, struct error *err)
{
	return visit_own(store, vm, sweep_rest, err);
}

/* Entries as they are found; only those of `vm` unless NULL. */
struct listing {
	struct register_entry *entries;
	size_t count;
	size_t room;
	const char *host;
	const char *vm;
	const char *extension;
};

/* True for a lower-case UUID with the extension behind it; vm is that UUID. */
static bool entry_name(const char *name, const char *extension, char vm[static UUID_TEXT_SIZE])
{
	struct error ignored = {0};

	if (strlen(name) != UUID_TEXT_SIZE - 1 + strlen(extension) ||
		!str_ends_with(name, extension))
		return false;
	memcpy(vm, name, UUID_TEXT_SIZE - 1);
	vm[UUID_TEXT_SIZE - 1] = '\0';
	return store_check_uuid("name", vm, &ignored) == 0;
}

static int visit_entry(void *context, int dir, const char *name)
{
	struct listing *list = context;
	struct register_entry entry;

	(void)dir;
	if (!entry_name(name, list->extension, entry.vm) ||
		(list->vm && !str_equal(entry.vm, list->vm)))
		return 0;
	str_copy(entry.host, sizeof(entry.host), list->host);
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		list->entries = xreallocarray(list->entries, list->room, sizeof(*list->entries));
	}
	list->entries[list->count++] = entry;
	return 0;
}

/* One host of all: what is wrong with its directory must not hide the others. */
static int visit_host(void *context, int xml, const char *name)
{
	struct listing *list = context;
	struct error err = {0};
	char host[UUID_TEXT_SIZE];

	if (!entry_name(name, "", host))
		return 0;
	list->host = host;
	cleanup_close int dir = beneath_open_dir(xml, name, &err);
	if (dir >= 0)
		beneath_each(dir, visit_entry, list, &err);
	if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
		log_warning("register directory left out", "host", host, "reason", err.message);
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct register_entry *left = a, *right = b;
	int order = strcmp(left->host, right->host);

	return order ? order : strcmp(left->vm, right->vm);
}

/* Fills and sorts a listing; entries and count go to the caller. */
static int list_entries(const struct store *store, struct listing *list,
	struct register_entry **entries, size_t *count, struct error *err)
{
	*entries = NULL;
	*count = 0;
	if (list->host) {
		cleanup_close int dir = open_host(store, list->host, false, err);
		if (dir >= 0)
			beneath_each(dir, visit_entry, list, err);
		else if (err->code == ERR_NOT_FOUND)
			error_clear(err);
	} else {
		cleanup_close int xml = store_open_dir(store, STORE_REGISTER, err);
		if (xml >= 0)
			beneath_each(xml, visit_host, list, err);
	}
	if (error_is_set(err)) {
		free(list->entries);
		err->code = ERR_REGISTER;
		return -1;
	}
	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
	*entries = list->entries;
	*count = list->count;
	return 0;
}

static int list_host(const struct store *store, const char *host, const char *extension,
	struct register_entry **entries, size_t *count, struct error *err)
{
	struct listing list = {.host = host, .extension = extension};

	if (host && store_check_uuid("the host", host, err) < 0)
		return -1;
	return list_entries(store, &list, entries, count, err);
}

static int find_vm(const struct store *store, const char *vm, const char *extension,
	struct register_entry **entries, size_t *count, struct error *err)
{
	struct listing list = {.vm = vm, .extension = extension};

	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	return list_entries(store, &list, entries, count, err);
}

int register_list(const struct store *store, const char *host, struct register_entry **entries,
	size_t *count, struct error *err)
{
	return list_host(store, host, ENTRY, entries, count, err);
}

int register_find(const struct store *store, const char *vm, struct register_entry **entries,
	size_t *count, struct error *err)
{
	return find_vm(store, vm, ENTRY, entries, count, err);
}

int intent_list_of(const struct store *store, const char *host, struct register_entry **entries,
	size_t *count, struct error *err)
{
	return list_host(store, host, INTENT, entries, count, err);
}

int intent_find(const struct store *store, const char *vm, struct register_entry **entries,
	size_t *count, struct error *err)
{
	return find_vm(store, vm, INTENT, entries, count, err);
}

int intent_list(
	const struct store *store, char (**vms)[UUID_TEXT_SIZE], size_t *count, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;

	*vms = NULL;
	if (intent_list_of(store, store->host, &entries, count, err) < 0)
		return -1;
	if (*count == 0)
		return 0;
	*vms = xcalloc(*count, sizeof(**vms));
	for (size_t i = 0; i < *count; i++)
		str_copy((*vms)[i], UUID_TEXT_SIZE, entries[i].vm);
	return 0;
}
