/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One record of operations.c and its JSON. Not for others: operations.h is the interface. */
#ifndef VIRTXD_OPERATION_RECORD_H
#define VIRTXD_OPERATION_RECORD_H

#include "operations.h"

#define OPERATION_STATE_COUNT (OPERATION_CANCELLED + 1)

enum operation_state {
	OPERATION_RUNNING,
	OPERATION_COMPLETED,
	OPERATION_FAILED,
	OPERATION_CANCELLED
};

/* Something that it could not do. */
struct operation_left {
	char vm[UUID_TEXT_SIZE];
	char *name, *detail;
	enum error_code code;
};

struct operation {
	struct operations *all;
	char id[UUID_TEXT_SIZE];
	char vm[UUID_TEXT_SIZE];
	char *kind, *name;
	char *key, *fingerprint; /* NULL: none */
	char phase[256];
	char warning[64];
	unsigned percent;
	enum operation_state state;
	bool committed, detached, interrupted;
	int64_t start_ms, end_ms;
	struct error error;
	struct operation_left *left;
	size_t n_left;
	atomic_bool cancel;
};

/* "running", "completed" ... */
extern const char *const operation_state_words[OPERATION_STATE_COUNT];

/* A running one that begins now; operation_free() frees it. */
struct operation *operation_new(const char *kind, const char *vm_uuid, const char *vm_name,
	const struct operation_key *key);
void operation_free(struct operation *operation);

/* Adds what it could not do, unless there are OPERATION_LEFT_MAX. */
void operation_add_left(struct operation *operation, const char *vm_uuid, const char *vm_name,
	const struct error *why);

/* The object of the API, which names its host; host NULL: with what only the file needs. The
 * caller puts it. */
struct json_object *operation_to_json(const struct operation *operation, const char *host);
/* A record of the file; NULL when it is not one. */
struct operation *operation_from_json(struct json_object *json);

#endif
