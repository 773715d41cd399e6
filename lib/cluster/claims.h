/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who says that it has which VM: this host of its own ones, others by HI, VE and VI (wire.h) and by
 * pulls of their whole inventory (wire_list.h). Decides what is newer, which of two hosts' words
 * the inventory shows, and when a host has to be asked; the rows themselves go to the inventory.
 *
 * Gossip is lost and comes out of order. What a host of ours says is ordered by its (boot id,
 * generation), what an old peer says by its time. A deletion is remembered for five minutes, so
 * that what was sent before it does not bring the VM back.
 *
 * No I/O and no clock: now_ms is clock_ms(), and the caller pulls. One lock, taken before the
 * inventory's, held for memory work only. Nothing here judges who may be believed: the caller
 * does, before.
 */
#ifndef CLUSTER_CLAIMS_H
#define CLUSTER_CLAIMS_H

#include "cluster/digest.h"
#include "cluster/inventory.h"
#include "cluster/wire.h"

#define CLAIMS_MAX_HOSTS   1000
#define CLAIMS_MAX_VMS     100000 /* of all hosts, with those that are remembered as deleted */
#define CLAIMS_MAX_PULLS   8      /* at a time */
#define CLAIMS_PULL_MS     2000   /* a difference that lasts so long, */
#define CLAIMS_JITTER_MS   1000   /* and up to so much longer, is pulled */
#define CLAIMS_RETRY_MS    5000   /* after a pull that failed; twice as long each time, */
#define CLAIMS_RETRY_MAX   60000  /* at most so long */
#define CLAIMS_GONE_MS     300000 /* a deletion is remembered */
#define CLAIMS_CONFLICT_MS 60000  /* two hosts may have one VM, as when it migrates */

struct claims;

/* inventory is borrowed. own_uuid: this host. */
struct claims *claims_new(struct inventory *inventory, const char *own_uuid);
void claims_free(struct claims *claims);

/* This host's own VMs, and what their digest is for the next HI. */
void claims_put_own(struct claims *claims, const struct vm_row *row, int64_t now_ms);
void claims_remove_own(struct claims *claims, const char *uuid, int64_t now_ms);
void claims_get_own(struct claims *claims, struct digest *digest);

/*
 * What was heard. False when it is ignored: older than what is known, of this host itself, VE or VI
 * of a host without HI, VE of a VM that this host has not, or over a bound.
 */
bool claims_hear_host(struct claims *claims, const struct wire_host *host, int64_t now_ms);
bool claims_hear_event(struct claims *claims, const struct wire_event *event, int64_t now_ms);
bool claims_hear_vm(struct claims *claims, const struct wire_vm *vm, int64_t now_ms);

/* Membership: the VMs of a host that failed or left stay. Ignored for a host that is not known. */
void claims_set_state(
	struct claims *claims, const char *host_uuid, enum cstate cstate, int64_t now_ms);

/* The same for its mark. */
void claims_set_drained(struct claims *claims, const char *host_uuid, bool drained);

/* Asks for a pull at once, also from a host that has not been heard of. */
void claims_want_pull(struct claims *claims, const char *host_uuid, int64_t now_ms);
/* Hosts to pull from now, at most max; each is then finished or failed. */
size_t claims_take_pulls(
	struct claims *claims, int64_t now_ms, char (*hosts)[UUID_TEXT_SIZE], size_t max);
/* The whole inventory of a host, as it was when it sent that HI. */
void claims_finish_pull(struct claims *claims, const struct wire_host *host,
	const struct wire_vm *vms, size_t count, int64_t now_ms);
void claims_fail_pull(struct claims *claims, const char *host_uuid, int64_t now_ms);

/* About each second: forgets old deletions, finds (and logs) conflicts. */
void claims_tick(struct claims *claims, int64_t now_ms);

/* True when two active hosts have claimed the VM for CLAIMS_CONFLICT_MS; their UUIDs. */
bool claims_is_conflict(
	struct claims *claims, const char *vm_uuid, char hosts[static 2][UUID_TEXT_SIZE]);

/* Whether that host says that it has the VM, whatever others say. */
bool claims_has_vm(struct claims *claims, const char *host_uuid, const char *vm_uuid);

#endif
