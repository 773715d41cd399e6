/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POST /vms/{id}/runstate/boot: {cloud_init: [{name, value}]} -> 204 (spec: rest-api.md;
 * storage-and-locks.md, cloud-init).
 *
 * The seed is built and attached before the guest starts. It is taken out of the stored domain
 * again once the guest has started: the guest keeps it while it runs, the definition never shows
 * it, the file stays until the next seed or delete. An intent says so until that is done.
 */
#include "base/log.h"
#include "base/str.h"
#include "guest_check.h"
#include "intent.h"
#include "lockspace_watch.h"
#include "model/json.h"
#include "oplog.h"
#include "quarantine.h"
#include "recovery.h"
#include "recovery_watch.h"
#include "seed_lease.h"
#include "settle.h"
#include "storage/disk.h"
#include "vm_ops.h"

#define MAX_OPTIONS 8

/* The files of a seed; NULL: not given. */
struct cloud_init {
	char *user_data, *meta_data, *network_config;
	bool given;
};

static void cloud_init_free(struct cloud_init *seed)
{
	free(seed->user_data);
	free(seed->meta_data);
	free(seed->network_config);
}

static int set_option(struct cloud_init *seed, const char *name, char **value, struct error *err)
{
	const struct {
		const char *name;
		char **to;
	} options[] = {{"ci-userdata", &seed->user_data}, {"ci-metadata", &seed->meta_data},
		{"ci-networkconfig", &seed->network_config}};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!str_equal(name, options[i].name))
			continue;
		if (*options[i].to)
			return error_set(err, ERR_SEED, "cloud_init: %s is given twice", name);
		*options[i].to = steal(value);
		return 0;
	}
	error_set(err, ERR_SEED, "cloud_init: %.64s is not an option", name);
	return error_hint(err, "the options are ci-userdata, ci-metadata and ci-networkconfig");
}

/* An empty list is a boot without a seed. */
static int read_cloud_init(struct json_object *body, struct cloud_init *seed, struct error *err)
{
	struct json_object *items = NULL;
	size_t count = 0;

	if (json_get_objects(body, "cloud_init", "", MAX_OPTIONS, &items, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		cleanup_free char *name = NULL, *value = NULL;
		char path[JSON_PATH_SIZE];

		json_element_path(path, "", "cloud_init", i);
		if (json_get_string(item, "name", path, &name, err) ||
			json_get_string(item, "value", path, &value, err) ||
			set_option(seed, name, &value, err))
			return -1;
	}
	seed->given = count > 0;
	if (seed->given && !seed->user_data && !seed->network_config)
		return error_set(err, ERR_SEED,
			"cloud_init: at least one of ci-userdata and ci-networkconfig is needed");
	return 0;
}

/* Makes a lease of the VM's, unless it has it. */
static int claim_lease(struct daemon *daemon, const char *name, const char *uuid, struct error *err)
{
	char owner[UUID_TEXT_SIZE];
	struct error cause = {0};

	if (lease_owner(daemon->store, name, owner, &cause)) {
		if (cause.code == ERR_NOT_FOUND)
			return lease_create(daemon->store, name, uuid, err);
		return error_set(err, cause.code, "%s", cause.message);
	}
	if (str_equal(owner, uuid))
		return 0;
	cleanup_free char *holder = store_name_vm(daemon->store, owner);
	return error_set(err, ERR_LEASE, "the lease %s belongs to %s", name, holder);
}

/* A VM that another implementation made has no lease of its own before its first boot here. */
static int claim_vm_lease(
	struct daemon *daemon, const char *uuid, struct vm_now *now, struct error *err)
{
	struct intent keep = {.def = now->reading.def}; /* borrowed */
	char name[256];

	vm_lease_name(uuid, name);
	if (claim_lease(daemon, name, uuid, err))
		return -1;
	if (!daemon->lockspace || now->reading.vm_lease || now->reading.foreign)
		return 0;
	(void)str_copy(keep.vm, sizeof(keep.vm), uuid);
	cleanup_free char *xml = settle_update_xml(daemon, &keep, now->xml, err);
	return xml ? settle_define(daemon, uuid, xml, err) : -1;
}

/* The images may have been changed since they were made, and QEMU asks no questions. */
static int check_disks(struct daemon *daemon, const struct vmdef *def, struct error *err)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		if (disk_check_use(daemon->store, &def->disks[i], err) == 0)
			continue;
		/* As when libvirt itself refuses a disk: 424. */
		err->code = ERR_HYPERVISOR;
		return -1;
	}
	return 0;
}

static int check_boot(
	struct daemon *daemon, const char *uuid, struct vm_now *now, struct error *err)
{
	if (now->runstate != RUNSTATE_POWEROFF && now->runstate != RUNSTATE_CRASHED)
		return error_set(err, ERR_HYPERVISOR, "VM %s is %s already", now->reading.def.name,
			enum_name(&runstate_names, (int)now->runstate));
	if (lockspace_watch_check(daemon->lockspace, err) ||
		vm_ops_check_claims(daemon, uuid, err) ||
		lease_check_vm_free(daemon->store, uuid, err) ||
		guest_check(daemon, &now->reading.def, err) ||
		guest_check_memory(daemon, &now->reading.def, err) ||
		quarantine_check(daemon, uuid, &now->reading.def, err))
		return -1;
	return check_disks(daemon, &now->reading.def, err) ? -1
							   : claim_vm_lease(daemon, uuid, now, err);
}

/* The guest holds it while it runs; then it goes (seed_lease.h). */
static int attach_seed_lease(struct daemon *daemon, const char *uuid, struct error *err)
{
	char name[256];

	if (!daemon->lockspace)
		return 0;
	seed_leases_keep(daemon, uuid);
	seed_lease_name(daemon, uuid, name);
	if (claim_lease(daemon, name, uuid, err))
		return -1;
	cleanup_free char *lease = domain_xml_seed_lease(store_vms_dir(daemon->store), name);
	return hypervisor_attach(daemon->hypervisor, uuid, lease, false, true, err);
}

/* Builds the seed and puts it into the stored domain. */
static int attach_seed(
	struct daemon *daemon, const char *uuid, const struct cloud_init *seed, struct error *err)
{
	cleanup_free char *path = NULL;

	if (seed_create(daemon->store, uuid, seed->user_data, seed->meta_data, seed->network_config,
		    &path, err)) {
		err->code = ERR_SEED;
		return -1;
	}
	cleanup_free char *disk = domain_xml_seed_disk(path);

	if (attach_seed_lease(daemon, uuid, err))
		return -1;
	return hypervisor_attach(daemon->hypervisor, uuid, disk, false, true, err);
}

static int start_with_seed(struct daemon *daemon, const struct intent *intent,
	const struct cloud_init *seed, struct error *err)
{
	struct error cause = {0};

	if (intent_write(daemon->store, intent, err))
		return -1;
	if (attach_seed(daemon, intent->vm, seed, err) == 0)
		hypervisor_boot(daemon->hypervisor, intent->vm, false, err);
	if (settle_boot(daemon, intent, !error_is_set(err), &cause)) {
		log_warning("seed stays in the stored domain; that is tried again", "vm",
			intent->vm, "error", cause.message);
		recovery_watch_note(daemon->recovery_watch, intent->vm);
	}
	return error_is_set(err) ? -1 : 0;
}

static int start_vm(struct daemon *daemon, const struct vm_now *now, const char *uuid,
	const struct cloud_init *seed, struct error *err)
{
	cleanup_intent struct intent intent = {.op = INTENT_BOOT};

	if (settle_detach_seed(daemon, uuid, err))
		return -1;
	if (!seed->given)
		return hypervisor_boot(daemon->hypervisor, uuid, false, err);
	(void)str_copy(intent.vm, sizeof(intent.vm), uuid);
	vmdef_copy(&intent.def, &now->reading.def);
	return start_with_seed(daemon, &intent, seed, err);
}

static int boot_vm(
	struct daemon *daemon, const char *uuid, const struct cloud_init *seed, struct error *err)
{
	cleanup_vm_now struct vm_now now = {0};
	struct oplog_note note;

	if (recovery_settle(daemon, uuid, err) || vm_now_read(daemon, uuid, &now, err) ||
		check_boot(daemon, uuid, &now, err))
		return -1;
	oplog_start(daemon, uuid, OPLOG_BOOT, "", &note);
	start_vm(daemon, &now, uuid, seed, err);
	oplog_finish(daemon, uuid, &note, "", err);
	return error_is_set(err) ? -1 : 0;
}

int api_boot(struct call *call, struct error *err)
{
	CLEANUP(cloud_init_free) struct cloud_init seed = {0};

	if (read_cloud_init(call->body, &seed, err))
		return -1;

	struct operation *operation = vm_ops_begin_short(call, "boot", err);
	if (!operation)
		return -1;
	boot_vm(call->daemon, call->vm.uuid, &seed, err);
	vm_ops_end(call->daemon, operation, call->vm.uuid, err);
	return error_is_set(err) ? -1 : call_answer(call, 204);
}
