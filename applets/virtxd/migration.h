/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving a VM to another host, as its source sees it (spec: rest-api.md, migrate): checks and the
 * choice of the host (migration_choose.c), the move itself and watching it (migration.c), and
 * finding out what became of it (migration_settle.c). The two libvirts move the guest between
 * themselves, so a move goes on while this daemon is away; the next one takes it up again.
 */
#ifndef VIRTXD_MIGRATION_H
#define VIRTXD_MIGRATION_H

#include "daemon.h"
#include "hypervisor/migrate.h"
#include "intent.h"
#include "operations.h"
#include "oplog.h"
#include "vm_ops.h"

/* What is asked for. */
struct migration_request {
	char vm[UUID_TEXT_SIZE];
	bool live;
	char target[UUID_TEXT_SIZE]; /* "": the host that fits best */
	bool dry_run;                /* only to be told */
};

/* ---- the choice of the host ---- */

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
 * or all that are active and proven, at once, each with a deadline. Starts nothing; unless it is a
 * dry run the host that was chosen keeps memory and MACs free for a minute. 0 with hosts->best set,
 * or -1 with the reason, of the host that was named or why none fits: ERR_STATE, ERR_UNAVAILABLE,
 * ERR_CAPACITY, ERR_UNSUPPORTED ... now (the VM as it was judged) and hosts (what each said) are
 * filled as far as that got; the caller frees both.
 */
int migration_choose(struct daemon *daemon, const struct migration_request *request,
	struct vm_now *now, struct migration_hosts *hosts, struct error *err);

/* The one that fits best of those that can: most memory available, then CPU, then fewest VMs, then
 * name; NULL when none can. */
const struct migration_host *migration_pick(const struct migration_host *list, size_t count);

/* ---- the move ---- */

struct migrations;

/* Of this daemon, those that go on. Made before recovery. */
struct migrations *migrations_new(void);
void migrations_free(struct migrations *migrations);

/* What a move that was begun is known by. */
struct migration_started {
	char operation[UUID_TEXT_SIZE];
	char host_uuid[UUID_TEXT_SIZE], host_name[256];
};

/* Takes the VM for an operation "migrate" (ERR_BUSY), chooses, and moves in a thread of its own. */
int migration_start(struct daemon *daemon, const struct migration_request *request,
	struct migration_started *started, struct error *err);

/*
 * The same, and waits for the outcome. target_uuid NULL: the host that fits best; target is the one
 * that was chosen, "" when it did not come to that. *cancel (may be NULL) is looked at every half
 * second: true aborts the move.
 */
int migration_move(struct daemon *daemon, const char *vm_uuid, bool live, const char *target_uuid,
	const atomic_bool *cancel, char target[static UUID_TEXT_SIZE], struct error *err);

/* A start of the daemon finds an intent of a migration: watches it to its end, in a thread of its
 * own. False when that cannot be, and has to be settled otherwise. */
bool migration_take_up(struct daemon *daemon, const char *vm_uuid);

/* How far a move is. */
struct migration_status {
	char operation[UUID_TEXT_SIZE];
	enum migration_state state; /* setup, active or cancelling */
	struct hypervisor_job figures;
};
/* False: none of that VM goes on here. */
bool migration_get_status(
	struct daemon *daemon, const char *vm_uuid, struct migration_status *status);

/* ---- what became of it ---- */

/* The entry in its operation log, as it is when it begins. */
void migration_note(const struct intent *intent, struct oplog_note *note);
/* What a log says of the last one, when none goes on here: completed, failed, cancelled, or active
 * while that is still to be found out. The entry is present. */
enum migration_state migration_outcome(struct daemon *daemon, const struct vm *vm);
/* What libvirt's words become when it was wanted. */
#define MIGRATION_CANCELLED "the migration was cancelled"

enum migration_fate {
	MIGRATION_UNKNOWN, /* it goes on, or nobody can tell yet */
	MIGRATION_MOVED,
	MIGRATION_STAYED,
};

/*
 * Finds out what became of a move, by libvirt, the register and who holds the VM's lease, and puts
 * the rest right: no copy here of what runs there, the register entry where the VM is, the guest
 * running again where it stayed and had run, its operation log; the intent last. why: what libvirt
 * said, for the log of one that stayed; NULL: it was interrupted. -1: not settled, to be tried
 * again; *fate MIGRATION_UNKNOWN while libvirt still moves it.
 */
int migration_settle(struct daemon *daemon, const struct intent *intent, const struct error *why,
	enum migration_fate *fate, struct error *err);

/* What can be seen of a VM on its source. */
struct migration_facts {
	bool job;                  /* libvirt is at it */
	bool here;                 /* libvirt knows it */
	enum runstate runstate;    /* when it is here */
	bool ran;                  /* before the move it ran, and was not paused */
	bool lease_known;          /* the next two are */
	bool held_elsewhere;       /* another host holds the VM's own lease */
	bool held_elsewhere_since; /* another host was the last one to hold it */
	bool registered_here, registered_there;
};

struct migration_verdict {
	enum migration_fate fate;
	bool remove; /* the copy here, which has lost */
	bool resume; /* the guest, which was stopped for the move */
};

/* The decision alone. */
struct migration_verdict migration_judge(const struct migration_facts *facts);

/* Where a host's libvirt is, and where it takes a guest's memory; the caller frees each.
 * ERR_UNSUPPORTED for a name that cannot be part of an address. */
int migration_uris(struct daemon *daemon, const char *host_name, char **target_uri, char **data_uri,
	struct error *err);

#endif
