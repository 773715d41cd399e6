/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that are read back from shared storage: the lock value block and lockid
 * (storage-and-locks.md). */
#include "base/str.h"
#include "storage/lease.h"
#include "storage/lockid.h"

#include <string.h>

#define UUID_LEN (UUID_TEXT_SIZE - 1)

void lease_lvb_encode(const char *owner, uint8_t sector[static LEASE_SECTOR])
{
	memset(sector, 0, LEASE_SECTOR);
	memcpy(sector, owner, strnlen(owner, UUID_LEN));
}

int lease_lvb_decode(const uint8_t sector[static LEASE_SECTOR], char owner[static UUID_TEXT_SIZE],
	struct error *err)
{
	char text[UUID_TEXT_SIZE];

	memcpy(text, sector, UUID_LEN);
	text[UUID_LEN] = '\0';
	owner[0] = '\0';
	for (size_t i = UUID_LEN; i < LEASE_SECTOR; i++) {
		if (sector[i] != 0)
			return error_set(err, ERR_STORED_DATA,
				"the lease's owner is followed by foreign bytes");
	}
	if (!uuid_canonical(text, owner) || !str_equal(text, owner)) {
		owner[0] = '\0';
		return error_set(err, ERR_STORED_DATA, "the lease's owner is not a UUID");
	}
	return 0;
}

int lockid_parse(const char *text, size_t len, unsigned *id, struct error *err)
{
	char digits[5];
	int64_t value;

	if (len < 2 || len > sizeof(digits) || text[len - 1] != '\n' || text[0] == '0')
		goto bad;
	for (size_t i = 0; i < len - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			goto bad;
	}
	memcpy(digits, text, len - 1);
	digits[len - 1] = '\0';
	if (!str_parse_int(digits, LOCKID_MIN, LOCKID_MAX, &value))
		goto bad;
	*id = (unsigned)value;
	return 0;
bad:
	return error_set(err, ERR_STORED_DATA, "lockid does not hold a number from %d to %d",
		LOCKID_MIN, LOCKID_MAX);
}
