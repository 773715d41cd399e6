/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's parts in one struct, which every handler gets. Made in daemon_start, in the order of
 * the members; all pointers live until daemon_stop. Lock order: none is taken while another is
 * held.
 */
#ifndef VIRTXD_DAEMON_H
#define VIRTXD_DAEMON_H

#include "base/uuid.h"
#include "cluster/inventory.h"
#include "http/server.h"
#include "hypervisor/hypervisor.h"
#include "settings.h"
#include "storage/store.h"

#include <stdatomic.h>

struct operations;
struct collector;
struct access;
struct readiness;
struct lockspace_watch;
struct seed_leases;
struct migrations;
struct recovery_watch;
struct drain_host;
struct peers;
struct forward;
struct claims;
struct announce;
struct admissions;
struct ownership;
struct membership;

struct daemon {
	/* As at the start, never changed. What SIGHUP changes lives where it is used: the log's
	 * level, access->allowed. */
	struct settings settings;
	int state_lock; /* descriptor that holds STATE_DIR/lock */
	char host_uuid[UUID_TEXT_SIZE];
	char host_name[256];
	char arch[16];
	enum virt_type virt_type; /* resolved: KVM or QEMU */
	struct hypervisor *hypervisor;
	struct hypervisor_caps caps;
	struct inventory *inventory;
	struct collector *collector;
	struct store *store; /* opened after the first round: NULL until then */
	struct readiness *readiness;
	struct lockspace_watch *lockspace; /* NULL under the lock manager local */
	atomic_uint lockid;                /* this host's id in the lockspace; 0: not in it */
	struct seed_leases *seed_leases;   /* the same */
	struct operations *operations;
	struct migrations *migrations;
	struct recovery_watch *recovery_watch;
	struct drain_host *drain;
	atomic_bool drained;   /* drain_host.h */
	struct claims *claims; /* NULL standalone; the next six likewise */
	struct peers *peers;
	struct forward *forward;
	struct announce *announce;
	struct admissions *admissions;
	struct ownership *ownership;
	struct membership *membership; /* NULL with serf_rpc empty, too */
	struct access *access;
	struct http_server *http;
};

/*
 * Starts everything, in the order of design.md. interrupted() is asked while libvirt is waited for:
 * true ends the start with ERR_CANCELLED. On -1 what was started is stopped again.
 */
int daemon_start(struct daemon *daemon, const struct settings *settings,
	bool (*interrupted)(void *context), void *context, struct error *err);

/*
 * Drains operations and frees everything, within 30 s. VMs are not touched. False when threads had
 * to be left behind: then what they use is not freed, and the process must end at once.
 */
bool daemon_stop(struct daemon *daemon);

/* Puts the reloadable values of new settings into effect and names those that need a restart in the
 * log. */
void daemon_reload(struct daemon *daemon, const struct settings *settings);

/* True while the main parts turn: what the watchdog is fed by. Otherwise the one that hangs. */
bool daemon_is_alive(struct daemon *daemon, const char **hangs);

#endif
