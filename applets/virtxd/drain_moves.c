/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of VMs, and two threads that take one after the other: see drain_moves.h. */
#include "drain_moves.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/str.h"
#include "collector.h"
#include "local_vms.h"
#include "migration.h"
#include "model/json.h"

#include <poll.h>
#include <pthread.h>

#define STEP_MS   500
#define MAX_NAMES 5 /* in messages */

enum state { WAITS, MOVES, GONE, STAYS };

struct leaving {
	char uuid[UUID_TEXT_SIZE];
	char *name;
	enum runstate runstate;
	enum state state;
	bool foreign, seen;
	int64_t try_ms, failed_ms; /* 0: at once; not yet */
};

struct moves {
	struct daemon *daemon;
	struct operation *operation;
	const atomic_bool *stopping;
	pthread_mutex_t lock; /* of the list, while threads move what is in it */
	struct leaving *list;
	size_t count;
};

enum drain_way drain_way_of(enum runstate runstate)
{
	switch (runstate) {
	case RUNSTATE_RUNNING:
	case RUNSTATE_PAUSED:
		return DRAIN_LIVE;
	case RUNSTATE_POWEROFF:
	case RUNSTATE_CRASHED:
		return DRAIN_COLD;
	case RUNSTATE_STARTUP:
	case RUNSTATE_MIGRATING:
	case RUNSTATE_TERMINATING:
		return DRAIN_LATER;
	case RUNSTATE_NONE:
	case RUNSTATE_DELETED:
	case RUNSTATE_PMSUSPENDED:
		break;
	}
	return DRAIN_NEVER;
}

/* Why one that can go neither live nor cold cannot. */
static int refuse(const char *name, enum runstate runstate, struct error *err)
{
	error_set(err, ERR_STATE, "VM %s is %s, which cannot be moved", name,
		enum_name(&runstate_names, (int)runstate));
	return -1;
}

static int refuse_foreign(const char *name, struct error *err)
{
	return error_set(err, ERR_STATE, "%s was not made by VirtX; it stays where it is", name);
}

/* ---- the list ---- */

static struct leaving *find(struct moves *moves, const char *uuid)
{
	for (size_t i = 0; i < moves->count; i++)
		if (str_equal(moves->list[i].uuid, uuid))
			return &moves->list[i];
	return NULL;
}

static void leave(struct moves *moves, struct leaving *vm, const struct error *why)
{
	vm->state = STAYS;
	operation_leave(moves->operation, vm->uuid, vm->name, why);
	log_warning("VM stays on a drained host", "vm", vm->uuid, "name", vm->name, "reason",
		why->message);
}

static void add(struct moves *moves, const struct vm_row *row)
{
	moves->list = xreallocarray(moves->list, moves->count + 1, sizeof(*moves->list));
	struct leaving *vm = &moves->list[moves->count++];
	struct error why = {0};

	*vm = (struct leaving){
		.name = xstrdup(row->name ? row->name : row->uuid),
		.foreign = collector_is_foreign(moves->daemon->collector, row->uuid),
		.seen = true,
	};
	memcpy(vm->uuid, row->uuid, sizeof(vm->uuid));
	if (vm->foreign) {
		refuse_foreign(vm->name, &why);
		leave(moves, vm, &why);
	}
}

/* Brings the list up to what there is now. No thread moves anything. */
static void look(struct moves *moves)
{
	cleanup_free struct vm_row *rows = NULL;
	size_t count = local_vms_list_rows(collector_vms(moves->daemon->collector), &rows);

	for (size_t i = 0; i < moves->count; i++)
		moves->list[i].seen = false;
	for (size_t i = 0; i < count; i++) {
		struct leaving *vm = find(moves, rows[i].uuid);

		if (!vm) {
			add(moves, &rows[i]);
			vm = &moves->list[moves->count - 1];
		}
		vm->runstate = rows[i].runstate;
		vm->seen = true;
		vm_row_free(&rows[i]);
	}
	for (size_t i = 0; i < moves->count; i++)
		if (moves->list[i].state == WAITS && !moves->list[i].seen)
			moves->list[i].state = GONE;
}

/* When the next one may be tried; INT64_MAX: none is left. */
static int64_t next_try(const struct moves *moves)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < moves->count; i++)
		if (moves->list[i].state == WAITS && moves->list[i].try_ms < next)
			next = moves->list[i].try_ms;
	return next;
}

static bool is_over(const struct moves *moves)
{
	return atomic_load(moves->stopping) || atomic_load(operation_cancel_flag(moves->operation));
}

/* ---- one VM ---- */

static void show(struct moves *moves)
{
	cleanup_buf struct printbuf *text = buf_new();
	size_t done = 0, stay = 0, named = 0;

	pthread_mutex_lock(&moves->lock);
	for (size_t i = 0; i < moves->count; i++) {
		done += moves->list[i].state == GONE;
		stay += moves->list[i].state == STAYS;
	}
	buf_format(text, "%zu of %zu moved", done, moves->count);
	if (stay)
		buf_format(text, ", %zu stay", stay);
	for (size_t i = 0; i < moves->count; i++)
		if (moves->list[i].state == MOVES)
			buf_format(text, "%s%s", named++ ? ", " : "; moving ", moves->list[i].name);
	unsigned percent = moves->count ? (unsigned)((done + stay) * 100 / moves->count) : 100;
	pthread_mutex_unlock(&moves->lock);
	operation_progress(moves->operation, text->buf, percent);
}

static struct leaving *take(struct moves *moves)
{
	int64_t now = clock_ms();
	struct leaving *vm = NULL;

	pthread_mutex_lock(&moves->lock);
	for (size_t i = 0; i < moves->count && !vm && !is_over(moves); i++)
		if (moves->list[i].state == WAITS && moves->list[i].try_ms <= now)
			vm = &moves->list[i];
	if (vm)
		vm->state = MOVES;
	pthread_mutex_unlock(&moves->lock);
	return vm;
}

static int move(struct moves *moves, const struct leaving *vm, struct error *err)
{
	enum drain_way way = drain_way_of(vm->runstate);
	char target[UUID_TEXT_SIZE];

	if (way == DRAIN_LATER || way == DRAIN_NEVER)
		return refuse(vm->name, vm->runstate, err);
	return migration_move(moves->daemon, vm->uuid, way == DRAIN_LIVE, NULL,
		operation_cancel_flag(moves->operation), target, err);
}

/* How long it is tried again: another operation may take long, and a state that has changed is read
 * anew. */
static int64_t patience(const struct leaving *vm, const struct error *err)
{
	if (err->code == ERR_BUSY || drain_way_of(vm->runstate) == DRAIN_LATER)
		return DRAIN_PATIENCE_MS;
	return err->code == ERR_STATE && drain_way_of(vm->runstate) != DRAIN_NEVER ? DRAIN_SETTLE_MS
										   : 0;
}

static void note_outcome(
	struct moves *moves, struct leaving *vm, int result, const struct error *err)
{
	int64_t now = clock_ms();

	pthread_mutex_lock(&moves->lock);
	if (!vm->failed_ms)
		vm->failed_ms = now;
	if (result == 0) {
		vm->state = GONE;
	} else if (is_over(moves)) {
		vm->state = WAITS;
	} else if (now < vm->failed_ms + patience(vm, err)) {
		vm->state = WAITS;
		vm->try_ms = now + DRAIN_RETRY_MS;
	} else {
		leave(moves, vm, err);
	}
	pthread_mutex_unlock(&moves->lock);
}

static void move_some(void *context, size_t index)
{
	struct moves *moves = context;
	struct leaving *vm;

	(void)index; /* of a thread; each takes what comes next */
	while ((vm = take(moves))) {
		struct error err = {0};

		show(moves);
		int result = move(moves, vm, &err);
		note_outcome(moves, vm, result, &err);
		show(moves);
	}
}

/* ---- all of them ---- */

/* True: what waits may be tried now. */
static bool pause_until(const struct moves *moves, int64_t at_ms)
{
	while (!is_over(moves) && clock_ms() < at_ms)
		poll(NULL, 0, STEP_MS);
	return !is_over(moves);
}

static int judge(const struct moves *moves, struct error *err)
{
	cleanup_buf struct printbuf *names = buf_new();
	size_t stay = 0, foreign = 0;

	for (size_t i = 0; i < moves->count; i++) {
		const struct leaving *vm = &moves->list[i];

		foreign += vm->state == STAYS && vm->foreign;
		if (vm->state != STAYS || vm->foreign)
			continue;
		if (stay++ < MAX_NAMES)
			buf_format(names, "%s%s", stay > 1 ? ", " : "", vm->name);
	}
	if (foreign)
		operation_warn(moves->operation, "what was not made by VirtX stays");
	if (!stay)
		return 0;
	error_set(err, ERR_MIGRATION, "%zu of %zu VMs stay on host %s: %s%s", stay,
		moves->count - foreign, moves->daemon->host_name, names->buf,
		stay > MAX_NAMES ? ", ..." : "");
	return error_hint(err, "`left` of the operation says why, for each");
}

void drain_moves_run(struct daemon *daemon, struct operation *operation,
	const atomic_bool *stopping, struct error *err)
{
	struct moves moves = {.daemon = daemon, .operation = operation, .stopping = stopping};
	int64_t next;

	pthread_mutex_init(&moves.lock, NULL);
	look(&moves);
	while ((next = next_try(&moves)) != INT64_MAX && pause_until(&moves, next)) {
		look(&moves);
		parallel_each(DRAIN_AT_ONCE, DRAIN_AT_ONCE, move_some, &moves);
		look(&moves);
	}
	if (operation_check_cancel(operation, err) == 0)
		judge(&moves, err);
	for (size_t i = 0; i < moves.count; i++)
		free(moves.list[i].name);
	free(moves.list);
	pthread_mutex_destroy(&moves.lock);
}

/* ---- what would be ---- */

static void plan_one(struct daemon *daemon, const struct vm_row *row, struct json_object *item)
{
	enum drain_way way = drain_way_of(row->runstate);
	const char *name = row->name ? row->name : row->uuid;
	struct migration_request request = {.live = way == DRAIN_LIVE, .dry_run = true};
	cleanup_migration_hosts struct migration_hosts hosts = {0};
	cleanup_vm_now struct vm_now now = {0};
	struct error err = {0};

	memcpy(request.vm, row->uuid, sizeof(request.vm));
	if (collector_is_foreign(daemon->collector, row->uuid))
		refuse_foreign(name, &err);
	else if (way == DRAIN_LATER || way == DRAIN_NEVER)
		refuse(name, row->runstate, &err);
	else
		migration_choose(daemon, &request, &now, &hosts, &err);
	bool goes = !error_is_set(&err) && hosts.best;

	json_add_string(item, "vm", row->uuid);
	json_add_string(item, "name", name);
	json_add_bool(item, "live", way == DRAIN_LIVE);
	json_add_string(item, "host", goes ? hosts.best->name : "");
	json_add_string(item, "uuid", goes ? hosts.best->uuid : "");
	json_add_string(item, "code", goes ? "" : error_code_word(err.code));
	json_add_string(item, "detail", err.message);
	json_add_string(item, "hint", err.hint);
}

struct json_object *drain_moves_plan(struct daemon *daemon)
{
	cleanup_free struct vm_row *rows = NULL;
	size_t count = local_vms_list_rows(collector_vms(daemon->collector), &rows);
	struct json_object *items = mem_check(json_object_new_array());

	for (size_t i = 0; i < count; i++) {
		plan_one(daemon, &rows[i], json_append_object(items));
		vm_row_free(&rows[i]);
	}
	return items;
}
