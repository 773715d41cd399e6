/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libsanlock's results as errors: numbers of the system below 200, its own above. */
#include "base/str.h"
#include "storage/sanlock_private.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* libsanlock's own text knows only its own numbers. */
static const char *reason_of(int result, char text[static 128])
{
	if (result <= SANLK_ERROR)
		return sanlock_strerror(result);
	return strerror_r(-result, text, 128);
}

int arbiter_fail(struct error *err, int result, const char *what, const char *name)
{
	char text[128];
	int alive = result == -ETIMEDOUT ? result : arbiter_version();

	if (alive == -ETIMEDOUT) {
		error_set(err, ERR_UNAVAILABLE,
			"cannot %s %s: sanlock does not answer, although it runs", what, name);
		return error_hint(
			err, "look at what it waits for; it goes on by itself after that");
	}
	if (alive < 0) {
		error_set(err, ERR_UNAVAILABLE, "cannot %s %s: sanlock does not answer: %s", what,
			name, reason_of(alive, text));
		return error_hint(err, "start sanlock, as a service that starts before virtxd");
	}
	/* What it says of a lease in a lockspace that it is not in. */
	if (result == -ENOSPC)
		return error_set(err, ERR_UNAVAILABLE,
			"cannot %s %s: this host is not in the lockspace at the moment", what,
			name);
	error_set(err, ERR_LEASE, "cannot %s %s: sanlock says: %s", what, name,
		reason_of(result, text));
	if (result == -EACCES || result == -EPERM)
		error_hint(err, "group sanlock must be able to reach the storage");
	if (result == SANLK_LEADER_MAGIC)
		error_hint(err, "it was made without sanlock (lock_manager = local?)");
	return -1;
}

int arbiter_path(int fd, char path[static SANLK_PATH_LEN], struct error *err)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, SANLK_PATH_LEN);
	if (len < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "path of a lease");
	if (len >= SANLK_PATH_LEN)
		return error_set(err, ERR_STORAGE, "the path of a lease is too long for sanlock");
	path[len] = '\0';
	return 0;
}
