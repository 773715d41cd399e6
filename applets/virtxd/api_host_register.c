/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /hosts/{id}/register: what the register of a host holds, read by whoever is asked, so that
 * the VMs of a host that died can be found: its entries, and what it had begun and not ended.
 */
#include "base/str.h"
#include "intent.h"
#include "model/domain_xml.h"
#include "model/json.h"
#include "routes.h"
#include "storage/register.h"

#include <stdlib.h>

/* A host by name or UUID; one that nobody remembers has its register still. */
static int find_host(struct call *call, struct error *err)
{
	struct error unknown = {0};

	if (inventory_find_host(call->daemon->inventory, call->id, call->host, &unknown) == 0 ||
		uuid_canonical(call->id, call->host))
		return 0;
	return error_set(err, unknown.code, "%s", unknown.message);
}

/* As the lists have it, or the entry; "" when neither knows. */
static void add_name(
	struct daemon *daemon, const struct register_entry *entry, struct json_object *item)
{
	cleanup_reading struct domain_reading reading = {0};
	struct vm_place vm;
	struct error ignored = {0};

	if (inventory_find_vm(daemon->inventory, entry->vm, &vm, &ignored) == 0) {
		json_add_string(item, "name", vm.name);
		return;
	}
	error_clear(&ignored);
	cleanup_free char *xml = register_load(daemon->store, entry->host, entry->vm, &ignored);
	if (xml)
		(void)domain_xml_read(
			xml, strlen(xml), store_vms_dir(daemon->store), &reading, &ignored);
	json_add_string(item, "name", reading.def.name);
}

/* What was begun and not ended; "" when nothing was, "unknown" when it cannot be understood. */
static void add_operation(
	struct daemon *daemon, const struct register_entry *entry, struct json_object *item)
{
	cleanup_intent struct intent intent = {0};
	struct error cause = {0};
	int status = intent_read_of(daemon->store, entry->host, entry->vm, &intent, &cause);

	json_add_string(item, "operation",
		status == 0                   ? intent_op_name(intent.op)
		: cause.code == ERR_NOT_FOUND ? ""
					      : "unknown");
}

static void add_item(
	struct daemon *daemon, const struct register_entry *entry, struct json_object *items)
{
	struct json_object *item = json_append_object(items);

	json_add_string(item, "uuid", entry->vm);
	add_name(daemon, entry, item);
	add_operation(daemon, entry, item);
}

/* Both lists are sorted by VM: one that is in both is named once. */
static void add_items(struct daemon *daemon, const struct register_entry *entries, size_t n_entries,
	const struct register_entry *intents, size_t n_intents, struct json_object *items)
{
	size_t i = 0, j = 0;

	while (i < n_entries || j < n_intents) {
		int order = i == n_entries   ? 1
			    : j == n_intents ? -1
					     : strcmp(entries[i].vm, intents[j].vm);

		add_item(daemon, order <= 0 ? &entries[i] : &intents[j], items);
		i += order <= 0;
		j += order >= 0;
	}
}

int api_hosts_register(struct call *call, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL, *intents = NULL;
	size_t n_entries = 0, n_intents = 0;
	struct daemon *daemon = call->daemon;

	if (find_host(call, err) ||
		register_list(daemon->store, call->host, &entries, &n_entries, err) ||
		intent_list_of(daemon->store, call->host, &intents, &n_intents, err))
		return -1;
	struct json_object *answer = json_new_object();

	add_items(daemon, entries, n_entries, intents, n_intents, json_add_array(answer, "items"));
	return call_answer_json(call, 200, answer);
}
