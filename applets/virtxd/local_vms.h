/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VMs of this host in memory, as the API shows them, published to the inventory with every
 * change.
 *
 * Readings come from several threads: a ticket taken before libvirt is asked decides which is
 * newer, so that a slow reading never overwrites what was read after it began, and a VM that was
 * just removed does not come back. One lock; those of the claims and of the inventory are taken
 * under it, nothing else.
 */
#ifndef VIRTXD_LOCAL_VMS_H
#define VIRTXD_LOCAL_VMS_H

#include "cluster/claims.h"
#include "host_stats.h"
#include "http/server.h"
#include "hypervisor/hypervisor.h"
#include "model/domain_xml.h"
#include "model/domain_xml_cdroms.h"

struct local_vms;

/* host_uuid is borrowed, and read from the first local_vms_put on. */
struct local_vms *local_vms_new(struct inventory *inventory, const char *host_uuid);
void local_vms_free(struct local_vms *vms);
/* From now on the VMs are this host's claims, which decide what the inventory shows. Before the
 * first local_vms_put; borrowed. */
void local_vms_publish_by(struct local_vms *vms, struct claims *claims);

/* To be taken before libvirt is asked. */
uint64_t local_vms_ticket(struct local_vms *vms);

/* What was read of a VM's XML. */
struct local_definition {
	char *why; /* it cannot be understood; NULL: it is. The VM is listed under its UUID, or as
		      it was */
	struct domain_reading reading;
	char cdroms[DOMAIN_DISKS_MAX][DOMAIN_TARGET_SIZE];
	size_t n_cdroms;
};

struct local_reading {
	uint64_t ticket;
	const struct domain_stats *stats;
	struct local_definition *definition; /* its strings are taken over; NULL: as it was */
	int64_t now_ms;                      /* UTC */
	int64_t now_ns;                      /* monotonic */
	int32_t mhz;                         /* of one CPU */
};

/* True when the XML has to be read for these figures: the VM is new, marked, or changed its state.
 */
bool local_vms_wants_definition(struct local_vms *vms, const struct domain_stats *stats);
/* Marks one VM, or all with NULL. */
void local_vms_mark(struct local_vms *vms, const char *uuid);

void local_vms_put(struct local_vms *vms, const struct local_reading *reading);
void local_vms_remove(struct local_vms *vms, uint64_t ticket, const char *uuid);
/* A complete list was read with that ticket: whoever it did not put is removed. */
void local_vms_sweep(struct local_vms *vms, uint64_t ticket);

/* Fills the sums over all VMs. */
void local_vms_sum(struct local_vms *vms, struct host_round *round);

/*
 * Memory of a VM that is about to be made, or that one is to have more: it counts in
 * local_vms_sum() until a new VM is put or it is released. False, and nothing is noted, when all
 * such memory (of huge pages, or other) would be more than limit_mib; *left_mib: what is left below
 * it.
 */
bool local_vms_reserve(struct local_vms *vms, const char *uuid, bool hugepages, int32_t mib,
	int64_t limit_mib, int64_t *left_mib);
void local_vms_release(struct local_vms *vms, const char *uuid);

/* A deep copy; ERR_NOT_FOUND. */
int local_vms_get(struct local_vms *vms, const char *uuid, struct vm *vm, struct error *err);
/* The Vm object; a reference for the caller. NULL: ERR_NOT_FOUND, ERR_STORED_DATA. */
struct http_body *local_vms_body(
	struct local_vms *vms, const char *uuid, char etag[static 17], struct error *err);

/*
 * 0 for a VM of VirtX whose definition is known, which may be changed. ERR_STATE: VirtX did not
 * make it, ERR_STORED_DATA: it cannot be understood, ERR_NOT_FOUND.
 */
int local_vms_check_own(struct local_vms *vms, const char *uuid, struct error *err);
/* True for one that VirtX did not make, and for one that is not there. */
bool local_vms_is_foreign(struct local_vms *vms, const char *uuid);

/* Grows with every change of what local_vms_list_rows() gives, but for times. */
uint64_t local_vms_changes(struct local_vms *vms);
/* What lists know of each; the caller frees each row and the array. */
size_t local_vms_list_rows(struct local_vms *vms, struct vm_row **rows);

/* UUIDs of those that run; the caller frees *list. */
size_t local_vms_list_running(struct local_vms *vms, char (**list)[UUID_TEXT_SIZE]);
/* Takes the list over. A VM that does not run any more keeps none. */
void local_vms_set_addresses(struct local_vms *vms, const char *uuid, char **list, size_t count);

#endif
