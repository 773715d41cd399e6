/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM's serial console has said: QEMU appends it to STATE_DIR/console/UUID.log, which
 * survives restarts of the guest and of the daemon.
 *
 * The log is kept short by punching holes into its start: the file's size, and with it every offset
 * that a reader holds, stays true, no byte that QEMU writes meanwhile can be lost, and nothing has
 * to be remembered beside it. (Copying and truncating loses what is written in between.) Where the
 * file system cannot punch holes the file is emptied; its offsets begin at 0 again then.
 */
#ifndef VIRTXD_CONSOLE_H
#define VIRTXD_CONSOLE_H

#include "daemon.h"

/* The log of a VM; the caller frees it. */
char *console_path(const char *state_dir, const char *uuid);
/* Makes the directory of the logs. */
int console_prepare(const char *state_dir, struct error *err);
/* Shortens every log that takes more than 4 MiB of storage to about 1 MiB. Called each round of the
 * collector. */
void console_trim(struct daemon *daemon);
/* Removes the log of a VM that is deleted; none is a success. */
int console_remove(struct daemon *daemon, const char *uuid, struct error *err);

#endif
