/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a restart puts right before the first request is answered (spec: storage-and-locks.md,
 * Requirements 4 and 7). */
#ifndef VIRTXD_RECOVERY_H
#define VIRTXD_RECOVERY_H

#include "daemon.h"

/*
 * Finishes or takes back every operation that was cut, by its intent; reports VMs that the register
 * lists under two hosts and entries that cannot be understood. What cannot be settled is logged and
 * tried again (recovery_watch.h), and so is what takes long, for the first time; an intent that
 * cannot be understood is set aside (VM.intent.bad): one bad item never keeps the daemon from
 * starting. Needs libvirt, store, inventory, collector and operations. -1 only when the state
 * directory cannot be used.
 */
int recovery_run(struct daemon *daemon, struct error *err);

/* While it runs (recovery_watch.h): settles what an operation left of a VM. False when that has to
 * be tried again, also while another operation works on the VM. */
bool recovery_retry(struct daemon *daemon, const char *vm);

/*
 * Settles what an earlier operation on a VM left half done, by its intent; the caller holds the
 * VM's operation. 0 also when there was nothing; -1: the VM cannot be changed before that is done.
 */
int recovery_settle(struct daemon *daemon, const char *vm, struct error *err);

#endif
