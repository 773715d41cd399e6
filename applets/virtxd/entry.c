/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the register to libvirt: see entry.h. */
#include "entry.h"

#include "base/log.h"
#include "base/str.h"
#include "guest_check.h"
#include "model/domain_xml_safe.h"
#include "storage/register.h"
#include "vm_ops.h"

/* Every managed disk's lease says that it is this VM's. */
static int check_leases(
	struct daemon *daemon, const char *vm, const struct vmdef *def, struct error *err)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		char name[256], owner[UUID_TEXT_SIZE];

		if (def->disks[i].man != DISK_MANAGED)
			continue;
		disk_lease_name(&def->disks[i], store_vms_dir(daemon->store), name);
		if (lease_owner(daemon->store, name, owner, err))
			return error_prefix(err, "disk %s", def->disks[i].path);
		if (str_equal(owner, vm))
			continue;
		cleanup_free char *holder = store_name_vm(daemon->store, owner);
		return error_set(
			err, ERR_LEASE, "disk %s belongs to %s", def->disks[i].path, holder);
	}
	return 0;
}

static int check(struct daemon *daemon, const char *vm, const char *xml,
	struct domain_reading *reading, struct error *err)
{
	cleanup_free char *console_log = NULL;
	struct domain_xml_options options;
	size_t len = strlen(xml);

	vm_ops_xml_options(daemon, vm, &options, &console_log);
	if (domain_xml_read(xml, len, options.vms_dir, reading, err))
		return -1;
	if (!str_equal(reading->uuid, vm))
		return error_set(err, ERR_REGISTER, "it holds another VM: %s", reading->uuid);
	if (domain_xml_check_safe(xml, len, options.vms_dir, console_log, err))
		return -1;
	if (reading->foreign)
		return error_set(err, ERR_REGISTER, "it holds a domain that VirtX did not make");
	/* Its disks exist: they are judged like those of an update that keeps them. */
	struct vmdef_rules rules = vm_ops_rules(daemon, &reading->def);

	if (vmdef_validate(&reading->def, &rules, err) || guest_check(daemon, &reading->def, err))
		return -1;
	return check_leases(daemon, vm, &reading->def, err);
}

int entry_check(struct daemon *daemon, const char *vm, const char *xml,
	struct domain_reading *reading, struct error *err)
{
	*reading = (struct domain_reading){0};
	if (check(daemon, vm, xml, reading, err) == 0)
		return 0;
	domain_reading_free(reading);
	return error_prefix(err, "register entry of VM %s", vm);
}

int entry_define(struct daemon *daemon, const char *vm, struct error *err)
{
	cleanup_free char *xml = register_load(daemon->store, daemon->host_uuid, vm, err);
	cleanup_free char *stored = NULL;
	cleanup_reading struct domain_reading reading = {0};
	struct error cause = {0};

	if (!xml || entry_check(daemon, vm, xml, &reading, err) ||
		hypervisor_define(daemon->hypervisor, xml, &stored, err))
		return -1;
	if (register_save(daemon->store, daemon->host_uuid, vm, stored, err) == 0)
		return 0;
	if (hypervisor_undefine(daemon->hypervisor, vm, &cause))
		log_error("VM stays defined, its register entry is as before", "vm", vm, "error",
			cause.message);
	return -1;
}
