/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations: what changes a VM and may take long. One at a time per VM; each is
 * recorded for 24 hours and at most 1,000, over restarts (STATE_DIR/operations.json).
 *
 * Safe from every thread. Two mutexes inside: one for the records, never held across I/O, and one
 * that serialises writers of the file; what several threads changed meanwhile goes out in one
 * write.
 */
#ifndef VIRTXD_OPERATIONS_H
#define VIRTXD_OPERATIONS_H

#include "base/error.h"
#include "base/uuid.h"

#include <json-c/json_object.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define OPERATIONS_MAX     1000
#define OPERATIONS_AGE_MS  (24 * 3600 * INT64_C(1000))
#define OPERATION_LEFT_MAX 50
#define OPERATION_KEY_MAX  255 /* bytes of an Idempotency-Key */

struct operations;
struct operation;

/* What makes a retry safe: the client's key, and what it was used for. */
struct operation_key {
	const char *key;         /* 1 to OPERATION_KEY_MAX bytes */
	const char *fingerprint; /* of the request: a key that comes with another one is refused */
};

/*
 * Reads the records of the last run; those that were running become failed ("interrupted by a
 * restart"). A file that cannot be understood is set aside as operations.json.bad, with a warning.
 * NULL: ERR_STORAGE, STATE_DIR cannot be used.
 */
struct operations *operations_open(const char *state_dir, struct error *err);
/* From here on each record says that it is of that host. Before the API is served. */
void operations_set_host(struct operations *operations, const char *host_uuid);
/* No operation may be running any more, or its thread must never come back. NULL is fine. */
void operations_close(struct operations *operations);

/*
 * Takes the VM for an operation: kind "create", "update", "delete", "boot" ... ERR_BUSY with kind
 * and id of the one that holds it, or when a request with that key is running or has just ended;
 * ERR_UNAVAILABLE while draining. key: NULL for none. The record is durable before it returns.
 */
struct operation *operations_begin(struct operations *operations, const char *kind,
	const char *vm_uuid, const char *vm_name, const struct operation_key *key,
	struct error *err);
const char *operation_id(const struct operation *operation);
/* phase: "provision /vms/ds/x.qcow2"; percent 0 to 100 of the whole. */
void operation_progress(struct operation *operation, const char *phase, unsigned percent);
/* Set by DELETE /operations/{id}; long work looks at it. */
const atomic_bool *operation_cancel_flag(const struct operation *operation);
/* 0, or -1 with ERR_CANCELLED when somebody asked for it. */
int operation_check_cancel(const struct operation *operation, struct error *err);
/* What the client should know although it succeeds: "warning" of the record. Static text. */
void operation_warn(struct operation *operation, const char *warning);
/* Something that it could not do, in the record's `left`; the first OPERATION_LEFT_MAX are kept. */
void operation_leave(struct operation *operation, const char *vm_uuid, const char *vm_name,
	const struct error *why);
/* From here on it cannot be cancelled: cancel answers ERR_STATE. */
void operation_commit(struct operation *operation);
/* From here on others do its work, without this process: stopping neither cancels it nor waits for
 * it, and the next start finds it interrupted. */
void operation_detach(struct operation *operation);
/* Ends it and lets the VM go: err NULL or empty is success. Not usable afterwards. */
void operation_end(struct operation *operation, const struct error *err);

/* The running operation of a VM: true and its id. */
bool operations_is_busy(
	struct operations *operations, const char *vm_uuid, char id[static UUID_TEXT_SIZE]);

/* {"items": [...]}, newest first; the caller puts it. */
struct json_object *operations_to_json(struct operations *operations);
/* Whether there is one with that id. */
bool operations_has(struct operations *operations, const char *id);
/* One of them; ERR_NOT_FOUND. The caller puts it. */
struct json_object *operation_find_json(
	struct operations *operations, const char *id, struct error *err);
/* ERR_NOT_FOUND, ERR_STATE when it has ended or cannot be cancelled any more. */
int operations_cancel(struct operations *operations, const char *id, struct error *err);

/* What became of an earlier request with a key. */
enum operation_key_state {
	OPERATION_KEY_NEW,     /* none, or it failed and left nothing: do it */
	OPERATION_KEY_RUNNING, /* still at work */
	OPERATION_KEY_DONE,    /* it succeeded */
	OPERATION_KEY_OTHER,   /* the key was used for another request */
};

/* vm_uuid: the VM of the earlier request, "" when there is none. */
enum operation_key_state operations_find_key(struct operations *operations,
	const struct operation_key *key, char vm_uuid[static UUID_TEXT_SIZE]);

/*
 * The operations of a kind that the last run left unfinished: the UUIDs of their VMs; the caller
 * frees *list.
 */
size_t operations_list_interrupted(
	struct operations *operations, const char *kind, char (**list)[UUID_TEXT_SIZE]);
/* The interrupted one of that kind and VM runs again, under its id; NULL when there is none. */
struct operation *operations_resume(
	struct operations *operations, const char *kind, const char *vm_uuid);
/* What recovery found to be complete after all: the interrupted one of that VM has succeeded. */
void operations_settle(struct operations *operations, const char *kind, const char *vm_uuid);

/* Recovery has looked into all of them: the next start finds none of these any more. */
void operations_recovered(struct operations *operations);

/* Lets none begin, cancels what can be, waits for the rest but for those that are detached. Number
 * still running then, or after timeout_ms. */
unsigned operations_drain(struct operations *operations, unsigned timeout_ms);

#endif
