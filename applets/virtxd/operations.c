/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations of this host, their records and their file: see operations.h. */
#include "operations.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon.h"
#include "model/json.h"
#include "operation_record.h"

#include <pthread.h>

#define FILE_MAX (8 * 1024 * 1024) /* bytes that we are willing to read back */

struct operations {
	char *path;
	char host[UUID_TEXT_SIZE];
	pthread_mutex_t lock; /* the records */
	pthread_cond_t ended;
	struct operation **list; /* oldest first */
	size_t count;
	unsigned running;
	bool draining;
	uint64_t changes;       /* number of the last change */
	pthread_mutex_t writer; /* the file; taken before lock, never inside it */
	uint64_t written;       /* number of the last change in the file; guarded by writer */
};

/* Takes the oldest ended ones out until the limits hold; records with a key go last. Called with
 * lock held. */
static void forget_old(struct operations *operations)
{
	int64_t limit = clock_wall_ms() - OPERATIONS_AGE_MS;
	size_t excess = operations->count > OPERATIONS_MAX ? operations->count - OPERATIONS_MAX : 0;

	for (int with_key = 0; with_key < 2; with_key++) {
		size_t kept = 0;

		for (size_t i = 0; i < operations->count; i++) {
			struct operation *operation = operations->list[i];
			bool ended = operation->state != OPERATION_RUNNING;
			bool surplus = excess > 0 && (with_key || !operation->key);

			if (ended && (surplus || operation->end_ms < limit)) {
				excess -= excess > 0;
				operation_free(operation);
			} else {
				operations->list[kept++] = operation;
			}
		}
		operations->count = kept;
	}
}

/* Called with lock held. */
static void add_record(struct operations *operations, struct operation *operation)
{
	operation->all = operations;
	operations->list =
		xreallocarray(operations->list, operations->count + 1, sizeof(struct operation *));
	operations->list[operations->count++] = operation;
}

/* Called with lock held. */
static struct json_object *records_to_json(struct operations *operations, bool own)
{
	struct json_object *json = json_new_object();
	struct json_object *items = json_add_array(json, "items");

	for (size_t i = operations->count; i > 0; i--)
		json_object_array_add(items,
			operation_to_json(operations->list[i - 1], own ? NULL : operations->host));
	return json;
}

/*
 * Brings the file up to a change, unless another thread's write has carried it
 * already. Called without locks.
 */
static int write_records(struct operations *operations, uint64_t change, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&operations->writer);
	if (operations->written < change) {
		pthread_mutex_lock(&operations->lock);
		uint64_t now = operations->changes;
		cleanup_json struct json_object *json = records_to_json(operations, true);
		pthread_mutex_unlock(&operations->lock);

		cleanup_free char *text = json_text(json);
		result = file_write_atomic(operations->path, text, strlen(text), 0600, err);
		if (!result)
			operations->written = now;
	}
	pthread_mutex_unlock(&operations->writer);
	return result;
}

/* Puts the records of the file in; -1 when it cannot be understood. */
static int read_records(struct operations *operations, struct error *err)
{
	struct error cause = {0};
	cleanup_json struct json_object *json = NULL;
	struct json_object *items = NULL;
	size_t len = 0, count = 0;
	cleanup_free char *text = file_read(operations->path, FILE_MAX, &len, &cause);

	if (!text && cause.code == ERR_NOT_FOUND)
		return 0;
	if (!text)
		return error_set(err, cause.code, "%s", cause.message);
	if (json_parse(text, len, &json, err))
		return -1;
	if (json_get_objects(json, "items", "", 2 * OPERATIONS_MAX, &items, &count, err))
		return -1;
	for (size_t i = count; i > 0; i--) {
		struct operation *operation =
			operation_from_json(json_object_array_get_idx(items, i - 1));

		if (!operation) {
			log_warning("operation record skipped", "file", operations->path);
			continue;
		}
		if (operation->state == OPERATION_RUNNING) {
			operation->state = OPERATION_FAILED;
			operation->interrupted = true;
			operation->end_ms = clock_wall_ms();
			error_set(&operation->error, ERR_UNAVAILABLE, "interrupted by a restart");
		}
		add_record(operations, operation);
	}
	forget_old(operations);
	return 0;
}

struct operations *operations_open(const char *state_dir, struct error *err)
{
	struct operations *operations;
	struct error cause = {0};

	if (file_make_dirs(state_dir, 0750, err))
		return NULL;
	operations = xcalloc(1, sizeof(*operations));
	operations->path = xasprintf("%s/operations.json", state_dir);
	pthread_mutex_init(&operations->lock, NULL);
	pthread_mutex_init(&operations->writer, NULL);
	pthread_cond_init(&operations->ended, NULL);

	if (read_records(operations, &cause)) {
		cleanup_free char *aside = xasprintf("%s.bad", operations->path);

		log_warning("operation records cannot be read, set aside", "file", aside, "error",
			cause.message);
		if (rename(operations->path, aside))
			log_warning("operation records cannot be set aside", "file", aside);
	}
	operations->changes = 1;
	if (write_records(operations, operations->changes, err)) {
		operations_close(operations);
		return NULL;
	}
	return operations;
}

void operations_set_host(struct operations *operations, const char *host_uuid)
{
	(void)str_copy(operations->host, sizeof(operations->host), host_uuid);
}

void operations_close(struct operations *operations)
{
	if (!operations)
		return;
	for (size_t i = 0; i < operations->count; i++)
		operation_free(operations->list[i]);
	free(operations->list);
	free(operations->path);
	pthread_cond_destroy(&operations->ended);
	pthread_mutex_destroy(&operations->writer);
	pthread_mutex_destroy(&operations->lock);
	free(operations);
}

/* Called with lock held; NULL when nothing holds the VM. */
static struct operation *find_running(struct operations *operations, const char *vm_uuid)
{
	for (size_t i = 0; i < operations->count; i++)
		if (operations->list[i]->state == OPERATION_RUNNING &&
			str_equal(operations->list[i]->vm, vm_uuid))
			return operations->list[i];
	return NULL;
}

/* The latest with that key that runs or has succeeded; NULL: none. Called with lock held. */
static struct operation *find_key(struct operations *operations, const char *key)
{
	for (size_t i = operations->count; i > 0; i--) {
		struct operation *operation = operations->list[i - 1];

		if (operation->key && str_equal(operation->key, key) &&
			(operation->state == OPERATION_RUNNING ||
				operation->state == OPERATION_COMPLETED))
			return operation;
	}
	return NULL;
}

/* What forbids another operation now. Called with lock held. */
static int check_free(struct operations *operations, const char *vm_uuid, const char *vm_name,
	const struct operation_key *key, struct error *err)
{
	const struct operation *other;

	if (operations->draining)
		return error_set(err, ERR_UNAVAILABLE, "the daemon is stopping");
	other = find_running(operations, vm_uuid);
	if (other) {
		error_set(err, ERR_BUSY, "VM %s is busy with operation %s (%s)", vm_name, other->id,
			other->kind);
		return error_hint(err, "wait for it: GET /operations/%s", other->id);
	}
	if (key && find_key(operations, key->key))
		return error_set(err, ERR_BUSY,
			"a request with this Idempotency-Key is at work or has just ended");
	return 0;
}

/* Takes a record out again that never came into force. */
static void drop_record(struct operations *operations, struct operation *operation)
{
	pthread_mutex_lock(&operations->lock);
	for (size_t i = 0; i < operations->count; i++)
		if (operations->list[i] == operation) {
			memmove(&operations->list[i], &operations->list[i + 1],
				(operations->count - i - 1) * sizeof(struct operation *));
			operations->count--;
			break;
		}
	operations->running--;
	operations->changes++;
	pthread_cond_broadcast(&operations->ended);
	pthread_mutex_unlock(&operations->lock);
	operation_free(operation);
}

struct operation *operations_begin(struct operations *operations, const char *kind,
	const char *vm_uuid, const char *vm_name, const struct operation_key *key,
	struct error *err)
{
	struct operation *operation = NULL;
	uint64_t change = 0;

	pthread_mutex_lock(&operations->lock);
	if (check_free(operations, vm_uuid, vm_name, key, err) == 0) {
		operation = operation_new(kind, vm_uuid, vm_name, key);
		add_record(operations, operation);
		forget_old(operations);
		operations->running++;
		change = ++operations->changes;
	}
	pthread_mutex_unlock(&operations->lock);
	if (operation && write_records(operations, change, err)) {
		error_prefix(err, "the operation cannot be recorded");
		drop_record(operations, operation);
		return NULL;
	}
	if (operation)
		log_info("operation begins", "operation", operation->id, "kind", kind, "vm",
			vm_uuid, "name", vm_name);
	return operation;
}

const char *operation_id(const struct operation *operation)
{
	return operation->id;
}

void operation_progress(struct operation *operation, const char *phase, unsigned percent)
{
	pthread_mutex_lock(&operation->all->lock);
	snprintf(operation->phase, sizeof(operation->phase), "%s", phase);
	operation->percent = percent < 100 ? percent : 100;
	pthread_mutex_unlock(&operation->all->lock);
}

const atomic_bool *operation_cancel_flag(const struct operation *operation)
{
	return &operation->cancel;
}

int operation_check_cancel(const struct operation *operation, struct error *err)
{
	if (!atomic_load(&operation->cancel))
		return 0;
	return error_set(err, ERR_CANCELLED, "the operation was cancelled");
}

void operation_warn(struct operation *operation, const char *warning)
{
	pthread_mutex_lock(&operation->all->lock);
	(void)str_copy(operation->warning, sizeof(operation->warning), warning);
	pthread_mutex_unlock(&operation->all->lock);
}

void operation_leave(struct operation *operation, const char *vm_uuid, const char *vm_name,
	const struct error *why)
{
	pthread_mutex_lock(&operation->all->lock);
	operation_add_left(operation, vm_uuid, vm_name, why);
	pthread_mutex_unlock(&operation->all->lock);
}

void operation_commit(struct operation *operation)
{
	pthread_mutex_lock(&operation->all->lock);
	operation->committed = true;
	pthread_mutex_unlock(&operation->all->lock);
}

void operation_detach(struct operation *operation)
{
	pthread_mutex_lock(&operation->all->lock);
	operation->detached = true;
	pthread_mutex_unlock(&operation->all->lock);
}

void operation_end(struct operation *operation, const struct error *err)
{
	struct operations *operations = operation->all;
	bool failed = err && error_is_set(err);
	struct error cause = {0};
	uint64_t change;

	log_info(failed ? "operation failed" : "operation completed", "operation", operation->id,
		"kind", operation->kind, "vm", operation->vm, "error",
		failed ? err->message : NULL);
	pthread_mutex_lock(&operations->lock);
	operation->end_ms = clock_wall_ms();
	if (failed) {
		operation->error = *err;
		operation->state =
			err->code == ERR_CANCELLED ? OPERATION_CANCELLED : OPERATION_FAILED;
	} else {
		operation->percent = 100;
		operation->phase[0] = '\0';
		operation->state = OPERATION_COMPLETED;
	}
	operations->running--;
	change = ++operations->changes;
	pthread_cond_broadcast(&operations->ended);
	pthread_mutex_unlock(&operations->lock);
	/* The work is done either way: what the file lacks, recovery finds out at the next start.
	 */
	if (write_records(operations, change, &cause))
		log_warning("operation cannot be recorded", "error", cause.message);
}

bool operations_is_busy(
	struct operations *operations, const char *vm_uuid, char id[static UUID_TEXT_SIZE])
{
	pthread_mutex_lock(&operations->lock);
	const struct operation *operation = find_running(operations, vm_uuid);

	(void)str_copy(id, UUID_TEXT_SIZE, operation ? operation->id : "");
	pthread_mutex_unlock(&operations->lock);
	return *id;
}

struct json_object *operations_to_json(struct operations *operations)
{
	pthread_mutex_lock(&operations->lock);
	struct json_object *json = records_to_json(operations, false);
	pthread_mutex_unlock(&operations->lock);
	return json;
}

/* Called with lock held. */
static struct operation *find_id(struct operations *operations, const char *id, struct error *err)
{
	for (size_t i = 0; i < operations->count; i++)
		if (str_equal(operations->list[i]->id, id))
			return operations->list[i];
	error_set(err, ERR_NOT_FOUND, "operation %s is not known", id);
	error_hint(err, "operations are kept for 24 hours and at most %d", OPERATIONS_MAX);
	return NULL;
}

bool operations_has(struct operations *operations, const char *id)
{
	struct error ignored = {0};

	pthread_mutex_lock(&operations->lock);
	bool found = find_id(operations, id, &ignored);
	pthread_mutex_unlock(&operations->lock);
	return found;
}

struct json_object *operation_find_json(
	struct operations *operations, const char *id, struct error *err)
{
	pthread_mutex_lock(&operations->lock);
	const struct operation *operation = find_id(operations, id, err);
	struct json_object *json =
		operation ? operation_to_json(operation, operations->host) : NULL;
	pthread_mutex_unlock(&operations->lock);
	return json;
}

int operations_cancel(struct operations *operations, const char *id, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&operations->lock);
	struct operation *operation = find_id(operations, id, err);

	if (!operation)
		result = -1;
	else if (operation->state != OPERATION_RUNNING)
		result = error_set(err, ERR_STATE, "operation %s (%s) has ended: %s", id,
			operation->kind, operation_state_words[operation->state]);
	else if (operation->committed)
		result = error_set(err, ERR_STATE, "operation %s (%s) cannot be cancelled any more",
			id, operation->kind);
	else
		atomic_store(&operation->cancel, true);
	pthread_mutex_unlock(&operations->lock);
	return result;
}

enum operation_key_state operations_find_key(struct operations *operations,
	const struct operation_key *key, char vm_uuid[static UUID_TEXT_SIZE])
{
	enum operation_key_state state = OPERATION_KEY_NEW;

	pthread_mutex_lock(&operations->lock);
	const struct operation *operation = find_key(operations, key->key);

	(void)str_copy(vm_uuid, UUID_TEXT_SIZE, operation ? operation->vm : "");
	if (operation && !str_equal(operation->fingerprint, key->fingerprint))
		state = OPERATION_KEY_OTHER;
	else if (operation)
		state = operation->state == OPERATION_RUNNING ? OPERATION_KEY_RUNNING
							      : OPERATION_KEY_DONE;
	pthread_mutex_unlock(&operations->lock);
	return state;
}

size_t operations_list_interrupted(
	struct operations *operations, const char *kind, char (**list)[UUID_TEXT_SIZE])
{
	size_t count = 0;

	pthread_mutex_lock(&operations->lock);
	*list = xcalloc(operations->count + 1, sizeof(**list));
	for (size_t i = 0; i < operations->count; i++)
		if (operations->list[i]->interrupted && str_equal(operations->list[i]->kind, kind))
			(void)str_copy((*list)[count++], UUID_TEXT_SIZE, operations->list[i]->vm);
	pthread_mutex_unlock(&operations->lock);
	return count;
}

/* Called with lock held, which it gives back. */
static void unlock_and_record(struct operations *operations)
{
	struct error err = {0};
	uint64_t change = ++operations->changes;

	pthread_mutex_unlock(&operations->lock);
	if (write_records(operations, change, &err))
		log_warning("operation cannot be recorded", "error", err.message);
}

void operations_settle(struct operations *operations, const char *kind, const char *vm_uuid)
{
	pthread_mutex_lock(&operations->lock);
	for (size_t i = 0; i < operations->count; i++) {
		struct operation *operation = operations->list[i];

		if (!operation->interrupted || !str_equal(operation->kind, kind) ||
			!str_equal(operation->vm, vm_uuid))
			continue;
		operation->interrupted = false;
		operation->state = OPERATION_COMPLETED;
		operation->percent = 100;
		error_clear(&operation->error);
	}
	unlock_and_record(operations);
}

struct operation *operations_resume(
	struct operations *operations, const char *kind, const char *vm_uuid)
{
	struct operation *found = NULL;

	pthread_mutex_lock(&operations->lock);
	for (size_t i = 0; i < operations->count && !found; i++) {
		struct operation *operation = operations->list[i];

		if (operation->interrupted && str_equal(operation->kind, kind) &&
			str_equal(operation->vm, vm_uuid))
			found = operation;
	}
	if (found) {
		found->interrupted = false;
		found->state = OPERATION_RUNNING;
		found->end_ms = 0;
		error_clear(&found->error);
		operations->running++;
	}
	unlock_and_record(operations);
	return found;
}

void operations_recovered(struct operations *operations)
{
	pthread_mutex_lock(&operations->lock);
	for (size_t i = 0; i < operations->count; i++)
		operations->list[i]->interrupted = false;
	unlock_and_record(operations);
}

/* Called with lock held. */
static unsigned count_detached(const struct operations *operations)
{
	unsigned count = 0;

	for (size_t i = 0; i < operations->count; i++)
		count += operations->list[i]->state == OPERATION_RUNNING &&
			 operations->list[i]->detached;
	return count;
}

unsigned operations_drain(struct operations *operations, unsigned timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;
	unsigned running;

	pthread_mutex_lock(&operations->lock);
	operations->draining = true;
	for (size_t i = 0; i < operations->count; i++) {
		struct operation *operation = operations->list[i];

		if (operation->state == OPERATION_RUNNING && !operation->committed &&
			!operation->detached)
			atomic_store(&operation->cancel, true);
	}
	while (operations->running > count_detached(operations) &&
		clock_wait(&operations->ended, &operations->lock, deadline) == 0)
		;
	running = operations->running;
	pthread_mutex_unlock(&operations->lock);
	return running;
}
