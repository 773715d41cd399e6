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

/* "web-01 (UUID)" as the register knows it; NULL when it does not. The caller frees it. */
static char *find_name(const struct store *store, const char *vm)
{
	cleanup_free struct register_entry *entries = NULL;
	cleanup_reading struct domain_reading reading = {0};
	struct error ignored = {0};
	size_t count = 0;

	if (register_find(store, vm, &entries, &count, &ignored) < 0 || count == 0)
		return NULL;
	cleanup_free char *xml = register_load(store, entries[0].host, vm, &ignored);
	if (!xml || domain_xml_read(xml, strlen(xml), store->vms_dir, &reading, &ignored) < 0 ||
		str_is_empty(reading.def.name))
		return NULL;
	return xasprintf("%s (%s)", reading.def.name, vm);
}

/* One of the questions of the lock manager, about the VM's own lease. */
static int ask_vm_lease(const struct store *store, const char *vm,
	int (*ask)(int fd, const char *name, uint64_t *host_id, struct error *err),
	uint64_t *host_id, struct error *err)
{
	struct error cause = {0};
	char name[256];

	*host_id = 0;
	vm_lease_name(vm, name);
	cleanup_close int fd = lease_open(store->root, name, &cause);
	if (fd < 0 && cause.code == ERR_NOT_FOUND)
		return 0;
	if (fd >= 0 && ask(fd, name, host_id, &cause) >= 0)
		return 0;
	*err = cause;
	return -1;
}

int lease_find_vm_host(
	const struct store *store, const char *vm, uint64_t *host_id, struct error *err)
{
	return ask_vm_lease(
		store, vm, lock_manager_ops(store->lock_manager)->find_holder, host_id, err);
}

int lease_find_last_vm_host(
	const struct store *store, const char *vm, uint64_t *host_id, struct error *err)
{
	return ask_vm_lease(
		store, vm, lock_manager_ops(store->lock_manager)->find_last, host_id, err);
}

char *store_name_vm(const struct store *store, const char *uuid)
{
	char host[LOCKSPACE_HOST_SIZE];
	uint64_t host_id = 0;
	struct error ignored = {0};
	bool running = lease_find_vm_host(store, uuid, &host_id, &ignored) == 0 && host_id > 0;
	cleanup_free char *known = store->name_vm ? store->name_vm(store->context, uuid) : NULL;
	cleanup_free char *listed = known ? NULL : find_name(store, uuid);

	if (running)
		lockspace_host_name(store->root, host_id, host);
	return xasprintf("VM %s%s%s",
		known    ? known
		: listed ? listed
			 : uuid,
		running ? ", running on " : "", running ? host : "");
}

int lease_check_free(const struct store *store, const char *name, struct error *err)
{
	const struct lock_manager_ops *ops = lock_manager_ops(store->lock_manager);
	struct error cause = {0};
	cleanup_close int fd = lease_open(store->root, name, &cause);

	if (fd < 0 && cause.code == ERR_NOT_FOUND)
		return 0;
	if (fd >= 0 && ops->check_free(store->root, fd, name, &cause) == 0)
		return 0;
	if (cause.code == ERR_BUSY)
		cause.code = ERR_LEASE;
	*err = cause;
	return -1;
}

int lease_check_vm_free(const struct store *store, const char *vm, struct error *err)
{
	char name[256];
	struct error cause = {0};

	vm_lease_name(vm, name);
	if (lease_check_free(store, name, &cause) == 0)
		return 0;
	if (cause.code != ERR_LEASE) {
		*err = cause;
		return -1;
	}
	cleanup_free char *holder = store_name_vm(store, vm);
	error_set(err, ERR_LEASE, "its lease is in use: %s", holder);
	return error_hint(err, "%s", cause.hint);
}
