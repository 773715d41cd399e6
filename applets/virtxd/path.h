/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Request targets against the paths of the route table. */
#ifndef VIRTXD_PATH_H
#define VIRTXD_PATH_H

#include <stdbool.h>

#define PATH_ID_SIZE 256

/*
 * True when a request target (as received, query and all) has a route's path. The one segment that
 * stands where the route has
 * "{id}" is copied decoded; it is never empty. Works on the raw target, so that no escape can make
 * two segments of one.
 */
bool path_match(const char *route, const char *target, char id[static PATH_ID_SIZE]);

#endif
