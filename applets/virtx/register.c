/* SPDX-License-Identifier: GPL-2.0-or-later */
/* register vm. */
#include "command.h"

static int each(
	struct client *client, const char *id, struct json_object **result, struct error *err)
{
	cleanup_json struct json_object *body = json_new_object();
	cleanup_exchange struct http_exchange exchange = {.method = "PUT"};
	const char *given = option_value(&client->options, "host");

	*result = NULL;
	if (!given)
		return error_set(err, ERR_USAGE, "register needs --host HOST");
	cleanup_free char *host = client_find_host(client, given, err);

	if (!host)
		return -1;
	json_add_string(body, "host", host);
	if (client_exchange_id(client, THING_VM, id, "/register", &exchange, body, err) < 0)
		return -1;
	fprintf(client->log, "%s\n",
		exchange.status == 201 ? "defined in libvirt from the register"
				       : "register entry rewritten from libvirt");
	return 0;
}

static const struct option_row options[] = {
	{'h', "host", "HOST", "the host whose register has it (required)", COMPLETE_HOST},
	{0, NULL, NULL, NULL, 0},
};

const struct command register_vm_command = {
	.name = "register vm",
	.operands = "ID...",
	.summary = "Bring libvirt and the register together again",
	.details = "A VM that its host knows gets its register entry rewritten from libvirt; one "
		   "that it does\n"
		   "not know is defined from the register (ID is its UUID then).",
	.example = "virtx register vm 7e5ac3a2-6b5c-4b0e-9c6d-0a4f2b1c8d9e --host virt1",
	.options = options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.each = each,
};
