/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of a qcow2 image: see qcow2.h. Everything in it is hostile. */
#include "storage/qcow2.h"

#include "base/str.h"

#define MAGIC              0x514649fbU /* "QFI\xfb" */
#define V2_HEADER          72
#define V3_HEADER          104
#define INCOMPATIBLE_DATA  (UINT64_C(1) << 2)
#define EXT_END            0U
#define EXT_BACKING_FORMAT 0xe2792acaU
#define EXT_DATA_FILE      0x44415441U

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t be64(const uint8_t *at)
{
	return (uint64_t)be32(at) << 32 | be32(at + 4);
}

/* Copies a name of the header; -1 when it is empty, too long or not a name. */
static int take_name(char *name, size_t size, const uint8_t *data, size_t len)
{
	if (len == 0 || len >= size || memchr(data, '\0', len))
		return -1;
	memcpy(name, data, len);
	name[len] = '\0';
	/* It is shown to people and sent in JSON. */
	return str_is_utf8(name) && !str_has_control(name) ? 0 : -1;
}

/* One extension's content; those that do not concern us are fine. */
static int take_extension(
	struct qcow2_header *header, uint32_t type, const uint8_t *data, size_t len)
{
	if (type == EXT_BACKING_FORMAT)
		return take_name(header->backing_format, sizeof(header->backing_format), data, len);
	if (type == EXT_DATA_FILE)
		return take_name(header->data_file, sizeof(header->data_file), data, len);
	return 0;
}

/*
 * The extensions between header and backing file name, each padded to 8 bytes. Their end marker may
 * be missing only where it does not fit any more.
 */
static int parse_extensions(
	const uint8_t *data, size_t at, size_t end, struct qcow2_header *header, struct error *err)
{
	while (end - at >= 8) {
		uint32_t type = be32(data + at);
		size_t len = be32(data + at + 4);
		size_t padded = (len + 7) & ~(size_t)7;

		at += 8;
		if (type == EXT_END)
			return 0;
		if (padded > end - at || take_extension(header, type, data + at, len) < 0)
			return error_set(
				err, ERR_STORAGE, "its qcow2 header extensions are damaged");
		at += padded;
	}
	return 0;
}

int qcow2_parse(const uint8_t *data, size_t len, struct qcow2_header *header, struct error *err)
{
	memset(header, 0, sizeof(*header));
	if (len < V2_HEADER || be32(data) != MAGIC)
		return error_set(err, ERR_STORAGE, "it is not a qcow2 image");
	uint32_t version = be32(data + 4);
	uint64_t backing = be64(data + 8);
	size_t backing_len = be32(data + 16);
	uint32_t cluster_bits = be32(data + 20);
	uint64_t header_len = V2_HEADER;
	header->size = be64(data + 24);
	if (version == 3 && len >= V3_HEADER) {
		header->external_data = be64(data + 72) & INCOMPATIBLE_DATA;
		header_len = be32(data + 100);
	}
	if ((version != 2 && version != 3) || cluster_bits < 9 || cluster_bits > 21 ||
		header_len < (version == 3 ? V3_HEADER : V2_HEADER) || header_len > len ||
		header->size > INT64_MAX)
		return error_set(err, ERR_STORAGE, "its qcow2 header is damaged");
	if (be32(data + 32) != 0)
		return error_set(err, ERR_STORAGE, "encrypted images are not supported");
	size_t end = len;
	if (end > (size_t)1 << cluster_bits)
		end = (size_t)1 << cluster_bits;
	if (backing) {
		if (backing > end || backing_len > end - backing || backing < header_len ||
			take_name(header->backing_file, sizeof(header->backing_file),
				data + backing, backing_len) < 0)
			return error_set(
				err, ERR_STORAGE, "its qcow2 backing file name is damaged");
		end = (size_t)backing;
	}
	if (header_len > end)
		return error_set(err, ERR_STORAGE, "its qcow2 header is damaged");
	return parse_extensions(data, (size_t)header_len, end, header, err);
}
