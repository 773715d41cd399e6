/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd --check: libvirt, its plugin for sanlock, and what migration needs. */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "hypervisor/hypervisor.h"
#include "storage/lease.h"

#include <errno.h>
#include <glob.h>
#include <netdb.h>
#include <sys/socket.h>

#define QEMU_CONF   "/etc/libvirt/qemu.conf"
#define PLUGIN_CONF "/etc/libvirt/qemu-sanlock.conf"

void host_check_libvirt(struct check *check)
{
	unsigned long version;
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (hypervisor_look(check->settings->libvirt_uri, &version, &err) < 0)
		check_set_error(check, CHECK_FAIL, &err,
			"start it (systemctl enable --now libvirtd, or virtqemud), or set "
			"libvirt_uri");
	else
		check_set(check, CHECK_OK, NULL, "%lu.%lu.%lu at %s", version / 1000000,
			version / 1000 % 1000, version % 1000, check->settings->libvirt_uri);
}

void host_check_plugin(struct check *check)
{
	static const char *const places[] = {
		"/usr/lib*/libvirt/lock-driver/sanlock.so",
		"/usr/lib/*/libvirt/lock-driver/sanlock.so",
		"/usr/local/lib*/libvirt/lock-driver/sanlock.so",
	};

	if (check_skips_sanlock(check))
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		glob_t found;

		if (glob(places[i], 0, NULL, &found) != 0)
			continue;
		check_set(check, CHECK_OK, NULL, "%s", found.gl_pathv[0]);
		globfree(&found);
		return;
	}
	check_set(check, CHECK_FAIL,
		"install it: libvirt-sanlock (Debian), libvirt-daemon-plugin-sanlock (openSUSE, "
		"Fedora)",
		"libvirt's plugin for sanlock, lock-driver/sanlock.so, is not installed");
}

void host_check_qemu_conf(struct check *check)
{
	cleanup_free char *manager = check_read_key(QEMU_CONF, "lock_manager");
	bool wanted = check->settings->lock_manager == LOCK_MANAGER_SANLOCK;

	if (check_skips_standalone(check))
		return;
	bool found = manager && str_equal(manager, "sanlock");
	if (wanted && !found)
		check_set(check, CHECK_FAIL,
			"write lock_manager = \"sanlock\" there, and restart libvirt",
			"%s has lock_manager = %s: libvirt would take no lease for a VM", QEMU_CONF,
			manager ? manager : "(none)");
	else if (!wanted && found)
		check_set(check, CHECK_WARN,
			"use lock_manager = sanlock here, or none in qemu.conf",
			"%s has lock_manager = sanlock, virtxd has local", QEMU_CONF);
	else
		check_set(check, CHECK_OK, NULL, "lock_manager = %s", manager ? manager : "(none)");
}

void host_check_plugin_conf(struct check *check)
{
	cleanup_free char *automatic = check_read_key(PLUGIN_CONF, "auto_disk_leases");
	cleanup_free char *required = check_read_key(PLUGIN_CONF, "require_lease_for_disks");

	if (check_skips_sanlock(check))
		return;
	if (automatic && !str_equal(automatic, "0"))
		check_set(check, CHECK_FAIL,
			"write auto_disk_leases = 0 there, and restart libvirt",
			"%s has auto_disk_leases = %s: libvirt would make leases of its own",
			PLUGIN_CONF, automatic);
	else if (!required || !str_equal(required, "0"))
		check_set(check, CHECK_FAIL,
			"write require_lease_for_disks = 0 there, and restart libvirt",
			"%s has require_lease_for_disks = %s: VMs with an .iso or a lun would not "
			"start",
			PLUGIN_CONF, required ? required : "1 (the default)");
	else
		check_set(
			check, CHECK_OK, NULL, "auto_disk_leases = 0, require_lease_for_disks = 0");
}

/* 0 when something listens at an address of the name; otherwise the reason as errno. Of this host,
 * which answers at once. */
static int try_port(const struct addrinfo *list)
{
	int error = ECONNREFUSED;

	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		cleanup_close int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
			return 0;
		error = errno;
	}
	return error;
}

void host_check_migration(struct check *check)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	const char *port = check_libvirt_port(check->settings);
	char name[256] = "";

	if (check_skips_standalone(check))
		return;
	/* Others come to the name of the system. */
	gethostname(name, sizeof(name) - 1);
	int error = getaddrinfo(name, port, &hints, &list);
	if (error) {
		check_set(check, CHECK_FAIL, "write it into /etc/hosts or DNS, on all hosts",
			"the name of this host, %s, has no address: %s", name, gai_strerror(error));
		return;
	}
	error = try_port(list);
	freeaddrinfo(list);
	if (error)
		check_set(check, CHECK_WARN,
			"systemctl enable --now libvirtd-tcp.socket (or virtproxyd-tcp.socket), in "
			"a network you trust",
			"libvirt's port %s of %s cannot be reached, so no VM can migrate to this "
			"host: %s",
			port, name, strerror(error));
	else
		check_set(check, CHECK_OK, NULL, "port %s of %s answers", port, name);
}
