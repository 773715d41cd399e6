/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection (storage-and-locks.md, What happens to disks). An image may have been written by
 * anyone: the files it refers to are checked before qemu-img sees it, and qemu-img gets
 * descriptors, never a name.
 */
#include "storage/detect.h"

#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/qcow2.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

#define MIB           (UINT64_C(1) << 20)
#define CHAIN_MAX     16  /* backing files below an image */
#define MAP_TIMEOUT_S 600 /* a large, fragmented image has millions of extents */

static int32_t to_mib(uint64_t bytes)
{
	uint64_t mib = bytes / MIB + (bytes % MIB != 0);

	return mib > INT32_MAX ? INT32_MAX : (int32_t)mib;
}

/* What `qemu-img map` has said so far, one extent a line. */
struct map_reader {
	char line[512];
	size_t len;
	uint64_t bytes;
	bool zero, compressed, bad;
};

static bool member_is_true(struct json_object *extent, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(extent, name, &value) && json_object_get_boolean(value);
}

static void map_extent(struct map_reader *map, struct json_object *extent)
{
	struct json_object *value;

	if (!json_object_is_type(extent, json_type_object) ||
		!json_object_object_get_ex(extent, "length", &value) ||
		json_object_get_int64(value) < 0) {
		map->bad = true;
		return;
	}
	map->bytes += (uint64_t)json_object_get_int64(value);
	if (member_is_true(extent, "zero"))
		map->zero = true;
	/* Up to QEMU 8.1 compressed data shows only by having no place in the file. */
	else if (member_is_true(extent, "compressed") ||
		 (member_is_true(extent, "data") &&
			 !json_object_object_get_ex(extent, "offset", NULL)))
		map->compressed = true;
}

/* The list comes as "[{...}," then "{...}," and at last "{...}]". */
static void map_line(struct map_reader *map)
{
	char *text = map->line;
	size_t len = map->len;

	while (len > 0 && strchr(",] \r", text[len - 1]))
		len--;
	text[len] = '\0';
	while (*text == '[' || *text == ' ')
		text++;
	if (!*text)
		return;
	struct json_object *extent = json_tokener_parse(text);
	map_extent(map, extent);
	json_object_put(extent);
}

static void map_output(void *context, const char *text, size_t len)
{
	struct map_reader *map = context;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			map_line(map);
			map->len = 0;
		} else if (map->len + 1 < sizeof(map->line)) {
			map->line[map->len++] = text[i];
		} else {
			map->bad = true;
		}
	}
}

/* The image alone, without its backing file: what it does not hold itself shows as zero. */
static int map_image(int image, int data, struct map_reader *map, struct error *err)
{
	cleanup_free char *data_file = data < 0 ? xstrdup("")
						: xasprintf(",\"data-file\":{\"driver\":\"file\","
							    "\"filename\":\"/dev/fd/%d\"}",
							  data);
	cleanup_free char *name = xasprintf("json:{\"driver\":\"qcow2\",\"backing\":null,\"file\":"
					    "{\"driver\":\"file\",\"filename\":\"/dev/fd/%d\"}%s}",
		image, data_file);
	const char *const argv[] = {"qemu-img", "map", "-U", "--output=json", name, NULL};
	const int fds[] = {image, data};
	const struct process process = {
		.argv = argv,
		.fds = fds,
		.fd_count = data < 0 ? 1 : 2,
		.timeout_s = MAP_TIMEOUT_S,
		.on_output = map_output,
		.context = map,
	};

	if (process_run(&process, NULL, err) < 0)
		return -1;
	if (map->len > 0)
		map_line(map);
	if (map->bad)
		return error_set(err, ERR_STORAGE, "qemu-img map said what nobody understands");
	return 0;
}

/* A file that an image names, as a path below the datastore: NULL when it cannot lie there. The
 * caller frees it. */
static char *resolve_reference(
	const struct store *store, const char *below, const char *reference, struct error *err)
{
	const char *slash = strrchr(below, '/');

	if (reference[0] == '/') {
		const char *inside = store_below_datastore(store, reference);
		if (inside)
			return xstrdup(inside);
		error_set(err, ERR_STORAGE, "it refers to %s, outside the datastore", reference);
		return NULL;
	}
	/* "nbd:...", "json:...": QEMU takes a colon before the first slash for a protocol. */
	if (reference[strcspn(reference, ":/")] == ':') {
		error_set(err, ERR_STORAGE, "it refers to %s, which is not a file", reference);
		return NULL;
	}
	if (!slash)
		return xstrdup(reference);
	return xasprintf("%.*s/%s", (int)(slash - below), below, reference);
}

static int read_header(int fd, struct qcow2_header *header, struct error *err)
{
	cleanup_free uint8_t *data = xmalloc(QCOW2_HEADER_MAX);
	size_t have = 0;

	while (have < QCOW2_HEADER_MAX) {
		ssize_t got = pread(fd, data + have, QCOW2_HEADER_MAX - have, (off_t)have);
		if (got < 0)
			return error_set_errno(err, ERR_STORAGE, errno, "cannot read it");
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return qcow2_parse(data, have, header, err);
}

/* Opens the external data file that a header names; -1 also without one, then err is not set. */
static int open_data_file(const struct store *store, int root, const char *below,
	const struct qcow2_header *header, struct error *err)
{
	if (!header->external_data)
		return -1;
	if (!header->data_file[0])
		return error_set(err, ERR_STORAGE, "it does not name its external data file");
	cleanup_free char *path = resolve_reference(store, below, header->data_file, err);
	if (!path)
		return -1;
	int fd = beneath_open_file(root, path, O_RDONLY, err);
	if (fd < 0)
		error_prefix(err, "its external data file");
	return fd;
}

/* Follows the backing files of an image to the last one; each must be a sound file of the
 * datastore. */
static int check_chain(const struct store *store, int root, const char *below,
	const struct qcow2_header *top, struct error *err)
{
	cleanup_free struct qcow2_header *header = xmemdup(top, sizeof(*top));
	cleanup_free char *current = xstrdup(below);

	for (int depth = 0; header->backing_file[0]; depth++) {
		if (depth == CHAIN_MAX)
			return error_set(
				err, ERR_STORAGE, "it has more than %d backing files", CHAIN_MAX);
		char *next = resolve_reference(store, current, header->backing_file, err);
		free(current);
		current = next;
		if (!current)
			return error_prefix(err, "backing file");
		cleanup_close int fd = beneath_open_file(root, current, O_RDONLY, err);
		if (fd < 0)
			return error_prefix(err, "backing file");
		if (str_equal(header->backing_format, "raw"))
			return 0;
		/* Without a format QEMU would guess, and a guest can write what it likes into a raw
		 * image. */
		if (!str_equal(header->backing_format, "qcow2"))
			return error_set(err, ERR_STORAGE,
				"backing file %s is given without the format raw or qcow2",
				current);
		if (read_header(fd, header, err) < 0)
			return error_prefix(err, "backing file %s", current);
		cleanup_close int data = open_data_file(store, root, current, header, err);
		if (data < 0 && error_is_set(err))
			return -1;
	}
	return 0;
}

/* Looks at what an image says of other files, with its external data file (or -1) in *data, which
 * the caller closes. */
static int check_qcow2(const struct store *store, int root, int fd, const char *below, int *data,
	struct error *err)
{
	struct qcow2_header header;

	*data = -1;
	if (read_header(fd, &header, err) < 0)
		return -1;
	*data = open_data_file(store, root, below, &header, err);
	return error_is_set(err) ? -1 : check_chain(store, root, below, &header, err);
}

static int detect_qcow2(const struct store *store, int root, int fd, const char *below,
	struct disk *disk, struct error *err)
{
	struct map_reader map = {0};
	cleanup_close int data = -1;

	if (check_qcow2(store, root, fd, below, &data, err) < 0 ||
		map_image(fd, data, &map, err) < 0)
		return -1;
	if (map.compressed)
		return error_set(err, ERR_STORAGE, "compressed images are not supported");
	disk->size_mib = to_mib(map.bytes);
	disk->prov = map.zero ? DISK_PROV_THIN : DISK_PROV_THICK;
	return 0;
}

int detect_image(const struct store *store, const char *below, struct disk *disk, struct error *err)
{
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	struct stat info;

	if (root < 0)
		return -1;
	cleanup_close int fd = beneath_open_file(root, below, O_RDONLY, err);
	if (fd < 0)
		return -1;
	if (str_ends_with(below, ".qcow2")) {
		if (detect_qcow2(store, root, fd, below, disk, err) < 0)
			return error_prefix(err, "%s", disk->path);
		return 0;
	}
	if (fstat(fd, &info) < 0)
		return beneath_fail(err, "look at", disk->path);
	disk->size_mib = to_mib((uint64_t)info.st_size);
	disk->prov = info.st_blocks * 512 < info.st_size ? DISK_PROV_THIN : DISK_PROV_THICK;
	return 0;
}

int detect_check(const struct store *store, const char *below, const char *path, struct error *err)
{
	cleanup_close int root = store_open_dir(store, STORE_DATASTORE, err);
	cleanup_close int data = -1;

	if (root < 0)
		return -1;
	cleanup_close int fd = beneath_open_file(root, below, O_RDONLY, err);
	if (fd < 0)
		return -1;
	if (str_ends_with(below, ".qcow2") && check_qcow2(store, root, fd, below, &data, err) < 0)
		return error_prefix(err, "%s", path);
	return 0;
}
