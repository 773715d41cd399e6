/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of vmdef_validate() that is about disks. Not for others: call vmdef_validate(). */
#ifndef MODEL_DISK_RULES_H
#define MODEL_DISK_RULES_H

#include "model/json.h"
#include "model/vmdef.h"

/* Relative paths go below the datastore. */
void disk_rules_make_absolute(struct vmdef *def, const char *vms_dir);

/* Every rule for disks, alone and against each other. -1 with ERR_INVALID, member and reason. */
int disk_rules_check(const struct vmdef *def, const struct vmdef_rules *rules, struct error *err);

/*
 * What every text must be: at most max bytes, UTF-8, no control characters. -1 with ERR_INVALID
 * that names the member PATH.NAME (path "" at the top).
 */
int vmdef_check_text(
	const char *path, const char *name, const char *text, size_t max, struct error *err);

#endif
