/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cloud-init seeds: NoCloud ISOs (cloud-init, reference/datasources/nocloud). They hold secrets:
 * the pieces lie only in a directory that nobody else can enter, and go with it.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/disk.h"
#include "storage/store_private.h"
#include "storage/work.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED_NAME       "seed.iso"
#define BUILD_TIMEOUT_S 120
#define PIECES          3

/* One file of the seed; text NULL: not given. */
struct piece {
	const char *name;
	const char *text;
};

/* Relative to the datastore; the caller frees it. */
static char *seed_below(const char *vm)
{
	return xasprintf("ci/%s/" SEED_NAME, vm);
}

char *seed_path(const struct store *store, const char *vm)
{
	return xasprintf("%s/" STORE_DATASTORE "/ci/%s/" SEED_NAME, store->vms_dir, vm);
}

static int write_piece(int dir, const struct piece *piece, struct error *err)
{
	cleanup_close int fd =
		openat(dir, piece->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || file_write_all(fd, piece->text, strlen(piece->text)) < 0)
		return beneath_fail(err, "write", piece->name);
	return 0;
}

/* Builds the ISO of the pieces that are in dir, in dir. */
static int run_xorrisofs(int dir, const struct piece pieces[static PIECES], struct error *err)
{
	cleanup_free char *output = xasprintf("/dev/fd/%d/" SEED_NAME, dir);
	const char *argv[16] = {"xorrisofs", "--no_rc", "-quiet", "-J", "-R", "-V", "cidata", "-o",
		output, "-graft-points"};
	size_t argc = 10;
	char *grafts[PIECES] = {NULL};

	for (size_t i = 0; i < PIECES; i++) {
		if (!pieces[i].text)
			continue;
		grafts[i] = xasprintf("/%s=/dev/fd/%d/%s", pieces[i].name, dir, pieces[i].name);
		argv[argc++] = grafts[i];
	}
	const struct process process = {
		.argv = argv,
		.fds = &dir,
		.fd_count = 1,
		.timeout_s = BUILD_TIMEOUT_S,
	};
	int built = process_run(&process, NULL, err);
	for (size_t i = 0; i < PIECES; i++)
		free(grafts[i]);
	return built;
}

/* Builds it in the work directory and gives it its name in the seed's directory. */
static int build(int seeds, int work, const struct piece pieces[static PIECES], struct error *err)
{
	for (size_t i = 0; i < PIECES; i++) {
		if (pieces[i].text && write_piece(work, &pieces[i], err) < 0)
			return -1;
	}
	if (run_xorrisofs(work, pieces, err) < 0)
		return -1;
	cleanup_close int fd = beneath_open_file(work, SEED_NAME, O_RDWR, err);
	if (fd < 0)
		return -1;
	beneath_give(seeds, fd);
	if (fchmod(fd, STORE_MODE_FILE) < 0 || fsync(fd) < 0 ||
		renameat(work, SEED_NAME, seeds, SEED_NAME) < 0 || fsync(seeds) < 0)
		return beneath_fail(err, "make", SEED_NAME);
	return 0;
}

static int sweep_work(void *context, int dir, const char *name)
{
	struct error *err = context;

	return str_starts_with(name, ".virtx-") ? beneath_remove_tree(dir, name, err) : 0;
}

/* Makes a private directory, builds in it and removes it whatever happened. */
static int build_privately(
	int seeds, const char *vm, const struct piece pieces[static PIECES], struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];
	cleanup_free char *prefix = work_temporary_prefix(vm);

	/* What a cut left. */
	if (beneath_each(seeds, sweep_work, err, err) < 0)
		return -1;
	file_random_suffix(suffix);
	cleanup_free char *name = xasprintf("%s%s" WORK_TEMPORARY_SUFFIX, prefix, suffix);
	if (mkdirat(seeds, name, 0700) < 0)
		return beneath_fail(err, "make", name);
	cleanup_close int work = beneath_open_dir(seeds, name, err);
	int built = work < 0 ? -1 : build(seeds, work, pieces, err);
	struct error later = {0};
	if (beneath_remove_tree(seeds, name, &later) < 0 && built == 0) {
		*err = later;
		return -1;
	}
	return built;
}

int seed_create(const struct store *store, const char *vm, const char *user_data,
	const char *meta_data, const char *network_config, char **path, struct error *err)
{
	const char *name;
	struct error ignored = {0};
	unsigned made;

	*path = NULL;
	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	if (!user_data && !network_config)
		return error_set(err, ERR_SEED,
			"a seed needs user-data or network-config, and neither is given");
	cleanup_free char *below = seed_below(vm);
	cleanup_free char *default_meta =
		xasprintf("instance-id: %s\nlocal-hostname: %s\n", vm, vm);
	const struct piece pieces[PIECES] = {
		{"meta-data", meta_data ? meta_data : default_meta},
		{"user-data", user_data},
		{"network-config", network_config},
	};
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	cleanup_close int seeds =
		root < 0 ? -1
			 : beneath_make_parents(root, below, STORE_MODE_DIR, &name, &made, err);
	if (seeds >= 0 && build_privately(seeds, vm, pieces, err) < 0)
		beneath_remove_parents(root, below, made, NULL, &ignored);
	if (error_is_set(err)) {
		err->code = ERR_SEED;
		return error_prefix(err, "cloud-init seed of VM %s", vm);
	}
	*path = seed_path(store, vm);
	return 0;
}

int seed_remove(const struct store *store, const char *vm, struct error *err)
{
	const char *name;

	if (store_check_uuid("the VM", vm, err) < 0)
		return -1;
	cleanup_free char *below = seed_below(vm);
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	cleanup_close int dir = root < 0 ? -1 : beneath_open_parent(root, below, &name, err);
	if (dir < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (beneath_each(dir, sweep_work, err, err) < 0)
		return error_prefix(err, "cloud-init seed of VM %s", vm);
	if ((unlinkat(dir, name, 0) < 0 && errno != ENOENT) || fsync(dir) < 0)
		return beneath_fail(err, "remove", below);
	/* The VM's directory; another program's files keep it. */
	return beneath_remove_parents(root, below, 1, NULL, err);
}
