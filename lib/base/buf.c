/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growing text, on json-c's printbuf. */
#include "base/buf.h"

#include <limits.h>
#include <string.h>

struct printbuf *buf_new(void)
{
	return mem_check(printbuf_new());
}

void buf_free(struct printbuf *buf)
{
	if (buf)
		printbuf_free(buf);
}

void buf_append(struct printbuf *buf, const void *data, size_t len)
{
	if (len > INT_MAX || printbuf_memappend(buf, data, (int)len) < 0)
		mem_check(NULL);
}

void buf_text(struct printbuf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_format(struct printbuf *buf, const char *format, ...)
{
	char small[256];
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(small, sizeof(small), format, args);
	if (len >= 0 && (size_t)len < sizeof(small)) {
		buf_append(buf, small, (size_t)len);
	} else {
		cleanup_free char *text = xvasprintf(format, again);
		buf_text(buf, text);
	}
	va_end(again);
	va_end(args);
}

char *buf_steal(struct printbuf *buf)
{
	char *text = buf->buf;

	buf->buf = NULL;
	printbuf_free(buf);
	return text;
}
