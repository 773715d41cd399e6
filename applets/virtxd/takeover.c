/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps, each of which can be cut and repeated: the intent; the entry moves, by one rename; the VM
 * is defined; the dead host's intent takes the place of ours, by one rename too, or ours goes.
 */
#include "takeover.h"

#include "base/log.h"
#include "base/str.h"
#include "entry.h"
#include "lockspace_watch.h"
#include "membership.h"
#include "peers.h"
#include "recovery.h"
#include "seed_lease.h"
#include "storage/register.h"

int takeover_check_host(struct daemon *daemon, const char *host, struct error *err)
{
	cleanup_host struct host known = {0};
	struct error ignored = {0};

	/* Without serf there is one host. */
	if (!daemon->membership)
		return 0;
	(void)inventory_get_host(daemon->inventory, host, &known, &ignored);
	const char *name = str_is_empty(known.name) ? host : known.name;

	if (!membership_is_current(daemon->membership)) {
		error_set(err, ERR_UNAVAILABLE,
			"whether host %s is active cannot be told without the serf agent", name);
		return error_hint(err, "start the agent of this host");
	}
	if (peers_get_state(daemon->peers, host) != CSTATE_ACTIVE)
		return 0;
	error_set(err, ERR_STATE, "it is in the register of host %s, which is active", name);
	return error_hint(err, "register it on that host, or migrate it from there");
}

/* What there is of a VM on the dead host. */
struct remains {
	bool has_entry, has_intent;
	struct domain_reading entry; /* filled when the VM is to be defined */
	struct intent intent;
};

static void remains_free(struct remains *remains)
{
	domain_reading_free(&remains->entry);
	intent_free(&remains->intent);
}

/* Whether what was begun ends with no VM. */
static bool is_ending(const struct remains *remains)
{
	return remains->has_intent &&
	       (remains->intent.op == INTENT_CREATE || remains->intent.op == INTENT_DELETE);
}

static int read_intent(struct daemon *daemon, const char *vm, const char *from,
	struct remains *remains, struct error *err)
{
	struct error cause = {0};

	remains->has_intent =
		intent_read_of(daemon->store, from, vm, &remains->intent, &cause) == 0;
	if (remains->has_intent || cause.code == ERR_NOT_FOUND)
		return 0;
	error_set(err, cause.code, "what host %s had begun with it: %s", from, cause.message);
	return error_hint(err, "once xml/%s/%s.intent is renamed, it is left as it is", from, vm);
}

static int read_remains(struct daemon *daemon, const char *vm, const char *from,
	struct remains *remains, struct error *err)
{
	struct error cause = {0};
	cleanup_free char *xml = register_load(daemon->store, from, vm, &cause);

	remains->has_entry = xml != NULL;
	if (!xml && cause.code != ERR_NOT_FOUND) {
		*err = cause;
		return -1;
	}
	if (read_intent(daemon, vm, from, remains, err))
		return -1;
	if (is_ending(remains))
		return 0;
	if (!xml)
		return error_set(
			err, ERR_REGISTER, "VM %s is not in the register of host %s", vm, from);
	return entry_check(daemon, vm, xml, &remains->entry, err);
}

/* sanlock says it, whatever became of that host. */
static int check_leases(
	struct daemon *daemon, const char *vm, const struct vmdef *def, struct error *err)
{
	char name[256];

	if (lockspace_watch_check(daemon->lockspace, err) ||
		lease_check_vm_free(daemon->store, vm, err))
		return -1;
	for (size_t i = 0; i < def->n_disks; i++) {
		if (def->disks[i].man != DISK_MANAGED)
			continue;
		disk_lease_name(&def->disks[i], store_vms_dir(daemon->store), name);
		if (lease_check_free(daemon->store, name, err))
			return error_prefix(err, "disk %s", def->disks[i].path);
	}
	seed_lease_name(daemon, vm, name);
	return lease_check_free(daemon->store, name, err) ? error_prefix(err, "its seed") : 0;
}

/* A domain that is off gives way to what the register has. */
static int check_off(struct daemon *daemon, const char *vm, struct error *err)
{
	struct domain_stats stats;
	struct error cause = {0};

	if (hypervisor_collect_one(daemon->hypervisor, vm, &stats, &cause)) {
		if (cause.code == ERR_NOT_FOUND)
			return 0;
		*err = cause;
		return -1;
	}
	if (stats.runstate == RUNSTATE_POWEROFF || stats.runstate == RUNSTATE_CRASHED)
		return 0;
	return error_set(err, ERR_STATE, "VM %s is %s on this host", vm,
		enum_name(&runstate_names, (int)stats.runstate));
}

/* The last step: what the dead host had begun is ours now, or nothing is left to do. */
static int end(
	struct daemon *daemon, const struct intent *intent, bool has_intent, struct error *err)
{
	if (has_intent)
		return intent_take(daemon->store, intent->vm, intent->from, err);
	return intent_remove(daemon->store, intent->vm, err);
}

/* After a definition that libvirt did not take. Should that fail too the intent stays, and all is
 * tried again. */
static int give_back(struct daemon *daemon, const struct intent *intent)
{
	struct error cause = {0};

	if (register_move(daemon->store, intent->vm, daemon->host_uuid, intent->from, &cause) ||
		intent_remove(daemon->store, intent->vm, &cause))
		log_error("VM of a dead host cannot be given back", "vm", intent->vm, "host",
			intent->from, "error", cause.message);
	return -1;
}

static int take(struct daemon *daemon, const struct intent *intent, const struct remains *remains,
	struct error *err)
{
	struct error ignored = {0};

	if (intent_write(daemon->store, intent, err))
		return -1;
	if (remains->has_entry &&
		register_move(daemon->store, intent->vm, intent->from, daemon->host_uuid, err)) {
		(void)intent_remove(daemon->store, intent->vm, &ignored);
		return -1;
	}
	if (!is_ending(remains) && entry_define(daemon, intent->vm, err))
		return give_back(daemon, intent);
	if (end(daemon, intent, remains->has_intent, err) ||
		recovery_settle(daemon, intent->vm, err))
		return error_prefix(err, "VM %s is this host's now, but", intent->vm);
	return 0;
}

int takeover_vm(struct daemon *daemon, const char *vm, const char *from, const char **gone,
	struct error *err)
{
	CLEANUP(remains_free) struct remains remains = {0};
	cleanup_intent struct intent intent = {.op = INTENT_REGISTER};

	*gone = NULL;
	if (read_remains(daemon, vm, from, &remains, err))
		return -1;
	const struct vmdef *def = is_ending(&remains) ? &remains.intent.def : &remains.entry.def;

	if (check_off(daemon, vm, err) || check_leases(daemon, vm, def, err))
		return -1;
	(void)str_copy(intent.vm, sizeof(intent.vm), vm);
	(void)str_copy(intent.from, sizeof(intent.from), from);
	vmdef_copy(&intent.def, def);
	if (take(daemon, &intent, &remains, err))
		return -1;
	log_info("VM of a dead host taken over", "vm", vm, "name", def->name, "host", from);
	if (is_ending(&remains))
		*gone = remains.intent.op == INTENT_CREATE
				? "its create had not been completed, and was taken back"
				: "its delete had been begun, and was completed";
	return 0;
}

int takeover_settle(
	struct daemon *daemon, const struct intent *intent, const char **how, struct error *err)
{
	CLEANUP(remains_free) struct remains remains = {0};
	struct error cause = {0};
	cleanup_free char *xml =
		register_load(daemon->store, daemon->host_uuid, intent->vm, &cause);

	if (!xml && cause.code == ERR_NOT_FOUND) {
		*how = "register taken back";
		return intent_remove(daemon->store, intent->vm, err);
	}
	*how = "register completed";
	if (read_intent(daemon, intent->vm, intent->from, &remains, err) ||
		(!is_ending(&remains) && entry_define(daemon, intent->vm, err)))
		return -1;
	return end(daemon, intent, remains.has_intent, err);
}
