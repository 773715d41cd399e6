/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STATE_DIR, what this host remembers over restarts:
 *   lock        held by the daemon that uses it, with its process id in it
 *   host_uuid   the identity that this host last had
 *   address     one line per address the API listens on, while it does ("127.0.0.1:43121")
 *   ...         and what operations.c, console.c and libvirt's embedded driver keep there
 */
#ifndef VIRTXD_STATE_H
#define VIRTXD_STATE_H

#include "base/error.h"
#include "base/uuid.h"

#include <stdbool.h>

/* Makes the folder (0750) and locks it. The descriptor, or -1: ERR_BUSY with the other daemon's
 * process id. */
int state_lock(const char *state_dir, struct error *err);

/*
 * The host's UUID: the setting's, or libvirt's, or the one kept here, made at the first start.
 * libvirt's counts only where it is one that stays: not that of the embedded driver, which on
 * machines without SMBIOS makes a new one each time. Kept for the next start.
 */
int state_choose_host_uuid(const char *state_dir, const char *setting, const char *libvirt,
	bool embedded, char uuid[static UUID_TEXT_SIZE], struct error *err);

/* Writes or removes the file with the addresses; NULL removes. Failure is logged. */
void state_publish_address(const char *state_dir, const char *text);

#endif
