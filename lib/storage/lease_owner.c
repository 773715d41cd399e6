/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a lease's owner is, in words: what the register and the VM's own lease say of a VM. */
#include "base/mem.h"
#include "base/str.h"
#include "model/domain_xml.h"
#include "storage/lease.h"
#include "storage/lease_private.h"
#include "storage/lock_manager.h"
#include "storage/register.h"
#include "storage/store_private.h"

/* Its name in the register; "" when there is none. */
static void find_name(const struct store *store, const char *vm, char name[static 256])
{
	cleanup_free struct register_entry *entries = NULL;
	cleanup_reading struct domain_reading reading = {0};
	struct error ignored = {0};
	size_t count = 0;

	name[0] = '\0';
	if (register_find(store, vm, &entries, &count, &ignored) < 0 || count == 0)
		return;
	cleanup_free char *xml = register_load(store, entries[0].host, vm, &ignored);
	if (xml && domain_xml_read(xml, strlen(xml), store->vms_dir, &reading, &ignored) == 0 &&
		reading.def.name)
		snprintf(name, 256, "%s", reading.def.name);
}

/* 1 and the host on which the VM runs or is worked on; 0 when nowhere, -1 when nobody can tell. */
static int find_host(const struct store *store, const char *vm,
	char host[static LOCKSPACE_HOST_SIZE], struct error *err)
{
	char lease[256];

	vm_lease_name(vm, lease);
	cleanup_close int fd = lease_open(store->root, lease, err);
	if (fd < 0)
		return -1;
	return lock_manager_ops(store->lock_manager)
		->find_holder(store->root, fd, lease, host, err);
}

void lease_describe_owner(
	const struct store *store, const char *owner, char text[static LEASE_OWNER_TEXT])
{
	char name[256], host[LOCKSPACE_HOST_SIZE];
	struct error ignored = {0};
	int running = find_host(store, owner, host, &ignored);

	find_name(store, owner, name);
	snprintf(text, LEASE_OWNER_TEXT, "VM %s%s%s%s%s%s", name, *name ? " (" : "", owner,
		*name ? ")" : "", running > 0 ? ", running on " : "", running > 0 ? host : "");
}

int lease_check_vm_free(const struct store *store, const char *vm, struct error *err)
{
	char host[LOCKSPACE_HOST_SIZE];
	int running = find_host(store, vm, host, err);

	if (running > 0)
		return error_set(err, ERR_LEASE, "VM %s is running on %s", vm, host);
	if (running < 0 && err->code == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	return running;
}
