/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manual pages: text written by hand in man/, tables from what the program knows. */
#ifndef VIRTX_MANUAL_H
#define VIRTX_MANUAL_H

#include "base/error.h"

#include <stdio.h>

/*
 * Copies a page (mdoc) and puts tables where it has a line @COMMANDS@, @GLOBAL_OPTIONS@,
 * @DAEMON_OPTIONS@ or @DAEMON_KEYS@ alone. ERR_INVALID for another such line.
 */
int manual_write(FILE *page, FILE *out, struct error *err);

#endif
