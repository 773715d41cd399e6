/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases of seeds, until their VMs stop: see seed_lease.h. */
#include "seed_lease.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "storage/disk.h"
#include "storage/register.h"

#include <pthread.h>

struct seed_leases {
	pthread_mutex_t lock; /* of everything below; not held while the storage is asked */
	pthread_cond_t idle;
	char (*vms)[UUID_TEXT_SIZE];
	size_t count;
	char removing[UUID_TEXT_SIZE]; /* the VM whose lease is being removed; "" */
};

void seed_lease_name(struct daemon *daemon, const char *vm, char name[static 256])
{
	cleanup_free char *path = seed_path(daemon->store, vm);
	const struct disk seed = {.path = path, .device = DISK_DEVICE_CDROM, .man = DISK_MANAGED};

	disk_lease_name(&seed, store_vms_dir(daemon->store), name);
}

/* Called with the lock held, as the next one is. */
static void add(struct seed_leases *leases, const char *vm)
{
	leases->vms = xreallocarray(leases->vms, leases->count + 1, sizeof(*leases->vms));
	str_copy(leases->vms[leases->count++], UUID_TEXT_SIZE, vm);
}

static void drop(struct seed_leases *leases, const char *vm)
{
	for (size_t i = leases->count; i > 0; i--)
		if (str_equal(leases->vms[i - 1], vm))
			memcpy(leases->vms[i - 1], leases->vms[--leases->count], UUID_TEXT_SIZE);
}

struct seed_leases *seed_leases_new(struct daemon *daemon)
{
	cleanup_free struct register_entry *entries = NULL;
	struct error err = {0};
	size_t count = 0;

	if (daemon->settings.lock_manager != LOCK_MANAGER_SANLOCK)
		return NULL;
	struct seed_leases *leases = xcalloc(1, sizeof(*leases));
	pthread_mutex_init(&leases->lock, NULL);
	pthread_cond_init(&leases->idle, NULL);
	if (register_list(daemon->store, daemon->host_uuid, &entries, &count, &err) < 0)
		log_warning("leases of seeds cannot be looked for", "reason", err.message);
	for (size_t i = 0; i < count; i++) {
		char name[256], owner[UUID_TEXT_SIZE];
		struct error ignored = {0};

		seed_lease_name(daemon, entries[i].vm, name);
		if (lease_owner(daemon->store, name, owner, &ignored) == 0)
			add(leases, entries[i].vm);
	}
	return leases;
}

void seed_leases_free(struct seed_leases *leases)
{
	if (!leases)
		return;
	pthread_cond_destroy(&leases->idle);
	pthread_mutex_destroy(&leases->lock);
	free(leases->vms);
	free(leases);
}

void seed_leases_keep(struct daemon *daemon, const char *vm)
{
	struct seed_leases *leases = daemon->seed_leases;

	if (!leases)
		return;
	pthread_mutex_lock(&leases->lock);
	drop(leases, vm);
	while (str_equal(leases->removing, vm))
		pthread_cond_wait(&leases->idle, &leases->lock);
	pthread_mutex_unlock(&leases->lock);
}

void seed_leases_let_go(struct daemon *daemon, const char *vm)
{
	struct seed_leases *leases = daemon->seed_leases;

	if (!leases)
		return;
	pthread_mutex_lock(&leases->lock);
	drop(leases, vm);
	add(leases, vm);
	pthread_mutex_unlock(&leases->lock);
}

/* What the collector knows: off, on, or gone from this host. */
static bool is_off(struct daemon *daemon, const char *vm, bool *gone)
{
	cleanup_vm struct vm now = {0};
	struct error err = {0};

	*gone = collector_get_vm(daemon->collector, vm, &now, &err) < 0;
	return !*gone && (now.runstate == RUNSTATE_POWEROFF || now.runstate == RUNSTATE_CRASHED);
}

/* True when there is nothing left to do. */
static bool remove_lease(struct daemon *daemon, const char *vm)
{
	struct error err = {0};
	char name[256];

	seed_lease_name(daemon, vm, name);
	if (lease_remove(daemon->store, name, vm, &err) == 0 || err.code == ERR_LEASE)
		return true;
	log_debug("lease of a seed not removed yet", "vm", vm, "reason", err.message);
	return false;
}

/* Marks a lease as being removed, unless its VM is booting by now. */
static bool begin_removing(struct seed_leases *leases, const char *vm)
{
	pthread_mutex_lock(&leases->lock);
	for (size_t i = 0; i < leases->count && !leases->removing[0]; i++)
		if (str_equal(leases->vms[i], vm))
			memcpy(leases->removing, vm, UUID_TEXT_SIZE);
	bool listed = leases->removing[0];
	pthread_mutex_unlock(&leases->lock);
	return listed;
}

static void end_removing(struct seed_leases *leases, const char *vm, bool done)
{
	pthread_mutex_lock(&leases->lock);
	leases->removing[0] = '\0';
	if (done)
		drop(leases, vm);
	pthread_cond_broadcast(&leases->idle);
	pthread_mutex_unlock(&leases->lock);
}

void seed_leases_sweep(struct daemon *daemon)
{
	struct seed_leases *leases = daemon->seed_leases;

	if (!leases)
		return;
	pthread_mutex_lock(&leases->lock);
	size_t count = leases->count;
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = xmemdup(leases->vms, count * UUID_TEXT_SIZE);
	pthread_mutex_unlock(&leases->lock);
	for (size_t i = 0; i < count; i++) {
		bool gone, off = is_off(daemon, vms[i], &gone);

		if (!off && !gone)
			continue;
		/* That of a VM which is gone went with it: deleted, or on its new host. */
		if (begin_removing(leases, vms[i]))
			end_removing(leases, vms[i], gone || remove_lease(daemon, vms[i]));
	}
}
