/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A move from its beginning to its end (migration.h). Three take part: the thread that waits in
 * libvirt for as long as the move takes, the one that watches it and settles what became of it, and
 * those who ask how far it is.
 */
#include "migration.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "collector.h"
#include "recovery.h"
#include "storage/register.h"

#include <poll.h>
#include <pthread.h>

#define LOOK_MS         500
#define SETTLE_MS       60000 /* afterwards the operation fails, and the recovery watch goes on */
#define ARRIVAL_MS      5000
#define ARRIVAL_STEP_MS 50

struct migration {
	struct daemon *daemon;
	struct operation *operation;
	struct intent intent;
	char *target_uri, *data_uri;
	unsigned connections;
	const atomic_bool *cancel; /* besides the operation's; NULL: none */
	struct migration *next;
	struct migration_status status; /* under the lock of struct migrations */
	/* The thread in which libvirt moves it. */
	pthread_t mover;
	bool has_mover;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	bool ended;
	struct error err;
};

struct migrations {
	pthread_mutex_t lock;
	struct migration *first;
};

struct migrations *migrations_new(void)
{
	struct migrations *migrations = xcalloc(1, sizeof(*migrations));

	pthread_mutex_init(&migrations->lock, NULL);
	return migrations;
}

void migrations_free(struct migrations *migrations)
{
	if (!migrations)
		return;
	pthread_mutex_destroy(&migrations->lock);
	free(migrations);
}

bool migration_get_status(
	struct daemon *daemon, const char *vm_uuid, struct migration_status *status)
{
	struct migrations *all = daemon->migrations;
	bool found = false;

	pthread_mutex_lock(&all->lock);
	for (struct migration *move = all->first; move && !found; move = move->next) {
		found = str_equal(move->intent.vm, vm_uuid);
		if (found)
			*status = move->status;
	}
	pthread_mutex_unlock(&all->lock);
	return found;
}

/* ---- one move ---- */

/* Takes the operation and what the intent points to over, and is found from now on. */
static struct migration *migration_new(
	struct daemon *daemon, struct operation *operation, const struct intent *intent)
{
	struct migration *move = xcalloc(1, sizeof(*move));

	move->daemon = daemon;
	move->operation = operation;
	move->intent = *intent;
	move->status.state = MIGRATION_STATE_SETUP;
	str_copy(move->status.operation, sizeof(move->status.operation), operation_id(operation));
	pthread_mutex_init(&move->lock, NULL);
	pthread_cond_init(&move->changed, NULL);
	pthread_mutex_lock(&daemon->migrations->lock);
	move->next = daemon->migrations->first;
	daemon->migrations->first = move;
	pthread_mutex_unlock(&daemon->migrations->lock);
	return move;
}

static void take_out(struct migrations *all, struct migration *move)
{
	pthread_mutex_lock(&all->lock);
	for (struct migration **link = &all->first; *link; link = &(*link)->next) {
		if (*link == move) {
			*link = move->next;
			break;
		}
	}
	pthread_mutex_unlock(&all->lock);
}

/* Ends the operation with err (empty: success), and everything else. */
static void migration_end(struct migration *move, const struct error *err)
{
	char vm[UUID_TEXT_SIZE];

	memcpy(vm, move->intent.vm, sizeof(vm));
	take_out(move->daemon->migrations, move);
	vm_ops_end(move->daemon, move->operation, vm, err);
	pthread_cond_destroy(&move->changed);
	pthread_mutex_destroy(&move->lock);
	intent_free(&move->intent);
	free(move->target_uri);
	free(move->data_uri);
	free(move);
}

static bool is_cancelled(const struct migration *move)
{
	return atomic_load(operation_cancel_flag(move->operation)) ||
	       (move->cancel && atomic_load(move->cancel));
}

/* What is on disk before anything moves. */
static int note_intent(struct migration *move, const struct migration_request *request,
	const struct migration_host *host, const struct vm_now *now, struct error *err)
{
	struct intent *intent = &move->intent;

	vmdef_copy(&intent->def, &now->reading.def);
	str_copy(intent->from, sizeof(intent->from), move->daemon->host_uuid);
	str_copy(intent->to, sizeof(intent->to), host->uuid);
	str_copy(intent->to_name, sizeof(intent->to_name), host->name);
	intent->live = request->live;
	intent->running = now->runstate == RUNSTATE_RUNNING;
	intent->note_ms = clock_wall_ms();
	return intent_write(move->daemon->store, intent, err);
}

/* All that is done before the client hears that it has begun. */
static int prepare(
	struct migration *move, const struct migration_request *request, struct error *err)
{
	cleanup_migration_hosts struct migration_hosts hosts = {0};
	cleanup_vm_now struct vm_now now = {0};
	struct daemon *daemon = move->daemon;
	struct oplog_note begins, note;

	if (recovery_settle(daemon, request->vm, err) ||
		migration_choose(daemon, request, &now, &hosts, err) ||
		migration_uris(daemon, hosts.best->name, &move->target_uri, &move->data_uri, err) ||
		operation_check_cancel(move->operation, err) ||
		note_intent(move, request, hosts.best, &now, err))
		return -1;
	move->connections = (unsigned)vmdef_vcpus(&now.reading.def);
	migration_note(&move->intent, &begins);
	oplog_start(daemon, request->vm, OPLOG_MIGRATE, begins.message, &note);
	log_info("migration begins", "vm", request->vm, "host", hosts.best->name, "operation",
		operation_id(move->operation));
	return 0;
}

/* NULL: it could not be begun, and the operation has ended with err. */
static struct migration *begin(
	struct daemon *daemon, const struct migration_request *request, struct error *err)
{
	struct intent intent = {.op = INTENT_MIGRATE};
	struct vm_place place;
	struct error ignored = {0};
	bool known = inventory_find_vm(daemon->inventory, request->vm, &place, &ignored) == 0;
	struct operation *operation = operations_begin(daemon->operations, "migrate", request->vm,
		known ? place.name : request->vm, NULL, err);

	if (!operation)
		return NULL;
	str_copy(intent.vm, sizeof(intent.vm), request->vm);
	struct migration *move = migration_new(daemon, operation, &intent);
	if (prepare(move, request, err)) {
		migration_end(move, err);
		return NULL;
	}
	/* What libvirt has begun it carries to its end. */
	operation_detach(operation);
	if (!request->live)
		operation_commit(operation);
	return move;
}

static void *move_guest(void *context)
{
	struct migration *move = context;
	const struct settings *settings = &move->daemon->settings;
	struct error err = {0};

	hypervisor_migrate(move->daemon->hypervisor,
		&(struct hypervisor_migration){
			.uuid = move->intent.vm,
			.target_uri = move->target_uri,
			.data_uri = move->data_uri,
			.live = move->intent.live,
			.unsafe = settings->migrate_unsafe,
			.bandwidth_mib = (unsigned)settings->migrate_bandwidth,
			.connections = move->connections,
		},
		&err);
	pthread_mutex_lock(&move->lock);
	move->ended = true;
	move->err = err;
	pthread_cond_signal(&move->changed);
	pthread_mutex_unlock(&move->lock);
	return NULL;
}

static void start_mover(struct migration *move)
{
	int failure = pthread_create(&move->mover, NULL, move_guest, move);

	if (failure)
		error_set_errno(&move->err, ERR_UNAVAILABLE, failure, "starting a thread");
	move->has_mover = !failure;
}

/* True when libvirt has let go of it, as far as this daemon was told. */
static bool wait_for_mover(struct migration *move)
{
	int64_t until = clock_ms() + LOOK_MS;

	if (!move->has_mover) {
		poll(NULL, 0, LOOK_MS);
		return true;
	}
	pthread_mutex_lock(&move->lock);
	while (!move->ended && clock_ms() < until)
		clock_wait(&move->changed, &move->lock, until);
	bool ended = move->ended;
	pthread_mutex_unlock(&move->lock);
	if (!ended)
		return false;
	pthread_join(move->mover, NULL);
	move->has_mover = false;
	return true;
}

/* Publishes how far it is. True while libvirt is at it. */
static bool look(struct migration *move)
{
	struct hypervisor_job job = {.kind = HYPERVISOR_JOB_NONE};
	struct error ignored = {0};
	struct migration_status *status = &move->status;

	if (hypervisor_get_job(move->daemon->hypervisor, move->intent.vm, &job, &ignored) < 0 ||
		job.kind != HYPERVISOR_JOB_OUTGOING)
		return false;
	uint64_t done = job.total > job.remaining ? job.total - job.remaining : 0;
	unsigned percent = job.total ? (unsigned)(done * 100 / job.total) : 0;
	cleanup_free char *phase = xasprintf("moving to %s", move->intent.to_name);

	pthread_mutex_lock(&move->daemon->migrations->lock);
	status->figures = job;
	status->state = is_cancelled(move) ? MIGRATION_STATE_CANCELLING
			: job.total        ? MIGRATION_STATE_ACTIVE
					   : MIGRATION_STATE_SETUP;
	pthread_mutex_unlock(&move->daemon->migrations->lock);
	operation_progress(move->operation, phase, percent < 99 ? percent : 99);
	return true;
}

/* Each time it is looked at: what was asked too early is asked again. */
static void heed_cancel(struct migration *move)
{
	struct error err = {0};

	if (is_cancelled(move) && move->intent.live &&
		hypervisor_abort_job(move->daemon->hypervisor, move->intent.vm, &err) < 0)
		log_debug("migration cannot be aborted now", "vm", move->intent.vm, "reason",
			err.message);
}

/* Why it stays where it is, when it does. */
static void explain(const struct migration *move, struct error *why)
{
	if (is_cancelled(move))
		error_set(why, ERR_CANCELLED, MIGRATION_CANCELLED);
	else if (error_is_set(&move->err))
		*why = move->err;
	else
		error_set(why, ERR_MIGRATION,
			"the migration ended while nobody watched it, and the VM stayed");
}

/* Until it is known where the VM is. -1: it stayed, or that is not known. */
static int follow(struct migration *move, struct error *err)
{
	enum migration_fate fate = MIGRATION_UNKNOWN;
	struct error why = {0}, cause = {0};
	int64_t give_up = 0;

	while (fate == MIGRATION_UNKNOWN) {
		bool ended = wait_for_mover(move), busy = look(move);

		if (!ended || busy) {
			heed_cancel(move);
			give_up = 0;
			continue;
		}
		error_clear(&why);
		error_clear(&cause);
		explain(move, &why);
		if (migration_settle(move->daemon, &move->intent, &why, &fate, &cause) == 0)
			break;
		/* What it left to do is tried again, also when the outcome is known. */
		fate = MIGRATION_UNKNOWN;
		if (!give_up)
			give_up = clock_ms() + SETTLE_MS;
		if (clock_ms() < give_up)
			continue;
		error_set(err, ERR_UNAVAILABLE, "it is not known yet where the VM is: %s",
			cause.message);
		return error_hint(err, "this host goes on finding out");
	}
	if (fate == MIGRATION_MOVED)
		return 0;
	*err = why;
	return -1;
}

/* Its new host tells all others; who asks for the VM when the operation has ended shall find it. */
static void await_arrival(struct daemon *daemon, const struct intent *intent)
{
	int64_t until = clock_ms() + ARRIVAL_MS;
	struct error ignored = {0};
	struct vm_place place;

	collector_refresh(daemon->collector, intent->vm, &ignored);
	if (!daemon->claims)
		return;
	claims_want_pull(daemon->claims, intent->to, clock_ms());
	while ((inventory_find_vm(daemon->inventory, intent->vm, &place, &ignored) ||
		       !str_equal(place.host_uuid, intent->to)) &&
		clock_ms() < until)
		poll(NULL, 0, ARRIVAL_STEP_MS);
}

/* To its end; frees it. */
static int run(struct migration *move, struct error *err)
{
	if (follow(move, err) == 0)
		await_arrival(move->daemon, &move->intent);
	migration_end(move, err);
	return error_is_set(err) ? -1 : 0;
}

static void *run_alone(void *context)
{
	struct error err = {0};

	run(context, &err);
	return NULL;
}

static int start_thread(struct migration *move, struct error *err)
{
	pthread_t thread;
	int failure = pthread_create(&thread, NULL, run_alone, move);

	if (failure)
		return error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
	pthread_detach(thread);
	return 0;
}

int migration_start(struct daemon *daemon, const struct migration_request *request,
	struct migration_started *started, struct error *err)
{
	struct migration *move = begin(daemon, request, err);

	if (!move)
		return -1;
	memcpy(started->operation, move->status.operation, sizeof(started->operation));
	memcpy(started->host_uuid, move->intent.to, sizeof(started->host_uuid));
	memcpy(started->host_name, move->intent.to_name, sizeof(started->host_name));
	start_mover(move);
	if (start_thread(move, err) == 0)
		return 0;
	/* Then in this one; the client waits. */
	error_clear(err);
	return run(move, err);
}

int migration_move(struct daemon *daemon, const char *vm_uuid, bool live, const char *target_uuid,
	const atomic_bool *cancel, char target[static UUID_TEXT_SIZE], struct error *err)
{
	struct migration_request request = {.live = live};

	target[0] = '\0';
	str_copy(request.vm, sizeof(request.vm), vm_uuid);
	str_copy(request.target, sizeof(request.target), target_uuid ? target_uuid : "");
	struct migration *move = begin(daemon, &request, err);
	if (!move)
		return -1;
	memcpy(target, move->intent.to, sizeof(move->intent.to));
	move->cancel = cancel;
	start_mover(move);
	return run(move, err);
}

bool migration_take_up(struct daemon *daemon, const char *vm_uuid)
{
	struct intent intent;
	struct error err = {0};

	if (intent_read(daemon->store, vm_uuid, &intent, &err))
		return false;
	if (intent.op != INTENT_MIGRATE) {
		intent_free(&intent);
		return false;
	}
	struct operation *operation = operations_resume(daemon->operations, "migrate", vm_uuid);
	if (!operation)
		operation = operations_begin(
			daemon->operations, "migrate", vm_uuid, intent.def.name, NULL, &err);
	if (!operation) {
		intent_free(&intent);
		return false;
	}
	operation_detach(operation);
	struct migration *move = migration_new(daemon, operation, &intent);
	log_warning("migration is taken up again", "vm", vm_uuid, "host", intent.to_name,
		"operation", operation_id(operation));
	if (start_thread(move, &err) == 0)
		return true;
	migration_end(move, &err);
	return false;
}
