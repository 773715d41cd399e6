/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intents as JSON: see intent.h. The format is private to this host and version. */
#include "intent.h"

#include "base/mem.h"
#include "base/str.h"
#include "model/json.h"
#include "storage/register.h"

static const char *const op_names[] = {"create", "update", "delete", "boot", "migrate", "register"};
#define OP_COUNT (sizeof(op_names) / sizeof(op_names[0]))

const char *intent_op_name(enum intent_op op)
{
	return op_names[op];
}

void intent_add_made(struct intent *intent, const char *path, uint64_t inode)
{
	intent->made = xreallocarray(intent->made, intent->n_made + 1, sizeof(struct intent_made));
	intent->made[intent->n_made++] =
		(struct intent_made){.path = xstrdup(path), .inode = inode};
}

uint64_t intent_made_inode(const struct intent *intent, const char *path)
{
	for (size_t i = intent->n_made; i > 0; i--)
		if (str_equal(intent->made[i - 1].path, path))
			return intent->made[i - 1].inode;
	return 0;
}

int intent_write(const struct store *store, const struct intent *intent, struct error *err)
{
	cleanup_json struct json_object *json = json_new_object();
	struct json_object *made = json_add_array(json, "made");

	json_add_string(json, "op", intent_op_name(intent->op));
	json_add_string(json, "vm", intent->vm);
	json_add_bool(json, "remove", intent->remove);
	json_add_bool(json, "forward", intent->forward);
	json_object_object_add(json, "def", vmdef_to_json(&intent->def));
	if (intent->op == INTENT_UPDATE)
		json_object_object_add(json, "old", vmdef_to_json(&intent->old));
	for (size_t i = 0; i < intent->n_made; i++) {
		struct json_object *item = json_append_object(made);

		json_add_string(item, "path", intent->made[i].path);
		json_object_object_add(
			item, "inode", json_object_new_uint64(intent->made[i].inode));
	}
	if (intent->op == INTENT_MIGRATE) {
		json_add_string(json, "from", intent->from);
		json_add_string(json, "to", intent->to);
		json_add_string(json, "host", intent->to_name);
		json_add_bool(json, "live", intent->live);
		json_add_bool(json, "running", intent->running);
		json_add_int(json, "note", intent->note_ms);
	}
	if (intent->op == INTENT_REGISTER)
		json_add_string(json, "from", intent->from);
	cleanup_free char *text = json_text(json);

	return intent_save(store, intent->vm, text, err);
}

static int read_made(struct json_object *json, struct intent *intent, struct error *err)
{
	struct json_object *items = NULL;
	size_t count = 0;

	if (json_get_objects(json, "made", "", 2 * (VMDEF_MAX_DISKS + 1), &items, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		cleanup_free char *path = NULL;

		if (json_get_string(item, "path", "made", &path, err))
			return -1;
		intent_add_made(intent, path,
			json_object_get_uint64(json_object_object_get(item, "inode")));
	}
	return 0;
}

/* The disks of a definition that update or delete acts on: always at least the osdisk. */
static int read_def(
	struct json_object *json, const char *name, struct vmdef *def, struct error *err)
{
	struct json_object *object = NULL;

	if (json_get_object(json, name, "", &object, err))
		return -1;
	if (!object)
		return error_set(err, ERR_INVALID, "%s: missing", name);
	return vmdef_from_json(object, def, err);
}

static int read_host(struct json_object *json, const char *name, char host[static UUID_TEXT_SIZE],
	struct error *err)
{
	cleanup_free char *text = NULL;

	if (json_get_string(json, name, "", &text, err))
		return -1;
	if (!uuid_canonical(text, host))
		return error_set(err, ERR_INVALID, "%s: %s is not a UUID", name, text);
	return 0;
}

static int read_migration(struct json_object *json, struct intent *intent, struct error *err)
{
	cleanup_free char *name = NULL;

	if (read_host(json, "from", intent->from, err) || read_host(json, "to", intent->to, err) ||
		json_get_string(json, "host", "", &name, err) ||
		json_get_bool(json, "live", "", &intent->live, err) ||
		json_get_bool(json, "running", "", &intent->running, err) ||
		json_get_i64(json, "note", "", &intent->note_ms, err))
		return -1;
	if (!str_copy(intent->to_name, sizeof(intent->to_name), name))
		return error_set(err, ERR_INVALID, "host: longer than a host's name can be");
	return 0;
}

static int read_members(struct json_object *json, struct intent *intent, struct error *err)
{
	cleanup_free char *op = NULL, *vm = NULL;
	size_t i = 0;

	if (json_get_string(json, "op", "", &op, err) ||
		json_get_string(json, "vm", "", &vm, err) ||
		json_get_bool(json, "remove", "", &intent->remove, err) ||
		json_get_bool(json, "forward", "", &intent->forward, err) ||
		read_def(json, "def", &intent->def, err) || read_made(json, intent, err))
		return -1;
	while (i < OP_COUNT && !str_equal(op, op_names[i]))
		i++;
	if (i == OP_COUNT)
		return error_set(err, ERR_INVALID, "op: %s is none", op);
	intent->op = (enum intent_op)i;
	intent->defined = true;
	if (intent->op == INTENT_UPDATE && read_def(json, "old", &intent->old, err))
		return -1;
	if (intent->op == INTENT_MIGRATE && read_migration(json, intent, err))
		return -1;
	if (intent->op == INTENT_REGISTER && read_host(json, "from", intent->from, err))
		return -1;
	if (!str_equal(vm, intent->vm))
		return error_set(err, ERR_INVALID, "vm: it belongs to another VM");
	return 0;
}

int intent_read(const struct store *store, const char *vm, struct intent *intent, struct error *err)
{
	return intent_read_of(store, store_host_uuid(store), vm, intent, err);
}

int intent_read_of(const struct store *store, const char *host, const char *vm,
	struct intent *intent, struct error *err)
{
	cleanup_json struct json_object *json = NULL;
	cleanup_free char *text = intent_load_of(store, host, vm, err);

	*intent = (struct intent){0};
	if (!text)
		return -1;
	(void)str_copy(intent->vm, sizeof(intent->vm), vm);
	if (json_parse(text, strlen(text), &json, err) || read_members(json, intent, err)) {
		intent_free(intent);
		err->code = ERR_STORED_DATA;
		return error_prefix(err, "intent of VM %s", vm);
	}
	return 0;
}

void intent_free(struct intent *intent)
{
	for (size_t i = 0; i < intent->n_made; i++)
		free(intent->made[i].path);
	free(intent->made);
	vmdef_free(&intent->def);
	vmdef_free(&intent->old);
	*intent = (struct intent){0};
}
