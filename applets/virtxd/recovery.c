/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a restart puts right: see recovery.h. */
#include "recovery.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "console.h"
#include "intent.h"
#include "migration.h"
#include "operations.h"
#include "oplog.h"
#include "quarantine.h"
#include "recovery_watch.h"
#include "settle.h"
#include "storage/register.h"
#include "takeover.h"
#include "vm_disks.h"
#include "vm_ops.h"

/* The rest of an update, from the domain as it is now, whichever of the two that is. last: what
 * cannot be released now stays, since another operation waits. */
static int settle_update(struct daemon *daemon, struct operation *operation, struct intent *intent,
	bool last, struct error *err)
{
	cleanup_vm_now struct vm_now now = {0};

	/* Before `forward` the domain is still the old one: nothing is to be defined. */
	if (!intent->forward)
		return settle_back_update(daemon, intent, NULL, err);
	/* A guest that runs may use what goes. */
	if (vm_now_read(daemon, intent->vm, &now, err) || vm_now_check_off(&now, "updated", err))
		return -1;
	struct vmdef_rules rules = vm_ops_rules(daemon, &now.reading.def);
	if (vmdef_validate(&intent->def, &rules, err))
		return -1;
	cleanup_free char *xml = settle_update_xml(daemon, intent, now.xml, err);
	if (!xml || settle_define(daemon, intent->vm, xml, err))
		return -1;
	if (settle_forward_update(daemon, operation, intent))
		return 0;
	if (last)
		return intent_remove(daemon->store, intent->vm, err);
	return error_set(err, ERR_STORAGE, VM_OPS_LEFT);
}

/* Whether the guest got as far as being started. */
static int settle_cut_boot(
	struct daemon *daemon, const struct intent *intent, bool *started, struct error *err)
{
	struct domain_stats stats = {.runstate = RUNSTATE_POWEROFF};
	struct error cause = {0};

	if (hypervisor_collect_one(daemon->hypervisor, intent->vm, &stats, &cause) &&
		cause.code != ERR_NOT_FOUND) {
		*err = cause;
		return -1;
	}
	*started = stats.runstate != RUNSTATE_POWEROFF && stats.runstate != RUNSTATE_CRASHED;
	return settle_boot(daemon, intent, *started, err);
}

static int settle_intent(struct daemon *daemon, struct operation *operation, struct intent *intent,
	bool last, const char **how, struct error *err)
{
	enum migration_fate fate;
	bool done = false;

	switch (intent->op) {
	case INTENT_CREATE:
		*how = "create taken back";
		return settle_back_create(daemon, intent, err);
	case INTENT_UPDATE:
		*how = intent->forward ? "update completed" : "update taken back";
		return settle_update(daemon, operation, intent, last, err);
	case INTENT_DELETE:
		if (settle_delete(daemon, operation, intent, &done, err))
			return -1;
		*how = done ? "delete completed" : "delete completed, but " VM_OPS_LEFT;
		return 0;
	case INTENT_BOOT:
		if (settle_cut_boot(daemon, intent, &done, err))
			return -1;
		*how = done ? "boot completed" : "boot taken back";
		return 0;
	case INTENT_MIGRATE:
		if (migration_settle(daemon, intent, NULL, &fate, err))
			return -1;
		*how = fate == MIGRATION_MOVED ? "the VM has moved" : "the VM has not moved";
		return 0;
	case INTENT_REGISTER:
		return takeover_settle(daemon, intent, how, err);
	}
	return 0;
}

/* operation: to show progress, or NULL. */
static int settle(struct daemon *daemon, struct operation *operation, const char *vm, bool last,
	struct error *err)
{
	cleanup_intent struct intent intent = {0};
	struct error cause = {0};
	const char *how = "";

	if (intent_read(daemon->store, vm, &intent, &cause)) {
		if (cause.code == ERR_NOT_FOUND)
			return 0;
		if (cause.code != ERR_STORED_DATA || intent_set_aside(daemon->store, vm, err)) {
			error_set(err, cause.code, "%s", cause.message);
			return -1;
		}
		log_error("interrupted operation cannot be understood, its intent is set aside",
			"vm", vm, "error", cause.message);
		return 0;
	}
	if (settle_intent(daemon, operation, &intent, last, &how, err))
		return error_prefix(err, "an interrupted %s of the VM cannot be settled",
			intent_op_name(intent.op));
	log_warning("interrupted operation settled", "vm", vm, "how", how);
	/* What a dead host had begun with it is next. */
	return intent.op == INTENT_REGISTER ? settle(daemon, operation, vm, last, err) : 0;
}

int recovery_settle(struct daemon *daemon, const char *vm, struct error *err)
{
	return settle(daemon, NULL, vm, true, err);
}

/* Without another operation that waits; told to the log and to those who ask for the VM. */
static bool settle_vm(struct daemon *daemon, struct operation *operation, const char *vm)
{
	struct error err = {0};
	bool settled = settle(daemon, operation, vm, false, &err) == 0;

	if (!settled)
		log_error("interrupted operation is left", "vm", vm, "error", err.message);
	error_clear(&err);
	if (collector_refresh(daemon->collector, vm, &err) && err.code != ERR_NOT_FOUND)
		log_warning("VM cannot be read", "vm", vm, "error", err.message);
	return settled;
}

static size_t list_intents(struct daemon *daemon, char (**vms)[UUID_TEXT_SIZE])
{
	struct error err = {0};
	size_t count = 0;

	if (intent_list(daemon->store, vms, &count, &err))
		log_error("interrupted operations cannot be looked for", "error", err.message);
	return count;
}

/* A LUN may take hours to clear: nobody waits for that at the start. */
static bool takes_long(struct daemon *daemon, const char *vm)
{
	cleanup_intent struct intent intent = {0};
	struct error ignored = {0};

	return intent_read(daemon->store, vm, &intent, &ignored) == 0 && intent.forward &&
	       vm_disks_clears_lun(&intent);
}

static void settle_intents(struct daemon *daemon)
{
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = NULL;
	size_t count = list_intents(daemon, &vms);

	for (size_t i = 0; i < count; i++)
		if (!migration_take_up(daemon, vms[i]) &&
			(takes_long(daemon, vms[i]) || !settle_vm(daemon, NULL, vms[i])))
			recovery_watch_note(daemon->recovery_watch, vms[i]);
}

bool recovery_retry(struct daemon *daemon, const char *vm)
{
	struct error err = {0};
	int rest = register_has_rest(daemon->store, vm, &err);

	if (rest <= 0)
		return rest == 0;
	struct operation *operation =
		operations_begin(daemon->operations, "recover", vm, vm, NULL, &err);
	if (!operation)
		return false;
	operation_commit(operation);
	bool settled =
		register_sweep(daemon->store, vm, &err) == 0 && settle_vm(daemon, operation, vm);
	if (!settled)
		error_set(&err, ERR_UNAVAILABLE, "it cannot be settled yet");
	operation_end(operation, &err);
	return settled;
}

/*
 * A create whose intent is gone was complete when the daemon was cut, only not answered yet: a
 * retry with its Idempotency-Key must find that VM and not make a second one.
 */
static void settle_records(struct daemon *daemon)
{
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = NULL;
	size_t count = operations_list_interrupted(daemon->operations, "create", &vms);

	for (size_t i = 0; i < count; i++) {
		struct domain_stats stats;
		struct error ignored = {0};

		if (hypervisor_collect_one(daemon->hypervisor, vms[i], &stats, &ignored) == 0)
			operations_settle(daemon->operations, "create", vms[i]);
	}
}

/* Completes the log of a VM whose operation was cut: it has succeeded when the VM is where it
 * should have got. */
static void settle_log(struct daemon *daemon, const char *vm, enum oplog_op op, enum runstate goal)
{
	cleanup_vm_now struct vm_now now = {0};
	struct error err = {0}, cut = {0};

	if (vm_now_read(daemon, vm, &now, &err))
		return;
	const struct oplog_entry *entry = &now.reading.oplog[op];
	struct oplog_note note = {.op = op, .start_ms = entry->start_ms};

	if (!entry->present || entry->status != OPLOG_STARTED)
		return;
	if (now.runstate != goal)
		error_set(&cut, ERR_UNAVAILABLE, "interrupted by a restart");
	oplog_finish(daemon, vm, &note, "", &cut);
	collector_refresh(daemon->collector, vm, &err);
}

static void settle_logs(struct daemon *daemon)
{
	static const struct {
		const char *kind;
		enum oplog_op op;
		enum runstate goal;
	} cut[] = {{"boot", OPLOG_BOOT, RUNSTATE_RUNNING}, {"pause", OPLOG_PAUSE, RUNSTATE_PAUSED},
		{"resume", OPLOG_RESUME, RUNSTATE_RUNNING}};

	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		cleanup_free char(*vms)[UUID_TEXT_SIZE] = NULL;
		size_t count = operations_list_interrupted(daemon->operations, cut[i].kind, &vms);

		for (size_t j = 0; j < count; j++)
			settle_log(daemon, vms[j], cut[i].op, cut[i].goal);
	}
}

int recovery_run(struct daemon *daemon, struct error *err)
{
	if (console_prepare(daemon->settings.state_dir, err))
		return -1;
	settle_intents(daemon);
	settle_records(daemon);
	settle_logs(daemon);
	operations_recovered(daemon->operations);
	quarantine_report(daemon);
	return 0;
}
