/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The secret that the hosts of a cluster share, VMS/.virtx-key: whoever knows it is one of them
 * (cluster/proof.h). 64 hex digits and a newline, for its owner alone. It is never logged and in no
 * answer.
 */
#ifndef STORAGE_CLUSTER_KEY_H
#define STORAGE_CLUSTER_KEY_H

#include "base/error.h"

#include <stdint.h>

#define CLUSTER_KEY_SIZE 32

/*
 * Reads the key beneath an open VMS (store_root()); where there is none it is made, and of several
 * hosts that do so at once one wins. ERR_UNAVAILABLE with what to do: it is no key, or others may
 * read it. May block as long as the storage does.
 */
int cluster_key_load(int root, uint8_t key[static CLUSTER_KEY_SIZE], struct error *err);

/* 0 when there is a good one; as above otherwise, and ERR_NOT_FOUND: it is not made here. */
int cluster_key_check(int root, struct error *err);

#endif
