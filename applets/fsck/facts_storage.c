/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lock folder and the datastore. */
#include "base/mem.h"
#include "base/str.h"
#include "facts.h"
#include "storage/beneath.h"
#include "storage/leader.h"
#include "storage/work.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#define UUID_LEN      (UUID_TEXT_SIZE - 1)
#define DEPTH_MAX     64 /* folders below each other in the datastore */
#define BLOCK         512
#define SUFFIX_MAX    10 /* characters that make a temporary name unique */
#define SEEDS         "ci"
#define SEED_NAME     "seed.iso"
#define MODE_STRANGER 0007 /* what nobody but owner and group may do with a seed */

/*
 * Whether a name in the lock folder is that of a temporary directory, NAME-tmpLETTERS or ours
 * NAME-tmpOWNER-LETTERS; vm is the owner or "".
 */
static bool is_temporary(const char *name, char vm[static UUID_TEXT_SIZE])
{
	const char *at = NULL;

	for (const char *next = name; (next = strstr(next, "-tmp")); next++)
		at = next + strlen("-tmp");
	vm[0] = '\0';
	if (!at)
		return false;
	if (strlen(at) > UUID_LEN && at[UUID_LEN] == '-') {
		cleanup_free char *uuid = xstrndup(at, UUID_LEN);

		if (uuid_canonical(uuid, vm))
			at += UUID_LEN + 1;
	}
	size_t len = strlen(at);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)at[i]))
			return false;
	return len > 0 && len <= SUFFIX_MAX;
}

/* What sanlock wrote first into a file; ERR_STORED_DATA. */
static int read_leader(int fd, struct leader *leader, struct error *err)
{
	uint8_t sector[LEASE_SECTOR];

	if (pread(fd, sector, sizeof(sector), 0) != (ssize_t)sizeof(sector))
		return error_set(err, ERR_STORED_DATA, "it is too short");
	return leader_decode(sector, leader, err);
}

/* Whether sanlock would take the resource file. */
static int check_resource(const struct facts *facts, const char *name, struct error *err)
{
	struct leader leader;

	if (facts->settings->lock_manager != LOCK_MANAGER_SANLOCK)
		return 0;
	cleanup_free char *path = xasprintf(STORE_LOCKS "/%s/%s", name, name);
	cleanup_close int fd = beneath_open_file(store_root(facts->store), path, O_RDONLY, err);
	if (fd < 0 || read_leader(fd, &leader, err) < 0)
		return -1;
	if (leader.kind != LEADER_RESOURCE || !str_equal(leader.space, LEASE_LOCKSPACE) ||
		strncmp(leader.name, name, LEADER_NAME_LEN) != 0)
		return error_set(err, ERR_STORED_DATA, "sanlock has formatted it as %s of %s",
			leader.name, leader.space);
	return 0;
}

static void check_lease_modes(struct facts *facts, int locks, const char *name, const char *path)
{
	struct error ignored = {0};
	cleanup_free char *file = xasprintf("%s/%s", path, name);
	cleanup_close int dir = beneath_open_dir(locks, name, &ignored);

	facts_check_mode(facts, locks, name, path, LEASE_MODE_DIR, true);
	if (dir >= 0)
		facts_check_mode(facts, dir, name, file, LEASE_MODE_FILE, true);
}

static int visit_lock(void *context, int locks, const char *name)
{
	struct facts *facts = context;
	cleanup_free char *path = xasprintf(STORE_LOCKS "/%s", name);
	char vm[UUID_TEXT_SIZE];
	struct stat info;
	struct error err = {0};

	if (facts_are_full(facts))
		return 1;
	if (str_equal(name, LEASE_LOCKSPACE) ||
		fstatat(locks, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(info.st_mode) && is_temporary(name, vm)) {
		struct fact_item *item = facts_add_item(facts, FACT_LEASE_TEMPORARY, path);

		memcpy(item->vm, vm, sizeof(item->vm));
		item->changed = info.st_mtime;
		return 0;
	}
	struct fact_lease *lease = facts_add(&facts->leases);
	lease->name = xstrdup(name);
	facts->weight += sizeof(*lease) + strlen(name);
	if (lease_owner(facts->store, name, lease->owner, &err) < 0 ||
		check_resource(facts, name, &err) < 0)
		lease->bad = xstrdup(err.message);
	else
		check_lease_modes(facts, locks, name, path);
	return 0;
}

/* The lockspace's file, which sanlock needs once there is anything to lock. */
static void check_lockspace(struct facts *facts, int locks)
{
	struct error err = {0};
	struct leader leader;

	if (facts->settings->lock_manager != LOCK_MANAGER_SANLOCK)
		return;
	cleanup_close int fd =
		locks < 0 ? -1 : beneath_open_file(locks, LEASE_LOCKSPACE, O_RDONLY, &err);
	if (fd < 0 && err.code != ERR_NOT_FOUND && locks >= 0)
		facts->bad_lockspace = xstrdup(err.message);
	else if (fd < 0 && (facts->entries.n > 0 || facts->leases.n > 0))
		facts->bad_lockspace = xstrdup("there is none");
	if (fd < 0)
		return;
	if (read_leader(fd, &leader, &err) == 0 &&
		(leader.kind != LEADER_HOST || !str_equal(leader.space, LEASE_LOCKSPACE)))
		error_set(&err, ERR_STORED_DATA, "it is that of %s", leader.space);
	if (error_is_set(&err))
		facts->bad_lockspace = xstrdup(err.message);
	else
		facts_check_mode(facts, locks, LEASE_LOCKSPACE, STORE_LOCKS "/" LEASE_LOCKSPACE,
			LEASE_MODE_FILE, true);
}

void facts_read_locks(struct facts *facts)
{
	struct error err = {0};
	int root = store_root(facts->store);
	cleanup_close int locks = beneath_open_dir(root, STORE_LOCKS, &err);

	if (locks >= 0) {
		facts_check_mode(facts, root, STORE_LOCKS, STORE_LOCKS, LEASE_MODE_DIR, true);
		beneath_each(locks, visit_lock, facts, &err);
	}
	/* The first host makes it. */
	if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
		facts_note_unseen(facts, "the leases: %s", err.message);
	else
		check_lockspace(facts, locks);
}

/* A folder of the datastore being read; path is relative to VMS. */
struct walk {
	struct facts *facts;
	const char *path;
	unsigned depth;
};

/* The VM whose temporary name it is (".virtx-UUID-LETTERS.tmp"); false for any other name. */
static bool is_image_temporary(const char *name, char vm[static UUID_TEXT_SIZE])
{
	static const char start[] = ".virtx-";

	if (!str_starts_with(name, start) || !str_ends_with(name, WORK_TEMPORARY_SUFFIX) ||
		strlen(name) < strlen(start) + UUID_LEN)
		return false;
	cleanup_free char *uuid = xstrndup(name + strlen(start), UUID_LEN);
	return uuid_canonical(uuid, vm);
}

static void add_file(struct walk *walk, enum fact_kind kind, const char *path, const char *vm,
	const struct stat *info)
{
	struct fact_item *item = facts_add_item(walk->facts, kind, path);

	memcpy(item->vm, vm, sizeof(item->vm));
	item->changed = info->st_mtime;
	if (kind == FACT_IMAGE) {
		walk->facts->n_images++;
		walk->facts->image_bytes += (uint64_t)info->st_blocks * BLOCK;
	}
}

static void walk_folder(struct walk *walk, int dir, const char *name, const char *path,
	int (*visit)(void *context, int dir, const char *name))
{
	struct walk below = {walk->facts, path, walk->depth + 1};
	struct error err = {0};

	if (below.depth > DEPTH_MAX) {
		facts_note_unseen(walk->facts, "%s: more than %d folders deep", path, DEPTH_MAX);
		return;
	}
	cleanup_close int folder = beneath_open_dir(dir, name, &err);
	if (folder >= 0)
		beneath_each(folder, visit, &below, &err);
	if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
		facts_note_unseen(walk->facts, "%s: %s", path, err.message);
}

static int visit_image(void *context, int dir, const char *name)
{
	struct walk *walk = context;
	cleanup_free char *path = xasprintf("%s/%s", walk->path, name);
	char vm[UUID_TEXT_SIZE] = "";
	struct stat info;

	if (facts_are_full(walk->facts))
		return 1;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (is_image_temporary(name, vm))
		add_file(walk, FACT_IMAGE_TEMPORARY, path, vm, &info);
	else if (S_ISDIR(info.st_mode))
		walk_folder(walk, dir, name, path, visit_image);
	else
		add_file(walk, FACT_IMAGE, path, vm, &info);
	return 0;
}

/* Who may read a seed, which holds secrets. */
static void check_secret(
	struct facts *facts, int dir, const char *name, const char *path, mode_t wanted)
{
	struct stat info;

	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(info.st_mode) ||
		!(info.st_mode & MODE_STRANGER))
		return;
	struct fact_item *item = facts_add_item(facts, FACT_SECRET_MODE, path);
	item->mode = info.st_mode & 07777;
	item->wanted = wanted;
}

/* What lies in the folder of one VM's seed. */
static int visit_seed(void *context, int dir, const char *name)
{
	struct walk *walk = context;
	cleanup_free char *path = xasprintf("%s/%s", walk->path, name);
	struct stat info;

	if (!str_equal(name, SEED_NAME) || fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
		S_ISDIR(info.st_mode))
		return visit_image(context, dir, name);
	check_secret(walk->facts, dir, name, path, STORE_MODE_FILE);
	return 0;
}

static int visit_seeds(void *context, int dir, const char *name)
{
	struct walk *walk = context;
	cleanup_free char *path = xasprintf("%s/%s", walk->path, name);
	char vm[UUID_TEXT_SIZE];
	struct stat info;

	if (!uuid_canonical(name, vm) || !str_equal(name, vm) ||
		fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(info.st_mode))
		return visit_image(context, dir, name);
	add_file(walk, FACT_SEED, path, vm, &info);
	check_secret(walk->facts, dir, name, path, STORE_MODE_DIR);
	walk_folder(walk, dir, name, path, visit_seed);
	return 0;
}

static int visit_top(void *context, int dir, const char *name)
{
	struct walk *walk = context;
	struct stat info;

	if (str_equal(name, SEEDS) && fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(info.st_mode))
		walk_folder(walk, dir, name, STORE_DATASTORE "/" SEEDS, visit_seeds);
	else
		visit_image(context, dir, name);
	return 0;
}

void facts_read_datastore(struct facts *facts)
{
	struct walk top = {facts, ".", 0};

	walk_folder(&top, store_root(facts->store), STORE_DATASTORE, STORE_DATASTORE, visit_top);
}

/*
 * What lies at a disk's path. Below the datastore through no link; elsewhere (LUNs, .iso files)
 * only what this host can see of its own VMs.
 */
static enum fact_image look_at(const struct facts *facts, struct fact_claim *claim)
{
	const char *vms_dir = store_vms_dir(facts->store);
	size_t len = strlen(vms_dir);
	const char *path = claim->disk->path;
	struct stat info;
	int found;

	if (str_starts_with(path, vms_dir) && path[len] == '/') {
		cleanup_close int fd =
			beneath_open_raw(store_root(facts->store), path + len + 1, O_PATH);
		if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EXDEV))
			return FACT_NO_FILE;
		found = fd < 0 ? -1 : fstat(fd, &info);
		if (found == 0 && !S_ISREG(info.st_mode))
			return FACT_NO_FILE;
	} else if (str_equal(claim->vm->host, facts->host)) {
		found = stat(path, &info);
	} else {
		return FACT_UNKNOWN;
	}
	if (found < 0)
		return errno == ENOENT ? FACT_GONE : FACT_UNKNOWN;
	claim->device = S_ISBLK(info.st_mode) ? info.st_rdev : info.st_dev;
	claim->inode = S_ISBLK(info.st_mode) ? 0 : info.st_ino;
	return FACT_THERE;
}

void facts_look_at_images(struct facts *facts)
{
	for (size_t i = 0; i < facts->claims.n; i++)
		facts->claims.list[i].image = look_at(facts, &facts->claims.list[i]);
}
