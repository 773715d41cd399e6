/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the manual pages, in mdoc, from the rows of commands, options and settings. */
#include "manual.h"

#include "applets/virtxd/settings.h"
#include "base/str.h"
#include "command.h"

#define LINE_WIDTH 72

/* Text that troff shows as it is: what it would take for an instruction is escaped. */
static void put_text(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			fputs("\\e", out);
		else if (text[i] == '-')
			fputs("\\-", out);
		else if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
			fprintf(out, "\\&%c", text[i]);
		else
			putc(text[i], out);
	}
}

/* Sentences, each on a line of its own, in short lines; the first one starts with a capital. */
static void put_prose(const char *text, FILE *out)
{
	size_t column = 0;
	bool first = true;

	for (text += strspn(text, " \n"); *text; text += strspn(text, " \n")) {
		size_t len = strcspn(text, " \n");
		bool ends = len > 1 && text[len - 1] == '.' && text[len - 2] != '.';
		char capital =
			first && *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;

		if (column)
			putc(' ', out);
		put_text(&capital, 1, out);
		put_text(text + 1, len - 1, out);
		column += len + 1;
		text += len;
		first = false;
		if (*text && (ends || column + strcspn(text + 1, " \n") > LINE_WIDTH)) {
			putc('\n', out);
			column = 0;
		}
	}
}

/* An argument of a macro: in quotes, so that words like "No" or "Fl" stay words. */
static void put_argument(const char *text, size_t len, FILE *out)
{
	fputs(" Ar \"", out);
	put_text(text, len, out);
	putc('"', out);
}

static void put_option(const struct option_row *row, FILE *out)
{
	fputs(".It ", out);
	if (row->letter)
		fprintf(out, "Fl %s%c , ", row->letter == '?' ? "\\&" : "", row->letter);
	fputs("Fl \\-", out);
	put_text(row->name, strlen(row->name), out);
	if (row->argument)
		put_argument(row->argument, strlen(row->argument), out);
	putc('\n', out);
	put_prose(row->help, out);
	fputs(".\n", out);
}

static void put_options(const struct option_row *rows, FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (const struct option_row *row = rows; row->name; row++)
		if (row->help)
			put_option(row, out);
	fputs(".El\n", out);
}

static void put_command(const struct command *command, FILE *out)
{
	bool options = option_any_shown(command->options);

	fprintf(out, ".It Cm %s%s", command->name, options ? " Oo Ar OPTION ... Oc" : "");
	for (const char *word = command->operands; *word;) {
		size_t len = strcspn(word, " ");

		put_argument(word, len, out);
		word += len + (word[len] == ' ');
	}
	putc('\n', out);
	put_prose(command->summary, out);
	fputs(".\n", out);
	if (command->details) {
		put_prose(command->details, out);
		putc('\n', out);
	}
	if (options)
		put_options(command->options, out);
	fputs(".Bd -literal -offset indent\n", out);
	put_text(command->example, strlen(command->example), out);
	fputs("\n.Ed\n", out);
}

static void put_commands(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			put_command(commands[i], out);
	fputs(".El\n", out);
}

static void put_global_options(FILE *out)
{
	put_options(global_options, out);
}

/* The help of a key, what it can be and its default. */
static void put_key_help(const struct config_row *row, FILE *out)
{
	cleanup_free char *text = config_describe(row);

	put_prose(text, out);
	putc('\n', out);
}

static void put_daemon_options(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (const struct config_row *row = settings_rows; row->key; row++) {
		fputs(".It Fl \\-", out);
		for (const char *c = row->key; *c; c++)
			fputs(*c == '_' ? "\\-" : (char[]){*c, '\0'}, out);
		if (row->argument)
			put_argument(row->argument, strlen(row->argument), out);
		putc('\n', out);
		put_key_help(row, out);
	}
	fputs(".El\n", out);
}

static void put_daemon_keys(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (const struct config_row *row = settings_rows; row->key; row++) {
		fprintf(out, ".It Cm %s No =", row->key);
		if (row->argument)
			put_argument(row->argument, strlen(row->argument), out);
		else
			fputs(" Cm yes | no", out);
		putc('\n', out);
		put_key_help(row, out);
	}
	fputs(".El\n", out);
}

int manual_write(FILE *page, FILE *out, struct error *err)
{
	static const struct {
		const char *line;
		void (*put)(FILE *out);
	} tables[] = {
		{"@COMMANDS@\n", put_commands},
		{"@GLOBAL_OPTIONS@\n", put_global_options},
		{"@DAEMON_OPTIONS@\n", put_daemon_options},
		{"@DAEMON_KEYS@\n", put_daemon_keys},
	};
	char line[1024];

	while (fgets(line, sizeof(line), page)) {
		size_t i = 0;

		while (i < sizeof(tables) / sizeof(tables[0]) && !str_equal(line, tables[i].line))
			i++;
		if (i < sizeof(tables) / sizeof(tables[0]))
			tables[i].put(out);
		else if (line[0] == '@')
			return error_set(err, ERR_INVALID, "there is no table %s", line);
		else
			fputs(line, out);
	}
	return ferror(page) ? error_set(err, ERR_INVALID, "cannot read the page: %m") : 0;
}
