/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtxd --check: the ports of other hosts that a migration needs: libvirt's, and the first of
 * those that QEMU listens at while a VM comes. Nothing listens there now, so a refusal is good
 * news, and silence is a firewall. All are tried at once.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define WAIT_MS    1500
#define QEMU_PORT  "49152"
#define QEMU_PORTS "49152 to 49215"

/* One connection on its way. */
struct probe {
	const char *name;
	int fd;    /* -1: it ended */
	int error; /* errno; 0: it answered */
};

const char *check_libvirt_port(const struct settings *settings)
{
	switch ((enum migrate_transport)settings->migrate_transport) {
	case MIGRATE_TLS:
		return "16514";
	case MIGRATE_SSH:
		return "22";
	case MIGRATE_TCP:
		break;
	}
	return "16509";
}

static void finish(struct probe *probe, int error)
{
	probe->error = error;
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}

/* A name without an address is the other check's. */
static void start(struct probe *probe, const char *name, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

	*probe = (struct probe){.name = name, .fd = -1};
	if (getaddrinfo(name, port, &hints, &list) != 0)
		return;
	probe->fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd < 0)
		finish(probe, errno);
	else if (connect(probe->fd, list->ai_addr, list->ai_addrlen) == 0)
		finish(probe, 0);
	else if (errno != EINPROGRESS)
		finish(probe, errno);
	freeaddrinfo(list);
}

/* What became of the connection by now. */
static void look(struct probe *probe)
{
	struct pollfd fd = {.fd = probe->fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&fd, 1, 0) <= 0)
		return;
	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	finish(probe, error);
}

static void wait_all(struct probe *probes, size_t count)
{
	int64_t end = clock_ms() + WAIT_MS;
	bool open = true;

	while (open) {
		open = false;
		for (size_t i = 0; i < count; i++) {
			if (probes[i].fd >= 0)
				look(&probes[i]);
			if (probes[i].fd >= 0 && clock_ms() >= end)
				finish(&probes[i], ETIMEDOUT);
			open |= probes[i].fd >= 0;
		}
		if (open)
			poll(NULL, 0, 20);
	}
}

/* "virt2 (Connection refused), virt3 (...)"; how many. */
static size_t list_bad(
	const struct probe *probes, size_t count, bool refusal_is_good, struct printbuf *bad)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		int error = probes[i].error;

		if (error == 0 || (refusal_is_good && error == ECONNREFUSED))
			continue;
		buf_format(bad, "%s%s (%s)", found ? ", " : "", probes[i].name, strerror(error));
		found++;
	}
	return found;
}

void check_ports(struct check *check, const char *const *names, size_t count)
{
	const char *port = check_libvirt_port(check->settings);
	cleanup_free struct probe *probes = xcalloc(2 * count, sizeof(*probes));
	cleanup_buf struct printbuf *bad = buf_new();

	for (size_t i = 0; i < count; i++) {
		start(&probes[i], names[i], port);
		start(&probes[count + i], names[i], QEMU_PORT);
	}
	wait_all(probes, 2 * count);
	if (list_bad(probes, count, false, bad) > 0)
		check_set(check, CHECK_WARN,
			"let libvirt listen there (libvirtd-tcp.socket or virtproxyd-tcp.socket), "
			"and "
			"look at the firewall",
			"no VM can migrate from here to %s: libvirt's port %s", bad->buf, port);
	else if (list_bad(probes + count, count, true, bad) > 0)
		check_set(check, CHECK_WARN, "open ports " QEMU_PORTS " between the hosts",
			"a firewall seems to keep migrating VMs out of %s: port " QEMU_PORT,
			bad->buf);
	else
		check_set(check, CHECK_OK, NULL,
			"port %s of %zu other members answers, and " QEMU_PORT " is not blocked",
			port, count);
}
