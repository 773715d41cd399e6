/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of operations as JSON, for the API and for the file: see operation_record.h. */
#include "operation_record.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon.h"
#include "model/json.h"

const char *const operation_state_words[OPERATION_STATE_COUNT] = {
	"running", "completed", "failed", "cancelled"};

struct operation *operation_new(
	const char *kind, const char *vm_uuid, const char *vm_name, const struct operation_key *key)
{
	struct operation *operation = xcalloc(1, sizeof(*operation));

	uuid_make(operation->id);
	(void)str_copy(operation->vm, sizeof(operation->vm), vm_uuid);
	operation->kind = xstrdup(kind);
	operation->name = xstrdup(vm_name);
	operation->key = key ? xstrdup(key->key) : NULL;
	operation->fingerprint = key ? xstrdup(key->fingerprint) : NULL;
	operation->start_ms = clock_wall_ms();
	return operation;
}

void operation_free(struct operation *operation)
{
	free(operation->kind);
	free(operation->name);
	free(operation->key);
	free(operation->fingerprint);
	free(operation);
}

struct json_object *operation_to_json(const struct operation *operation, bool own)
{
	struct json_object *json = json_new_object();

	json_add_string(json, "id", operation->id);
	json_add_string(json, "kind", operation->kind);
	json_add_string(json, "vm", operation->vm);
	json_add_string(json, "name", operation->name);
	/* A start that is cut before it has looked into that finds it as it was. */
	json_add_string(json, "state",
		operation_state_words[own && operation->interrupted ? OPERATION_RUNNING
								    : operation->state]);
	json_add_string(json, "phase", operation->phase);
	json_add_string(json, "warning", operation->warning);
	json_add_int(json, "progress", operation->percent);
	json_add_bool(json, "cancellable",
		operation->state == OPERATION_RUNNING && !operation->committed &&
			!atomic_load(&operation->cancel));
	json_add_int(json, "start", operation->start_ms);
	json_add_int(json, "end", operation->end_ms);
	if (error_is_set(&operation->error)) {
		struct json_object *error = json_add_object(json, "error");

		json_add_string(error, "code", error_code_word(operation->error.code));
		json_add_string(error, "detail", operation->error.message);
		json_add_string(error, "hint", operation->error.hint);
	} else {
		json_object_object_add(json, "error", NULL);
	}
	if (own && operation->key) {
		json_add_string(json, "key", operation->key);
		json_add_string(json, "fingerprint", operation->fingerprint);
	}
	return json;
}

struct operation *operation_from_json(struct json_object *json)
{
	struct operation *operation = xcalloc(1, sizeof(*operation));
	struct json_object *error = NULL;
	struct error err = {0};
	cleanup_free char *id = NULL, *vm = NULL, *state = NULL, *phase = NULL, *warning = NULL,
			  *code = NULL, *detail = NULL, *hint = NULL;

	if (json_get_string(json, "id", "", &id, &err) ||
		json_get_string(json, "vm", "", &vm, &err) ||
		json_get_string(json, "kind", "", &operation->kind, &err) ||
		json_get_string(json, "name", "", &operation->name, &err) ||
		json_get_string(json, "state", "", &state, &err) ||
		json_get_string(json, "phase", "", &phase, &err) ||
		json_get_string(json, "warning", "", &warning, &err) ||
		json_get_i64(json, "start", "", &operation->start_ms, &err) ||
		json_get_i64(json, "end", "", &operation->end_ms, &err) ||
		json_get_string(json, "key", "", &operation->key, &err) ||
		json_get_string(json, "fingerprint", "", &operation->fingerprint, &err) ||
		json_get_object(json, "error", "", &error, &err) ||
		json_get_string(error, "code", "", &code, &err) ||
		json_get_string(error, "detail", "", &detail, &err) ||
		json_get_string(error, "hint", "", &hint, &err) ||
		!uuid_canonical(id, operation->id) || !uuid_canonical(vm, operation->vm)) {
		operation_free(operation);
		return NULL;
	}
	(void)str_copy(operation->phase, sizeof(operation->phase), phase);
	(void)str_copy(operation->warning, sizeof(operation->warning), warning);
	if (!*operation->key) {
		free(steal(&operation->key));
		free(steal(&operation->fingerprint));
	}
	for (size_t i = 0; i < OPERATION_STATE_COUNT; i++)
		if (str_equal(state, operation_state_words[i]))
			operation->state = (enum operation_state)i;
	operation->percent = operation->state == OPERATION_COMPLETED ? 100 : 0;
	if (error) {
		error_set(&operation->error, error_code_parse(code), "%s", detail);
		if (*hint)
			error_hint(&operation->error, "%s", hint);
	}
	return operation;
}
