/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory: its lock, its owner's identity, where its API is. */
#include "state.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

static int busy(int fd, const char *path, struct error *err)
{
	char pid[32] = "";
	ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[len > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	error_set(err, ERR_BUSY, "%s is held by another virtxd, process %s", path,
		*pid ? pid : "unknown");
	return error_hint(err, "each daemon needs a state_dir of its own");
}

int state_lock(const char *state_dir, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/lock", state_dir);
	char pid[32];

	if (file_make_dirs(state_dir, 0750, err) < 0)
		return -1;
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "%s", path);
	/* Of this open file: gone with the process, however it ends. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return busy(fd, path, err);
		return error_set_errno(err, ERR_STORAGE, errno, "locking %s", path);
	}
	int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		return error_set_errno(err, ERR_STORAGE, errno, "%s", path);
	return steal_fd(&fd);
}

static bool is_usable(const char *uuid)
{
	return uuid_is_valid(uuid) && !str_equal(uuid, "00000000-0000-0000-0000-000000000000");
}

/* The UUID of the last start; "" at the first. A file that holds something else is an error: what
 * lies under the old name would be lost. */
static int read_kept(const char *path, char uuid[static UUID_TEXT_SIZE], struct error *err)
{
	cleanup_free char *text = file_read(path, 128, NULL, err);

	uuid[0] = '\0';
	if (!text) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (!is_usable(text) || !uuid_canonical(text, uuid))
		return error_set(err, ERR_STORED_DATA, "%s does not hold a UUID", path);
	return 0;
}

static int keep(const char *path, const char *uuid, struct error *err)
{
	char line[UUID_TEXT_SIZE + 1];
	int len = snprintf(line, sizeof(line), "%s\n", uuid);

	return file_write_atomic(path, line, (size_t)len, 0640, err);
}

int state_choose_host_uuid(const char *state_dir, const char *setting, const char *libvirt,
	bool embedded, char uuid[static UUID_TEXT_SIZE], struct error *err)
{
	cleanup_free char *path = xasprintf("%s/host_uuid", state_dir);
	char kept[UUID_TEXT_SIZE];

	if (read_kept(path, kept, err) < 0)
		return -1;
	if (*setting)
		uuid_canonical(setting, uuid);
	else if (!embedded && is_usable(libvirt))
		uuid_canonical(libvirt, uuid);
	else if (*kept)
		memcpy(uuid, kept, sizeof(kept));
	else if (is_usable(libvirt))
		uuid_canonical(libvirt, uuid);
	else
		uuid_make(uuid);
	if (str_equal(uuid, kept))
		return 0;
	if (*kept)
		log_warning("this host has another UUID than at its last start", "now", uuid,
			"before", kept);
	return keep(path, uuid, err);
}

void state_publish_address(const char *state_dir, const char *text)
{
	cleanup_free char *path = xasprintf("%s/address", state_dir);
	struct error err = {0};
	int result = text ? file_write_atomic(path, text, strlen(text), 0644, &err)
			  : file_remove(path, &err);

	if (result < 0)
		log_warning("address not published", "reason", err.message);
}
