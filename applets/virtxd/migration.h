/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving a VM to another host, as its source sees it (spec: rest-api.md, migrate): checks and the
 * choice of the host (migration_choose.c), the move itself and watching it (migration.c), and
 * finding out what became of one that was cut (migration_settle.c). libvirt moves the guest from
 * host to host itself, so a move goes on while this daemon is away; the next one takes it up again.
 */
#ifndef VIRTXD_MIGRATION_H
#define VIRTXD_MIGRATION_H

#include "daemon.h"
#include "intent.h"
#include "operations.h"

/* What is asked for. */
struct migration_request {
	char vm[UUID_TEXT_SIZE];
	bool live;
	char target[UUID_TEXT_SIZE]; /* "": the host that fits best */
};

/* A host that might take the VM. */
struct migration_host {
	char uuid[UUID_TEXT_SIZE], name[256];
	struct error why;            /* why it cannot; empty: it can */
	int64_t memory_mib, cpu_mhz; /* available for VMs there; 0: it did not say */
	unsigned vms;                /* that it has */
};

struct migration_hosts {
	struct migration_host *list; /* by name */
	size_t count;
	const struct migration_host *best; /* of the list; NULL: none can take it */
};
void migration_hosts_free(struct migration_hosts *hosts);
#define cleanup_migration_hosts CLEANUP(migration_hosts_free)

/*
 * Checks everything that has to be true before the move and asks the hosts: the one that was named,
 * or all that could take the VM, at once, each with a deadline; hosts holds their answers. Starts
 * nothing, but a host that says yes keeps the memory free for a minute. 0 with hosts->best set, or
 * -1 with the reason of the host that was named: ERR_STATE, ERR_UNAVAILABLE, ERR_CAPACITY,
 * ERR_UNSUPPORTED ...; hosts is filled as far as that got, the caller frees it either way.
 */
int migration_choose(struct daemon *daemon, const struct migration_request *request,
	struct migration_hosts *hosts, struct error *err);

/* The one that fits best of those that can: most memory available, then CPU, then fewest VMs, then
 * name; NULL when none can. Pure. */
const struct migration_host *migration_pick(const struct migration_host *list, size_t count);

/* What a move that was begun is known by. */
struct migration_started {
	char operation[UUID_TEXT_SIZE];
	char host_uuid[UUID_TEXT_SIZE], host_name[256];
};

/* Chooses, begins an operation "migrate" and moves in a thread of its own. */
int migration_start(struct daemon *daemon, const struct migration_request *request,
	struct migration_started *started, struct error *err);

/*
 * The same, and waits for the outcome. target_uuid NULL: the host that fits best; target is the one
 * that was chosen, "" when it did not come to that. *cancel (may be NULL) is looked at every half
 * second: true aborts the move.
 */
int migration_move(struct daemon *daemon, const char *vm_uuid, bool live, const char *target_uuid,
	const atomic_bool *cancel, char target[static UUID_TEXT_SIZE], struct error *err);

#endif
