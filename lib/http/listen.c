/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets: addresses to sockets, and new connections to places. */
#include "http/server_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG      4096
#define ACCEPT_BATCH 64
#define MAX_UNSENT   (256 * 1024) /* bytes that the kernel takes for a client that does not read */

/* "host:port", "[v6]:port", ":port" into an address; addresses only, no names. */
static bool parse_address(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	};
	struct addrinfo *found = NULL;
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t host_len;
	int64_t port;

	if (!colon || !str_parse_int(colon + 1, 0, 65535, &port))
		return false;
	host_len = (size_t)(colon - text);
	if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		host_len -= 2;
		hints.ai_family = AF_INET6;
	} else if (host_len) {
		hints.ai_family = AF_INET;
	} else {
		hints.ai_family = AF_INET6; /* [::] takes IPv4 in too */
	}
	if (host_len >= sizeof(host))
		return false;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	if (getaddrinfo(host_len ? host : NULL, colon + 1, &hints, &found))
		return false;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static void describe(struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";
	char port[8] = "";

	if (getsockname(listener->source.fd, (struct sockaddr *)&address, &len) ||
		getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(listener->address, sizeof(listener->address),
		address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int open_socket(const struct sockaddr_storage *address, socklen_t len, bool any)
{
	cleanup_close int fd =
		socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int v6_only = !any;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	/* Accepted sockets inherit these. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){MAX_UNSENT}, sizeof(int));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	if (bind(fd, (const struct sockaddr *)address, len) || listen(fd, BACKLOG))
		return -1;
	return steal_fd(&fd);
}

int listener_open(struct listener *listener, const char *address, struct error *err)
{
	struct sockaddr_storage storage = {0};
	socklen_t len = 0;
	bool any = address[0] == ':';
	int fd;

	listener->source = (struct source){SOURCE_LISTENER, -1};
	if (!parse_address(address, &storage, &len))
		return error_set(err, ERR_INVALID,
			"\"%s\" is no address to listen on: IPV4:PORT, [IPV6]:PORT or :PORT",
			address);
	fd = open_socket(&storage, len, any);
	if (fd < 0 && any && errno == EAFNOSUPPORT) { /* a kernel without IPv6 */
		struct sockaddr_in plain = {.sin_family = AF_INET,
			.sin_port = ((struct sockaddr_in6 *)&storage)->sin6_port};

		memset(&storage, 0, sizeof(storage));
		memcpy(&storage, &plain, sizeof(plain));
		fd = open_socket(&storage, sizeof(plain), any);
	}
	if (fd < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot listen on %s", address);
	listener->source.fd = fd;
	describe(listener);
	return 0;
}

/* The bucket that counts connections of an address; of an IPv6 network, for a host has many of
 * those. */
static unsigned address_bucket(const struct sockaddr_storage *address)
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	uint64_t key = 0;

	if (address->ss_family == AF_INET)
		memcpy(&key, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else if (IN6_IS_ADDR_V4MAPPED(v6))
		memcpy(&key, v6->s6_addr + 12, 4);
	else
		memcpy(&key, v6->s6_addr, 8);
	return (unsigned)((key * 0x9e3779b97f4a7c15ULL) >> 54);
}

/* Without the prefix that IPv4 addresses have on an IPv6 socket. */
static void print_client(const struct sockaddr_storage *address, char text[static INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			INET6_ADDRSTRLEN);
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
}

/* An unused connection or a new one; the caller holds server->lock. */
static struct connection *take_place(struct http_server *server)
{
	struct connection *connection = server->unused;

	if (connection) {
		server->unused = connection->next;
		return connection;
	}
	connection = xcalloc(1, sizeof(*connection));
	pthread_mutex_init(&connection->lock, NULL);
	connection->source.kind = SOURCE_CONNECTION;
	return connection;
}

/* Takes the socket over and arms it. */
static void admit(struct http_server *server, int fd, const struct sockaddr_storage *address)
{
	bool is_peer = server->config.is_peer && server->config.is_peer(server->config.context,
							 (const struct sockaddr *)address);
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
	struct connection *c;

	pthread_mutex_lock(&server->lock);
	c = take_place(server);
	pthread_mutex_lock(&c->lock);
	c->source.fd = fd;
	c->is_peer = is_peer;
	c->has_served = c->close = false;
	c->phase = PHASE_IDLE;
	c->since = clock_ms();
	c->deadline = c->since + server->config.header_ms;
	c->address_count = &server->addresses[address_bucket(address)];
	(*c->address_count)++;
	print_client(address, c->client);
	c->previous = NULL;
	c->next = server->connections;
	if (c->next)
		c->next->previous = c;
	server->connections = c;
	server->n_connections++;
	c->events = EPOLLIN;
	c->waiting = true;
	event.data.ptr = &c->source;
	epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_unlock(&server->lock);
}

static bool is_full(struct http_server *server)
{
	bool full;

	pthread_mutex_lock(&server->lock);
	full = server->n_connections >= server->config.max_connections;
	pthread_mutex_unlock(&server->lock);
	return full;
}

static bool somebody_waits(const struct listener *listener)
{
	struct pollfd entry = {.fd = listener->source.fd, .events = POLLIN};

	return poll(&entry, 1, 0) > 0;
}

void listener_accept(struct http_server *server, struct listener *listener)
{
	for (int i = 0; i < ACCEPT_BATCH && !atomic_load(&server->stopping); i++) {
		struct sockaddr_storage address = {0};
		socklen_t len = sizeof(address);
		int fd;

		fd = accept4(listener->source.fd, (struct sockaddr *)&address, &len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			break;
		/* EMFILE comes before the look into the queue, so it does not mean that somebody
		 * waits. */
		if (fd < 0 && !somebody_waits(listener))
			break;
		if (fd < 0 && evict_worst(server))
			continue;
		if (fd < 0) {
			atomic_store(&listener->paused, true);
			return;
		}
		if (is_full(server) && !evict_worst(server))
			close(fd);
		else
			admit(server, fd, &address);
	}
	if (!atomic_load(&server->stopping))
		reception_arm(server, &listener->source, EPOLLIN);
}
