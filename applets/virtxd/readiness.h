/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether this host can do its work. Storage that hangs is asked by a thread that may hang with it.
 */
#ifndef VIRTXD_READINESS_H
#define VIRTXD_READINESS_H

#include "daemon.h"

struct readiness;

/* daemon->store is open. */
struct readiness *readiness_start(struct daemon *daemon, struct error *err);
/* A thread that hangs in the storage is left behind: then false, and daemon->store must live on. */
bool readiness_stop(struct readiness *readiness);

/* 0 while something may be begun on the storage: it has answered in the last 10 s, and well;
 * ERR_UNAVAILABLE with the reason. Never blocks. */
int readiness_check_storage(struct readiness *readiness, struct error *err);
/* 0 when everything is there, the storage in the last 2 s; ERR_UNAVAILABLE with what is not. Never
 * blocks. */
int readiness_check(struct daemon *daemon, struct error *err);

#endif
