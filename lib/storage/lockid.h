/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMS/xml/HOST/lockid: the host's id in the lockspace, decimal and newline. */
#ifndef STORAGE_LOCKID_H
#define STORAGE_LOCKID_H

#include "base/error.h"

#include <stddef.h>

#define LOCKID_MIN 1
#define LOCKID_MAX 2000

/* Reads the file's len bytes; -1 with ERR_STORED_DATA, and *id untouched, for anything else. */
int lockid_parse(const char *text, size_t len, unsigned *id, struct error *err);

#endif
