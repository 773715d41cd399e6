/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUT /vms/{id}: {vmdef, deletestorage} -> 204 (spec: rest-api.md). What the definition describes
 * is replaced; MACs, genid, operation log and what others put into the domain stay. All is decided
 * from what libvirt and the register say now.
 */
#include "base/log.h"
#include "base/str.h"
#include "guest_check.h"
#include "intent.h"
#include "lockspace_watch.h"
#include "model/json.h"
#include "quarantine.h"
#include "recovery.h"
#include "settle.h"
#include "storage/register.h"
#include "vm_disks.h"
#include "vm_ops.h"

/* Whether one of the entity tags of an If-Match header is the definition's (RFC 9110, strong
 * comparison). */
static bool tag_matches(const char *header, const char *etag)
{
	size_t len = strlen(etag);

	if (str_equal(header, "*"))
		return true;
	while (*header) {
		header += strspn(header, " \t,");
		size_t word = strcspn(header, " \t,");

		if (word == len + 2 && header[0] == '"' && header[len + 1] == '"' &&
			strncmp(header + 1, etag, len) == 0)
			return true;
		header += word;
	}
	return false;
}

static int check_if_match(const struct call *call, const struct vmdef *def, struct error *err)
{
	const char *header = http_request_header(call->request, "If-Match");
	char etag[17];

	if (!header)
		return 0;
	vmdef_etag(def, etag);
	if (tag_matches(header, etag))
		return 0;
	error_set(err, ERR_CHANGED, "VM %s has another definition by now: its entity tag is \"%s\"",
		def->name, etag);
	return error_hint(err, "read it again and put the change into that");
}

static int check_register(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *entry = register_load(daemon->store, daemon->host_uuid, uuid, err);

	if (entry)
		return 0;
	err->code = ERR_STORED_DATA;
	return error_hint(err, "PUT /vms/%s/register writes it again from libvirt", uuid);
}

/* Every check, in the order of the spec; fills in what the new definition keeps. */
static int check_update(struct call *call, const struct vm_now *now, struct intent *intent,
	struct guest_claim *claim, struct error *err)
{
	struct daemon *daemon = call->daemon;
	struct vmdef_rules rules = vm_ops_rules(daemon, &now->reading.def);

	if (vm_now_check_off(now, "updated", err) || check_if_match(call, &now->reading.def, err) ||
		vmdef_validate(&intent->def, &rules, err) ||
		vm_disks_keep(store_vms_dir(daemon->store), &now->reading.def, &intent->def, err) ||
		guest_check(daemon, &intent->def, err) ||
		guest_claim(claim, daemon, intent->vm, &intent->def, &now->reading.def, err) ||
		check_register(daemon, intent->vm, err) ||
		quarantine_check(daemon, intent->vm, &now->reading.def, err) ||
		vm_ops_check_claims(daemon, intent->vm, err) ||
		lockspace_watch_check(daemon->lockspace, err) ||
		lease_check_vm_free(daemon->store, intent->vm, err))
		return -1;
	vmdef_copy(&intent->old, &now->reading.def);
	return vm_disks_check(daemon, intent, err);
}

/* Up to the point from which it only goes forward. *defined: the domain may be the new one already.
 */
static int make_update(struct daemon *daemon, struct operation *operation, struct intent *intent,
	const char *old_xml, bool *defined, struct error *err)
{
	if (intent_write(daemon->store, intent, err) ||
		vm_disks_make(daemon, operation, intent, err))
		return -1;
	operation_commit(operation);
	operation_progress(operation, "define", 99);
	cleanup_free char *xml = settle_update_xml(daemon, intent, old_xml, err);
	if (!xml)
		return -1;
	intent->forward = true;
	if (intent_write(daemon->store, intent, err))
		return -1;
	*defined = true;
	return settle_define(daemon, intent->vm, xml, err);
}

static int update_vm(struct call *call, struct operation *operation, struct intent *intent,
	struct guest_claim *claim, bool *complete, struct error *err)
{
	struct daemon *daemon = call->daemon;
	cleanup_vm_now struct vm_now now = {0};
	struct error cause = {0};
	bool defined = false;

	if (recovery_settle(daemon, intent->vm, err) ||
		vm_now_read(daemon, intent->vm, &now, err) ||
		check_update(call, &now, intent, claim, err))
		return -1;
	if (make_update(daemon, operation, intent, now.xml, &defined, err) == 0) {
		*complete = settle_forward_update(daemon, operation, intent);
		return 0;
	}
	if (settle_back_update(daemon, intent, defined ? now.xml : NULL, &cause)) {
		log_error("update cannot be rolled back yet; it is tried again", "vm", intent->vm,
			"name", call->vm.name, "error", cause.message);
		error_hint(err, "what is half done is settled as soon as that is possible: %s",
			cause.message);
	}
	return -1;
}

int api_vms_update(struct call *call, struct error *err)
{
	cleanup_intent struct intent intent = {.op = INTENT_UPDATE};
	cleanup_guest_claim struct guest_claim claim = {0};
	struct json_object *def = NULL;
	bool complete = false;

	if (json_get_object(call->body, "vmdef", "", &def, err) ||
		json_get_bool(call->body, "deletestorage", "", &intent.remove, err))
		return -1;
	if (!def)
		return error_set(err, ERR_INVALID, "vmdef: missing");
	if (vmdef_from_json(def, &intent.def, err))
		return -1;
	(void)str_copy(intent.vm, sizeof(intent.vm), call->vm.uuid);

	struct operation *operation = vm_ops_begin(call, "update", err);
	if (!operation)
		return -1;
	if (update_vm(call, operation, &intent, &claim, &complete, err) == 0 && !complete)
		operation_warn(operation, VM_OPS_LEFT);
	vm_ops_end(call->daemon, operation, intent.vm, err);
	return error_is_set(err) ? -1 : vm_ops_answer_removed(call, complete);
}
