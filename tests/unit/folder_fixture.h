/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of a test's own. */
#ifndef FOLDER_FIXTURE_H
#define FOLDER_FIXTURE_H

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

/* Below TMPDIR, or /tmp. A short path, as QEMU's sockets want it. The caller frees the path and
 * removes the folder. */
static inline char *folder_make(void)
{
	const char *parent = getenv("TMPDIR");
	char *path = xasprintf("%s/virtx-XXXXXX", str_is_empty(parent) ? "/tmp" : parent);

	if (!mkdtemp(path)) {
		perror(path);
		exit(1);
	}
	return path;
}

#endif
