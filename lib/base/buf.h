/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing text buffer: json-c's printbuf, with failure to allocate fatal as in mem.h. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/mem.h"

#include <json-c/printbuf.h>

#define cleanup_buf CLEANUP(buf_cleanup)

struct printbuf *buf_new(void);
void buf_free(struct printbuf *buf);
/* The buffer stays NUL-terminated: buf->buf, with buf->bpos bytes. Limit: 2 GiB, then abort. */
void buf_append(struct printbuf *buf, const void *data, size_t len);
void buf_text(struct printbuf *buf, const char *text);
void buf_format(struct printbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The text, which the caller frees; the buffer itself is freed. */
char *buf_steal(struct printbuf *buf);

static inline void buf_cleanup(struct printbuf **buf)
{
	buf_free(*buf);
}

#endif
