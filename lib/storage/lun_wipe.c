/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clearing a LUN, so that nothing of the VM before can be read: see lun.h.
 *
 * Not BLKDISCARD: what that leaves readable is the device's choice. fallocate() on a block device
 * is the kernel's write-zeroes, with space given back (PUNCH_HOLE, as thin arrays like it, refused
 * by the kernel where zeros are not guaranteed) or kept (ZERO_RANGE, which the kernel does by
 * writing where the device cannot). A device that lies about either is caught by samples read past
 * the page cache, and from there on written to.
 */
#include "base/mem.h"
#include "storage/beneath.h"
#include "storage/lun.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#define PIECE       (UINT64_C(64) << 20) /* between two looks at the lease, and what a cut repeats */
#define WRITE_MAX   (UINT64_C(1) << 20)
#define SAMPLE      (UINT64_C(64) << 10)
#define SAMPLES_MAX 16 /* of a piece, beside its first and its last */
#define ALIGNMENT   4096

enum method { GIVE_BACK, ZERO, WRITE };

struct wiping {
	const struct lun_wipe *wipe;
	int fd;
	enum method method;
	uint8_t *buffer; /* WRITE_MAX bytes */
};

static int write_zeros(struct wiping *wiping, uint64_t offset, uint64_t bytes)
{
	memset(wiping->buffer, 0, WRITE_MAX);
	while (bytes > 0) {
		size_t len = bytes < WRITE_MAX ? (size_t)bytes : WRITE_MAX;
		ssize_t done = pwrite(wiping->fd, wiping->buffer, len, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		offset += (uint64_t)done;
		bytes -= (uint64_t)done;
	}
	return 0;
}

static int clear_piece(struct wiping *wiping, uint64_t offset, uint64_t bytes)
{
	int mode = wiping->method == GIVE_BACK ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	if (wiping->method == WRITE)
		return write_zeros(wiping, offset, bytes);
	return fallocate(wiping->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
}

/* 1: reads as zeros; 0: it does not; -1 with errno. */
static int is_clear(struct wiping *wiping, uint64_t offset, uint64_t bytes)
{
	size_t len = bytes < SAMPLE ? (size_t)bytes : SAMPLE;
	ssize_t got;

	while ((got = pread(wiping->fd, wiping->buffer, len, (off_t)offset)) < 0 && errno == EINTR)
		;
	if (got != (ssize_t)len) {
		if (got >= 0)
			errno = EIO;
		return -1;
	}
	return wiping->buffer[0] == 0 && memcmp(wiping->buffer, wiping->buffer + 1, len - 1) == 0;
}

/* As is_clear, by samples: both ends, where space is rounded and tables of partitions lie, and
 * some that nobody can foresee. */
static int looks_clear(struct wiping *wiping, uint64_t offset, uint64_t bytes)
{
	uint64_t samples = bytes / SAMPLE;
	uint32_t chosen[SAMPLES_MAX];
	int clear = is_clear(wiping, offset, bytes);

	if (clear > 0 && samples > 0)
		clear = is_clear(wiping, offset + bytes - SAMPLE, SAMPLE);
	if (getrandom(chosen, sizeof(chosen), 0) != sizeof(chosen))
		return -1;
	for (size_t i = 0; clear > 0 && samples > 0 && i < SAMPLES_MAX; i++)
		clear = is_clear(wiping, offset + chosen[i] % samples * SAMPLE, SAMPLE);
	return clear;
}

/* One that fails or lies once is not used again. */
static int wipe_piece(struct wiping *wiping, uint64_t offset, uint64_t bytes, struct error *err)
{
	const char *path = wiping->wipe->path;

	for (;; wiping->method++) {
		if (clear_piece(wiping, offset, bytes) == 0) {
			int clear = looks_clear(wiping, offset, bytes);

			if (clear != 0)
				return clear > 0 ? 0 : beneath_fail(err, "read back", path);
		} else if (wiping->method == WRITE) {
			return beneath_fail(err, "clear", path);
		}
		if (wiping->method == WRITE)
			return error_set(err, ERR_STORAGE,
				"%s still holds data after zeros were written to it", path);
	}
}

int lun_wipe(const struct lun_wipe *wipe, struct error *err)
{
	cleanup_free uint8_t *buffer = mem_check(aligned_alloc(ALIGNMENT, WRITE_MAX));
	struct wiping wiping = {
		.wipe = wipe,
		.fd = wipe->fd,
		.method = wipe->keep_space ? ZERO : GIVE_BACK,
		.buffer = buffer,
	};

	for (uint64_t offset = 0; offset < wipe->bytes;) {
		uint64_t left = wipe->bytes - offset;
		uint64_t bytes = left < PIECE ? left : PIECE;

		if (wipe->on_piece(wipe->context, offset, err) < 0 ||
			wipe_piece(&wiping, offset, bytes, err) < 0)
			return -1;
		offset += bytes;
	}
	if (fsync(wipe->fd) < 0)
		return beneath_fail(err, "sync", wipe->path);
	return 0;
}

int lun_looks_clear(int fd, const char *path, struct error *err)
{
	cleanup_free uint8_t *buffer = mem_check(aligned_alloc(ALIGNMENT, WRITE_MAX));
	struct wiping reading = {.fd = fd, .buffer = buffer};
	uint64_t bytes;

	if (lun_size(fd, path, &bytes, err) < 0)
		return -1;
	int clear = looks_clear(&reading, 0, bytes);
	return clear < 0 ? beneath_fail(err, "read", path) : clear;
}
