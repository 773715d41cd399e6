/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, durably: see file.h. */
#include "base/file.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

static int fail(struct error *err, const char *what, const char *path)
{
	int cause = errno;

	return error_set_errno(err, cause == ENOENT ? ERR_NOT_FOUND : ERR_STORAGE, cause,
		"cannot %s %s", what, path);
}

char *file_read_fd(int fd, const char *path, size_t max, size_t *len, struct error *err)
{
	cleanup_free char *text = NULL;
	struct stat info;
	size_t have = 0;

	if (fstat(fd, &info) < 0) {
		fail(err, "look at", path);
		return NULL;
	}
	if (!S_ISREG(info.st_mode)) {
		error_set(err, ERR_STORAGE, "%s is not a regular file", path);
		return NULL;
	}
	/* What is read counts, not st_size: the file may grow or lie (/proc). */
	size_t room =
		info.st_size > 0 && (size_t)info.st_size <= max ? (size_t)info.st_size + 1 : 256;
	text = xmalloc(room + 1);
	for (;;) {
		ssize_t got = read(fd, text + have, room - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail(err, "read", path);
			return NULL;
		}
		if (got == 0)
			break;
		have += (size_t)got;
		if (have > max) {
			error_set(err, ERR_STORAGE, "%s is larger than %zu bytes", path, max);
			return NULL;
		}
		if (have == room) {
			room *= 2;
			text = xrealloc(text, room + 1);
		}
	}
	text[have] = '\0';
	if (len)
		*len = have;
	return steal(&text);
}

char *file_read(const char *path, size_t max, size_t *len, struct error *err)
{
	/* O_NONBLOCK: a FIFO must not hold us up; it has no effect on regular files. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		fail(err, "open", path);
		return NULL;
	}
	return file_read_fd(fd, path, max, len, err);
}

void file_random_suffix(char suffix[static FILE_SUFFIX_SIZE])
{
	char uuid[UUID_TEXT_SIZE];

	/* The first digits of a random UUID are random ones. */
	uuid_make(uuid);
	memcpy(suffix, uuid, FILE_SUFFIX_SIZE - 1);
	suffix[FILE_SUFFIX_SIZE - 1] = '\0';
}

int file_write_all(int fd, const void *data, size_t len)
{
	const char *next = data;

	while (len > 0) {
		ssize_t done = write(fd, next, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		next += done;
		len -= (size_t)done;
	}
	return 0;
}

/* Opens a new file in dir under a name nothing has yet; temp_name is the caller's to free. */
static int open_temporary(int dir, const char *prefix, char **temp_name)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		char suffix[FILE_SUFFIX_SIZE];

		file_random_suffix(suffix);
		*temp_name = xasprintf("%s.tmp-%s", prefix, suffix);
		int fd = openat(dir, *temp_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		free(*temp_name);
		*temp_name = NULL;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

int file_write_atomic_at(int dir, const char *name, const char *temp, const void *data, size_t len,
	mode_t mode, struct error *err)
{
	cleanup_free char *temp_name = NULL;
	cleanup_close int fd = open_temporary(dir, temp, &temp_name);

	if (fd < 0)
		return fail(err, "make a temporary file for", name);
	if (file_write_all(fd, data, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
		renameat(dir, temp_name, dir, name) < 0) {
		fail(err, "write", name);
		unlinkat(dir, temp_name, 0);
		return -1;
	}
	if (fsync(dir) < 0)
		return fail(err, "sync the directory of", name);
	return 0;
}

/* Opens the directory that holds path. */
static int open_parent(const char *path, struct error *err)
{
	cleanup_free char *copy = xstrdup(path);
	const char *parent = dirname(copy);
	int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		fail(err, "open directory", parent);
	return dir;
}

int file_write_atomic(
	const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
	cleanup_free char *copy = xstrdup(path);
	const char *name = basename(copy);
	cleanup_close int dir = open_parent(path, err);

	if (dir < 0)
		return -1;
	if (file_write_atomic_at(dir, name, name, data, len, mode, err) < 0)
		return error_prefix(err, "%s", path);
	return 0;
}

int file_remove(const char *path, struct error *err)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return fail(err, "remove", path);
	}
	cleanup_close int dir = open_parent(path, err);
	if (dir < 0)
		return -1;
	if (fsync(dir) < 0)
		return fail(err, "sync the directory of", path);
	return 0;
}

int file_sync_dir(const char *path, struct error *err)
{
	cleanup_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail(err, "open directory", path);
	if (fsync(dir) < 0)
		return fail(err, "sync directory", path);
	return 0;
}

/* Makes one directory, exactly with mode; one that exists is left as it is. */
static int make_dir(const char *path, mode_t mode, struct error *err)
{
	struct stat info;

	if (mkdir(path, mode) == 0) {
		if (chmod(path, mode) < 0)
			return fail(err, "set the mode of", path);
		cleanup_close int parent = open_parent(path, err);
		if (parent < 0)
			return -1;
		return fsync(parent) < 0 ? fail(err, "sync the directory of", path) : 0;
	}
	if (errno != EEXIST)
		return fail(err, "make directory", path);
	if (stat(path, &info) < 0)
		return fail(err, "look at", path);
	if (!S_ISDIR(info.st_mode))
		return error_set(err, ERR_STORAGE, "%s is not a directory", path);
	return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
	cleanup_free char *copy = xstrdup(path);

	for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		int made = make_dir(copy, mode, err);
		*slash = '/';
		if (made < 0)
			return -1;
	}
	return make_dir(path, mode, err);
}

bool file_exists(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0;
}
