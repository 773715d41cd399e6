/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared steps of the operations on VMs: see vm_ops.h. */
#include "vm_ops.h"

#include "base/log.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "collector.h"
#include "console.h"
#include "intent.h"
#include "recovery_watch.h"
#include "storage/register.h"

#include <strings.h>

int vm_now_read(struct daemon *daemon, const char *uuid, struct vm_now *now, struct error *err)
{
	struct domain_stats stats;

	*now = (struct vm_now){0};
	if (hypervisor_collect_one(daemon->hypervisor, uuid, &stats, err))
		return -1;
	now->runstate = stats.runstate;
	now->xml = hypervisor_get_xml(daemon->hypervisor, uuid, false, err);
	if (!now->xml)
		return -1;
	if (domain_xml_read(
		    now->xml, strlen(now->xml), store_vms_dir(daemon->store), &now->reading, err)) {
		vm_now_free(now);
		return -1;
	}
	return 0;
}

void vm_now_free(struct vm_now *now)
{
	free(now->xml);
	domain_reading_free(&now->reading);
	*now = (struct vm_now){0};
}

int vm_now_check_off(const struct vm_now *now, const char *what, struct error *err)
{
	const char *name = now->reading.def.name;

	if (now->reading.foreign)
		return error_set(err, ERR_STATE,
			"%s was not made by VirtX, so it cannot be %s here", name, what);
	if (now->runstate == RUNSTATE_POWEROFF || now->runstate == RUNSTATE_CRASHED)
		return 0;
	error_set(err, ERR_STATE, "VM %s is %s; it can be %s only when it is off", name,
		enum_name(&runstate_names, (int)now->runstate), what);
	return error_hint(err, "shut it down first");
}

struct operation *vm_ops_begin(struct call *call, const char *kind, struct error *err)
{
	/* One that is only in the register has no name that we know. */
	const char *name = *call->vm.name ? call->vm.name : call->vm.uuid;
	struct operation *operation =
		operations_begin(call->daemon->operations, kind, call->vm.uuid, name, NULL, err);

	if (operation)
		call_started(call, operation_id(operation));
	return operation;
}

struct operation *vm_ops_begin_short(struct call *call, const char *kind, struct error *err)
{
	struct operation *operation = vm_ops_begin(call, kind, err);

	if (operation)
		operation_commit(operation);
	return operation;
}

void vm_ops_end(struct daemon *daemon, struct operation *operation, const char *uuid,
	const struct error *err)
{
	struct error cause = {0};

	if (collector_refresh(daemon->collector, uuid, &cause) && cause.code != ERR_NOT_FOUND)
		log_warning(
			"VM cannot be read after an operation", "vm", uuid, "error", cause.message);
	if (error_is_set(err))
		recovery_watch_note(daemon->recovery_watch, uuid);
	operation_end(operation, err);
}

int vm_ops_check_host(struct call *call, const char *host, struct error *err)
{
	struct daemon *daemon = call->daemon;
	char uuid[UUID_TEXT_SIZE];
	struct error cause = {0};

	if (str_is_empty(host) || str_equal(host, daemon->host_name) ||
		strcasecmp(host, daemon->host_uuid) == 0)
		return 0;
	if (inventory_find_host(daemon->inventory, host, uuid, &cause)) {
		if (cause.code == ERR_AMBIGUOUS)
			return error_set(err, ERR_AMBIGUOUS, "host: %s", cause.message);
		return error_set(err, ERR_UNAVAILABLE, "host: %s is not known", host);
	}
	if (str_equal(uuid, daemon->host_uuid))
		return 0;
	return error_set(err, ERR_UNAVAILABLE, "host: %s cannot be reached from host %s", host,
		daemon->host_name);
}

bool vm_ops_find_left(struct call *call)
{
	struct daemon *daemon = call->daemon;
	cleanup_intent struct intent intent = {0};
	struct vm_place vm = {.runstate = RUNSTATE_POWEROFF};
	struct error none = {0};

	if (!uuid_canonical(call->id, vm.uuid) ||
		intent_read(daemon->store, vm.uuid, &intent, &none) || intent.op != INTENT_DELETE)
		return false;
	(void)str_copy(vm.host_uuid, sizeof(vm.host_uuid), daemon->host_uuid);
	(void)str_copy(vm.name, sizeof(vm.name), intent.def.name);
	call->vm = vm;
	return true;
}

/* What hosts say for a minute counts, whatever the register has. */
static int check_conflict(struct daemon *daemon, const char *uuid, struct error *err)
{
	char hosts[2][UUID_TEXT_SIZE];

	if (!daemon->claims || !claims_is_conflict(daemon->claims, uuid, hosts))
		return 0;
	error_set(err, ERR_REGISTER,
		"conflict: hosts %s and %s both have VM %s, so nothing is done to it", hosts[0],
		hosts[1], uuid);
	return error_hint(err,
		"find out which one is right; on the other, virsh undefine takes it out of "
		"libvirt and leaves its disks");
}

int vm_ops_check_claims(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;

	if (check_conflict(daemon, uuid, err) ||
		register_find(daemon->store, uuid, &entries, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (str_equal(entries[i].host, daemon->host_uuid))
			continue;
		error_set(err, ERR_REGISTER,
			"conflict: VM %s is in the register of host %s too, so nothing is done to "
			"it",
			uuid, entries[i].host);
		return error_hint(err, "remove the entry of the host that it does not belong to");
	}
	return 0;
}

void vm_ops_xml_options(struct daemon *daemon, const char *uuid, struct domain_xml_options *options,
	char **console_log)
{
	/* Without its plugin libvirt refuses every domain that lists a lease. */
	bool leases = daemon->settings.lock_manager == LOCK_MANAGER_SANLOCK;

	*console_log = console_path(daemon->settings.state_dir, uuid);
	domain_xml_options_init(options, uuid);
	options->arch = daemon->arch;
	options->virt_type = daemon->virt_type;
	options->vms_dir = store_vms_dir(daemon->store);
	options->full_firmware = daemon->caps.bios_descriptor;
	options->vdagent = daemon->caps.vdagent_migrates;
	options->store_definition = true;
	options->leases = leases;
	options->vm_lease = leases;
	options->console_log = *console_log;
}

int vm_ops_read_dry_run(const struct call *call, bool *dry_run, struct error *err)
{
	return call_read_switch(call, "dry_run", dry_run, err);
}

struct vmdef_rules vm_ops_rules(struct daemon *daemon, const struct vmdef *existing)
{
	return (struct vmdef_rules){
		.vms_dir = store_vms_dir(daemon->store),
		.lun_allow = (const char *const *)daemon->settings.lun_allow,
		.existing = existing,
	};
}

int vm_ops_answer_removed(struct call *call, bool complete)
{
	if (complete)
		return call_answer(call, 204);
	http_response_header(
		call->response, "Warning", "299 VirtX \"some resources could not be deleted\"");
	return call_answer(call, 200);
}
