/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of a migration (migration.h). Nothing is believed that somebody said while it went
 * on: libvirt's state here, the register and the VM's own lease, which only one host can hold, are
 * looked at when it has ended, and again after whatever cut it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "console.h"
#include "migration.h"
#include "oplog.h"
#include "peers.h"
#include "storage/register.h"

struct migration_verdict migration_judge(const struct migration_facts *facts)
{
	const struct migration_verdict unknown = {.fate = MIGRATION_UNKNOWN},
				       moved = {.fate = MIGRATION_MOVED},
				       stayed = {.fate = MIGRATION_STAYED},
				       copy = {.fate = MIGRATION_MOVED, .remove = true},
				       stopped = {.fate = MIGRATION_STAYED, .resume = facts->ran};

	if (facts->job)
		return unknown;
	if (!facts->here)
		return moved;
	if (facts->runstate == RUNSTATE_RUNNING)
		return stayed;
	/* So libvirt calls what it shut off because it had moved. */
	if (facts->runstate == RUNSTATE_DELETED)
		return copy;
	if (!facts->lease_known)
		return unknown;
	if (facts->held_elsewhere || (facts->registered_there && !facts->registered_here))
		return copy;
	switch (facts->runstate) {
	case RUNSTATE_PAUSED:
	case RUNSTATE_MIGRATING:
		return facts->ran && facts->held_elsewhere_since ? copy : stopped;
	case RUNSTATE_POWEROFF:
	case RUNSTATE_CRASHED:
	case RUNSTATE_PMSUSPENDED:
		return stayed;
	default:
		return unknown; /* it is on its way to another state */
	}
}

static int look_at_libvirt(
	struct daemon *daemon, const char *vm, struct migration_facts *facts, struct error *err)
{
	struct hypervisor_job job = {.kind = HYPERVISOR_JOB_NONE};
	struct domain_stats stats;
	struct error cause = {0};

	if (hypervisor_get_job(daemon->hypervisor, vm, &job, &cause) == 0 &&
		hypervisor_collect_one(daemon->hypervisor, vm, &stats, &cause) == 0) {
		facts->here = true;
		facts->job = job.kind == HYPERVISOR_JOB_OUTGOING;
		facts->runstate = stats.runstate;
		return 0;
	}
	if (cause.code == ERR_NOT_FOUND)
		return 0;
	*err = cause;
	return -1;
}

static int look_at_register(struct daemon *daemon, const struct intent *intent,
	struct migration_facts *facts, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;

	if (register_find(daemon->store, intent->vm, &entries, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		facts->registered_here |= str_equal(entries[i].host, daemon->host_uuid);
		facts->registered_there |= str_equal(entries[i].host, intent->to);
	}
	return 0;
}

/*
 * Nobody can tell while this host is not in the lockspace. A guest that ran here and was stopped
 * for the move gave the lease back; when somebody else has had it since, the guest has run there,
 * and what is here is older than its disks.
 */
static void look_at_lease(struct daemon *daemon, const char *vm, struct migration_facts *facts)
{
	unsigned own = atomic_load(&daemon->lockid);
	uint64_t holder = 0, last = 0;
	struct error err = {0};

	if (!own)
		return;
	if (lease_find_vm_host(daemon->store, vm, &holder, &err) ||
		lease_find_last_vm_host(daemon->store, vm, &last, &err)) {
		log_warning("who holds a VM's lease is not known", "vm", vm, "reason", err.message);
		return;
	}
	facts->lease_known = true;
	facts->held_elsewhere = holder && holder != own;
	facts->held_elsewhere_since = last && last != own;
}

static int remove_copy(struct daemon *daemon, const struct intent *intent,
	const struct migration_facts *facts, struct error *err)
{
	bool runs = facts->runstate == RUNSTATE_PAUSED || facts->runstate == RUNSTATE_MIGRATING;
	struct error cause = {0};

	log_warning("VM runs on the host that it was migrated to; its copy here goes", "vm",
		intent->vm, "host", intent->to_name);
	if ((!runs || hypervisor_destroy(daemon->hypervisor, intent->vm, false, &cause) == 0) &&
		hypervisor_undefine(daemon->hypervisor, intent->vm, &cause) == 0)
		return 0;
	if (cause.code == ERR_NOT_FOUND)
		return 0;
	*err = cause;
	return error_prefix(err, "removing the copy that stayed here");
}

/* The other host may have been faster. */
static int move_entry(struct daemon *daemon, const struct intent *intent,
	const struct migration_facts *facts, struct error *err)
{
	if (facts->registered_here && facts->registered_there) {
		/* Something of that name is there: only an entry takes the place of ours. */
		cleanup_free char *xml = register_load(daemon->store, intent->to, intent->vm, err);

		return xml ? register_remove(daemon->store, daemon->host_uuid, intent->vm, err)
			   : -1;
	}
	if (facts->registered_here)
		return register_move(daemon->store, intent->vm, daemon->host_uuid, intent->to, err);
	if (!facts->registered_there)
		log_warning("migrated VM has no register entry", "vm", intent->vm, "hint",
			"virtx register vm writes it");
	return 0;
}

/* The words are those of the other implementation, which reads them. */
void migration_note(const struct intent *intent, struct oplog_note *note)
{
	*note = (struct oplog_note){.op = OPLOG_MIGRATE, .start_ms = intent->note_ms};
	snprintf(note->message, sizeof(note->message), "%s migration from %s to %s.",
		intent->live ? "live" : "offline", intent->from, intent->to);
}

enum migration_state migration_outcome(struct daemon *daemon, const struct vm *vm)
{
	const struct oplog_entry *entry = &vm->oplog[OPLOG_MIGRATE];
	cleanup_free char *arrives = xasprintf(" to %s.", daemon->host_uuid);
	cleanup_intent struct intent intent = {0};
	struct error ignored = {0};

	if (entry->status == OPLOG_COMPLETED)
		return MIGRATION_STATE_COMPLETED;
	if (entry->status == OPLOG_FAILED)
		return str_ends_with(entry->message, MIGRATION_CANCELLED)
			       ? MIGRATION_STATE_CANCELLED
			       : MIGRATION_STATE_FAILED;
	/* Its source, which tells the end, may not have come to that yet. */
	if (str_ends_with(entry->message, arrives))
		return MIGRATION_STATE_COMPLETED;
	return intent_read(daemon->store, vm->uuid, &intent, &ignored) == 0 &&
			       intent.op == INTENT_MIGRATE
		       ? MIGRATION_STATE_ACTIVE
		       : MIGRATION_STATE_FAILED;
}

/* Its log is where the VM is now. Our own kind ends it there (oplog_catch_up), others do not. */
static void log_arrival(struct daemon *daemon, const struct intent *intent)
{
	struct peer peer;
	cleanup_free char *target = NULL, *data = NULL;
	struct oplog_note note;
	struct error err = {0};

	if (!daemon->peers || !peers_find(daemon->peers, intent->to, &peer) || !peer.old)
		return;
	migration_note(intent, &note);
	if (migration_uris(daemon, intent->to_name, &target, &data, &err) ||
		oplog_finish_at(target, intent->vm, &note, "Migrated.", &err))
		log_warning("operation log of a migrated VM cannot be written", "vm", intent->vm,
			"host", intent->to_name, "error", err.message);
}

static int settle_moved(struct daemon *daemon, const struct intent *intent,
	const struct migration_facts *facts, bool remove, struct error *err)
{
	struct error cause = {0};

	if ((remove && remove_copy(daemon, intent, facts, err)) ||
		move_entry(daemon, intent, facts, err))
		return -1;
	log_arrival(daemon, intent);
	if (console_remove(daemon, intent->vm, &cause))
		log_warning("console log of a migrated VM stays", "vm", intent->vm, "error",
			cause.message);
	log_info("VM has moved", "vm", intent->vm, "host", intent->to_name);
	return intent_remove(daemon->store, intent->vm, err);
}

static int settle_stayed(struct daemon *daemon, const struct intent *intent, bool resume,
	const struct error *why, struct error *err)
{
	const struct error interrupted = {
		.code = ERR_UNAVAILABLE, .message = "interrupted by a restart"};
	struct oplog_note note;

	if (resume && hypervisor_resume(daemon->hypervisor, intent->vm, err))
		return error_prefix(err, "letting the VM go on where it was");
	migration_note(intent, &note);
	oplog_finish(daemon, intent->vm, &note, "", why ? why : &interrupted);
	log_warning("VM has not moved", "vm", intent->vm, "host", intent->to_name, "reason",
		why ? why->message : interrupted.message);
	return intent_remove(daemon->store, intent->vm, err);
}

int migration_settle(struct daemon *daemon, const struct intent *intent, const struct error *why,
	enum migration_fate *fate, struct error *err)
{
	struct migration_facts facts = {.ran = intent->running};

	*fate = MIGRATION_UNKNOWN;
	/* Whoever took over a dead host's VMs has nothing to do with where they went before. */
	if (!str_equal(intent->from, daemon->host_uuid)) {
		*fate = MIGRATION_STAYED;
		return intent_remove(daemon->store, intent->vm, err);
	}
	if (look_at_libvirt(daemon, intent->vm, &facts, err) ||
		look_at_register(daemon, intent, &facts, err))
		return -1;
	look_at_lease(daemon, intent->vm, &facts);
	struct migration_verdict verdict = migration_judge(&facts);

	switch (verdict.fate) {
	case MIGRATION_MOVED:
		if (settle_moved(daemon, intent, &facts, verdict.remove, err))
			return -1;
		break;
	case MIGRATION_STAYED:
		if (settle_stayed(daemon, intent, verdict.resume, why, err))
			return -1;
		break;
	case MIGRATION_UNKNOWN:
		return error_set(err, ERR_UNAVAILABLE, "%s",
			facts.job ? "libvirt is still moving it"
				  : "nobody can tell yet where it is");
	}
	*fate = verdict.fate;
	return 0;
}
