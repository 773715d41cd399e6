/* SPDX-License-Identifier: GPL-2.0-or-later */
/* register vm: one by one, or all of a host that died. */
#include "base/buf.h"
#include "command.h"

/* What the server's answer means. */
static const char *what_was_done(int status)
{
	switch (status) {
	case 201:
		return "defined in libvirt from the register";
	case 204:
		return "there is no such VM any more";
	default:
		return "register entry rewritten from libvirt";
	}
}

/* about: what is said of it in front; NULL: nothing. */
static int register_one(struct client *client, const char *id, const char *host, const char *about,
	struct error *err)
{
	cleanup_json struct json_object *body = json_new_object();
	cleanup_exchange struct http_exchange exchange = {.method = "PUT"};

	json_add_string(body, "host", host);
	if (client_exchange_id(client, THING_VM, id, "/register", &exchange, body, err) < 0)
		return -1;
	fprintf(client->log, "%s%s%s\n", about ? about : "", about ? ": " : "",
		what_was_done(exchange.status));
	return 0;
}

static int register_given(struct client *client, const char *host)
{
	const struct options *options = &client->options;

	for (size_t i = 0; i < options->n_operands; i++) {
		const char *id = options->operands[i], *about = options->n_operands > 1 ? id : NULL;
		struct error err = {0};

		if (register_one(client, id, host, about, &err) == 0)
			continue;
		client_report(client, about, &err);
		if (err.code == ERR_CONNECT)
			break;
	}
	return 0;
}

/* A VM that stays where it is, for the end. */
struct failure {
	char *about;
	struct error err;
};

static void report_failures(
	struct client *client, struct failure *failures, size_t failed, size_t count)
{
	if (failed)
		fprintf(client->log, "%zu of %zu VMs were not registered:\n", failed, count);
	for (size_t i = 0; i < failed; i++) {
		client_report(client, failures[i].about, &failures[i].err);
		free(failures[i].about);
		client->exit_status = 1;
	}
	free(failures);
}

/* One after the other; what fails is told at once in short, and at the end with its reason. */
static void register_all(struct client *client, struct json_object *items, const char *host)
{
	size_t count = json_object_array_length(items), failed = 0;
	struct failure *failures = xcalloc(count, sizeof(*failures));

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		const char *uuid = json_text_at(item, "uuid");
		cleanup_free char *name = text_escape(json_text_at(item, "name"));
		cleanup_free char *about =
			xasprintf("%s%s%s%s", name, *name ? " (" : "", uuid, *name ? ")" : "");
		cleanup_free char *place = xasprintf("%zu/%zu %s", i + 1, count, about);
		struct error err = {0};

		if (register_one(client, uuid, host, place, &err) == 0)
			continue;
		fprintf(client->log, "%s: not registered\n", place);
		failures[failed].about = steal(&about);
		failures[failed++].err = err;
		if (err.code == ERR_CONNECT)
			break;
	}
	report_failures(client, failures, failed, count);
}

static struct json_object *rows_items(struct json_object *result)
{
	return json_object_get(json_at(result, "items"));
}

static const struct column columns[] = {
	{"UUID", "uuid", cell_text, NULL},
	{"NAME", "name", cell_text, NULL},
	{"BEGUN", "operation", cell_text, NULL},
	{NULL, NULL, NULL, NULL},
};

static int register_from_host(
	struct client *client, const char *given, const char *host, struct error *err)
{
	static const struct view view = {columns, "name", rows_items};
	cleanup_json struct json_object *answer = NULL;
	cleanup_free char *from = client_find_host(client, given, err);

	if (!from)
		return -1;
	cleanup_free char *target = xasprintf("/hosts/%s/register", from);
	if (client_get(client, target, NULL, &answer, err) < 0)
		return -1;
	struct json_object *items = json_at(answer, "items");

	if (!json_object_is_type(items, json_type_array))
		return error_set(err, ERR_FORWARD, "the server's answer has no list of VMs");
	if (option_count(&client->options, "dry-run") > 0) {
		cleanup_json struct json_object *results = json_object_new_array();

		json_object_array_add(results, json_object_get(answer));
		output_print(client, &view, results);
	} else if (json_object_array_length(items) == 0) {
		fprintf(client->log, "the register of that host is empty\n");
	} else {
		register_all(client, items, host);
	}
	return 0;
}

static int run_register(struct client *client, struct error *err)
{
	const struct options *options = &client->options;
	const char *from = option_value(options, "from-host");

	if (!option_value(options, "host"))
		return error_set(err, ERR_USAGE, "register needs --host HOST");
	if (from && options->n_operands > 0)
		return error_set(err, ERR_USAGE, "--from-host takes all VMs of that host: no ID");
	if (!from && options->n_operands == 0)
		return error_set(err, ERR_USAGE, "register needs an ID, or --from-host HOST");
	if (!from && option_count(options, "dry-run") > 0)
		return error_set(err, ERR_USAGE, "--dry-run works with --from-host");
	cleanup_free char *host = client_find_host(client, option_value(options, "host"), err);

	if (!host)
		return -1;
	return from ? register_from_host(client, from, host, err) : register_given(client, host);
}

static const struct option_row register_options[] = {
	{'h', "host", "HOST", "the host that is to have it (required)", COMPLETE_HOST},
	{0, "from-host", "HOST", "all VMs in the register of a host that died", COMPLETE_HOST},
	{0, "dry-run", NULL, "... which are only listed", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command register_vm_command = {
	.name = "register vm",
	.operands = "[ID...]",
	.summary = "Register VMs with a host: again, or those of a host that died",
	.details =
		"A VM that the host knows gets its register entry rewritten from libvirt; one that "
		"it "
		"does\n"
		"not know is defined from its register (ID is its UUID then). A VM of a host that "
		"failed or\n"
		"left is taken over from that host's register, and can be booted. That is refused "
		"while that\n"
		"host is active, and while it may still run the VM: its leases are free some "
		"minutes "
		"after\n"
		"it died.",
	.example = "virtx register vm web --host virt1\n"
		   "virtx register vm 7e5ac3a2-6b5c-4b0e-9c6d-0a4f2b1c8d9e --host virt1\n"
		   "virtx register vm --from-host virt3 --host virt1",
	.options = register_options,
	.completes = {COMPLETE_VM, COMPLETE_VM},
	.run = run_register,
};
