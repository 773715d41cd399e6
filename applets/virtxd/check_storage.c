/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd --check: the shared storage, which is only looked at. */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "storage/cluster_key.h"
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MOUNT_IT "mount the shared storage there, or set vms_dir"

/* Why it cannot be opened host_check_storage() says. */
static int open_vms(struct check *check)
{
	int root = open(check->settings->vms_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		check_set(check, CHECK_SKIP, NULL, "%s cannot be opened", check->settings->vms_dir);
	return root;
}

void host_check_storage(struct check *check)
{
	char host[UUID_TEXT_SIZE];
	struct error marker = {0}, err = {0};

	uuid_make(host); /* nothing depends on which host looks */
	struct store *store = store_look(
		&(struct store_config){.vms_dir = check->settings->vms_dir, .host_uuid = host},
		&marker, &err);
	if (!store)
		check_set_error(check, CHECK_FAIL, &err, MOUNT_IT);
	else if (marker.code == ERR_NOT_FOUND)
		check_set(check, CHECK_FAIL,
			"mount the shared storage; for a new cluster run virtxd --init-cluster "
			"once",
			"%s has no marker (.virtx-cluster): it is no cluster's storage",
			check->settings->vms_dir);
	else if (error_is_set(&marker))
		check_set_error(check, CHECK_FAIL, &marker,
			"put the marker (.virtx-cluster) back from a backup");
	else
		check_set(check, CHECK_OK, NULL, "%s is the storage of cluster %s",
			check->settings->vms_dir, store_cluster(store));
	store_close(store);
}

void host_check_mount(struct check *check)
{
	struct stat info, above;

	if (check_skips_sanlock(check))
		return;
	cleanup_close int root = open_vms(check);
	if (root < 0)
		return;
	if (fstat(root, &info) < 0 || fstatat(root, "..", &above, 0) < 0)
		check_set(check, CHECK_FAIL, MOUNT_IT, "%s: %s", check->settings->vms_dir,
			strerror(errno));
	else if (info.st_dev == above.st_dev)
		check_set(check, CHECK_WARN, MOUNT_IT,
			"nothing is mounted on %s: other hosts do not see what is there",
			check->settings->vms_dir);
	else
		check_set(check, CHECK_OK, NULL, "%s is a mount of its own",
			check->settings->vms_dir);
}

void host_check_permissions(struct check *check)
{
	static const char *const names[] = {".", STORE_DATASTORE, STORE_REGISTER, STORE_LOCKS};
	cleanup_close int root = open_vms(check);

	if (root < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (faccessat(root, names[i], R_OK | W_OK | X_OK, AT_EACCESS) == 0 ||
			errno == ENOENT)
			continue;
		check_set(check, CHECK_FAIL,
			errno == EROFS ? "mount it for writing"
				       : "run as root, and look at root squashing of the server",
			"%s/%s cannot be written: %s", check->settings->vms_dir, names[i],
			strerror(errno));
		return;
	}
	check_set(check, CHECK_OK, NULL, "folders can be read and written");
}

void host_check_direct_io(struct check *check)
{
	bool local = check->settings->lock_manager != LOCK_MANAGER_SANLOCK;
	cleanup_close int root = open_vms(check);

	if (root < 0)
		return;
	cleanup_close int fd = openat(
		root, ".virtx-cluster", O_RDONLY | O_DIRECT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		check_set(check, CHECK_OK, NULL, "files can be opened with it");
	else if (errno == EINVAL)
		check_set(check, local ? CHECK_WARN : CHECK_FAIL,
			"use a file system that has it (NFS, GFS2, OCFS2, XFS, ext4)",
			"the file system of %s has no O_DIRECT, with which sanlock and QEMU read "
			"and write past the cache",
			check->settings->vms_dir);
	else
		check_set(check, CHECK_WARN, "make the marker readable, and run this again",
			"unknown: .virtx-cluster cannot be opened: %s", strerror(errno));
}

void host_check_key(struct check *check)
{
	struct error err = {0};
	cleanup_close int root = open_vms(check);

	if (root < 0)
		return;
	if (cluster_key_check(root, &err) == 0)
		check_set(check, CHECK_OK, NULL, "there, and for its owner alone");
	else if (err.code == ERR_NOT_FOUND)
		check_set(check, CHECK_WARN, "nothing: the first virtxd that starts makes it",
			"%s/.virtx-key is not there yet", check->settings->vms_dir);
	else
		check_set_error(check, CHECK_FAIL, &err, "run as the user that virtxd runs as");
}
