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
	for (size_t i = 0; i < operation->n_left; i++) {
		free(operation->left[i].name);
		free(operation->left[i].detail);
	}
	free(operation->left);
	free(operation);
}

void operation_add_left(struct operation *operation, const char *vm_uuid, const char *vm_name,
	const struct error *why)
{
	if (operation->n_left == OPERATION_LEFT_MAX)
		return;
	operation->left =
		xreallocarray(operation->left, operation->n_left + 1, sizeof(*operation->left));
	struct operation_left *left = &operation->left[operation->n_left++];
	*left = (struct operation_left){
		.name = xstrdup(vm_name),
		.detail = xstrdup(why->message),
		.code = why->code,
	};
	(void)str_copy(left->vm, sizeof(left->vm), vm_uuid);
}

static void left_to_json(const struct operation *operation, struct json_object *json)
{
	struct json_object *list = json_add_array(json, "left");

	for (size_t i = 0; i < operation->n_left; i++) {
		const struct operation_left *left = &operation->left[i];
		struct json_object *item = json_append_object(list);

		json_add_string(item, "vm", left->vm);
		json_add_string(item, "name", left->name);
		json_add_string(item, "code", error_code_word(left->code));
		json_add_string(item, "detail", left->detail);
	}
}

static int left_from_json(struct json_object *json, struct operation *operation, struct error *err)
{
	struct json_object *list;
	size_t count;

	if (json_get_objects(json, "left", "", OPERATION_LEFT_MAX, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		cleanup_free char *vm = NULL, *name = NULL, *code = NULL, *detail = NULL;
		char uuid[UUID_TEXT_SIZE];
		struct error why = {0};

		if (json_get_string(item, "vm", "", &vm, err) ||
			json_get_string(item, "name", "", &name, err) ||
			json_get_string(item, "code", "", &code, err) ||
			json_get_string(item, "detail", "", &detail, err))
			return -1;
		if (!uuid_canonical(vm, uuid))
			return error_set(err, ERR_INVALID, "left: \"%.64s\" is no UUID", vm);
		error_set(&why, error_code_parse(code), "%s", detail);
		operation_add_left(operation, uuid, name, &why);
	}
	return 0;
}

struct json_object *operation_to_json(const struct operation *operation, const char *host)
{
	struct json_object *json = json_new_object();
	bool own = !host;

	json_add_string(json, "id", operation->id);
	if (host)
		json_add_string(json, "host", host);
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
	left_to_json(operation, json);
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
		left_from_json(json, operation, &err) || !uuid_canonical(id, operation->id) ||
		!uuid_canonical(vm, operation->vm)) {
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
