/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock manager `sanlock`: resources are paxos leases that the sanlock daemons of all hosts
 * arbitrate. QEMU processes hold those of running VMs (libvirt's plugin sees to that), lease-run
 * those that it works under.
 */
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/leader.h"
#include "storage/lease_private.h"
#include "storage/lock_manager.h"
#include "storage/sanlock_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* sanlock gives back what a process held some 50 ms after its end. */
#define RELEASE_WAIT_MS  2000
#define RELEASE_PAUSE_MS 20

/* This process's connection to sanlock: its end is the end of all that the process holds. Only
 * lease-run has one. */
static int registered = -1;

static int describe(int fd, const char *name, union resource *to, struct error *err)
{
	struct sanlk_resource *resource = &to->resource;

	memset(to, 0, sizeof(*to));
	if (strlen(name) > SANLK_NAME_LEN)
		return error_set(
			err, ERR_INVALID, "the lease name %s is too long for sanlock", name);
	/* No NUL behind a name that fills it. */
	memcpy(resource->lockspace_name, LEASE_LOCKSPACE, strlen(LEASE_LOCKSPACE));
	memcpy(resource->name, name, strlen(name));
	resource->flags = SANLK_RES_ALIGN1M | SANLK_RES_SECTOR512;
	resource->num_disks = 1;
	return arbiter_path(fd, resource->disks[0].path, err);
}

/* Made when the host joins: sanlock may be away now. */
static int sanlock_prepare(int root, struct error *err)
{
	(void)root;
	(void)err;
	return 0;
}

static int read_leader(int fd, const char *name, struct leader *leader, struct error *err)
{
	uint8_t sector[LEASE_SECTOR];
	ssize_t got = pread(fd, sector, sizeof(sector), 0);

	if (got < 0)
		return beneath_fail(err, "read the lease", name);
	if (got != (ssize_t)sizeof(sector))
		return error_set(err, ERR_STORED_DATA, "the lease %s is too short", name);
	if (leader_decode(sector, leader, err) < 0)
		return error_prefix(err, "lease %s", name);
	if (leader->kind != LEADER_RESOURCE || !str_equal(leader->name, name))
		return error_set(
			err, ERR_STORED_DATA, "the lease %s is that of %s", name, leader->name);
	return 0;
}

static int sanlock_format(int fd, const char *name, struct error *err)
{
	struct leader leader;
	struct error ignored = {0};
	union resource resource;

	if (describe(fd, name, &resource, err) < 0)
		return -1;
	int result = arbiter_write_resource(&resource);
	if (result < 0)
		return arbiter_fail(err, result, "make the lease", name);
	if (read_leader(fd, name, &leader, &ignored) < 0)
		return error_set(err, ERR_UNAVAILABLE,
			"sanlock made the lease %s, but not in the storage that is seen here",
			name);
	return 0;
}

/* 1 when one of the owners that sanlock has read is alive, 0 when the lease is free. */
static int judge_owners(struct sanlk_resource *resource, struct sanlk_host *owners, int n_owners,
	const char *name, struct error *err)
{
	struct sanlk_host *hosts = NULL;
	uint32_t flags = 0;
	int n_hosts = 0;

	if (n_owners == 0)
		return 0;
	int result = arbiter_get_hosts(&hosts, &n_hosts);
	if (result == -EAGAIN)
		return error_set(err, ERR_UNAVAILABLE,
			"sanlock has joined the lockspace just now and does not know yet who else "
			"is in it");
	if (result < 0)
		return arbiter_fail(err, result == -ENOENT ? -ENOSPC : result,
			"look at the hosts of the lease", name);
	result =
		sanlock_test_resource_owners(resource, 0, owners, n_owners, hosts, n_hosts, &flags);
	free(hosts);
	if (result < 0)
		return arbiter_fail(err, result, "look at the lease", name);
	return flags & SANLK_TRF_FAIL ? 1 : 0;
}

static int sanlock_find_holder(int fd, const char *name, uint64_t *host_id, struct error *err)
{
	struct sanlk_host *owners = NULL;
	int n_owners = 0;
	union resource resource;

	if (describe(fd, name, &resource, err) < 0)
		return -1;
	int result = arbiter_read_owners(&resource, &owners, &n_owners);
	if (result < 0)
		return arbiter_fail(err, result, "look at the lease", name);
	int held = judge_owners(&resource.resource, owners, n_owners, name, err);
	if (held > 0)
		*host_id = owners[0].host_id;
	free(owners);
	return held;
}

static int sanlock_find_last(int fd, const char *name, uint64_t *host_id, struct error *err)
{
	struct leader leader;

	if (read_leader(fd, name, &leader, err) < 0)
		return -1;
	*host_id = leader.owner_id;
	return leader.owner_id > 0;
}

static int fail_held(const char *name, const char *host, struct error *err)
{
	error_set(err, ERR_BUSY, "the lease %s is in use on %s", name, host);
	return error_hint(err,
		"by a VM that runs there or an operation; that of a host that died is free after "
		"a few minutes");
}

static bool pause_shortly(unsigned attempt)
{
	if (attempt >= RELEASE_WAIT_MS / RELEASE_PAUSE_MS)
		return false;
	poll(NULL, 0, RELEASE_PAUSE_MS);
	return true;
}

static int sanlock_check_free(int root, int fd, const char *name, struct error *err)
{
	char host[LOCKSPACE_HOST_SIZE];
	uint64_t host_id = 0;
	unsigned attempt = 0;
	int held;

	while ((held = sanlock_find_holder(fd, name, &host_id, err)) > 0 &&
		pause_shortly(attempt++))
		;
	if (held <= 0)
		return held;
	lockspace_host_name(root, host_id, host);
	return fail_held(name, host, err);
}

static int fail_hold(int root, int fd, const char *name, int result, struct error *err)
{
	char host[LOCKSPACE_HOST_SIZE] = "a host";
	uint64_t host_id = 0;
	struct error ignored = {0};

	switch (result) {
	case -EEXIST:
	case -EAGAIN:
	case -EBUSY:
	case SANLK_ACQUIRE_IDLIVE:
	case SANLK_ACQUIRE_OWNED:
	case SANLK_ACQUIRE_OTHER:
	case SANLK_ACQUIRE_OWNED_RETRY:
		if (sanlock_find_holder(fd, name, &host_id, &ignored) > 0)
			lockspace_host_name(root, host_id, host);
		return fail_held(name, host, err);
	default:
		return arbiter_fail(err, result, "take the lease", name);
	}
}

/* What passes when the last holder has ended just now. */
static bool is_passing(int result)
{
	return result == -EEXIST || result == -EAGAIN || result == -EBUSY;
}

static int sanlock_hold(
	int root, int fd, const char *name, uint8_t lvb[static LEASE_SECTOR], struct error *err)
{
	union resource resource;
	unsigned attempt = 0;
	int result;

	if (describe(fd, name, &resource, err) < 0)
		return -1;
	if (registered < 0)
		registered = arbiter_register();
	if (registered < 0)
		return arbiter_fail(err, registered, "register for the lease", name);
	do {
		result = arbiter_acquire(registered, &resource);
	} while (is_passing(result) && pause_shortly(attempt++));
	if (result < 0)
		return fail_hold(root, fd, name, result, err);
	result = arbiter_get_lvb(&resource, lvb);
	return result < 0 ? arbiter_fail(err, result, "read the owner of the lease", name) : 0;
}

/* A host that loses the lockspace ends this process; a sanlock that dies closes the connection. */
static int sanlock_check_held(struct error *err)
{
	struct pollfd connection = {.fd = registered, .events = POLLIN};

	if (registered < 0 || poll(&connection, 1, 0) == 0)
		return 0;
	return error_set(err, ERR_UNAVAILABLE, "sanlock has ended, and the lease with it");
}

const struct lock_manager_ops lock_manager_sanlock = {
	.prepare = sanlock_prepare,
	.format = sanlock_format,
	.check_free = sanlock_check_free,
	.find_holder = sanlock_find_holder,
	.find_last = sanlock_find_last,
	.hold = sanlock_hold,
	.check_held = sanlock_check_held,
};
