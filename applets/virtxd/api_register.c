/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUT /vms/{id}/register: {host} (spec: rest-api.md). A VM that libvirt knows here: its register
 * entry is written again, 200. One that it does not know: it is defined from the register, 201. The
 * register lies on shared storage, so what it holds is judged first: nothing but a VM as VirtX
 * makes them, with that UUID and disks that it may have, goes to libvirt.
 */
#include "base/log.h"
#include "base/str.h"
#include "collector.h"
#include "guest_check.h"
#include "model/domain_xml_safe.h"
#include "model/json.h"
#include "recovery.h"
#include "storage/register.h"
#include "vm_ops.h"

/* Which VM: one of the inventory by UUID or name, or any UUID. */
static int find_vm(struct call *call, bool *known, struct error *err)
{
	struct daemon *daemon = call->daemon;
	struct error cause = {0};

	*known = inventory_find_vm(daemon->inventory, call->id, &call->vm, &cause) == 0;
	if (*known && !str_equal(call->vm.host_uuid, daemon->host_uuid))
		return error_set(err, ERR_STATE, "VM %s belongs to host %s", call->vm.name,
			call->vm.host_uuid);
	if (*known && collector_is_foreign(daemon->collector, call->vm.uuid))
		return error_set(err, ERR_STATE,
			"%s was not made by VirtX, so it has no place in the register",
			call->vm.name);
	if (*known)
		return 0;
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

static int rewrite_entry(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *xml = hypervisor_get_xml(daemon->hypervisor, uuid, false, err);

	return xml ? register_save(daemon->store, daemon->host_uuid, uuid, xml, err) : -1;
}

/* An entry under another host is that host's VM. */
static int check_claims(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;

	if (register_find(daemon->store, uuid, &entries, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!str_equal(entries[i].host, daemon->host_uuid))
			return error_set(err, ERR_STATE,
				"VM %s is in the register of host %s, so it is not this host's",
				uuid, entries[i].host);
	if (count > 0)
		return 0;
	return error_set(err, ERR_REGISTER, "VM %s is not in the register of host %s", uuid,
		daemon->host_name);
}

/* Every managed disk's lease says that it is this VM's. */
static int check_leases(
	struct daemon *daemon, const char *uuid, const struct vmdef *def, struct error *err)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		char name[256], owner[UUID_TEXT_SIZE];

		if (def->disks[i].man != DISK_MANAGED)
			continue;
		disk_lease_name(&def->disks[i], store_vms_dir(daemon->store), name);
		if (lease_owner(daemon->store, name, owner, err))
			return error_prefix(err, "disk %s", def->disks[i].path);
		if (str_equal(owner, uuid))
			continue;
		cleanup_free char *holder = store_name_vm(daemon->store, owner);
		return error_set(
			err, ERR_LEASE, "disk %s belongs to %s", def->disks[i].path, holder);
	}
	return 0;
}

/* Whether an entry is what it should be. */
static int check_entry(struct daemon *daemon, const char *uuid, const char *xml, struct error *err)
{
	cleanup_free char *console_log = NULL;
	cleanup_reading struct domain_reading reading = {0};
	struct domain_xml_options options;
	size_t len = strlen(xml);

	vm_ops_xml_options(daemon, uuid, &options, &console_log);
	if (domain_xml_read(xml, len, options.vms_dir, &reading, err))
		return -1;
	if (!str_equal(reading.uuid, uuid))
		return error_set(err, ERR_REGISTER, "it holds another VM: %s", reading.uuid);
	if (domain_xml_check_safe(xml, len, options.vms_dir, console_log, err))
		return -1;
	if (reading.foreign)
		return error_set(err, ERR_REGISTER, "it holds a domain that VirtX did not make");
	/* Its disks exist: they are judged like those of an update that keeps them. */
	struct vmdef_rules rules = vm_ops_rules(daemon, &reading.def);

	if (vmdef_validate(&reading.def, &rules, err) || guest_check(daemon, &reading.def, err))
		return -1;
	return check_leases(daemon, uuid, &reading.def, err);
}

static int define_entry(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *xml = NULL, *stored = NULL;
	struct error cause = {0};

	if (check_claims(daemon, uuid, err))
		return -1;
	xml = register_load(daemon->store, daemon->host_uuid, uuid, err);
	if (!xml)
		return -1;
	if (check_entry(daemon, uuid, xml, err))
		return error_prefix(err, "register entry of VM %s", uuid);
	if (hypervisor_define(daemon->hypervisor, xml, &stored, err))
		return -1;
	if (register_save(daemon->store, daemon->host_uuid, uuid, stored, err) == 0)
		return 0;
	if (hypervisor_undefine(daemon->hypervisor, uuid, &cause))
		log_error("VM stays defined, its register entry is as before", "vm", uuid, "error",
			cause.message);
	return -1;
}

/* The contract: whatever fails inside register is a 424, but for state and what is away. */
static void settle_code(struct error *err)
{
	if (error_is_set(err) && err->code != ERR_STATE && err->code != ERR_UNAVAILABLE &&
		err->code != ERR_HYPERVISOR)
		err->code = ERR_REGISTER;
}

int api_register(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	cleanup_free char *host = NULL;
	struct operation *operation;
	bool known = false;

	if (json_get_string(call->body, "host", "", &host, err) ||
		vm_ops_check_host(call, host, err) || find_vm(call, &known, err))
		return -1;
	operation = vm_ops_begin_short(call, "register", err);
	if (!operation)
		return -1;
	if (recovery_settle(daemon, call->vm.uuid, err) == 0 && known)
		rewrite_entry(daemon, call->vm.uuid, err);
	else if (!error_is_set(err))
		define_entry(daemon, call->vm.uuid, err);
	settle_code(err);
	vm_ops_end(daemon, operation, call->vm.uuid, err);
	return error_is_set(err) ? -1 : call_answer(call, known ? 200 : 201);
}
