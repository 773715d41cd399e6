/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Non-blocking sockets and poll, so that no step of an exchange can take longer than its deadline.
 */
#include "http/client_socket.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

int64_t client_socket_deadline(unsigned ms)
{
	return clock_ms() + ms;
}

/* 0 when one of the events came, -1 with errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd entry = {.fd = fd, .events = events};
		int64_t left = deadline - clock_ms();
		int ready;

		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		ready = poll(&entry, 1, left < INT_MAX ? (int)left : INT_MAX);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
}

/*
 * A server that is gone without a word (its power, its cable) is noticed within some 20 s, however
 * long its answer may take.
 */
static void watch_peer(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){5}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){5}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){20000}, sizeof(unsigned));
}

/* Connects to one address; -1 with errno. */
static int open_address(const struct addrinfo *address, int64_t deadline)
{
	cleanup_close int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int failure = 0;
	socklen_t size = sizeof(failure);

	if (fd < 0)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen)) {
		if (errno != EINPROGRESS || wait_for(fd, POLLOUT, deadline) ||
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size))
			return -1;
		if (failure) {
			errno = failure;
			return -1;
		}
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	watch_peer(fd);
	return steal_fd(&fd);
}

int client_socket_open(const char *host, const char *port, const char *shown, unsigned timeout_ms,
	struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *addresses = NULL;
	int64_t deadline = client_socket_deadline(timeout_ms);
	int failure = getaddrinfo(host, port, &hints, &addresses);
	int fd = -1;
	int reason = 0;

	if (failure)
		return error_set(err, ERR_CONNECT, "cannot reach %s: %s", shown,
			failure == EAI_SYSTEM ? "name lookup failed" : gai_strerror(failure));
	for (struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next) {
		fd = open_address(a, deadline);
		if (fd < 0)
			reason = errno;
	}
	freeaddrinfo(addresses);
	if (fd < 0)
		return error_set_errno(err, ERR_CONNECT, reason, "cannot reach %s", shown);
	return fd;
}

bool client_socket_is_quiet(int fd)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN};

	return poll(&entry, 1, 0) == 0;
}

static void advance(struct msghdr *message, size_t sent)
{
	while (message->msg_iovlen && sent >= message->msg_iov->iov_len) {
		sent -= message->msg_iov->iov_len;
		message->msg_iov++;
		message->msg_iovlen--;
	}
	if (message->msg_iovlen) {
		message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
		message->msg_iov->iov_len -= sent;
	}
}

int client_socket_send(int fd, struct iovec *parts, size_t count, int64_t deadline)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};

	advance(&message, 0);
	while (message.msg_iovlen) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent >= 0)
			advance(&message, (size_t)sent);
		else if (errno == EAGAIN) {
			if (wait_for(fd, POLLOUT, deadline))
				return -1;
		} else if (errno != EINTR)
			return -1;
	}
	return 0;
}

ssize_t client_socket_receive(int fd, void *buffer, size_t size, int64_t deadline)
{
	for (;;) {
		ssize_t got = recv(fd, buffer, size, 0);

		if (got >= 0)
			return got;
		if (errno == EAGAIN) {
			if (wait_for(fd, POLLIN, deadline))
				return -1;
		} else if (errno != EINTR)
			return -1;
	}
}
