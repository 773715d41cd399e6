/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The migration routes on a host that knows no other one: every check that one host can make, in
 * the order of rest-api.md, and the reason when all of them pass.
 */
#include "base/str.h"
#include "collector.h"
#include "model/json.h"
#include "vm_ops.h"

#include <strings.h>

/* 422 for the wrong state. */
static int check_state(const struct call *call, int type, struct error *err)
{
	enum runstate state = call->vm.runstate;
	bool off = state == RUNSTATE_POWEROFF || state == RUNSTATE_CRASHED;
	bool on = state == RUNSTATE_RUNNING || state == RUNSTATE_PAUSED;

	if (type == MIGRATION_COLD ? off : on)
		return 0;
	return error_set(err, ERR_STATE, "VM %s is %s; %s migration needs one that is %s",
		call->vm.name, enum_name(&runstate_names, (int)state),
		type == MIGRATION_COLD ? "cold" : "live",
		type == MIGRATION_COLD ? "poweroff or crashed" : "running or paused");
}

int api_migrate_start(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	cleanup_free char *host = NULL;
	char target[UUID_TEXT_SIZE];
	struct error cause = {0};
	int type = 0;

	if (json_get_string(call->body, "host", "", &host, err) ||
		json_get_enum(call->body, "migration_type", "", &migration_type_names, &type, err))
		return -1;
	if (str_is_empty(host)) {
		error_set(err, ERR_NOT_IMPLEMENTED, "host: there is no other host to migrate to");
		return error_hint(err, "name the host that VM %s shall go to", call->vm.name);
	}
	if (str_equal(host, daemon->host_name) || strcasecmp(host, daemon->host_uuid) == 0)
		return error_set(
			err, ERR_STATE, "VM %s is on host %s already", call->vm.name, host);
	if (check_state(call, type, err))
		return -1;
	/* The contract has 500 for it, where the host of create is a 503. */
	if (inventory_find_host(daemon->inventory, host, target, &cause))
		return error_set(err, cause.code == ERR_AMBIGUOUS ? ERR_AMBIGUOUS : ERR_INTERNAL,
			"host: migration target %s is not known", host);
	if (str_equal(target, daemon->host_uuid))
		return error_set(
			err, ERR_STATE, "VM %s is on host %s already", call->vm.name, host);
	if (hypervisor_is_embedded(daemon->hypervisor))
		return error_set(err, ERR_UNSUPPORTED,
			"libvirt's embedded driver (standalone mode) cannot migrate");
	return error_set(
		err, ERR_NOT_IMPLEMENTED, "migration to host %s is not possible yet", host);
}

/* The record of the last migration; ERR_MIGRATION without one. */
static int find_record(struct call *call, struct vm *vm, struct error *err)
{
	if (collector_get_vm(call->daemon->collector, call->vm.uuid, vm, err))
		return -1;
	if (vm->oplog[OPLOG_MIGRATE].present)
		return 0;
	return error_set(err, ERR_MIGRATION, "VM %s has never been migrated", call->vm.name);
}

int api_migrate_get(struct call *call, struct error *err)
{
	/* Nothing migrates here: what is not completed was cut off and will not end any more. */
	static const enum migration_state states[] = {[OPLOG_STARTED] = MIGRATION_STATE_FAILED,
		[OPLOG_FAILED] = MIGRATION_STATE_FAILED,
		[OPLOG_COMPLETED] = MIGRATION_STATE_COMPLETED};
	static const char *const figures[] = {"total", "transferred", "remaining", "rate"};
	cleanup_vm struct vm vm = {0};

	if (find_record(call, &vm, err))
		return -1;
	struct json_object *json = json_new_object();

	json_add_int(json, "state", states[vm.oplog[OPLOG_MIGRATE].status]);
	struct json_object *progress = json_add_object(json, "progress");

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		json_add_int(progress, figures[i], 0);
	return call_answer_json(call, 200, json);
}

int api_migrate_abort(struct call *call, struct error *err)
{
	cleanup_vm struct vm vm = {0};

	if (find_record(call, &vm, err))
		return -1;
	return error_set(err, ERR_MIGRATION, "the migration of VM %s has ended", call->vm.name);
}
