/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of libvirt's embedded QEMU driver, which standalone mode runs on. */
#ifndef HYPERVISOR_EMBEDDED_H
#define HYPERVISOR_EMBEDDED_H

#include "base/error.h"

/* Longest root: QEMU's sockets lie below it and their paths must fit in 107 bytes. */
#define HYPERVISOR_EMBEDDED_ROOT_MAX 60

/*
 * Makes root (an absolute path) and its configuration for the embedded driver, for root or for an
 * ordinary user, whoever runs. An existing configuration is written anew, so that it fits this
 * version. *uri is what hypervisor_start() wants; the caller frees it. -1: ERR_INVALID for a path
 * that cannot serve, ERR_STORAGE when it cannot be made or written.
 */
int hypervisor_embedded_prepare(const char *root, char **uri, struct error *err);

/*
 * Ends the QEMU of a guest (SIGKILL, and waits until it is gone) while no driver runs on root: one
 * that was cut in the middle of its own start never answers, and the driver would wait for it with
 * the domain locked, as for one whose start was noted and that never came to be. The driver finds
 * the guest stopped then. 1 when there was one to end, 0 otherwise, -1: ERR_TIMEOUT when it does
 * not go, ERR_STORAGE when the note cannot be removed.
 */
int hypervisor_embedded_end_guest(const char *root, const char *uuid, struct error *err);

#endif
