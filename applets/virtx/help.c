/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help at every level, from the table of commands. */
#include "base/str.h"
#include "command.h"
#include "manual.h"

int help_print_command(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: virtx %s%s%s%s\n\n%s.\n", command->name,
		option_any_shown(command->options) ? " [OPTION...]" : "",
		*command->operands ? " " : "", command->operands, command->summary);
	if (command->details)
		fprintf(out, "%s\n", command->details);
	if (option_any_shown(command->options)) {
		fputs("\nOptions:\n", out);
		option_print_help(command->options, out);
	}
	fputs("\nOptions of every command:\n", out);
	option_print_help(global_options, out);
	fputs("\nExamples:\n", out);
	for (const char *line = command->example; *line;) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "  %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	return 0;
}

/* One line for each command that the words start. */
static size_t print_list(char *const *words, size_t count, FILE *out)
{
	size_t printed = 0;

	for (size_t i = 0; commands[i]; i++) {
		const struct command *command = commands[i];

		if (command->hidden || !command_starts_with(command, words, count))
			continue;
		if (!printed++)
			fputs("Commands:\n", out);
		int used = fprintf(out, "  %s%s%s", command->name, *command->operands ? " " : "",
			command->operands);

		fprintf(out, "%*s  %s\n", used < 34 ? 34 - used : 0, "", command->summary);
	}
	return printed;
}

int help_print(char *const *words, size_t count, FILE *out, struct error *err)
{
	const struct command *command = command_find(words, count);

	if (command)
		return help_print_command(command, out);
	if (count == 0)
		fputs("virtx: virtual machines on a federation of equal hosts\n\n"
		      "Usage: virtx [OPTION...] COMMAND [OPERAND...]\n\n",
			out);
	if (!print_list(words, count, out))
		return command_unknown(words, count, err);
	if (count == 0) {
		fputs("\nOptions of every command:\n", out);
		option_print_help(global_options, out);
	}
	fputs("\nvirtx COMMAND --help explains one of them, with examples.\n", out);
	return 0;
}

static int run(struct client *client, struct error *err)
{
	if (option_count(&client->options, "man") > 0)
		return manual_write(stdin, client->out, err);
	return help_print(client->options.operands, client->options.n_operands, client->out, err);
}

static const struct option_row options[] = {
	/* For the build: fills the tables into a page of man/. */
	{0, "man", NULL, NULL, 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command help_command = {
	.name = "help",
	.operands = "[COMMAND...]",
	.summary = "Explain a command, or list those that start with a word",
	.example = "virtx help\n"
		   "virtx help list\n"
		   "virtx help create vm",
	.options = options,
	.completes = {COMPLETE_COMMAND, COMPLETE_COMMAND},
	.run = run,
};
