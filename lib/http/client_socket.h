/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets of the client: each call waits until an absolute deadline (monotonic ms) and no longer.
 */
#ifndef HTTP_CLIENT_SOCKET_H
#define HTTP_CLIENT_SOCKET_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The deadline that is ms from now. */
int64_t client_socket_deadline(unsigned ms);

/*
 * Connects to the first address of host that accepts, trying the next at once when one refuses. The
 * descriptor, which the caller closes; -1: ERR_CONNECT with shown (host and port as messages have
 * it) and the last reason.
 */
int client_socket_open(const char *host, const char *port, const char *shown, unsigned timeout_ms,
	struct error *err);

/* True while nothing has happened on an idle connection: what is readable now means that it was
 * closed. */
bool client_socket_is_quiet(int fd);

/* Sends everything (parts are changed); -1 with errno, ETIMEDOUT at the deadline. */
int client_socket_send(int fd, struct iovec *parts, size_t count, int64_t deadline);

/* As recv(); -1 with errno, ETIMEDOUT at the deadline. */
ssize_t client_socket_receive(int fd, void *buffer, size_t size, int64_t deadline);

#endif
