/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an existing image is; for the files of this module only. Errors as disk_detect. */
#ifndef STORAGE_DETECT_H
#define STORAGE_DETECT_H

#include "base/error.h"
#include "model/vmdef.h"
#include "storage/store.h"

/* An image at `below`, relative to the datastore; fills size_mib and prov. */
int detect_image(
	const struct store *store, const char *below, struct disk *disk, struct error *err);

/* Only what detect_image would refuse of the kind of file and what it refers to; quick. */
int detect_check(const struct store *store, const char *below, const char *path, struct error *err);

#endif
