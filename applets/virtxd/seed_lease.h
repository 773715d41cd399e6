/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases of cloud-init seeds (spec: storage-and-locks.md, cloud-init): made for a boot with a seed,
 * held by the guest, removed when it has stopped. The seed itself stays. Only under the lock
 * manager sanlock: otherwise every call does nothing.
 */
#ifndef VIRTXD_SEED_LEASE_H
#define VIRTXD_SEED_LEASE_H

#include "daemon.h"

struct seed_leases;

/* Finds those that an earlier daemon made. Needs the register; NULL under another lock manager. */
struct seed_leases *seed_leases_new(struct daemon *daemon);
void seed_leases_free(struct seed_leases *leases);

/* Name of the lease of a VM's seed. */
void seed_lease_name(struct daemon *daemon, const char *vm, char name[static 256]);

/* Before a boot: from now on it is not removed. After it: once the VM is off it is. */
void seed_leases_keep(struct daemon *daemon, const char *vm);
void seed_leases_let_go(struct daemon *daemon, const char *vm);

/* Removes those of VMs that are off; called every few seconds, where the storage may be waited for.
 */
void seed_leases_sweep(struct daemon *daemon);

#endif
