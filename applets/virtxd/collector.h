/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VMs and the figures of this host: collected at start, every collect_interval and at every
 * event, kept complete in memory, published to the inventory. Answers from memory; only
 * collector_refresh talks to libvirt.
 */
#ifndef VIRTXD_COLLECTOR_H
#define VIRTXD_COLLECTOR_H

#include "daemon.h"
#include "model/vm.h"

struct local_vms;

/* Before the hypervisor is started, whose callbacks (last below) it serves. Needs the inventory and
 * host_name. */
struct collector *collector_new(struct daemon *daemon);
/*
 * Makes the first round and starts the threads. Needs host_uuid. A round that fails (libvirt is
 * away again) is no error: it is logged and repeated.
 */
int collector_start(struct collector *collector, struct error *err);
/* Ends the threads. What was collected can be read until collector_free, which comes after
 * hypervisor_stop. */
void collector_stop(struct collector *collector);
void collector_free(struct collector *collector);

/*
 * Reads one VM again, now: definition, state, log; publishes it (or removes it when libvirt does
 * not know it any more). Every operation calls it before it answers.
 */
int collector_refresh(struct collector *collector, const char *uuid, struct error *err);

/* The VMs themselves, borrowed: for what tells other hosts of them. */
struct local_vms *collector_vms(struct collector *collector);

/* A deep copy of a VM of this host; ERR_NOT_FOUND. */
int collector_get_vm(
	struct collector *collector, const char *uuid, struct vm *vm, struct error *err);
/* Its Vm object as the API sends it (one reference for the caller), rendered when it changed. NULL:
 * ERR_NOT_FOUND, ERR_STORED_DATA. */
struct http_body *collector_get_vm_body(
	struct collector *collector, const char *uuid, char etag[static 17], struct error *err);

/* 0 for a VM of VirtX that may be changed: as local_vms_check_own. */
int collector_check_own(struct collector *collector, const char *uuid, struct error *err);
/* True for a VM that VirtX did not make, and for one that is not there. */
bool collector_is_foreign(struct collector *collector, const char *uuid);

/* MiB of memory or of huge pages that VMs may still take (host_stats_limits); may be negative. */
int64_t collector_available_mib(struct collector *collector, bool hugepages);
/* Takes some of them for a VM that is about to be made: see local_vms_reserve. */
bool collector_reserve(struct collector *collector, const char *uuid, bool hugepages, int32_t mib,
	int64_t *available_mib);
void collector_release(struct collector *collector, const char *uuid);

/* Monotonic ms of the last finished round, for readiness and the watchdog; 0: none yet. */
int64_t collector_last_round(struct collector *collector);
int64_t collector_heartbeat(struct collector *collector);

/* For the hypervisor's events: note and wake, never blocks. */
void collector_on_event(void *collector, enum hypervisor_event event, const char *uuid);
void collector_on_connection(void *collector, bool connected);

#endif
