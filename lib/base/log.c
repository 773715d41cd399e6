/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line per event, written with one write so that threads do not mix. */
#include "base/log.h"

#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int current_level = LOG_LEVEL_INFO;
static _Thread_local char context_request[40];
static _Thread_local char context_client[64];

static const struct {
	const char *name;
	char priority; /* of syslog, as systemd reads it */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", '3'},
	[LOG_LEVEL_WARNING] = {"warning", '4'},
	[LOG_LEVEL_INFO] = {"info", '6'},
	[LOG_LEVEL_DEBUG] = {"debug", '7'},
};

struct line {
	char text[4096];
	size_t len;
};

void log_set_level(enum log_level level)
{
	atomic_store(&current_level, level);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load(&current_level);
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, text) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_context(const char *request_id, const char *client)
{
	snprintf(context_request, sizeof(context_request), "%s", request_id ? request_id : "");
	snprintf(context_client, sizeof(context_client), "%s", client ? client : "");
}

void log_clear_context(void)
{
	log_set_context(NULL, NULL);
}

/* Room is kept for the closing quote and newline. */
static void put(struct line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 2 - line->len;

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static bool needs_quotes(const char *value)
{
	if (!*value || !str_is_utf8(value))
		return true;
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if (*c <= ' ' || *c == '"' || *c == '\\' || *c == 0x7f)
			return true;
	return false;
}

static void put_escaped(struct line *line, const char *value)
{
	bool utf8 = str_is_utf8(value);

	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		char hex[8];

		if (*c == '"' || *c == '\\') {
			put(line, "\\", 1);
			put(line, (const char *)c, 1);
		} else if (*c == '\n') {
			put(line, "\\n", 2);
		} else if (*c < ' ' || *c == 0x7f || (*c >= 0x80 && !utf8)) {
			put(line, hex, (size_t)snprintf(hex, sizeof(hex), "\\x%02x", *c));
		} else {
			put(line, (const char *)c, 1);
		}
	}
}

static void put_pair(struct line *line, const char *key, const char *value)
{
	put(line, " ", 1);
	put(line, key, strlen(key));
	put(line, "=", 1);
	if (!needs_quotes(value)) {
		put(line, value, strlen(value));
		return;
	}
	put(line, "\"", 1);
	put_escaped(line, value);
	if (line->len < sizeof(line->text) - 1)
		line->text[line->len++] = '"';
}

static void write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(STDERR_FILENO, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nowhere left to complain */
		text += done;
		len -= (size_t)done;
	}
}

void log_write(enum log_level level, const char *message, ...)
{
	struct line line;
	const char *key;
	va_list args;
	int saved = errno;

	if ((int)level > atomic_load(&current_level))
		return;
	line.len = 0;
	if (getenv("JOURNAL_STREAM"))
		put(&line, (char[]){'<', levels[level].priority, '>'}, 3);
	else if (level != LOG_LEVEL_INFO) {
		put(&line, levels[level].name, strlen(levels[level].name));
		put(&line, ": ", 2);
	}
	put_escaped(&line, message);
	va_start(args, message);
	while ((key = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);

		if (value)
			put_pair(&line, key, value);
	}
	va_end(args);
	if (context_request[0])
		put_pair(&line, "request", context_request);
	if (context_client[0])
		put_pair(&line, "client", context_client);
	line.text[line.len++] = '\n';
	write_all(line.text, line.len);
	errno = saved;
}

char *log_number(char buffer[static 24], int64_t number)
{
	snprintf(buffer, 24, "%" PRId64, number);
	return buffer;
}
