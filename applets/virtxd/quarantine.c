/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bad register entries and leases: see quarantine.h. */
#include "quarantine.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/domain_xml.h"
#include "storage/disk.h"
#include "storage/register.h"

/* The entry is to be the VM's; *reading is what it says. */
static int check_entry(
	struct daemon *daemon, const char *vm, struct domain_reading *reading, struct error *err)
{
	cleanup_free char *xml = register_load(daemon->store, daemon->host_uuid, vm, err);
	const char *vms_dir = store_vms_dir(daemon->store);

	if (!xml && err->code == ERR_NOT_FOUND)
		error_clear(err);
	else if (xml && domain_xml_read(xml, strlen(xml), vms_dir, reading, err))
		error_prefix(err, "register entry of VM %s", vm);
	else if (xml && !str_equal(reading->uuid, vm))
		error_set(err, ERR_STORED_DATA, "register entry of VM %s holds another VM: %s", vm,
			reading->uuid);
	if (!error_is_set(err))
		return 0;
	return error_hint(err, "PUT /vms/%s/register writes it again from libvirt", vm);
}

/* ERR_NOT_FOUND when there is none. */
static int check_lease(
	struct daemon *daemon, const char *name, const char *vm, const char *of, struct error *err)
{
	char owner[UUID_TEXT_SIZE];

	if (lease_owner(daemon->store, name, owner, err)) {
		error_prefix(err, "%s", of);
	} else if (!str_equal(owner, vm)) {
		cleanup_free char *holder = store_name_vm(daemon->store, owner);
		error_set(err, ERR_LEASE, "%s belongs to %s", of, holder);
	}
	return error_is_set(err) ? error_hint(err, "virtx fsck says more") : 0;
}

static int check_leases(
	struct daemon *daemon, const char *vm, const struct vmdef *def, struct error *err)
{
	char name[256];

	vm_lease_name(vm, name);
	/* Another implementation makes none; the first boot here does. */
	if (check_lease(daemon, name, vm, "the VM's own lease", err) && err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct disk *disk = &def->disks[i];

		if (disk->man != DISK_MANAGED)
			continue;
		disk_lease_name(disk, store_vms_dir(daemon->store), name);
		if (check_lease(daemon, name, vm, disk->path, err) == 0)
			continue;
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_LEASE;
		return -1;
	}
	return 0;
}

int quarantine_check(
	struct daemon *daemon, const char *vm, const struct vmdef *def, struct error *err)
{
	cleanup_reading struct domain_reading reading = {0};

	return check_entry(daemon, vm, &reading, err) ? -1 : check_leases(daemon, vm, def, err);
}

static void report_vm(struct daemon *daemon, const char *vm)
{
	cleanup_reading struct domain_reading reading = {0};
	struct error err = {0};

	if (check_entry(daemon, vm, &reading, &err) == 0 && !reading.foreign)
		check_leases(daemon, vm, &reading.def, &err);
	if (error_is_set(&err))
		log_warning("VM is neither started nor changed", "vm", vm, "reason", err.message,
			"hint", err.hint[0] ? err.hint : NULL);
}

static bool is_listed(const struct register_entry *entries, size_t count, const char *vm)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(entries[i].vm, vm))
			return true;
	return false;
}

void quarantine_report(struct daemon *daemon)
{
	cleanup_free struct register_entry *own = NULL, *all = NULL;
	struct error err = {0};
	size_t n_own = 0, n_all = 0;

	if (register_list(daemon->store, daemon->host_uuid, &own, &n_own, &err) ||
		register_list(daemon->store, NULL, &all, &n_all, &err)) {
		log_error("register cannot be read", "error", err.message);
		return;
	}
	for (size_t i = 0; i < n_own; i++)
		report_vm(daemon, own[i].vm);
	for (size_t i = 0; i < n_all; i++)
		if (!str_equal(all[i].host, daemon->host_uuid) && is_listed(own, n_own, all[i].vm))
			log_error("conflict: VM is in the register of another host too and will "
				  "not be started",
				"vm", all[i].vm, "host", all[i].host);
}
