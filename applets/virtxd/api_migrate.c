/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The migration routes (spec: rest-api.md): POST checks, asks the hosts and answers 202 with the
 * one that was chosen, or with ?dry_run=true only what they said; GET tells how far it is or how it
 * ended; DELETE aborts it. What they do is in migration.h.
 */
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "migration.h"
#include "model/json.h"
#include "vm_ops.h"

#include <strings.h>

#define BYTES_PER_MB 1000000

/* The UUID of the host that is named, "" for none. */
static int find_target(
	struct call *call, const char *host, char target[static UUID_TEXT_SIZE], struct error *err)
{
	struct daemon *daemon = call->daemon;
	struct error cause = {0};

	target[0] = '\0';
	if (str_is_empty(host)) {
		if (daemon->peers)
			return 0;
		return error_set(
			err, ERR_NOT_IMPLEMENTED, "host: there is no other host to migrate to");
	}
	bool own = str_equal(host, daemon->host_name) || strcasecmp(host, daemon->host_uuid) == 0;

	/* The contract has 500 for it, where the host of create is a 503. */
	if (!own && inventory_find_host(daemon->inventory, host, target, &cause))
		return error_set(err, cause.code == ERR_AMBIGUOUS ? ERR_AMBIGUOUS : ERR_INTERNAL,
			"host: migration target %s is not known", host);
	if (own || str_equal(target, daemon->host_uuid))
		return error_set(
			err, ERR_STATE, "VM %s is on host %s already", call->vm.name, host);
	return 0;
}

static int read_request(struct call *call, struct migration_request *request, struct error *err)
{
	cleanup_free char *host = NULL;
	int type = 0;

	if (vm_ops_read_dry_run(call, &request->dry_run, err) ||
		json_get_string(call->body, "host", "", &host, err) ||
		json_get_enum(call->body, "migration_type", "", &migration_type_names, &type, err))
		return -1;
	str_copy(request->vm, sizeof(request->vm), call->vm.uuid);
	request->live = type == MIGRATION_LIVE;
	return find_target(call, host, request->target, err);
}

static void add_host(struct json_object *list, const struct migration_host *host)
{
	bool fits = !error_is_set(&host->why);
	struct json_object *item = json_append_object(list);

	json_add_string(item, "host", host->name);
	json_add_string(item, "uuid", host->uuid);
	json_add_bool(item, "ok", fits);
	json_add_string(item, "code", fits ? "" : error_code_word(host->why.code));
	json_add_string(item, "detail", host->why.message);
	json_add_string(item, "hint", host->why.hint);
	json_add_int(item, "memoryavailable", host->memory_mib);
	json_add_int(item, "cpuavailable", host->cpu_mhz);
	json_add_int(item, "vms", host->vms);
}

/* What keeps it from every host is an error; what keeps it from one is in the answer. */
static int answer_dry_run(
	struct call *call, const struct migration_request *request, struct error *err)
{
	cleanup_migration_hosts struct migration_hosts hosts = {0};
	cleanup_vm_now struct vm_now now = {0};

	if (migration_choose(call->daemon, request, &now, &hosts, err) && hosts.count == 0)
		return -1;
	error_clear(err);
	struct json_object *json = json_new_object();

	json_add_string(json, "host", hosts.best ? hosts.best->name : "");
	struct json_object *list = json_add_array(json, "hosts");

	for (size_t i = 0; i < hosts.count; i++)
		add_host(list, &hosts.list[i]);
	return call_answer_json(call, 200, json);
}

int api_migrate_start(struct call *call, struct error *err)
{
	struct migration_request request = {0};
	struct migration_started started = {0};

	if (read_request(call, &request, err))
		return -1;
	if (request.dry_run)
		return answer_dry_run(call, &request, err);
	if (migration_start(call->daemon, &request, &started, err))
		return -1;
	cleanup_free char *location = xasprintf("/operations/%s", started.operation);
	struct json_object *json = json_new_object();

	http_response_header(call->response, "Location", location);
	json_add_string(json, "host", started.host_name);
	json_add_string(json, "uuid", started.host_uuid);
	json_add_string(json, "operation", started.operation);
	return call_answer_json(call, 202, json);
}

/* How the last one ended: by the VM's operation log, which moves with it. */
static int find_outcome(struct call *call, enum migration_state *state, struct error *err)
{
	cleanup_vm struct vm vm = {0};

	if (collector_get_vm(call->daemon->collector, call->vm.uuid, &vm, err))
		return -1;
	const struct oplog_entry *entry = &vm.oplog[OPLOG_MIGRATE];

	if (!entry->present)
		return error_set(
			err, ERR_MIGRATION, "VM %s has never been migrated", call->vm.name);
	*state = migration_outcome(call->daemon, &vm);
	return 0;
}

static int answer_status(struct call *call, const struct migration_status *status)
{
	const struct hypervisor_job *figures = &status->figures;
	struct json_object *json = json_new_object();

	json_add_int(json, "state", status->state);
	json_add_string(json, "operation", status->operation);
	struct json_object *progress = json_add_object(json, "progress");

	json_add_int(progress, "total", (int64_t)figures->total);
	json_add_int(progress, "transferred", (int64_t)figures->transferred);
	json_add_int(progress, "remaining", (int64_t)figures->remaining);
	json_add_int(progress, "rate", (int64_t)(figures->rate / BYTES_PER_MB));
	json_add_int(progress, "downtime", (int64_t)figures->downtime_ms);
	return call_answer_json(call, 200, json);
}

int api_migrate_get(struct call *call, struct error *err)
{
	struct migration_status status = {0};

	if (!migration_get_status(call->daemon, call->vm.uuid, &status) &&
		find_outcome(call, &status.state, err))
		return -1;
	return answer_status(call, &status);
}

int api_migrate_abort(struct call *call, struct error *err)
{
	struct migration_status status = {0};

	if (!migration_get_status(call->daemon, call->vm.uuid, &status)) {
		if (find_outcome(call, &status.state, err))
			return -1;
		return error_set(
			err, ERR_MIGRATION, "the migration of VM %s has ended", call->vm.name);
	}
	if (operations_cancel(call->daemon->operations, status.operation, err))
		return -1;
	return call_answer(call, 204);
}
