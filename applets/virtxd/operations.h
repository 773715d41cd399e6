/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations: what changes a VM and may take long. One at a time per VM; each is
 * recorded for 24 hours and at most 1,000, over restarts (STATE_DIR/operations.json).
 */
#ifndef VIRTXD_OPERATIONS_H
#define VIRTXD_OPERATIONS_H

#include "base/error.h"
#include "base/uuid.h"
#include "http/server.h"

#include <json-c/json_object.h>
#include <stdatomic.h>

struct operations;
struct operation;

/* Reads the records of the last run; those that were running become failed ("interrupted by a restart"). */
struct operations *operations_open(const char *state_dir, struct error *err);
void operations_close(struct operations *operations);

/*
 * Takes the VM for an operation: kind "create", "update", "delete", "boot" ... ERR_BUSY with kind and id of the one that
 * holds it. idempotency_key: NULL or the client's key. The record is durable before it returns.
 */
struct operation *operations_begin(struct operations *operations, const char *kind,
	const char *vm_uuid, const char *vm_name, const char *idempotency_key, struct error *err);
const char *operation_id(const struct operation *operation);
/* phase: "provision /vms/ds/x.qcow2"; percent 0 to 100 of the whole. */
void operation_progress(struct operation *operation, const char *phase, unsigned percent);
/* Set by DELETE /operations/{id}; long work looks at it. */
const atomic_bool *operation_cancel_flag(const struct operation *operation);
/* From here on it cannot be cancelled: cancel answers 409. */
void operation_commit(struct operation *operation);
/* Ends it and lets the VM go: err NULL or empty is success. Not usable afterwards. */
void operation_end(struct operation *operation, const struct error *err);

/* The running operation of a VM: true and its id. */
bool operations_is_busy(struct operations *operations, const char *vm_uuid, char id[static UUID_TEXT_SIZE]);

/* {"items": [...]}, newest first; the caller puts it. */
struct json_object *operations_to_json(struct operations *operations);
struct json_object *operation_find_json(struct operations *operations, const char *id, struct error *err);
/* ERR_NOT_FOUND, ERR_STATE when it has ended or cannot be cancelled any more. */
int operations_cancel(struct operations *operations, const char *id, struct error *err);

/*
 * The operation of an earlier request with that Idempotency-Key: its VM's UUID; false when there is none.
 * *ended and *err tell how it went.
 */
bool operations_find_key(struct operations *operations, const char *key,
	char vm_uuid[static UUID_TEXT_SIZE], bool *ended, struct error *err);

/* Cancels what can be, waits for the rest. Number of operations still running after timeout_ms. */
unsigned operations_drain(struct operations *operations, unsigned timeout_ms);

#endif
