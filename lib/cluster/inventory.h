/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this node knows of the cluster: a row for every VM and every host. Each list item's JSON is
 * rendered when the row changes, not when it is asked for.
 *
 * One lock inside, many readers and one writer, never held across I/O or a callback. Everything
 * that comes out is a copy.
 */
#ifndef CLUSTER_INVENTORY_H
#define CLUSTER_INVENTORY_H

#include "base/error.h"
#include "model/filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inventory;

struct inventory *inventory_new(void);
void inventory_free(struct inventory *inventory);

/* Adds or replaces a row (by UUID). Copied. */
void inventory_put_vm(struct inventory *inventory, const struct vm_row *row);
void inventory_put_host(struct inventory *inventory, const struct host *host);
/* Changes nothing but state and time; an unknown VM is ignored. */
void inventory_set_runstate(
	struct inventory *inventory, const char *uuid, enum runstate runstate, int64_t ts_ms);
void inventory_remove_vm(struct inventory *inventory, const char *uuid);
/* Changes nothing but that; an unknown host is ignored. */
void inventory_set_drained(struct inventory *inventory, const char *uuid, bool drained);

/* Where a VM is. */
struct vm_place {
	char uuid[UUID_TEXT_SIZE];
	char host_uuid[UUID_TEXT_SIZE];
	char name[VMDEF_MAX_NAME + 1]; /* cut for a foreign domain whose name is longer */
	enum runstate runstate;
};

/*
 * Finds by UUID (either case) or exact name. ERR_NOT_FOUND; ERR_AMBIGUOUS with the UUIDs of up to
 * ten candidates.
 */
int inventory_find_vm(
	struct inventory *inventory, const char *id, struct vm_place *place, struct error *err);
/* The same for hosts; uuid of the one found. */
int inventory_find_host(struct inventory *inventory, const char *id,
	char uuid[static UUID_TEXT_SIZE], struct error *err);
/* A copy of a host by UUID; ERR_NOT_FOUND. */
int inventory_get_host(
	struct inventory *inventory, const char *uuid, struct host *host, struct error *err);

/* UUIDs of the VMs of one host; the caller frees *list. */
size_t inventory_list_host_vms(
	struct inventory *inventory, const char *host_uuid, char (**list)[UUID_TEXT_SIZE]);

struct inventory_page {
	uint32_t limit;     /* rows at most; 0: all */
	const char *cursor; /* where the last page ended ("" or NULL: the start); opaque text */
};

struct inventory_list {
	char *json; /* {"items": [...]}; with a further page also "next": cursor. The caller frees
		       it. */
	size_t len;
	char *next;    /* cursor of the next page, NULL on the last. The caller frees it. */
	char etag[17]; /* changes with the content except ts */
};

/* Ordered by name, then UUID. ERR_INVALID for a cursor that is none of ours. */
int inventory_list_vms(struct inventory *inventory, const struct vm_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, struct error *err);
int inventory_list_hosts(struct inventory *inventory, const struct host_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, struct error *err);

/* What a list is made of; both numbers only grow, and no two inventories have the same. */
struct inventory_version {
	uint64_t content;  /* the same: equal lists but for their times, and so the same etag */
	uint64_t revision; /* the same: equal to the byte */
};
struct inventory_version inventory_vms_version(struct inventory *inventory);
struct inventory_version inventory_hosts_version(struct inventory *inventory);

/* VMs by runstate and hosts by cstate, for the status at a glance. */
struct inventory_counts {
	size_t vms[RUNSTATE_CRASHED + 1];
	size_t hosts[CSTATE_FAILED + 1];
};
void inventory_count(struct inventory *inventory, struct inventory_counts *counts);

#endif
