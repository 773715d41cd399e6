/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first sector of a sanlock lease, as sanlock writes it (its leader.h: leader_record): of one
 * host's place in the lockspace file, or of a resource file. Only read here; sanlock writes it.
 */
#ifndef STORAGE_LEADER_H
#define STORAGE_LEADER_H

#include "storage/lease.h"

#include <stdint.h>

#define LEADER_NAME_LEN 48 /* a name that fills it has no NUL on disk */

enum leader_kind { LEADER_HOST, LEADER_RESOURCE };

struct leader {
	enum leader_kind kind;
	char space[LEADER_NAME_LEN + 1];
	char name[LEADER_NAME_LEN + 1]; /* of the resource, or of the host that has the place */
	uint64_t owner_id;              /* host id */
	uint64_t timestamp;             /* 0: free */
};

/* -1 with ERR_STORED_DATA when the sector is none of sanlock's. */
int leader_decode(
	const uint8_t sector[static LEASE_SECTOR], struct leader *leader, struct error *err);

#endif
