/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Prefer: respond-async" (RFC 7240): the handler of a long request runs in a thread of its own. As
 * soon as it says that its operation has begun (call_started) the client gets 202 with the
 * operation's place; if it ends before, its own answer.
 */
#ifndef VIRTXD_BACKGROUND_H
#define VIRTXD_BACKGROUND_H

#include "routes.h"

/* True when the client asks for it and the route allows it. */
bool background_is_wanted(const struct call *call);

/* In place of the handler; call keeps its body. 0 with the response filled, -1 with err. */
int background_run(struct call *call, struct error *err);

/* Waits until no such thread is left: false when some are after timeout_ms. */
bool background_wait(unsigned timeout_ms);

#endif
