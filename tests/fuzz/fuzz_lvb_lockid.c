/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as the lock value block of a lease, as sanlock's record of a lease and as the
 * file lockid. What is accepted must be exactly what would be written for it, or safe to show; what
 * is refused must say why.
 */
#include "base/str.h"
#include "storage/leader.h"
#include "storage/lease.h"
#include "storage/lockid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void try_lvb(const uint8_t *data, size_t size)
{
	struct error err = {0};
	char owner[UUID_TEXT_SIZE];
	uint8_t sector[LEASE_SECTOR] = {0};
	uint8_t again[LEASE_SECTOR];

	memcpy(sector, data, size < sizeof(sector) ? size : sizeof(sector));
	if (lease_lvb_decode(sector, owner, &err) < 0) {
		must(err.code == ERR_STORED_DATA && err.message[0] && !owner[0]);
		return;
	}
	must(uuid_is_valid(owner));
	lease_lvb_encode(owner, again);
	must(memcmp(sector, again, sizeof(sector)) == 0);
}

static void try_leader(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct leader leader;
	uint8_t sector[LEASE_SECTOR] = {0};

	memcpy(sector, data, size < sizeof(sector) ? size : sizeof(sector));
	if (leader_decode(sector, &leader, &err) < 0) {
		must(err.code == ERR_STORED_DATA && err.message[0]);
		return;
	}
	must(str_is_utf8(leader.name) && !str_has_control(leader.name));
	must(strlen(leader.space) <= LEADER_NAME_LEN);
}

static void try_lockid(const uint8_t *data, size_t size)
{
	struct error err = {0};
	unsigned id = 0;
	char again[16];

	if (lockid_parse((const char *)data, size, &id, &err) < 0) {
		must(err.code == ERR_STORED_DATA && err.message[0] && id == 0);
		return;
	}
	must(id >= LOCKID_MIN && id <= LOCKID_MAX);
	int len = snprintf(again, sizeof(again), "%u\n", id);
	must((size_t)len == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_lvb(data, size);
	try_leader(data, size);
	try_lockid(data, size);
	return 0;
}
