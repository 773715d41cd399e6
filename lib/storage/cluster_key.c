/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cluster's key: made complete under another name, then given its own unless it is taken. */
#include "storage/cluster_key.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

#define KEY_FILE  ".virtx-key"
#define KEY_MODE  0600
#define TEXT_SIZE (2 * CLUSTER_KEY_SIZE + 1) /* with the newline */
#define FILE_MAX  4096

static int digit_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* False for anything but the digits, with one newline or none behind them. */
static bool parse(const char *text, size_t len, uint8_t key[static CLUSTER_KEY_SIZE])
{
	if (len < TEXT_SIZE - 1 || len > TEXT_SIZE || (len == TEXT_SIZE && text[len - 1] != '\n'))
		return false;
	for (size_t i = 0; i < CLUSTER_KEY_SIZE; i++) {
		int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int check_mode(int fd, struct error *err)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return beneath_fail(err, "look at", KEY_FILE);
	if (!(info.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	error_set(err, ERR_UNAVAILABLE, "%s, the cluster's key, is open to others (mode %04o)",
		KEY_FILE, info.st_mode & 07777);
	return error_hint(err,
		"if nobody has read it, chmod 600 it; otherwise remove it and restart every host's "
		"virtxd, and a new one is made");
}

/* ERR_NOT_FOUND when there is none. */
static int key_read(int root, uint8_t key[static CLUSTER_KEY_SIZE], struct error *err)
{
	cleanup_close int fd = beneath_open_file(root, KEY_FILE, O_RDONLY, err);
	size_t len;

	if (fd < 0 || check_mode(fd, err) < 0)
		return -1;
	char *text = file_read_fd(fd, KEY_FILE, FILE_MAX, &len, err);
	if (!text) {
		err->code = ERR_UNAVAILABLE;
		return -1;
	}
	bool good = parse(text, len, key);
	explicit_bzero(text, len);
	free(text);
	if (good)
		return 0;
	error_set(err, ERR_UNAVAILABLE, "%s holds no key: it must be %d hex digits", KEY_FILE,
		2 * CLUSTER_KEY_SIZE);
	return error_hint(err,
		"put the key back, or remove the file and restart every host's virtxd, and a new "
		"one is made");
}

int cluster_key_check(int root, struct error *err)
{
	uint8_t key[CLUSTER_KEY_SIZE];
	int result = key_read(root, key, err);

	explicit_bzero(key, sizeof(key));
	return result;
}

static int key_write(int root, const char *text, struct error *err)
{
	char suffix[FILE_SUFFIX_SIZE];

	file_random_suffix(suffix);
	cleanup_free char *temp = xasprintf(KEY_FILE ".new-%s", suffix);
	if (file_write_atomic_at(root, temp, temp, text, TEXT_SIZE, KEY_MODE, err) < 0)
		return -1;
	if (beneath_rename_new(root, temp, root, KEY_FILE) < 0) {
		int cause = errno;

		unlinkat(root, temp, 0);
		errno = cause;
		/* Another host was faster: its key counts. */
		return cause == EEXIST ? 0 : beneath_fail(err, "make", KEY_FILE);
	}
	return fsync(root) < 0 ? beneath_fail(err, "sync the directory of", KEY_FILE) : 0;
}

static int key_make(int root, struct error *err)
{
	uint8_t key[CLUSTER_KEY_SIZE];
	char text[TEXT_SIZE + 1];

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return error_set_errno(err, ERR_INTERNAL, errno, "random bytes");
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(text + 2 * i, 3, "%02x", key[i]);
	text[TEXT_SIZE - 1] = '\n';
	int result = key_write(root, text, err);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return result;
}

int cluster_key_load(int root, uint8_t key[static CLUSTER_KEY_SIZE], struct error *err)
{
	if (key_read(root, key, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return key_make(root, err) < 0 ? -1 : key_read(root, key, err);
}
