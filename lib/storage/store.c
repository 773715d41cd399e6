/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared storage: its marker, its folders, who uses it. See store.h. */
#include "storage/store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/lock_manager.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#define MARKER     ".virtx-cluster"
#define MARKER_MAX 4096
#define HOST_LOCK  ".lock"

#define LOOK_WAIT_MS  200
#define LOOK_PAUSE_MS 10

int store_check_uuid(const char *what, const char *uuid, struct error *err)
{
	char canonical[UUID_TEXT_SIZE];

	if (!uuid || !uuid_canonical(uuid, canonical) || !str_equal(uuid, canonical))
		return error_set(err, ERR_INVALID, "%s is not a UUID in lower case", what);
	return 0;
}

/* Reads the marker. ERR_NOT_FOUND without one, ERR_UNAVAILABLE when it cannot be understood. */
static int marker_read(int root, char cluster[static UUID_TEXT_SIZE], struct error *err)
{
	cleanup_close int fd = beneath_open_file(root, MARKER, O_RDONLY, err);

	cluster[0] = '\0';
	if (fd < 0)
		return -1;
	cleanup_free char *text = file_read_fd(fd, MARKER, MARKER_MAX, NULL, err);
	if (!text)
		return -1;
	struct json_object *json = json_tokener_parse(text);
	struct json_object *value;
	if (json_object_is_type(json, json_type_object) &&
		json_object_object_get_ex(json, "cluster", &value) &&
		json_object_is_type(value, json_type_string))
		uuid_canonical(json_object_get_string(value), cluster);
	json_object_put(json);
	if (!cluster[0])
		return error_set(err, ERR_UNAVAILABLE, "%s holds no {\"cluster\": UUID}", MARKER);
	return 0;
}

/* Writes a marker with a new id, unless another host is faster: then that one's id counts. */
static int marker_make(int root, char cluster[static UUID_TEXT_SIZE], struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];

	uuid_make(cluster);
	file_random_suffix(suffix);
	cleanup_free char *temp = xasprintf("%s.new-%s", MARKER, suffix);
	cleanup_free char *text = xasprintf("{\"cluster\": \"%s\"}\n", cluster);
	if (file_write_atomic_at(root, temp, temp, text, strlen(text), STORE_MODE_FILE, err) < 0)
		return -1;
	if (beneath_rename_new(root, temp, root, MARKER) < 0) {
		int cause = errno;

		unlinkat(root, temp, 0);
		errno = cause;
		return cause == EEXIST ? marker_read(root, cluster, err)
				       : beneath_fail(err, "make", MARKER);
	}
	return fsync(root) < 0 ? beneath_fail(err, "sync the directory of", MARKER) : 0;
}

static int visit_host(void *context, int dir, const char *name)
{
	(void)context;
	struct stat info;

	return uuid_is_valid(name) && fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(info.st_mode);
}

/* 1 when the storage has been a cluster's: a host's register directory or a lockspace. 0 when not,
 * -1 when nobody can tell. */
static int is_in_use(int root, struct error *err)
{
	cleanup_close int locks = beneath_open_raw(root, STORE_LOCKS "/" LEASE_LOCKSPACE, O_PATH);
	if (locks >= 0)
		return 1;
	if (errno != ENOENT)
		return beneath_fail(err, "look at", STORE_LOCKS);
	cleanup_close int dir = beneath_open_raw(root, STORE_REGISTER, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "open", STORE_REGISTER);
	return beneath_each(dir, visit_host, NULL, err);
}

static int make_folders(int root, struct error *err)
{
	if (beneath_make_dir(root, STORE_DATASTORE, STORE_MODE_DIR, err) < 0)
		return -1;
	return beneath_make_dir(root, STORE_REGISTER, STORE_MODE_DIR, err);
}

static int open_root(const char *vms_dir, struct error *err)
{
	int root = open(vms_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0) {
		error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot open the storage %s", vms_dir);
		error_hint(err, "mount the shared storage there, or set vms_dir");
	}
	return root;
}

/* The marker's id, made anew where the storage was a cluster's without one. */
static int find_cluster(int root, char cluster[static UUID_TEXT_SIZE], struct error *err)
{
	if (marker_read(root, cluster, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND) {
		err->code = ERR_UNAVAILABLE;
		return -1;
	}
	error_clear(err);
	int used = is_in_use(root, err);
	if (used > 0)
		return marker_make(root, cluster, err);
	if (used == 0)
		error_set(
			err, ERR_NOT_FOUND, "it has neither a marker (%s) nor a register", MARKER);
	return -1;
}

int store_init(const char *vms_dir, char cluster[static UUID_TEXT_SIZE], struct error *err)
{
	if (file_make_dirs(vms_dir, STORE_MODE_DIR, err) < 0)
		return -1;
	cleanup_close int root = open_root(vms_dir, err);
	if (root < 0)
		return -1;
	int found = find_cluster(root, cluster, err);
	if (found < 0 && err->code == ERR_NOT_FOUND) {
		error_clear(err);
		/* The marker last: with it the storage is complete. */
		found = make_folders(root, err) < 0 ? -1 : marker_make(root, cluster, err);
	}
	return found < 0 ? error_prefix(err, "%s", vms_dir) : 0;
}

/* The daemon that wrote them is gone: the host's lock is ours. */
static int sweep_temporary(void *context, int dir, const char *name)
{
	char uuid[UUID_TEXT_SIZE];

	(void)context;
	if (strlen(name) > UUID_TEXT_SIZE - 1 &&
		str_starts_with(name + UUID_TEXT_SIZE - 1, ".tmp-")) {
		memcpy(uuid, name, UUID_TEXT_SIZE - 1);
		uuid[UUID_TEXT_SIZE - 1] = '\0';
		if (uuid_is_valid(uuid))
			unlinkat(dir, name, 0);
	}
	return 0;
}

/* Whoever only looks (store_is_served) has it for a moment. */
static int lock_host(int fd)
{
	for (unsigned attempt = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; attempt++) {
		if (errno != EWOULDBLOCK || attempt >= LOOK_WAIT_MS / LOOK_PAUSE_MS)
			return -1;
		poll(NULL, 0, LOOK_PAUSE_MS);
	}
	return 0;
}

/* Makes and locks the host's register directory. */
static int claim_host(struct store *store, struct error *err)
{
	cleanup_close int xml = store_open_dir(store, STORE_REGISTER, err);

	if (xml < 0 || beneath_make_dir(xml, store->host, STORE_MODE_DIR, err) < 0)
		return -1;
	cleanup_close int dir = beneath_open_dir(xml, store->host, err);
	if (dir < 0)
		return -1;
	store->lock = openat(dir, HOST_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		STORE_MODE_FILE);
	if (store->lock < 0)
		return beneath_fail(err, "open", HOST_LOCK);
	if (lock_host(store->lock) < 0) {
		if (errno != EWOULDBLOCK)
			return beneath_fail(err, "lock", HOST_LOCK);
		error_set(err, ERR_BUSY,
			"another virtxd (or a virtx fsck --repair) runs as host %s on this storage",
			store->host);
		return error_hint(err, "stop it, or give this one its own host_uuid");
	}
	return beneath_each(dir, sweep_temporary, NULL, err);
}

static int open_store(struct store *store, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(store->lock_manager);

	store->root = open_root(store->vms_dir, err);
	if (store->root < 0)
		return -1;
	if (find_cluster(store->root, store->cluster, err) < 0) {
		if (err->code == ERR_NOT_FOUND) {
			err->code = ERR_UNAVAILABLE;
			error_hint(err, "mount the shared storage; for a new cluster run virtxd "
					"--init-cluster once");
		}
		return -1;
	}
	if (make_folders(store->root, err) < 0 || ops->prepare(store->root, err) < 0)
		return -1;
	return claim_host(store, err);
}

/* One that nothing is open of yet; NULL for what can be none. */
static struct store *store_new(const struct store_config *config, struct error *err)
{
	if (config->vms_dir[0] != '/') {
		error_set(err, ERR_INVALID, "vms_dir %s is not absolute", config->vms_dir);
		return NULL;
	}
	if (store_check_uuid("the host's UUID", config->host_uuid, err) < 0)
		return NULL;
	struct store *store = xcalloc(1, sizeof(*store));
	store->vms_dir = xstrdup(config->vms_dir);
	str_copy(store->host, sizeof(store->host), config->host_uuid);
	store->lock_manager = config->lock_manager;
	store->sanlock_io_timeout = config->sanlock_io_timeout;
	store->name_vm = config->name_vm;
	store->context = config->context;
	store->helper = xstrdup_or_null(config->helper);
	store->root = -1;
	store->lock = -1;
	return store;
}

struct store *store_open(const struct store_config *config, struct error *err)
{
	struct store *store = store_new(config, err);

	if (!store)
		return NULL;
	/* Files here are shared within the group and nobody else's business. */
	umask(0006);
	if (open_store(store, err) < 0) {
		error_prefix(err, "storage %s", store->vms_dir);
		store_close(store);
		return NULL;
	}
	return store;
}

struct store *store_look(const struct store_config *config, struct error *marker, struct error *err)
{
	struct store *store = store_new(config, err);

	if (!store)
		return NULL;
	store->root = open_root(store->vms_dir, err);
	if (store->root < 0) {
		store_close(store);
		return NULL;
	}
	marker_read(store->root, store->cluster, marker);
	return store;
}

int store_is_served(
	struct store *store, const char *host, bool keep, bool *served, struct error *err)
{
	*served = false;
	if (store_check_uuid("the host", host, err) < 0)
		return -1;
	cleanup_free char *path = xasprintf(STORE_REGISTER "/%s/" HOST_LOCK, host);
	cleanup_close int fd = beneath_open_file(store->root, path, keep ? O_RDWR : O_RDONLY, err);
	if (fd < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (flock(fd, (keep ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
		*served = errno == EWOULDBLOCK;
		return *served ? 0 : beneath_fail(err, "look at", path);
	}
	if (keep && store->lock < 0)
		store->lock = steal_fd(&fd);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	mem_cleanup_close(&store->lock);
	mem_cleanup_close(&store->root);
	free(store->helper);
	free(store->vms_dir);
	free(store);
}

int store_root(const struct store *store)
{
	return store->root;
}

const char *store_vms_dir(const struct store *store)
{
	return store->vms_dir;
}

const char *store_host_uuid(const struct store *store)
{
	return store->host;
}

const char *store_cluster(const struct store *store)
{
	return store->cluster;
}

/* We hold a descriptor, but QEMU opens its images by path. */
static int check_place(const struct store *store, struct error *err)
{
	struct stat opened, now;

	if (fstat(store->root, &opened) < 0 || stat(store->vms_dir, &now) < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "storage %s", store->vms_dir);
	if (opened.st_dev == now.st_dev && opened.st_ino == now.st_ino)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "storage %s is not the folder that it was at the start",
		store->vms_dir);
	return error_hint(err, "was it unmounted or moved? put it back, or restart the daemon");
}

int store_check(const struct store *store, struct error *err)
{
	char cluster[UUID_TEXT_SIZE];

	if (check_place(store, err) < 0)
		return -1;
	if (marker_read(store->root, cluster, err) < 0) {
		err->code = ERR_UNAVAILABLE;
		return error_prefix(err, "storage %s", store->vms_dir);
	}
	if (!str_equal(cluster, store->cluster))
		return error_set(err, ERR_UNAVAILABLE,
			"storage %s is now that of cluster %s, it was %s at the start",
			store->vms_dir, cluster, store->cluster);
	return 0;
}

int store_open_dir(const struct store *store, const char *name, struct error *err)
{
	return beneath_open_dir(store->root, name, err);
}

const char *store_below_datastore(const struct store *store, const char *path)
{
	size_t len = strlen(store->vms_dir);

	if (!str_starts_with(path, store->vms_dir) ||
		!str_starts_with(path + len, "/" STORE_DATASTORE "/"))
		return NULL;
	path += len + strlen("/" STORE_DATASTORE "/");
	return *path ? path : NULL;
}
