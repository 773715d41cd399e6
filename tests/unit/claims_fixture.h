/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the claims share: hosts that speak, and what is shown then. The time is the
 * test's own. */
#ifndef CLAIMS_FIXTURE_H
#define CLAIMS_FIXTURE_H

#include "base/str.h"
#include "cluster/claims.h"
#include "model/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OWN    "00000000-0000-0000-0000-00000000000f"
#define HOST_A "aaaaaaaa-0000-0000-0000-000000000001"
#define HOST_B "bbbbbbbb-0000-0000-0000-000000000002"
#define VM     "00000000-0000-4000-8000-000000000001"
#define OTHER  "00000000-0000-4000-8000-000000000002"

static struct inventory *inventory;
static struct claims *claims;
static int64_t now;

static inline int begin(void **state)
{
	(void)state;
	inventory = inventory_new();
	claims = claims_new(inventory, OWN);
	now = 1000;
	return 0;
}

static inline int finish(void **state)
{
	(void)state;
	claims_free(claims);
	inventory_free(inventory);
	return 0;
}

/* ---- what hosts say ---- */

static inline struct wire_stamp stamp_of(uint64_t boot_id, uint64_t generation)
{
	return (struct wire_stamp){
		.extended = boot_id != 0, .boot_id = boot_id, .generation = generation};
}

/* boot_id 0: an old peer, whose order is ts. */
static inline struct wire_vm vm_of(const char *uuid, const char *host, const char *name,
	enum runstate runstate, uint64_t boot_id, uint64_t generation, int64_t ts)
{
	struct wire_vm vm = {.row = {.name = (char *)name, .runstate = runstate, .ts_ms = ts}};

	str_copy(vm.row.uuid, sizeof(vm.row.uuid), uuid);
	str_copy(vm.row.host_uuid, sizeof(vm.row.host_uuid), host);
	vm.stamp = stamp_of(boot_id, generation);
	return vm;
}

static inline bool say_vm(const char *uuid, const char *host, const char *name,
	enum runstate runstate, uint64_t boot_id, uint64_t generation, int64_t ts)
{
	struct wire_vm vm = vm_of(uuid, host, name, runstate, boot_id, generation, ts);

	return claims_hear_vm(claims, &vm, now);
}

static inline bool say_state(const char *uuid, const char *host, enum runstate runstate,
	uint64_t boot_id, uint64_t generation, int64_t ts)
{
	struct wire_event event = {.runstate = runstate, .ts_ms = ts};

	str_copy(event.uuid, sizeof(event.uuid), uuid);
	str_copy(event.host_uuid, sizeof(event.host_uuid), host);
	event.stamp = stamp_of(boot_id, generation);
	return claims_hear_event(claims, &event, now);
}

static inline struct wire_host host_of(
	const char *uuid, uint64_t boot_id, uint64_t generation, int64_t ts, struct digest digest)
{
	struct wire_host host = {
		.host = {.name = (char *)"a", .cstate = CSTATE_ACTIVE, .ts_ms = ts},
		.vms = digest.vms,
		.digest = digest.sum};

	str_copy(host.host.uuid, sizeof(host.host.uuid), uuid);
	host.stamp = stamp_of(boot_id, generation);
	return host;
}

static inline bool say_host(
	const char *uuid, uint64_t boot_id, uint64_t generation, int64_t ts, struct digest digest)
{
	struct wire_host host = host_of(uuid, boot_id, generation, ts, digest);

	return claims_hear_host(claims, &host, now);
}

static const struct digest nothing;

/* ---- what is shown ---- */

/* What the list says besides: "1 []" is a VM of an active host, without conflict. */
static inline void assert_marked(const char *vm, const char *wanted)
{
	cleanup_json struct json_object *json = NULL;
	struct vm_filter all = {0};
	struct inventory_list list;
	struct error err = {0};

	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &list, &err), 0);
	assert_int_equal(json_parse(list.json, list.len, &json, &err), 0);
	free(list.json);
	struct json_object *items = json_object_object_get(json, "items");
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		struct json_object *fields = json_object_object_get(item, "fields");
		cleanup_free char *marks = NULL;

		if (strcmp(json_object_get_string(json_object_object_get(item, "uuid")), vm) != 0)
			continue;
		cleanup_free char *conflict = json_text(json_object_object_get(fields, "conflict"));
		marks = xasprintf("%d %s",
			json_object_get_int(json_object_object_get(fields, "cstate")), conflict);
		assert_string_equal(marks, wanted);
		return;
	}
	fail_msg("VM %s is not listed", vm);
}

static inline struct vm_place place_of(const char *uuid)
{
	struct vm_place place;
	struct error err = {0};

	inventory_find_vm(inventory, uuid, &place, &err);
	return place;
}

#define assert_shown(id, host, state)                             \
	do {                                                      \
		struct vm_place shown_place = place_of(id);       \
		assert_string_equal(shown_place.host_uuid, host); \
		assert_int_equal(shown_place.runstate, state);    \
	} while (0)
#define assert_not_shown(id) assert_string_equal(place_of(id).uuid, "")

static inline enum cstate state_of(const char *uuid)
{
	struct host host;
	struct error err = {0};
	enum cstate cstate = CSTATE_INVALID;

	if (inventory_get_host(inventory, uuid, &host, &err) == 0)
		cstate = host.cstate;
	host_free(&host);
	return cstate;
}

static inline size_t pulls(char (*hosts)[UUID_TEXT_SIZE])
{
	return claims_take_pulls(claims, now, hosts, 100);
}

static inline size_t count_pulls(void)
{
	char hosts[100][UUID_TEXT_SIZE];

	return pulls(hosts);
}

#endif
