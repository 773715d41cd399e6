/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tries again, while the daemon runs, what operations had to leave half done because the storage,
 * its leases or libvirt failed them: a second later, at growing intervals then (a minute at most),
 * and at once when what was away is back. In a thread that may hang in the storage.
 */
#ifndef VIRTXD_RECOVERY_WATCH_H
#define VIRTXD_RECOVERY_WATCH_H

#include "daemon.h"

struct recovery_watch;

/* Takes notes from now on, and acts on them once it is started. */
struct recovery_watch *recovery_watch_new(struct daemon *daemon);
int recovery_watch_start(struct recovery_watch *watch, struct error *err);
/* Ends it and frees it. A thread that hangs is left behind: then false, and the daemon must live
 * on. */
bool recovery_watch_stop(struct recovery_watch *watch);

/* The next two do nothing without a watch (NULL). An operation on that VM failed, or left
 * something. */
void recovery_watch_note(struct recovery_watch *watch, const char *vm);
/* Storage or leases are back. */
void recovery_watch_wake(struct recovery_watch *watch);

#endif
