/* SPDX-License-Identifier: GPL-2.0-or-later */
/* delete vm. */
#include "base/str.h"
#include "command.h"
#include "wait.h"

/* Asks on the terminal; anything but yes is no. */
static bool confirm(struct client *client, const char *id)
{
	cleanup_free char *safe = text_escape(id);
	char answer[16];

	fprintf(client->log, "Delete VM %s and its managed storage? [y/N] ", safe);
	fflush(client->log);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static int each(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	bool storage = option_count(&client->options, "storage") > 0;
	bool sure = option_count(&client->options, "yes") > 0;
	cleanup_json struct json_object *body = json_new_object();
	cleanup_exchange struct http_exchange exchange = {.method = "DELETE"};

	*result = NULL;
	if (storage && !sure && isatty(STDIN_FILENO) && !confirm(client, id))
		return error_set(err, ERR_CANCELLED, "not deleted");
	json_add_bool(body, "deletestorage", storage);
	cleanup_json struct json_object *operation = NULL;

	return wait_change(client, id, NULL, &exchange, body, &operation, err);
}

static const struct option_row options[] = {
	{'s', "storage", NULL, "also delete the VM's managed storage", 0},
	{'y', "yes", NULL, "do not ask", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command delete_vm_command = {
	.name = "delete vm",
	.operands = "ID...",
	.summary = "Delete VMs that are off",
	.details =
		"Images stay unless --storage is given, which asks first on a terminal; unmanaged "
		"ones\n"
		"always stay.",
	.example = "virtx delete vm web\n"
		   "virtx delete vm web --storage --yes",
	.options = options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each,
};
