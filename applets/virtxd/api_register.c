/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUT /vms/{id}/register: {host} (spec: rest-api.md). A VM that libvirt knows here: its register
 * entry is written again, 200. One that it does not know: it is defined from the register, 201. One
 * in the register of a host that failed or left is taken over from it, 201; 204 when that host had
 * not completed its create or its delete, so that there is no VM.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "drain_host.h"
#include "entry.h"
#include "model/json.h"
#include "recovery.h"
#include "storage/register.h"
#include "takeover.h"
#include "vm_ops.h"

/* What is to be done, as inventory and register have it. */
struct plan {
	bool here;                 /* libvirt knows the VM */
	bool own;                  /* this host's register has it */
	char from[UUID_TEXT_SIZE]; /* the dead host that it is taken over from; "": none */
};

/* Which VM: one of the inventory by UUID or name, or any UUID. One of another host that is active
 * is that host's. */
static int find_vm(struct call *call, struct plan *plan, struct error *err)
{
	struct daemon *daemon = call->daemon;
	struct error cause = {0};

	if (inventory_find_vm(daemon->inventory, call->id, &call->vm, &cause) == 0) {
		plan->here = str_equal(call->vm.host_uuid, daemon->host_uuid);
		if (!plan->here && takeover_check_host(daemon, call->vm.host_uuid, err))
			return error_prefix(err, "VM %s", call->vm.name);
		if (plan->here && collector_is_foreign(daemon->collector, call->vm.uuid))
			return error_set(err, ERR_STATE,
				"%s was not made by VirtX, so it has no place in the register",
				call->vm.name);
		return 0;
	}
	if (cause.code != ERR_NOT_FOUND)
		return error_set(err, cause.code, "%s", cause.message);
	call->vm = (struct vm_place){0};
	if (!uuid_canonical(call->id, call->vm.uuid))
		return error_set(err, ERR_NOT_FOUND,
			"VM %.64s is not known; one that is only in the register needs its UUID",
			call->id);
	(void)str_copy(call->vm.name, sizeof(call->vm.name), "");
	return 0;
}

/* Notes the one other host that has an entry, or an intent, of the VM. */
static int note_others(struct daemon *daemon, const struct register_entry *entries, size_t count,
	struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(entries[i].host, daemon->host_uuid)) {
			plan->own = true;
			continue;
		}
		if (*plan->from)
			return error_set(err, ERR_STATE,
				"conflict: VM %s is in the register of host %s and of host %s",
				entries[i].vm, plan->from, entries[i].host);
		(void)str_copy(plan->from, sizeof(plan->from), entries[i].host);
	}
	return 0;
}

/* What a host left of a VM that has no entry anywhere: a create or delete that was cut. */
static int find_left(struct daemon *daemon, const char *vm, struct plan *plan, struct error *err)
{
	cleanup_free struct register_entry *intents = NULL;
	size_t count = 0;

	if (intent_find(daemon->store, vm, &intents, &count, err) ||
		note_others(daemon, intents, count, plan, err))
		return -1;
	plan->own = false;
	return 0;
}

static int make_plan(struct daemon *daemon, const char *vm, struct plan *plan, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;

	if (register_find(daemon->store, vm, &entries, &count, err) ||
		note_others(daemon, entries, count, plan, err) ||
		(count == 0 && !plan->here && find_left(daemon, vm, plan, err)))
		return -1;
	if (plan->own && plan->here)
		plan->from[0] = '\0';
	if (plan->own && *plan->from)
		return error_set(err, ERR_STATE,
			"VM %s is in the register of host %s too, so it is not this host's", vm,
			plan->from);
	if (*plan->from &&
		(takeover_check_host(daemon, plan->from, err) || drain_host_check(daemon, err)))
		return error_prefix(err, "VM %s", vm);
	if (!plan->own && !plan->here && !*plan->from)
		return error_set(err, ERR_REGISTER, "VM %s is not in the register of host %s", vm,
			daemon->host_name);
	return 0;
}

static int rewrite_entry(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *xml = hypervisor_get_xml(daemon->hypervisor, uuid, false, err);

	return xml ? register_save(daemon->store, daemon->host_uuid, uuid, xml, err) : -1;
}

/* The status of the answer; -1. *gone as takeover_vm has it. */
static int work(struct daemon *daemon, const char *vm, struct plan *plan, const char **gone,
	struct error *err)
{
	if (recovery_settle(daemon, vm, err) || make_plan(daemon, vm, plan, err))
		return -1;
	if (*plan->from)
		return takeover_vm(daemon, vm, plan->from, gone, err) ? -1 : *gone ? 204 : 201;
	if (plan->here)
		return rewrite_entry(daemon, vm, err) ? -1 : 200;
	return entry_define(daemon, vm, err) ? -1 : 201;
}

/* The contract: whatever fails inside register is a 424, but for state and what is away. */
static void settle_code(struct error *err)
{
	if (error_is_set(err) && err->code != ERR_STATE && err->code != ERR_UNAVAILABLE &&
		err->code != ERR_DRAINED && err->code != ERR_HYPERVISOR)
		err->code = ERR_REGISTER;
}

int api_register(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	cleanup_free char *host = NULL;
	const char *gone = NULL;
	struct plan plan = {0};

	if (json_get_string(call->body, "host", "", &host, err) ||
		vm_ops_check_host(call, host, err) || find_vm(call, &plan, err))
		return -1;
	struct operation *operation = vm_ops_begin_short(call, "register", err);
	if (!operation)
		return -1;
	int status = work(daemon, call->vm.uuid, &plan, &gone, err);
	settle_code(err);
	struct error outcome = *err;
	/* A VM that an operation has registered must be there. */
	if (gone)
		error_set(&outcome, ERR_REGISTER, "%s", gone);
	vm_ops_end(daemon, operation, call->vm.uuid, &outcome);
	if (status < 0)
		return -1;
	if (gone) {
		cleanup_free char *warning = xasprintf("299 VirtX \"%s\"", gone);

		http_response_header(call->response, "Warning", warning);
	}
	return call_answer(call, status);
}
