/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies on the storage for a VM of this host and is not as it must be: its register entry, its
 * leases. Such a VM is named in the log at the start, and neither started nor changed; all others
 * are served.
 */
#ifndef VIRTXD_QUARANTINE_H
#define VIRTXD_QUARANTINE_H

#include "daemon.h"
#include "model/vmdef.h"

/*
 * 0 when the VM's entry can be understood and is its own, and so are its own lease and that of each
 * managed disk of def, the definition in force; entry and own lease may be missing.
 * ERR_STORED_DATA, ERR_LEASE, each with what to do.
 */
int quarantine_check(
	struct daemon *daemon, const char *vm, const struct vmdef *def, struct error *err);

/* Logs what is wrong with the VMs in this host's register; also those that are in another's too. */
void quarantine_report(struct daemon *daemon);

#endif
