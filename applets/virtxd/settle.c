/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a VM right from its intent: see settle.h. */
#include "settle.h"

#include "base/log.h"
#include "base/mem.h"
#include "console.h"
#include "recovery_watch.h"
#include "seed_lease.h"
#include "storage/disk.h"
#include "storage/register.h"
#include "vm_disks.h"
#include "vm_ops.h"

/* Keeps the first failure of several steps that are all to be tried. */
static void note_failure(
	const char *step, const struct intent *intent, const struct error *cause, struct error *err)
{
	log_warning("step failed", "step", step, "vm", intent->vm, "operation",
		intent_op_name(intent->op), "error", cause->message);
	error_set(err, cause->code, "%s", cause->message);
}

static int remove_vm_lease(struct daemon *daemon, const char *uuid, struct error *err)
{
	char name[256];

	vm_lease_name(uuid, name);
	return lease_remove(daemon->store, name, uuid, err);
}

/* The seed and its lease. */
static int remove_seed(struct daemon *daemon, const char *uuid, struct error *err)
{
	char name[256];

	seed_lease_name(daemon, uuid, name);
	if (seed_remove(daemon->store, uuid, err))
		return -1;
	return lease_remove(daemon->store, name, uuid, err);
}

/* A domain that is not there is a success. */
static int undefine(struct daemon *daemon, const char *uuid, struct error *err)
{
	struct error cause = {0};

	if (hypervisor_undefine(daemon->hypervisor, uuid, &cause) == 0 ||
		cause.code == ERR_NOT_FOUND)
		return 0;
	*err = cause;
	return -1;
}

int settle_back_create(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	struct error cause = {0};

	/* Without a domain libvirt, which may be away, is not needed for the rest. */
	if (intent->defined && undefine(daemon, intent->vm, err))
		return -1;
	if (register_remove(daemon->store, daemon->host_uuid, intent->vm, &cause))
		note_failure("register", intent, &cause, err);
	error_clear(&cause);
	if (vm_disks_unmake(daemon, intent, &cause))
		note_failure("disks", intent, &cause, err);
	error_clear(&cause);
	if (remove_vm_lease(daemon, intent->vm, &cause))
		note_failure("lease", intent, &cause, err);
	error_clear(&cause);
	if (console_remove(daemon, intent->vm, &cause))
		note_failure("console", intent, &cause, err);
	if (error_is_set(err))
		return -1;
	return intent_remove(daemon->store, intent->vm, err);
}

int settle_back_update(
	struct daemon *daemon, struct intent *intent, const char *old_xml, struct error *err)
{
	if (old_xml) {
		if (settle_define(daemon, intent->vm, old_xml, err))
			return error_prefix(err, "the old definition cannot be put back");
	}
	if (intent->forward) {
		intent->forward = false;
		if (intent_write(daemon->store, intent, err))
			return -1;
	}
	if (vm_disks_unmake(daemon, intent, err))
		return -1;
	return intent_remove(daemon->store, intent->vm, err);
}

char *settle_update_xml(
	struct daemon *daemon, const struct intent *intent, const char *old_xml, struct error *err)
{
	struct domain_xml_options options;
	cleanup_free char *console_log = NULL;

	vm_ops_xml_options(daemon, intent->vm, &options, &console_log);
	return domain_xml_update(old_xml, strlen(old_xml), &intent->def, &options, err);
}

int settle_define(struct daemon *daemon, const char *uuid, const char *xml, struct error *err)
{
	cleanup_free char *stored = NULL;

	if (hypervisor_define(daemon->hypervisor, xml, &stored, err))
		return -1;
	return register_save(daemon->store, daemon->host_uuid, uuid, stored, err);
}

bool settle_forward_update(
	struct daemon *daemon, struct operation *operation, const struct intent *intent)
{
	struct error cause = {0}, first = {0};
	bool retry;
	unsigned left = vm_disks_release(daemon, operation, intent, &retry);

	if (!retry && intent_remove(daemon->store, intent->vm, &cause)) {
		note_failure("intent", intent, &cause, &first);
		retry = true;
	}
	if (retry)
		recovery_watch_note(daemon->recovery_watch, intent->vm);
	return left == 0;
}

/* Register entry and domain; a failure puts the entry back. *back: that did not fail, too. */
static int delete_domain(struct daemon *daemon, const char *uuid, bool *back, struct error *err)
{
	struct error none = {0}, cause = {0};
	cleanup_free char *entry = register_load(daemon->store, daemon->host_uuid, uuid, &none);

	*back = true;
	if (none.code == ERR_REGISTER)
		return error_set(err, none.code, "%s", none.message);
	if (register_remove(daemon->store, daemon->host_uuid, uuid, err) == 0 &&
		undefine(daemon, uuid, err) == 0)
		return 0;
	if (entry && register_save(daemon->store, daemon->host_uuid, uuid, entry, &cause)) {
		log_error("register entry cannot be put back", "vm", uuid, "error", cause.message);
		*back = false;
	}
	return -1;
}

/* What is left of a VM whose domain is gone; true when nothing had to be left. */
static bool delete_rest(
	struct daemon *daemon, struct operation *operation, const struct intent *intent)
{
	static const struct {
		const char *what;
		int (*remove)(struct daemon *daemon, const char *uuid, struct error *err);
	} steps[] = {
		{"seed", remove_seed}, {"lease", remove_vm_lease}, {"console", console_remove}};
	struct error first = {0};
	bool retry;
	unsigned left = vm_disks_release(daemon, operation, intent, &retry);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct error cause = {0};

		if (steps[i].remove(daemon, intent->vm, &cause) == 0)
			continue;
		note_failure(steps[i].what, intent, &cause, &first);
		retry = retry || cause.code != ERR_LEASE;
		left++;
	}
	struct error cause = {0};
	if (!retry && intent_remove(daemon->store, intent->vm, &cause)) {
		note_failure("intent", intent, &cause, &first);
		retry = true;
	}
	if (retry)
		recovery_watch_note(daemon->recovery_watch, intent->vm);
	return left == 0;
}

int settle_delete(struct daemon *daemon, struct operation *operation, const struct intent *intent,
	bool *complete, struct error *err)
{
	struct error cause = {0};
	bool back;

	*complete = false;
	if (delete_domain(daemon, intent->vm, &back, err)) {
		/* A VM without its entry does not stay: the intent takes the rest of it away. */
		if (back && intent_remove(daemon->store, intent->vm, &cause))
			log_error("intent cannot be removed", "vm", intent->vm, "error",
				cause.message);
		return -1;
	}
	*complete = delete_rest(daemon, operation, intent);
	return 0;
}

int settle_detach_seed(struct daemon *daemon, const char *uuid, struct error *err)
{
	cleanup_free char *path = seed_path(daemon->store, uuid);
	cleanup_free char *xml = hypervisor_get_xml(daemon->hypervisor, uuid, false, err);
	char name[256];

	if (!xml)
		return -1;
	seed_lease_name(daemon, uuid, name);
	cleanup_free char *disk = domain_xml_seed_disk(path);
	cleanup_free char *lease = domain_xml_seed_lease(store_vms_dir(daemon->store), name);
	/* The path holds the VM's UUID, so that it is nowhere else in the XML; the same goes for
	 * the name, which is its hash. */
	if (strstr(xml, path + strlen(store_vms_dir(daemon->store))) &&
		hypervisor_detach(daemon->hypervisor, uuid, disk, false, true, err))
		return -1;
	if (!strstr(xml, name))
		return 0;
	return hypervisor_detach(daemon->hypervisor, uuid, lease, false, true, err);
}

int settle_boot(struct daemon *daemon, const struct intent *intent, bool started, struct error *err)
{
	if (settle_detach_seed(daemon, intent->vm, err) && err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	if (!started && remove_seed(daemon, intent->vm, err))
		return -1;
	if (started)
		seed_leases_let_go(daemon, intent->vm);
	return intent_remove(daemon->store, intent->vm, err);
}
