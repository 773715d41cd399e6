/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host among the others: its connection to the serf agent, who the members are, what they say,
 * and what is fetched from them. Members first prove that they know the cluster's key (forward.h);
 * until then nothing that is said in their name counts.
 *
 * Without an agent everything local works; a warning says once that it is away, a line that it is
 * back.
 */
#ifndef VIRTXD_MEMBERSHIP_H
#define VIRTXD_MEMBERSHIP_H

#include "daemon.h"

struct membership;

/* After the HTTP server was started, whose port is told to the others. NULL with ERR_INVALID when
 * serf_rpc is no address, ERR_INTERNAL. */
struct membership *membership_start(struct daemon *daemon, struct error *err);
/* Whether the states of members are what serf says now: its agent is there, and has told all. */
bool membership_is_current(struct membership *membership);
/* Ends its threads, within some seconds. NULL is fine. */
void membership_stop(struct membership *membership);

/* Tells the agent this host's tags again, which may have changed; waits for it for 2 s at most. */
void membership_tell_tags(struct membership *membership);

#endif
