/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files beneath a directory: see beneath.h. */
#include "storage/beneath.h"

#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int beneath_fail(struct error *err, const char *what, const char *path)
{
	int cause = errno;

	if (cause == ELOOP)
		return error_set(err, ERR_STORAGE,
			"cannot %s %s: there is a symbolic link in its path", what, path);
	if (cause == EXDEV)
		return error_set(err, ERR_STORAGE, "cannot %s %s: it leads out of its directory",
			what, path);
	return error_set_errno(err, cause == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, cause,
		"cannot %s %s", what, path);
}

static int open_resolving(int root, const char *path, int flags, unsigned resolve)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | resolve,
	};
	int fd = -1;

	/* EAGAIN: a rename elsewhere in the tree came between, the kernel asks to try again. */
	for (int attempt = 0; attempt < 100; attempt++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

int beneath_open_raw(int root, const char *path, int flags)
{
	return open_resolving(root, path, flags, RESOLVE_NO_SYMLINKS);
}

int beneath_open_linked(int root, const char *path, int flags)
{
	return open_resolving(root, path, flags, RESOLVE_NO_MAGICLINKS);
}

int beneath_open_dir(int root, const char *path, struct error *err)
{
	int fd = beneath_open_raw(root, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return beneath_fail(err, "open directory", path);
	return fd;
}

int beneath_open_file(int root, const char *path, int flags, struct error *err)
{
	cleanup_close int handle = beneath_open_raw(root, path, O_PATH);
	struct stat info;

	if (handle < 0 || fstat(handle, &info) < 0)
		return beneath_fail(err, "open", path);
	if (!S_ISREG(info.st_mode))
		return error_set(err, ERR_STORAGE, "%s is not a regular file", path);
	cleanup_free char *link = xasprintf("/proc/self/fd/%d", handle);
	int fd = open(link, flags | O_CLOEXEC);
	if (fd < 0)
		return beneath_fail(err, "open", path);
	return fd;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int beneath_open_parent(int root, const char *path, const char **name, struct error *err)
{
	*name = last_component(path);
	if (*name == path)
		return beneath_open_dir(root, ".", err);
	cleanup_free char *parent = xstrndup(path, (size_t)(*name - path) - 1);
	return beneath_open_dir(root, parent, err);
}

/* Opens a subdirectory, making it when it is missing. */
static int descend(int dir, const char *name, mode_t mode, unsigned *made, struct error *err)
{
	int fd = beneath_open_raw(dir, name, O_RDONLY | O_DIRECTORY);

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : beneath_fail(err, "open directory", name);
	if (beneath_make_dir(dir, name, mode, err) < 0)
		return -1;
	++*made;
	return beneath_open_dir(dir, name, err);
}

int beneath_make_parents(int root, const char *path, mode_t mode, const char **name, unsigned *made,
	struct error *err)
{
	cleanup_free char *copy = xstrdup(path);
	cleanup_close int dir = beneath_open_dir(root, ".", err);

	*made = 0;
	*name = last_component(path);
	for (char *part = copy, *slash; dir >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
		*slash = '\0';
		int next = descend(dir, part, mode, made, err);
		close(dir);
		dir = next;
		if (dir < 0) {
			struct error ignored = {0};

			error_prefix(err, "%s", path);
			beneath_remove_parents(root, copy, *made, NULL, &ignored);
			*made = 0;
		}
		*slash = '/';
	}
	return steal_fd(&dir);
}

/* Removes one directory: 1; 0 when it stays, as something is in it or it is not ours. */
static int remove_empty(
	int dir, const char *name, bool (*mine)(const struct stat *info), struct error *err)
{
	struct stat info;

	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : beneath_fail(err, "look at", name);
	if (mine && !mine(&info))
		return 0;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return errno == ENOTEMPTY || errno == EEXIST
			       ? 0
			       : beneath_fail(err, "remove directory", name);
	return fsync(dir) < 0 ? beneath_fail(err, "sync the directory of", name) : 1;
}

int beneath_remove_parents(int root, const char *path, unsigned count,
	bool (*mine)(const struct stat *info), struct error *err)
{
	cleanup_free char *copy = xstrdup(path);
	int removed = 1;

	for (char *slash; removed > 0 && count > 0 && (slash = strrchr(copy, '/')); count--) {
		const char *name;

		*slash = '\0';
		cleanup_close int dir = beneath_open_parent(root, copy, &name, err);
		if (dir < 0 && err->code != ERR_NOT_FOUND)
			return -1;
		if (dir >= 0)
			removed = remove_empty(dir, name, mine, err);
		else
			error_clear(err);
	}
	return removed < 0 ? -1 : 0;
}

void beneath_give(int dir, int fd)
{
	struct stat info;

	/* Where root is not allowed to (NFS), it could not have made the file either. */
	if (geteuid() == 0 && fstat(dir, &info) == 0 && fchown(fd, info.st_uid, info.st_gid) < 0)
		return;
}

int beneath_make_dir(int dir, const char *name, mode_t mode, struct error *err)
{
	if (mkdirat(dir, name, mode) < 0) {
		struct stat info;

		if (errno != EEXIST)
			return beneath_fail(err, "make directory", name);
		if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
			return beneath_fail(err, "look at", name);
		if (!S_ISDIR(info.st_mode))
			return error_set(err, ERR_STORAGE, "%s is not a directory", name);
		return 0;
	}
	cleanup_close int made = beneath_open_dir(dir, name, err);
	if (made < 0)
		return -1;
	beneath_give(dir, made);
	/* Exactly mode: the umask and mkdir's dropping of set-group-ID do not count. */
	if (fchmod(made, mode) < 0 || fsync(made) < 0 || fsync(dir) < 0)
		return beneath_fail(err, "make directory", name);
	return 0;
}

int beneath_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* NFS cannot do that. A second name is as exclusive; cut between the two steps, both name
	 * one file. */
	if (linkat(from_dir, from, to_dir, to, 0) < 0)
		return -1;
	return unlinkat(from_dir, from, 0);
}

int beneath_each(int dir, int (*visit)(void *context, int dir, const char *name), void *context,
	struct error *err)
{
	/* A descriptor of its own: reading moves the position. */
	int copy = beneath_open_raw(dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	int result = 0;

	if (!stream) {
		beneath_fail(err, "read", "directory");
		if (copy >= 0)
			close(copy);
		return -1;
	}
	while (result == 0) {
		errno = 0;
		const struct dirent *entry = readdir(stream);
		if (!entry) {
			if (errno)
				result = beneath_fail(err, "read", "directory");
			break;
		}
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			result = visit(context, dir, entry->d_name);
	}
	closedir(stream);
	return result;
}

static int remove_name(void *context, int dir, const char *name)
{
	struct error *err = context;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return beneath_fail(err, "remove", name);
	return 0;
}

int beneath_remove_tree(int dir, const char *name, struct error *err)
{
	cleanup_close int tree = beneath_open_raw(dir, name, O_RDONLY | O_DIRECTORY);

	if (tree < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "open directory", name);
	if (beneath_each(tree, remove_name, err, err) < 0)
		return error_prefix(err, "%s", name);
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return beneath_fail(err, "remove directory", name);
	if (fsync(dir) < 0)
		return beneath_fail(err, "sync the directory of", name);
	return 0;
}
