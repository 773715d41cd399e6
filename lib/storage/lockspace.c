/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cluster's lockspace: making and joining it. See lockspace.h. */
#include "storage/lockspace.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/leader.h"
#include "storage/lease_private.h"
#include "storage/sanlock_private.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define LOCKSPACE_PATH STORE_LOCKS "/" LEASE_LOCKSPACE
#define LOCKID         "lockid"
#define LOCKID_BAD     "lockid.bad"
#define ATTEMPTS       10
#define PAUSE_MS       1000
#define HOSTS_MS       60000
#define UUID_LEN       (UUID_TEXT_SIZE - 1)

unsigned lockspace_first_id(const char *host_uuid)
{
	char hex[33];

	str_md5_hex(host_uuid, strlen(host_uuid), hex);
	hex[8] = '\0';
	return (unsigned)(strtoul(hex, NULL, 16) % LOCKID_MAX) + LOCKID_MIN;
}

static int read_place(int fd, uint64_t id, struct leader *leader)
{
	struct error ignored = {0};
	uint8_t sector[LEASE_SECTOR];

	if (id < LOCKID_MIN || id > LOCKID_MAX ||
		pread(fd, sector, sizeof(sector), (off_t)(id - LOCKID_MIN) * LEASE_SECTOR) !=
			(ssize_t)sizeof(sector))
		return -1;
	return leader_decode(sector, leader, &ignored);
}

unsigned lockspace_list_free(int fd, unsigned first, uint16_t ids[static LOCKID_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < LOCKID_MAX; i++) {
		unsigned id = (first - LOCKID_MIN + i) % LOCKID_MAX + LOCKID_MIN;
		struct leader leader;

		if (read_place(fd, id, &leader) == 0 && leader.kind == LEADER_HOST &&
			leader.timestamp == 0)
			ids[count++] = (uint16_t)id;
	}
	return count;
}

void lockspace_host_name(int root, uint64_t id, char name[static LOCKSPACE_HOST_SIZE])
{
	struct error ignored = {0};
	struct leader leader;
	cleanup_close int fd = beneath_open_file(root, LOCKSPACE_PATH, O_RDONLY, &ignored);

	snprintf(name, LOCKSPACE_HOST_SIZE, "host id %llu", (unsigned long long)id);
	if (fd < 0 || read_place(fd, id, &leader) < 0 || leader.kind != LEADER_HOST ||
		!leader.name[0])
		return;
	/* Without a fixed name sanlock calls itself "UUID.NODENAME". */
	const char *own = leader.name;
	if (strlen(own) > UUID_LEN + 1 && own[UUID_LEN] == '.')
		own += UUID_LEN + 1;
	(void)str_copy(name, LOCKSPACE_HOST_SIZE, own);
}

static struct sanlk_lockspace describe(unsigned id, const char *path)
{
	struct sanlk_lockspace space = {
		.name = LEASE_LOCKSPACE,
		.host_id = id,
		.flags = SANLK_LSF_ALIGN1M | SANLK_LSF_SECTOR512,
	};

	(void)str_copy(space.host_id_disk.path, sizeof(space.host_id_disk.path), path);
	return space;
}

/* Has sanlock format the new, empty file, and sees that it was this file. */
static int format(const struct store *store, int fd, struct error *err)
{
	char path[SANLK_PATH_LEN];
	struct leader leader;

	if (arbiter_path(fd, path, err) < 0)
		return -1;
	struct sanlk_lockspace space = describe(LOCKID_MIN, path);
	int result = arbiter_write_lockspace(&space, store->sanlock_io_timeout);
	if (result < 0)
		return arbiter_fail(err, result, "make the lockspace", path);
	if (read_place(fd, LOCKID_MAX, &leader) < 0 || read_place(fd, LOCKID_MIN, &leader) < 0)
		return error_set(err, ERR_UNAVAILABLE,
			"sanlock made the lockspace, but not in the storage that is seen here as "
			"%s",
			path);
	return fsync(fd) < 0 ? beneath_fail(err, "sync", path) : 0;
}

static int fill_directory(const struct store *store, int dir, struct error *err)
{
	cleanup_close int fd =
		openat(dir, LEASE_LOCKSPACE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || lease_open_to_sanlock(dir, fd) < 0)
		return beneath_fail(err, "make", LOCKSPACE_PATH);
	if (format(store, fd, err) < 0)
		return -1;
	return fsync(dir) < 0 ? beneath_fail(err, "sync the directory of", LOCKSPACE_PATH) : 0;
}

static int sweep_temporary(void *context, int dir, const char *name)
{
	struct error ignored = {0};

	if (str_starts_with(name, context))
		beneath_remove_tree(dir, name, &ignored);
	return 0;
}

static int visit_any(void *context, int dir, const char *name)
{
	(void)context;
	(void)dir;
	(void)name;
	return 1;
}

/* Leases without a lockspace are not sanlock's: nobody may pretend that they are. */
static int check_no_leases(const struct store *store, struct error *err)
{
	cleanup_close int locks =
		beneath_open_raw(store->root, STORE_LOCKS, O_RDONLY | O_DIRECTORY);

	if (locks < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "open", STORE_LOCKS);
	int found = beneath_each(locks, visit_any, NULL, err);
	if (found <= 0)
		return found;
	error_set(err, ERR_UNAVAILABLE, "%s/" STORE_LOCKS " holds leases, but no lockspace",
		store->vms_dir);
	return error_hint(err, "they were made without sanlock; lock_manager = local can use them");
}

/* Makes it unless it is there or another host is faster; nothing half made stays. */
static int make(const struct store *store, struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];
	cleanup_free char *prefix = xasprintf(STORE_LOCKS "-tmp%s-", store->host);

	if (check_no_leases(store, err) < 0 ||
		beneath_each(store->root, sweep_temporary, prefix, err) < 0)
		return -1;
	file_random_suffix(suffix);
	cleanup_free char *temp = xasprintf("%s%s", prefix, suffix);
	if (mkdirat(store->root, temp, 0700) < 0)
		return beneath_fail(err, "make", temp);
	cleanup_close int dir = beneath_open_dir(store->root, temp, err);
	int made = dir < 0 ? -1 : fill_directory(store, dir, err);
	if (made == 0 && renameat(store->root, temp, store->root, STORE_LOCKS) == 0) {
		log_info("lockspace made", "path", store->vms_dir);
		return fsync(store->root) < 0 ? beneath_fail(err, "sync", store->vms_dir) : 0;
	}
	if (made == 0 && errno != EEXIST && errno != ENOTEMPTY)
		made = beneath_fail(err, "make", STORE_LOCKS);
	struct error ignored = {0};
	beneath_remove_tree(store->root, temp, &ignored);
	return made;
}

static int open_lockspace(const struct store *store, struct error *err)
{
	return beneath_open_file(store->root, LOCKSPACE_PATH, O_RDWR, err);
}

/* Opens it, made first where there is none; the caller closes it. */
static int open_or_make(const struct store *store, struct error *err)
{
	int fd = open_lockspace(store, err);

	if (fd >= 0 || err->code != ERR_NOT_FOUND)
		return fd;
	error_clear(err);
	return make(store, err) < 0 ? -1 : open_lockspace(store, err);
}

/* Whether sanlock's path is our file: by name, or by another name of it. */
static bool is_our_file(const struct store *store, const char *path)
{
	cleanup_free char *ours = xasprintf("%s/" LOCKSPACE_PATH, store->vms_dir);
	struct stat theirs, own;

	if (str_equal(path, ours))
		return true;
	return stat(path, &theirs) == 0 &&
	       fstatat(store->root, LOCKSPACE_PATH, &own, AT_SYMLINK_NOFOLLOW) == 0 &&
	       theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino;
}

static int check_listed(const struct store *store, const struct sanlk_lockspace *space,
	unsigned *id, struct error *err)
{
	if (!is_our_file(store, space->host_id_disk.path))
		return error_set(err, ERR_UNAVAILABLE,
			"sanlock is in the lockspace of another storage: %.*s", SANLK_PATH_LEN,
			space->host_id_disk.path);
	if (space->flags & SANLK_LSF_ADD)
		return error_set(err, ERR_UNAVAILABLE, "sanlock is joining the lockspace");
	if (space->flags & SANLK_LSF_REM)
		return error_set(err, ERR_UNAVAILABLE, "sanlock is leaving the lockspace");
	if (space->host_id < LOCKID_MIN || space->host_id > LOCKID_MAX)
		return error_set(err, ERR_UNAVAILABLE, "sanlock uses the host id %llu",
			(unsigned long long)space->host_id);
	*id = (unsigned)space->host_id;
	return 0;
}

int lockspace_find(const struct store *store, bool *found, unsigned *id, struct error *err)
{
	struct sanlk_lockspace *spaces = NULL;
	int count = 0, checked = 0;

	*found = false;
	*id = 0;
	int result = arbiter_get_lockspaces(&spaces, &count);
	if (result < 0) {
		arbiter_fail(err, result, "look for", "the lockspace");
		err->code = ERR_UNAVAILABLE;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		if (strncmp(spaces[i].name, LEASE_LOCKSPACE, SANLK_NAME_LEN) == 0) {
			*found = true;
			checked = check_listed(store, &spaces[i], id, err);
			break;
		}
	}
	free(spaces);
	return checked;
}

int lockspace_check(const struct store *store, unsigned *id, struct error *err)
{
	bool found;

	*id = 0;
	if (store->lock_manager != LOCK_MANAGER_SANLOCK)
		return 0;
	if (lockspace_find(store, &found, id, err) < 0)
		return -1;
	return found ? 0 : error_set(err, ERR_UNAVAILABLE, "this host is not in the lockspace");
}

int lockspace_check_daemon(struct error *err)
{
	int result = arbiter_version();

	if (result >= 0)
		return 0;
	arbiter_fail(err, result, "ask", "sanlock");
	err->code = ERR_UNAVAILABLE;
	return -1;
}

static int open_register(const struct store *store, struct error *err)
{
	cleanup_free char *path = xasprintf(STORE_REGISTER "/%s", store->host);

	return beneath_open_dir(store->root, path, err);
}

/* The host's noted id, 0 when there is none. One that cannot be understood is put aside: sanlock
 * itself sees to it that an id has one host. */
static int read_lockid(const struct store *store, unsigned *id, struct error *err)
{
	struct error bad = {0};
	size_t len = 0;

	*id = 0;
	cleanup_close int dir = open_register(store, err);
	if (dir < 0)
		return -1;
	cleanup_close int fd = beneath_open_file(dir, LOCKID, O_RDONLY, &bad);
	if (fd < 0 && bad.code == ERR_NOT_FOUND)
		return 0;
	cleanup_free char *text = fd < 0 ? NULL : file_read_fd(fd, LOCKID, 64, &len, &bad);
	if (text && lockid_parse(text, len, id, &bad) == 0)
		return 0;
	log_warning("lockid cannot be understood and is put aside", "reason", bad.message, "as",
		LOCKID_BAD);
	if (renameat(dir, LOCKID, dir, LOCKID_BAD) < 0)
		return beneath_fail(err, "put aside", LOCKID);
	return 0;
}

static int write_lockid(const struct store *store, unsigned id, struct error *err)
{
	char text[8];
	int len = snprintf(text, sizeof(text), "%u\n", id);
	cleanup_close int dir = open_register(store, err);

	if (dir < 0)
		return -1;
	return file_write_atomic_at(dir, LOCKID, LOCKID, text, (size_t)len, STORE_MODE_FILE, err);
}

/* True when it is not to be tried again: stopped. */
static bool pause_between(const atomic_bool *stop)
{
	for (unsigned waited = 0; waited < PAUSE_MS && !atomic_load(stop); waited += 100)
		poll(NULL, 0, 100);
	return atomic_load(stop);
}

static int fail_busy(const struct store *store, unsigned id, struct error *err)
{
	char name[LOCKSPACE_HOST_SIZE];

	lockspace_host_name(store->root, id, name);
	error_set(err, ERR_UNAVAILABLE, "host id %u is in use by %s", id, name);
	return error_hint(err,
		"after a restart of sanlock this passes; give sanlock a host name of its own (-e)");
}

/* Tries one id; sanlock answers when it has the place or knows that it cannot have it, which may
 * take minutes. Only the thread that joins waits for that. */
static int try_id(const struct store *store, const char *path, unsigned id, struct error *err)
{
	struct sanlk_lockspace space = describe(id, path);
	int result = sanlock_add_lockspace_timeout(&space, 0, store->sanlock_io_timeout);

	if (result >= 0 || result == -EEXIST)
		return 0;
	if (result == SANLK_HOSTID_BUSY)
		return fail_busy(store, id, err);
	arbiter_fail(err, result, "join the lockspace", path);
	err->code = ERR_UNAVAILABLE;
	return -1;
}

/* Takes `known`, or else the first of the free ids that can be had. */
static int take_place(const struct store *store, int fd, unsigned known, const atomic_bool *stop,
	unsigned *id, struct error *err)
{
	uint16_t ids[LOCKID_MAX] = {(uint16_t)known};
	char path[SANLK_PATH_LEN];
	unsigned count = known ? 1 : lockspace_list_free(fd, lockspace_first_id(store->host), ids);

	if (arbiter_path(fd, path, err) < 0)
		return -1;
	if (count == 0)
		return error_set(err, ERR_UNAVAILABLE, "all host ids of the lockspace are in use");
	/* What cannot be had is told each time; whoever keeps the place tries again. */
	for (unsigned attempt = 0; attempt < ATTEMPTS && attempt < count; attempt++) {
		error_clear(err);
		*id = ids[attempt];
		if (try_id(store, path, *id, err) == 0)
			return 0;
		if (pause_between(stop))
			break;
	}
	return -1;
}

/* Right after joining sanlock has not read yet who else is there, and no lease can be judged. */
static void wait_for_hosts(const atomic_bool *stop)
{
	for (unsigned waited = 0; waited < HOSTS_MS && !atomic_load(stop); waited += 100) {
		struct sanlk_host *hosts = NULL;
		int count = 0, result = arbiter_get_hosts(&hosts, &count);

		free(hosts);
		if (result != -EAGAIN)
			break;
		poll(NULL, 0, 100);
	}
}

int lockspace_join(
	const struct store *store, const atomic_bool *stop, unsigned *id, struct error *err)
{
	unsigned known;

	if (lockspace_check(store, id, err) == 0)
		return 0;
	if (arbiter_version() < 0)
		return -1; /* away, as was found already */
	error_clear(err);
	cleanup_close int fd = open_or_make(store, err);
	if (fd < 0 || read_lockid(store, &known, err) < 0 ||
		take_place(store, fd, known, stop, id, err) < 0) {
		err->code = ERR_UNAVAILABLE;
		*id = 0;
		return -1;
	}
	wait_for_hosts(stop);
	if (!known && write_lockid(store, *id, err) < 0) {
		/* The place is taken all the same; without the note another one is next time. */
		log_warning("lockid cannot be written", "reason", err->message);
		error_clear(err);
	}
	return 0;
}
