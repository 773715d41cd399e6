/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes to and from a server as tests want them: raw, on 127.0.0.1, with deadlines. */
#ifndef HTTP_RAW_H
#define HTTP_RAW_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
/* After the above: */
#include <cmocka.h>

#define RAW_DEADLINE_MS 10000

/* Looks again every few ms until the condition holds; fails the test at the deadline. */
#define WAIT_FOR(condition)                                                     \
	do {                                                                    \
		int64_t wait_until_ = clock_ms() + RAW_DEADLINE_MS;             \
		while (!(condition)) {                                          \
			if (clock_ms() > wait_until_)                           \
				fail_msg("waited in vain for: %s", #condition); \
			poll(NULL, 0, 2);                                       \
		}                                                               \
	} while (0)

/* To "127.0.0.1:PORT"; receive_buffer (0: the system's) bounds what it takes without reading. */
static inline int raw_connect(const char *address, int receive_buffer)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	to.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail_msg("connect: %d", errno);
	return fd;
}

static inline void raw_send(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

		assert_true(sent > 0);
		text += sent;
		len -= (size_t)sent;
	}
}

/* One receive with a deadline: bytes, 0 at the end of the stream, -1 when it was reset. */
static inline ssize_t raw_receive(int fd, char *buffer, size_t size)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	if (poll(&entry, 1, RAW_DEADLINE_MS) != 1)
		fail_msg("nothing came");
	return recv(fd, buffer, size, 0);
}

struct raw_answer {
	int status; /* -1: the stream ended or was reset before an answer */
	char head[4096];
	char *body; /* NUL-terminated; the caller frees it */
	size_t body_len;
};

/* The value of a header, cut at its line end; NULL when there is none. */
static inline const char *raw_header(const struct raw_answer *answer, const char *name)
{
	static _Thread_local char value[512];
	size_t len = strlen(name);

	for (const char *line = strstr(answer->head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\r"),
			line + len + 2);
		return value;
	}
	return NULL;
}

/* Reads one answer and not a byte more; without_body: of a HEAD request. */
static inline struct raw_answer raw_read(int fd, bool without_body)
{
	struct raw_answer answer = {.status = -1};
	const char *length;
	size_t len = 0;

	while (!strstr(answer.head, "\r\n\r\n")) {
		assert_true(len < sizeof(answer.head) - 1);
		if (raw_receive(fd, answer.head + len, 1) <= 0)
			return answer;
		answer.head[++len] = '\0';
	}
	assert_int_equal(strncmp(answer.head, "HTTP/1.1 ", 9), 0);
	answer.status = (int)strtol(answer.head + 9, NULL, 10);
	length = raw_header(&answer, "Content-Length");
	answer.body_len = length && !without_body ? strtoul(length, NULL, 10) : 0;
	answer.body = xcalloc(1, answer.body_len + 1);
	for (size_t got = 0; got < answer.body_len;) {
		ssize_t some = raw_receive(fd, answer.body + got, answer.body_len - got);

		if (some <= 0)
			fail_msg(
				"the body breaks off after %zu of %zu bytes", got, answer.body_len);
		got += (size_t)some;
	}
	return answer;
}

/* Status of one answer, whose body is dropped. */
static inline int raw_status(int fd)
{
	struct raw_answer answer = raw_read(fd, false);

	free(answer.body);
	return answer.status;
}

/* True when nothing but the end of the stream comes. */
static inline bool raw_is_closed(int fd)
{
	char byte;

	return raw_receive(fd, &byte, 1) <= 0;
}

#endif
