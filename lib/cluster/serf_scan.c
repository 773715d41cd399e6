/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A walk over the headers of a MessagePack object (github.com/msgpack/msgpack, spec.md). */
#include "cluster/serf_scan.h"

#include <stdbool.h>

enum kind { DATA, LIST, MAP, NONE };

/* What a header says of the bytes and elements that follow it. */
struct form {
	enum kind kind;
	uint8_t length_bytes; /* of the big-endian number behind the first byte */
	uint8_t fixed;        /* further bytes, besides as many as that number says */
};

/* 0xc0 to 0xdf. */
static const struct form forms[32] = {
	{DATA, 0, 0}, /* nil */
	{NONE, 0, 0}, /* never used */
	{DATA, 0, 0},
	{DATA, 0, 0}, /* false, true */
	{DATA, 1, 0},
	{DATA, 2, 0},
	{DATA, 4, 0}, /* bin */
	{DATA, 1, 1},
	{DATA, 2, 1},
	{DATA, 4, 1}, /* ext, with its type */
	{DATA, 0, 4},
	{DATA, 0, 8}, /* float */
	{DATA, 0, 1},
	{DATA, 0, 2},
	{DATA, 0, 4},
	{DATA, 0, 8}, /* uint */
	{DATA, 0, 1},
	{DATA, 0, 2},
	{DATA, 0, 4},
	{DATA, 0, 8}, /* int */
	{DATA, 0, 2},
	{DATA, 0, 3},
	{DATA, 0, 5},
	{DATA, 0, 9},
	{DATA, 0, 17}, /* fixext */
	{DATA, 1, 0},
	{DATA, 2, 0},
	{DATA, 4, 0}, /* str */
	{LIST, 2, 0},
	{LIST, 4, 0}, /* array */
	{MAP, 2, 0},
	{MAP, 4, 0},
};

/* One header: how long it is, and what comes behind it. */
struct token {
	enum kind kind;
	size_t header;
	uint32_t count; /* bytes of DATA, elements of LIST, pairs of MAP */
};

/* False when it is not whole. */
static bool read_token(const uint8_t *data, size_t len, struct token *token)
{
	uint8_t first = data[0];

	*token = (struct token){.header = 1};
	if (first < 0x80 || first >= 0xe0)
		return true;
	if (first < 0xc0) {
		token->kind = first < 0x90 ? MAP : first < 0xa0 ? LIST : DATA;
		token->count = first & (token->kind == DATA ? 0x1f : 0x0f);
		return true;
	}
	const struct form *form = &forms[first - 0xc0];
	token->kind = form->kind;
	token->header = 1u + form->length_bytes + form->fixed;
	if (len < token->header)
		return false;
	for (unsigned i = 1; i <= form->length_bytes; i++)
		token->count = token->count << 8 | data[i];
	return true;
}

/* One element is there: lists that it completes are complete elements themselves. */
static bool completes_all(struct serf_scan *scan)
{
	while (scan->depth > 0 && --scan->left[scan->depth - 1] == 0)
		scan->depth--;
	return scan->depth == 0;
}

/* Notes a list's elements; -1 when they are too many, or too deep. */
static int open_list(struct serf_scan *scan, const struct token *token, struct error *err)
{
	uint64_t count = (uint64_t)token->count * (token->kind == MAP ? 2 : 1);

	if (scan->elements + count > SERF_SCAN_MAX_ELEMENTS)
		return error_set(err, ERR_INVALID, "an object of more than %u elements",
			SERF_SCAN_MAX_ELEMENTS);
	if (scan->depth == SERF_SCAN_MAX_DEPTH)
		return error_set(
			err, ERR_INVALID, "an object of more than %d levels", SERF_SCAN_MAX_DEPTH);
	scan->elements += (uint32_t)count;
	scan->left[scan->depth++] = (uint32_t)count;
	return 0;
}

int serf_scan_object(struct serf_scan *scan, const uint8_t *data, size_t len, struct error *err)
{
	while (scan->at < len) {
		struct token token;
		size_t left = len - scan->at;

		if (!read_token(data + scan->at, left, &token))
			return 0;
		if (token.kind == NONE)
			return error_set(err, ERR_INVALID, "a byte that MessagePack does not use");
		uint64_t size = token.header + (token.kind == DATA ? token.count : 0);
		if (scan->at + size > SERF_SCAN_MAX_SIZE)
			return error_set(err, ERR_INVALID, "an object of more than %u bytes",
				SERF_SCAN_MAX_SIZE);
		if (size > left)
			return 0;
		scan->at += size;
		if (token.kind != DATA && token.count > 0) {
			if (open_list(scan, &token, err) < 0)
				return -1;
		} else if (completes_all(scan)) {
			return 1;
		}
	}
	return 0;
}
