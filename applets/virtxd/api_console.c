/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /vms/{id}/console?offset=N: what the serial console said from byte N on, at most CHUNK of it;
 * X-VirtX-Offset in the answer is the next N. Without offset (or with a negative one): the last
 * TAIL. Bytes that are gone from the log are skipped; an offset beyond its end, of a log that has
 * begun anew, starts at 0. console.h says how the log is kept short.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "console.h"
#include "vm_ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CHUNK     (256 * 1024)
#define TAIL      (64 * 1024)
#define TRIM_FROM (4 * 1024 * 1024) /* bytes of storage */
#define TRIM_TO   (1024 * 1024)
#define BLOCK     4096
/* virtlogd rolls logs over: UUID.log.0 is the youngest of those. */
#define ROLLED 3

static char *console_dir(const char *state_dir)
{
	return xasprintf("%s/console", state_dir);
}

char *console_path(const char *state_dir, const char *uuid)
{
	return xasprintf("%s/console/%s.log", state_dir, uuid);
}

int console_prepare(const char *state_dir, struct error *err)
{
	cleanup_free char *dir = console_dir(state_dir);

	return file_make_dirs(dir, 0750, err);
}

/* The log, a regular file and no link, or -1 with errno. */
static int open_log(int dir, const char *name, int flags)
{
	cleanup_close int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	if (!S_ISREG(status.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return steal_fd(&fd);
}

static void trim_log(int dir, const char *name)
{
	struct stat status;
	cleanup_close int fd = open_log(dir, name, O_WRONLY);

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_blocks * 512 <= TRIM_FROM)
		return;
	off_t end = (status.st_size - TRIM_TO) / BLOCK * BLOCK;

	if (end > 0 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) < 0 &&
		errno == EOPNOTSUPP && ftruncate(fd, 0) < 0)
		log_warning("console log cannot be shortened", "file", name);
}

void console_trim(struct daemon *daemon)
{
	cleanup_free char *path = console_dir(daemon->settings.state_dir);
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (str_ends_with(entry->d_name, ".log"))
			trim_log(dirfd(dir), entry->d_name);
	closedir(dir);
}

int console_remove(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *path = console_path(daemon->settings.state_dir, uuid);

	for (int i = 0; i < ROLLED; i++) {
		cleanup_free char *rolled = xasprintf("%s.%d", path, i);

		if (unlink(rolled) < 0 && errno != ENOENT)
			return error_set_errno(err, ERR_STORAGE, errno, "remove %s", rolled);
	}
	return file_exists(path) ? file_remove(path, err) : 0;
}

/* Where to read, from what the client asked for and what the log still has. */
static off_t start_offset(int fd, off_t size, bool given, int64_t wanted)
{
	off_t offset, data;

	if (!given || wanted < 0)
		offset = size > TAIL ? size - TAIL : 0;
	else
		offset = wanted <= size ? wanted : 0;
	data = lseek(fd, offset, SEEK_DATA);
	return data > offset ? data : offset;
}

/* Fills the answer from the open log. */
static int answer_log(
	struct call *call, int fd, const char *path, bool given, int64_t wanted, struct error *err)
{
	cleanup_free char *data = xmalloc(CHUNK + 1);
	char offset_text[24];
	struct stat status;
	ssize_t len;

	if (fstat(fd, &status) < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "%s", path);
	off_t offset = start_offset(fd, status.st_size, given, wanted);

	len = pread(fd, data, CHUNK, offset);
	if (len < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "%s", path);
	data[len] = '\0';
	call->response->type = "text/plain; charset=utf-8";
	call->response->body = http_body_new(steal(&data), (size_t)len);
	http_response_header(
		call->response, "X-VirtX-Offset", log_number(offset_text, (int64_t)offset + len));
	/* A guest wrote it: nobody may take it for a page. */
	http_response_header(call->response, "X-Content-Type-Options", "nosniff");
	http_response_header(call->response, "Cache-Control", "no-store");
	return 0;
}

/* There is no file: nothing was said yet, or this VM's console is not logged at all. */
static int answer_silence(struct call *call, struct error *err)
{
	cleanup_vm_now struct vm_now now = {0};

	if (vm_now_read(call->daemon, call->vm.uuid, &now, err))
		return -1;
	if (str_is_empty(now.reading.console_log))
		return error_set(err, ERR_UNSUPPORTED,
			"the serial console of VM %s is not logged: another implementation made it",
			call->vm.name);
	http_response_text(call->response, 200, "text/plain; charset=utf-8", "");
	http_response_header(call->response, "X-VirtX-Offset", "0");
	return 0;
}

int api_console_get(struct call *call, struct error *err)
{
	cleanup_free char *text = http_request_query(call->request, "offset");
	cleanup_free char *path = console_path(call->daemon->settings.state_dir, call->vm.uuid);
	int64_t wanted = -1;

	if (text && !str_parse_int(text, INT64_MIN, INT64_MAX, &wanted))
		return error_set(err, ERR_INVALID, "offset: a number of bytes, not %.64s", text);
	cleanup_close int fd = open_log(AT_FDCWD, path, O_RDONLY);

	if (fd < 0 && errno == ENOENT)
		return answer_silence(call, err);
	if (fd < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "%s", path);
	return answer_log(call, fd, path, text != NULL, wanted, err);
}
