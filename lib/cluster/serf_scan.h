/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a MessagePack object ends, found without making anything of it. msgpack-c reserves memory
 * for as many elements as a header of five bytes claims, gigabytes of it, so it gets to see only
 * what was found whole, and small enough, here.
 */
#ifndef CLUSTER_SERF_SCAN_H
#define CLUSTER_SERF_SCAN_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* A list of 1,000 members has some 600 KiB and 50,000 elements, four deep. */
#define SERF_SCAN_MAX_SIZE     (4u << 20)
#define SERF_SCAN_MAX_ELEMENTS (1u << 18)
#define SERF_SCAN_MAX_DEPTH    8

/* How far it got; starts zeroed, and is zeroed for the next object. */
struct serf_scan {
	size_t at;         /* bytes that were understood */
	uint32_t elements; /* among them, and promised by their headers */
	unsigned depth;
	uint32_t left[SERF_SCAN_MAX_DEPTH]; /* elements that each open list still wants */
};

/*
 * Looks at an object's first len bytes, of which it has seen scan->at before: 1 when it is whole
 * and ends at scan->at, 0 when more bytes are needed, -1 with ERR_INVALID when it is none or over a
 * limit.
 */
int serf_scan_object(struct serf_scan *scan, const uint8_t *data, size_t len, struct error *err);

#endif
