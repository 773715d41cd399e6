/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps this host in the cluster's lockspace: a thread that asks sanlock every 2 s and joins
 * (again) when the host is not in it, because sanlock was away, restarted, or lost the storage. It
 * never leaves: running VMs hold leases. What has to be looked after in the lockspace it does as
 * well: the leases of seeds whose VMs have stopped.
 *
 * Back in the lockspace after sanlock's restart: within 2 s, and 2 x sanlock_io_timeout more where
 * sanlock has a fixed host name (-e); without one sanlock first waits until the other hosts would
 * take this one for dead (about 8 x sanlock_io_timeout and a minute).
 */
#ifndef VIRTXD_LOCKSPACE_WATCH_H
#define VIRTXD_LOCKSPACE_WATCH_H

#include "daemon.h"

struct lockspace_watch;

/* daemon->store is open; keeps daemon->lockid, and wakes daemon->recovery_watch when the host is in
 * the lockspace again. */
struct lockspace_watch *lockspace_watch_start(struct daemon *daemon, struct error *err);
/* A thread that waits for sanlock is left behind: then false, and the daemon must live on. */
bool lockspace_watch_stop(struct lockspace_watch *watch);

/* 0 while the host is in the lockspace, or need not be (NULL); ERR_UNAVAILABLE with the reason.
 * Never blocks. */
int lockspace_watch_check(struct lockspace_watch *watch, struct error *err);
/* Whether joining has been tried: before that, and it takes its time, a failure says nothing. */
bool lockspace_watch_has_tried(struct lockspace_watch *watch);

#endif
