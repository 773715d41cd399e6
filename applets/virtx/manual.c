/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the manual pages, in mdoc, from the rows of commands, options and settings. */
#include "manual.h"

#include "applets/virtxd/settings.h"
#include "base/str.h"
#include "command.h"

/* Text of ours inside an mdoc line: what troff would take for an instruction is escaped. */
static void put_text(const char *text, FILE *out)
{
	bool line_start = true;

	for (const char *c = text; *c; c++) {
		if (*c == '\\')
			fputs("\\e", out);
		else if (*c == '-')
			fputs("\\-", out);
		else if (line_start && (*c == '.' || *c == '\''))
			fprintf(out, "\\&%c", *c);
		else
			putc(*c, out);
		line_start = *c == '\n';
	}
}

/* Arguments of a macro: in quotes, so that words like "No" or "Fl" stay words. */
static void put_quoted(const char *text, size_t len, FILE *out)
{
	cleanup_free char *part = xstrndup(text, len);

	putc('"', out);
	put_text(part, out);
	putc('"', out);
}

static void put_option(const struct option_row *row, FILE *out)
{
	cleanup_free char *name = xasprintf("-%s", row->name);

	fputs(".It ", out);
	if (row->letter)
		fprintf(out, "Fl %s%c , ", strchr("?", row->letter) ? "\\&" : "", row->letter);
	fputs("Fl ", out);
	put_text(name, out);
	if (row->argument) {
		fputs(" Ar ", out);
		put_quoted(row->argument, strlen(row->argument), out);
	}
	putc('\n', out);
	put_text(row->help, out);
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

static void put_lines(const char *text, FILE *out)
{
	put_text(text, out);
	putc('\n', out);
}

static void put_command(const struct command *command, FILE *out)
{
	fprintf(out, ".It Cm %s", command->name);
	if (command->options)
		fputs(" Op Ar OPTION ...", out);
	for (const char *word = command->operands; *word;) {
		size_t len = strcspn(word, " ");

		fputs(" Ar ", out);
		put_quoted(word, len, out);
		word += len + (word[len] == ' ');
	}
	putc('\n', out);
	put_text(command->summary, out);
	fputs(".\n", out);
	if (command->details)
		put_lines(command->details, out);
	if (command->options)
		put_options(command->options, out);
	fputs(".Bd -literal -offset indent -compact\n", out);
	put_lines(command->example, out);
	fputs(".Ed\n", out);
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
	put_text(row->help, out);
	for (int i = 0; row->kind == CONFIG_ENUM && row->choices[i]; i++) {
		fputs(i ? ", " : ": ", out);
		put_text(row->choices[i], out);
	}
	if (row->kind == CONFIG_INT)
		fprintf(out, " (%lld to %lld)", (long long)row->min, (long long)row->max);
	fputs(".\n", out);
	if (row->fallback[0]) {
		fputs("Default: ", out);
		put_text(row->fallback, out);
		fputs(".\n", out);
	}
}

static void put_daemon_options(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (const struct config_row *row = settings_rows; row->key; row++) {
		fputs(".It Fl \\-", out);
		for (const char *c = row->key; *c; c++)
			fputs(*c == '_' ? "\\-" : (char[]){*c, '\0'}, out);
		if (row->argument) {
			fputs(" Ar ", out);
			put_quoted(row->argument, strlen(row->argument), out);
		}
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
		if (row->argument) {
			fputs(" Ar ", out);
			put_quoted(row->argument, strlen(row->argument), out);
		} else if (row->kind == CONFIG_BOOL) {
			fputs(" Cm yes No | Cm no", out);
		}
		putc('\n', out);
		put_key_help(row, out);
		if (row->reloads)
			fputs("Takes effect at SIGHUP.\n", out);
	}
	fputs(".El\n", out);
}

static void put_version(FILE *out)
{
	fputs(".Os virtx " VIRTX_VERSION "\n", out);
}

int manual_write(FILE *page, FILE *out, struct error *err)
{
	static const struct {
		const char *line;
		void (*put)(FILE *out);
	} tables[] = {
		{"@VERSION@\n", put_version},
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
