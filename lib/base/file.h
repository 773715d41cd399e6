/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, durably: what is written here survives power loss once the call returns.
 * Errors carry the path and the system's reason; their code is ERR_STORAGE, and
 * ERR_NOT_FOUND where the file does not exist.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a whole regular file of at most max bytes (more is an error; so is anything that is not
 * a regular file). The text is NUL-terminated, the caller frees it; *len may be NULL.
 */
char *file_read(const char *path, size_t max, size_t *len, struct error *err);

/* The same from an open descriptor, which stays the caller's; path is only for the message. */
char *file_read_fd(int fd, const char *path, size_t max, size_t *len, struct error *err);

/*
 * Replaces a file atomically: temporary file "PATH.tmp-XXXXXX" in the same directory, write, fsync,
 * chmod mode, rename, fsync of the directory. At a failure the temporary file is removed and PATH
 * is as before.
 */
int file_write_atomic(
	const char *path, const void *data, size_t len, mode_t mode, struct error *err);

/*
 * The same in an open directory: NAME replaced by way of a temporary file "TEMP.tmp-XXXXXX" (six
 * random letters).
 */
int file_write_atomic_at(int dir, const char *name, const char *temp, const void *data, size_t len,
	mode_t mode, struct error *err);

/* Six random characters and their NUL, for temporary names. */
#define FILE_SUFFIX_SIZE 7
void file_random_suffix(char suffix[static FILE_SUFFIX_SIZE]);

/* Removes a file and fsyncs its directory; a file that is not there is success. */
int file_remove(const char *path, struct error *err);

/* fsyncs a directory, so that names made or removed in it stay so. */
int file_sync_dir(const char *path, struct error *err);

/* Makes a directory and its missing parents, each with mode; existing ones are left as they are. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);

/* True when something with that name exists (not following a last symlink). */
bool file_exists(const char *path);

/* Writes all of it; -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);

#endif
