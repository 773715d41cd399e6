/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files beneath a directory, whatever others do to the tree meanwhile: every call resolves its path
 * with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) or works on one plain name in an open
 * directory.
 *
 * Paths are relative, without a leading slash. Errors are ERR_STORAGE, and ERR_NOT_FOUND where
 * something on the path does not exist; symbolic links and paths that lead out are ERR_STORAGE.
 */
#ifndef STORAGE_BENEATH_H
#define STORAGE_BENEATH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens what is there already; O_CLOEXEC is added. The caller closes it. -1 with errno. */
int beneath_open_raw(int root, const char *path, int flags);
/* The same through symbolic links, as long as they stay beneath root. */
int beneath_open_linked(int root, const char *path, int flags);

/* Opens a directory; the caller closes it. */
int beneath_open_dir(int root, const char *path, struct error *err);

/*
 * Opens a regular file with flags (O_RDONLY or O_RDWR); anything else is refused before it is
 * opened, so that no device or FIFO notices. The caller closes it.
 */
int beneath_open_file(int root, const char *path, int flags, struct error *err);

/* Opens the directory in which the last component lies; *name points into path. */
int beneath_open_parent(int root, const char *path, const char **name, struct error *err);

/*
 * The same, making missing directories with mode, durably. *made is the number of directories made,
 * the last ones of the path, for beneath_remove_parents. On -1 it has removed them itself.
 */
int beneath_make_parents(int root, const char *path, mode_t mode, const char **name, unsigned *made,
	struct error *err);

/*
 * Removes the last `count` directories above the last component of path, innermost first, as long
 * as they are empty and `mine` (may be NULL) agrees. One that is not there is a success. Durable.
 */
int beneath_remove_parents(int root, const char *path, unsigned count,
	bool (*mine)(const struct stat *info), struct error *err);

/*
 * Gives a new file or directory in dir to the owner and group of dir, when root made it: QEMU runs
 * as another user, who must be able to use what lies below his directory. Before a mode is set.
 */
void beneath_give(int dir, int fd);

/* Makes a directory with exactly mode, of dir's owner; one that exists is a success. Durable. */
int beneath_make_dir(int dir, const char *name, mode_t mode, struct error *err);

/* Renames within or between directories; EEXIST in errno and -1 when the target is there. Not yet
 * durable. */
int beneath_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* Calls visit with every name in an open directory, but for "." and "..", until it returns
 * non-zero, which is the result. */
int beneath_each(int dir, int (*visit)(void *context, int dir, const char *name), void *context,
	struct error *err);

/* Removes the directory `name` of dir with the files in it (no directories). One that is not there
 * is a success. Durable. */
int beneath_remove_tree(int dir, const char *name, struct error *err);

/* Sets err from errno: "cannot WHAT PATH: reason". */
int beneath_fail(struct error *err, const char *what, const char *path);

#endif
