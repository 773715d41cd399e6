/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunked bodies (RFC 9112, 7.1). Extensions and trailers are read, bounded and ignored. */
#include "http/message.h"

#define MAX_OVERHEAD 4096 /* extensions and trailers of one body together */
#define MAX_CHUNK    ((uint64_t)1 << 40)

enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	TRAILER_LINE,
	TRAILER_LF,
	LAST_LF,
	DONE
};

/* The size line's first part: digits, then ";", blank or CR. */
static int step_size(struct http_chunks *chunks, char c)
{
	int digit = http_hex_value(c);

	if (digit >= 0) {
		chunks->left = chunks->left * 16 + (uint64_t)digit;
		chunks->digits = true;
		return chunks->left > MAX_CHUNK ? -1 : SIZE;
	}
	if (!chunks->digits)
		return -1;
	chunks->digits = false;
	if (c == '\r')
		return SIZE_LF;
	return c == ';' || c == ' ' || c == '\t' ? EXTENSION : -1;
}

/* Bytes that mean nothing here, up to the CR. */
static int step_ignored(struct http_chunks *chunks, char c, int next)
{
	if (c == '\r')
		return next;
	if (++chunks->overhead > MAX_OVERHEAD || ((unsigned char)c < ' ' && c != '\t'))
		return -1;
	return chunks->state;
}

static int step(struct http_chunks *chunks, char c)
{
	switch (chunks->state) {
	case SIZE:
		return step_size(chunks, c);
	case EXTENSION:
		return step_ignored(chunks, c, SIZE_LF);
	case SIZE_LF:
		return c != '\n' ? -1 : chunks->left ? DATA : TRAILER;
	case DATA_CR:
		return c == '\r' ? DATA_LF : -1;
	case DATA_LF:
		return c == '\n' ? SIZE : -1;
	case TRAILER:
		if (c == '\r')
			return LAST_LF;
		return step_ignored(chunks, c, -1) < 0 ? -1 : TRAILER_LINE;
	case TRAILER_LINE:
		return step_ignored(chunks, c, TRAILER_LF);
	case TRAILER_LF:
		return c == '\n' ? TRAILER : -1;
	case LAST_LF:
		return c == '\n' ? DONE : -1;
	default:
		return -1;
	}
}

enum http_chunk_step http_chunks_next(
	struct http_chunks *chunks, const char *input, size_t len, size_t *used, size_t *data_len)
{
	*used = 0;
	*data_len = 0;
	while (*used < len) {
		if (chunks->state == DATA) {
			size_t take = len - *used;

			if (take > chunks->left)
				take = (size_t)chunks->left;
			chunks->left -= take;
			if (chunks->left == 0)
				chunks->state = DATA_CR;
			*used += take;
			*data_len = take;
			return HTTP_CHUNK_DATA;
		}
		chunks->state = step(chunks, input[(*used)++]);
		if (chunks->state < 0)
			return HTTP_CHUNK_BAD;
		if (chunks->state == DONE)
			return HTTP_CHUNK_END;
	}
	return HTTP_CHUNK_MORE;
}
