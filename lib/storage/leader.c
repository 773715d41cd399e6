/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sanlock's leader records: see leader.h. */
#include "storage/leader.h"

#include "base/str.h"

#define MAGIC_HOST     0x12212010
#define MAGIC_RESOURCE 0x06152010

/* Where its members lie; little-endian. */
enum {
	AT_MAGIC = 0,
	AT_OWNER_ID = 32,
	AT_SPACE = 56,
	AT_NAME = 104,
	AT_TIMESTAMP = 152,
};

static uint64_t read_number(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = bytes; i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

static bool read_name(const uint8_t *at, char name[static LEADER_NAME_LEN + 1])
{
	memcpy(name, at, LEADER_NAME_LEN);
	name[LEADER_NAME_LEN] = '\0';
	return str_is_utf8(name) && !str_has_control(name);
}

int leader_decode(
	const uint8_t sector[static LEASE_SECTOR], struct leader *leader, struct error *err)
{
	uint64_t magic = read_number(sector + AT_MAGIC, 4);

	*leader = (struct leader){0};
	if (magic != MAGIC_HOST && magic != MAGIC_RESOURCE)
		return error_set(err, ERR_STORED_DATA, "it holds no lease of sanlock's");
	if (!read_name(sector + AT_SPACE, leader->space) ||
		!read_name(sector + AT_NAME, leader->name))
		return error_set(err, ERR_STORED_DATA, "its names cannot be understood");
	leader->kind = magic == MAGIC_HOST ? LEADER_HOST : LEADER_RESOURCE;
	leader->owner_id = read_number(sector + AT_OWNER_ID, 8);
	leader->timestamp = read_number(sector + AT_TIMESTAMP, 8);
	return 0;
}
