/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells two hosts whether they know the same of one host's VMs: how many there are and the
 * sum, modulo 2^64, of their hashes (wire.h). A sum, so that one VM's change costs one hash and
 * their order does not matter.
 */
#ifndef CLUSTER_DIGEST_H
#define CLUSTER_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

struct digest {
	uint32_t vms;
	uint64_t sum;
};

/* hash: wire_vm_hash() of the VM that comes, or of what was added for the one that goes. */
static inline void digest_add(struct digest *digest, uint64_t hash)
{
	digest->vms++;
	digest->sum += hash;
}

static inline void digest_remove(struct digest *digest, uint64_t hash)
{
	digest->vms--;
	digest->sum -= hash;
}

static inline bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->vms == b->vms && a->sum == b->sum;
}

#endif
