/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One word in a file of the host's register directory: see drain_mark.h. */
#include "storage/drain_mark.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>

#define MAX_BYTES 64

static const char *const words[] = {[DRAIN_MARK_MOVING] = "moving\n", [DRAIN_MARK_DONE] = "done\n"};

/* The caller closes it. */
static int open_own(const struct store *store, struct error *err)
{
	cleanup_close int xml = store_open_dir(store, STORE_REGISTER, err);

	return xml < 0 ? -1 : beneath_open_dir(xml, store->host, err);
}

static int as_register(struct error *err)
{
	err->code = ERR_REGISTER;
	return error_prefix(err, "the mark of a drained host");
}

static int remove_mark(int dir, struct error *err)
{
	if (unlinkat(dir, DRAIN_MARK_FILE, 0) < 0)
		return errno == ENOENT ? 0 : beneath_fail(err, "remove", DRAIN_MARK_FILE);
	return fsync(dir) < 0 ? beneath_fail(err, "sync the directory of", DRAIN_MARK_FILE) : 0;
}

int drain_mark_save(const struct store *store, enum drain_mark mark, struct error *err)
{
	cleanup_close int dir = open_own(store, err);
	int result = -1;

	if (dir >= 0 && mark == DRAIN_MARK_NONE)
		result = remove_mark(dir, err);
	else if (dir >= 0)
		result = file_write_atomic_at(dir, DRAIN_MARK_FILE, DRAIN_MARK_FILE, words[mark],
			strlen(words[mark]), STORE_MODE_FILE, err);
	return result < 0 ? as_register(err) : 0;
}

int drain_mark_load(const struct store *store, enum drain_mark *mark, struct error *err)
{
	cleanup_close int dir = open_own(store, err);
	cleanup_close int fd =
		dir < 0 ? -1 : beneath_open_file(dir, DRAIN_MARK_FILE, O_RDONLY, err);
	size_t len;

	*mark = DRAIN_MARK_NONE;
	if (dir >= 0 && fd < 0 && err->code == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (fd < 0)
		return as_register(err);
	cleanup_free char *text = file_read_fd(fd, DRAIN_MARK_FILE, MAX_BYTES, &len, err);

	*mark = text && str_equal(text, words[DRAIN_MARK_MOVING]) ? DRAIN_MARK_MOVING
								  : DRAIN_MARK_DONE;
	error_clear(err); /* there it is, whatever it says */
	return 0;
}
