/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fetching all that another host says of itself and its VMs: GET /hosts/{id}/inventory. */
#ifndef VIRTXD_PULL_H
#define VIRTXD_PULL_H

#include "daemon.h"

/* Fetches it from the host with that UUID and puts it into daemon->claims. -1 with what went wrong:
 * then nothing of it was. */
int pull_inventory(struct daemon *daemon, const char *host_uuid, struct error *err);

#endif
