/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POST /vms: {vmdef, host} -> 201 and the new UUID (spec: rest-api.md). With ?dry_run=true every
 * check is made and the definition as it would be stored is answered, 200; nothing is changed.
 */
#include "base/log.h"
#include "base/str.h"
#include "drain_host.h"
#include "guest_check.h"
#include "intent.h"
#include "lockspace_watch.h"
#include "model/json.h"
#include "settle.h"
#include "storage/register.h"
#include "vm_disks.h"
#include "vm_ops.h"

/* The definition and its host, as text may say them; nothing is checked against this host yet. */
static int read_request(struct call *call, struct intent *intent, bool *dry_run, struct error *err)
{
	struct json_object *def = NULL;
	cleanup_free char *host = NULL;

	if (vm_ops_read_dry_run(call, dry_run, err) ||
		json_get_object(call->body, "vmdef", "", &def, err) ||
		json_get_string(call->body, "host", "", &host, err))
		return -1;
	if (vm_ops_check_host(call, host, err))
		return -1;
	if (!def)
		return error_set(err, ERR_INVALID, "vmdef: missing");
	if (vmdef_from_json(def, &intent->def, err))
		return -1;
	intent->op = INTENT_CREATE;
	uuid_make(intent->vm);
	return 0;
}

/* Every check that can be made before anything is; the definition is canonical afterwards, and its
 * memory and MACs held. */
static int check_request(
	struct daemon *daemon, struct intent *intent, struct guest_claim *claim, struct error *err)
{
	struct vmdef_rules rules = vm_ops_rules(daemon, NULL);

	if (vmdef_validate(&intent->def, &rules, err) || drain_host_check(daemon, err))
		return -1;
	vmdef_choose_macs(&intent->def);
	if (lockspace_watch_check(daemon->lockspace, err) ||
		guest_check(daemon, &intent->def, err) ||
		guest_claim(claim, daemon, intent->vm, &intent->def, NULL, err))
		return -1;
	return vm_disks_check(daemon, intent, err);
}

static char *write_xml(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	struct domain_xml_options options;
	cleanup_free char *console_log = NULL;

	vm_ops_xml_options(daemon, intent->vm, &options, &console_log);
	return domain_xml_write(&intent->def, &options, err);
}

/* What libvirt and QEMU would refuse (an unknown CPU model) is found out before images are made. */
static int check_definition(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	cleanup_free char *xml = write_xml(daemon, intent, err);

	return xml ? hypervisor_check_xml(daemon->hypervisor, xml, err) : -1;
}

static int make_vm_lease(struct daemon *daemon, const char *uuid, struct error *err)
{
	char name[256];

	vm_lease_name(uuid, name);
	return lease_create(daemon->store, name, uuid, err);
}

/* All steps up to the domain and its register entry. */
static int make_vm(struct daemon *daemon, struct operation *operation, struct intent *intent,
	struct error *err)
{
	if (make_vm_lease(daemon, intent->vm, err) || vm_disks_make(daemon, operation, intent, err))
		return -1;
	operation_commit(operation);
	operation_progress(operation, "define", 99);
	cleanup_free char *xml = write_xml(daemon, intent, err);
	if (!xml)
		return -1;
	intent->defined = true;
	return settle_define(daemon, intent->vm, xml, err);
}

/*
 * The intent's removal is what makes the VM final: until then a restart takes it back. -1: it is to
 * be taken back, and the intent is there for that. Without one the VM must stay, whatever err says.
 */
static int make_final(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	struct error cause = {0};

	if (intent_remove(daemon->store, intent->vm, err) == 0)
		return 0;
	if (intent_write(daemon->store, intent, &cause) == 0)
		return -1;
	error_hint(err, "the VM is made, but may not survive a power cut now");
	return 0;
}

static int create_vm(struct daemon *daemon, struct operation *operation, struct intent *intent,
	struct error *err)
{
	struct error cause = {0};

	if (intent_write(daemon->store, intent, err))
		return -1;
	if (make_vm(daemon, operation, intent, err) == 0 && make_final(daemon, intent, err) == 0)
		return error_is_set(err) ? -1 : 0;
	if (settle_back_create(daemon, intent, &cause)) {
		log_error("create cannot be rolled back yet; it is tried again", "vm", intent->vm,
			"name", intent->def.name, "error", cause.message);
		error_hint(err, "what it made is cleared away as soon as that is possible: %s",
			cause.message);
	}
	return -1;
}

static int answer_created(struct call *call, const char *uuid)
{
	return call_answer_json(call, 201, json_object_new_string(uuid));
}

/* 1 when an earlier request with this key has been answered again, 0 to go on. */
static int answer_earlier(struct call *call, const struct operation_key *key, struct error *err)
{
	char uuid[UUID_TEXT_SIZE];

	switch (operations_find_key(call->daemon->operations, key, uuid)) {
	case OPERATION_KEY_NEW:
		return 0;
	case OPERATION_KEY_DONE:
		answer_created(call, uuid);
		return 1;
	case OPERATION_KEY_RUNNING:
		return error_set(err, ERR_BUSY,
			"the request with this Idempotency-Key is still creating VM %s", uuid);
	case OPERATION_KEY_OTHER:
		break;
	}
	return error_set(err, ERR_STATE,
		"this Idempotency-Key was used for another definition, which became VM %s", uuid);
}

/* -1 when the header is not usable; key->key is NULL without one. */
static int read_key(const struct call *call, struct operation_key *key, char fingerprint[static 33],
	struct error *err)
{
	const char *text = http_request_header(call->request, "Idempotency-Key");

	if (!text)
		return 0;
	if (!*text || strlen(text) > OPERATION_KEY_MAX || !str_is_utf8(text) ||
		str_has_control(text))
		return error_set(err, ERR_INVALID, "Idempotency-Key: 1 to %d printable bytes",
			OPERATION_KEY_MAX);
	str_md5_hex(call->request->body, call->request->body_len, fingerprint);
	*key = (struct operation_key){.key = text, .fingerprint = fingerprint};
	return 0;
}

int api_vms_create(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	cleanup_intent struct intent intent = {0};
	cleanup_guest_claim struct guest_claim claim = {0};
	struct operation_key key = {0};
	char fingerprint[33];
	bool dry_run;
	int earlier = 0;

	if (read_request(call, &intent, &dry_run, err) || read_key(call, &key, fingerprint, err))
		return -1;
	if (key.key && !dry_run)
		earlier = answer_earlier(call, &key, err);
	if (earlier != 0)
		return earlier > 0 ? 0 : -1;
	if (check_request(daemon, &intent, &claim, err) || check_definition(daemon, &intent, err))
		return -1;
	if (dry_run)
		return call_answer_json(call, 200, vmdef_to_json(&intent.def));

	struct operation *operation = operations_begin(daemon->operations, "create", intent.vm,
		intent.def.name, key.key ? &key : NULL, err);
	if (!operation)
		return -1;
	call_started(call, operation_id(operation));
	create_vm(daemon, operation, &intent, err);
	vm_ops_end(daemon, operation, intent.vm, err);
	return error_is_set(err) ? -1 : answer_created(call, intent.vm);
}
