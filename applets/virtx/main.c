/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client: from the command line to a command's handler, and from its error to the exit status.
 */
#include "applets/applets.h"
#include "base/str.h"
#include "command.h"
#include "units.h"

#include <locale.h>
#include <stdlib.h>

static const char *const formats[] = {[OUTPUT_TABLE] = "table",
	[OUTPUT_JSON] = "json",
	[OUTPUT_YAML] = "yaml",
	[OUTPUT_NAME] = "name"};

#define DEFAULT_TIMEOUT_S 300
#define N_FORMATS         (sizeof(formats) / sizeof(formats[0]))

int client_exit_status(const struct error *err)
{
	switch (err->code) {
	case ERR_NONE:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_NOT_FOUND:
		return 3;
	case ERR_CONNECT:
		return 4;
	case ERR_TIMEOUT:
		return 5;
	default:
		return 1;
	}
}

void client_report(struct client *client, const char *id, const struct error *err)
{
	cleanup_free char *about = text_escape(id ? id : "");
	cleanup_free char *message = text_escape(err->message);
	cleanup_free char *hint = text_escape(err->hint);

	fprintf(client->log, "virtx: %s%s%s\n", about, *about ? ": " : "", message);
	if (*hint)
		fprintf(client->log, "hint: %s\n", hint);
	if (!client->exit_status)
		client->exit_status = client_exit_status(err);
}

/* Reads words until they name a command, then that command's options and operands. */
static int read_command_line(struct client *client, int argc, char **argv, struct error *err)
{
	struct options *options = &client->options;

	options->tables[0] = global_options;
	while (argc > 0) {
		bool is_word = argv[0][0] != '-';
		int used = options_next(options, argc, argv, err);

		if (used < 0)
			return -1;
		argc -= used;
		argv += used;
		if (client->command || !is_word)
			continue;
		client->command = command_find(options->operands, options->n_operands);
		if (client->command) {
			/* Its own options come first: -h is --host where it has one. */
			options->tables[0] = client->command->options;
			options->tables[1] = global_options;
			options->n_operands = 0;
		}
	}
	return 0;
}

static int read_globals(struct client *client, struct error *err)
{
	const char *format = option_value(&client->options, "output");
	const char *timeout = option_value(&client->options, "timeout");

	client->headers = option_count(&client->options, "no-headers") == 0;
	client->debug = option_count(&client->options, "debug") > 0;
	client->server = option_value(&client->options, "api-server");
	if (timeout && !units_parse_seconds(timeout, &client->timeout_s))
		return error_set(
			err, ERR_USAGE, "--timeout is a time like 90s or 5m, not \"%s\"", timeout);
	for (size_t i = 0; format && i < N_FORMATS; i++) {
		if (str_equal(format, formats[i])) {
			client->format = (enum output_format)i;
			return 0;
		}
	}
	if (format)
		return error_set(err, ERR_USAGE,
			"--output is table, json, yaml or name, not \"%s\"", format);
	return 0;
}

/* Of several results each must say what it is about, if only by the ID that was given. */
static void add_result(struct client *client, const char *id, struct json_object *result,
	struct json_object *results)
{
	if (client->options.n_operands > 1 && json_object_is_type(result, json_type_object) &&
		!json_at(result, "uuid") && !json_at(result, "id"))
		json_add_string(result, "id", id);
	json_object_array_add(results, result);
}

/* Runs a command that works on one ID after the other. */
static void run_each(struct client *client)
{
	const struct options *options = &client->options;
	cleanup_json struct json_object *results = json_object_new_array();

	for (size_t i = 0; i < options->n_operands; i++) {
		struct json_object *result = NULL;
		struct error err = {0};

		if (client->command->each(client, options->operands[i], &result, &err) == 0) {
			if (result)
				add_result(client, options->operands[i], result, results);
			continue;
		}
		json_object_put(result);
		client_report(client, options->n_operands > 1 ? options->operands[i] : NULL, &err);
		/* Without a server, or with a wrong option, the others would fare no better. */
		if (err.code == ERR_CONNECT || err.code == ERR_USAGE)
			break;
	}
	if (client->command->view && json_object_array_length(results) > 0)
		output_print(client, client->command->view(client), results);
}

static int run(struct client *client, int argc, char **argv, struct error *err)
{
	struct options *options = &client->options;

	if (read_command_line(client, argc - 1, argv + 1, err) < 0 || read_globals(client, err) < 0)
		return -1;
	if (option_count(options, "version") > 0) {
		fputs("virtx " VIRTX_VERSION "\n", client->out);
		return 0;
	}
	if (option_count(options, "help") > 0 && client->command)
		return help_print_command(client->command, client->out);
	if (!client->command && (option_count(options, "help") > 0 || options->n_operands == 0))
		return help_print(options->operands, options->n_operands, client->out, err);
	if (!client->command)
		return command_unknown(options->operands, options->n_operands, err);
	if (command_check_operands(client->command, options->n_operands, err) < 0)
		return -1;
	if (client->command->run)
		return client->command->run(client, err);
	run_each(client);
	return 0;
}

int client_run(int argc, char **argv, FILE *out, FILE *log)
{
	struct client client = {.out = out, .log = log, .timeout_s = DEFAULT_TIMEOUT_S};
	struct error err = {0};

	/* Widths of characters need a character set of UTF-8, whatever the user's is. */
	setlocale(LC_CTYPE, "");
	if (MB_CUR_MAX == 1)
		setlocale(LC_CTYPE, "C.UTF-8");
	if (run(&client, argc, argv, &err) < 0)
		client_report(&client, NULL, &err);
	if (fflush(out) != 0 || ferror(out)) {
		struct error full = {0};

		error_set(&full, ERR_STORAGE, "cannot write the output: %m");
		client_report(&client, NULL, &full);
	}
	options_free(&client.options);
	http_client_free(client.http);
	json_object_put(client.hosts);
	json_object_put(client.host_names);
	return client.exit_status;
}

int virtx_main(int argc, char **argv)
{
	return client_run(argc, argv, stdout, stderr);
}
