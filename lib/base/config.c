/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration from rows: values as text and back, the file, the command line. */
#include "base/config.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>

#define CONFIG_FILE_MAX (64 * 1024)
#define BLANKS          " \t\r"
#define LINE_WIDTH      90 /* of explanations */

static void *member_of(const struct config_row *row, void *settings)
{
	return (char *)settings + row->offset;
}

static void list_free(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

/* The parts of a text between commas and blanks; the caller frees them with list_free(). */
static char **list_split(const char *text)
{
	char **list = xcalloc(1, sizeof(*list));
	size_t count = 0;

	for (;;) {
		text += strspn(text, "," BLANKS);
		size_t len = strcspn(text, "," BLANKS);

		if (!len)
			return list;
		list = xreallocarray(list, count + 2, sizeof(*list));
		list[count++] = xstrndup(text, len);
		list[count] = NULL;
		text += len;
	}
}

static char *list_join(char *const *list)
{
	struct printbuf *text = buf_new();

	for (size_t i = 0; list[i]; i++)
		buf_format(text, "%s%s", i ? "," : "", list[i]);
	return buf_steal(text);
}

static int set_int(
	const struct config_row *row, int64_t *value, const char *text, struct error *err)
{
	if (str_parse_int(text, row->min, row->max, value))
		return 0;
	return error_set(err, ERR_INVALID,
		"\"%s\" is not a whole number from %" PRId64 " to %" PRId64, text, row->min,
		row->max);
}

static int set_enum(const struct config_row *row, int *value, const char *text, struct error *err)
{
	cleanup_buf struct printbuf *known = buf_new();

	for (int i = 0; row->choices[i]; i++) {
		if (str_equal(row->choices[i], text)) {
			*value = i;
			return 0;
		}
		buf_format(known, "%s%s", i ? ", " : "", row->choices[i]);
	}
	return error_set(err, ERR_INVALID, "\"%s\" is not one of %s", text, known->buf);
}

/* As config_set, without the key in front of the reason. */
static int set_value(
	const struct config_row *row, void *settings, const char *text, struct error *err)
{
	void *member = member_of(row, settings);

	switch (row->kind) {
	case CONFIG_STRING:
		free(*(char **)member);
		*(char **)member = xstrdup(text);
		return 0;
	case CONFIG_LIST:
		list_free(*(char ***)member);
		*(char ***)member = list_split(text);
		return 0;
	case CONFIG_BOOL:
		if (str_parse_bool(text, member))
			return 0;
		return error_set(err, ERR_INVALID, "\"%s\" is neither yes nor no", text);
	case CONFIG_INT:
		return set_int(row, member, text, err);
	case CONFIG_ENUM:
		return set_enum(row, member, text, err);
	}
	return error_set(err, ERR_INTERNAL, "a row of unknown kind");
}

int config_set(const struct config_row *row, void *settings, const char *text, struct error *err)
{
	if (str_has_control(text) || !str_is_utf8(text))
		return error_set(err, ERR_INVALID,
			"%s: the value has control characters or is not UTF-8", row->key);
	if (set_value(row, settings, text, err) < 0)
		return error_prefix(err, "%s", row->key);
	return 0;
}

char *config_get(const struct config_row *row, const void *settings)
{
	const void *member = (const char *)settings + row->offset;

	switch (row->kind) {
	case CONFIG_STRING:
		return xstrdup(*(char *const *)member);
	case CONFIG_LIST:
		return list_join(*(char **const *)member);
	case CONFIG_BOOL:
		return xstrdup(*(const bool *)member ? "yes" : "no");
	case CONFIG_INT:
		return xasprintf("%" PRId64, *(const int64_t *)member);
	case CONFIG_ENUM:
		return xstrdup(row->choices[*(const int *)member]);
	}
	return xstrdup("");
}

void config_init(const struct config_row *rows, void *settings)
{
	for (const struct config_row *row = rows; row->key; row++) {
		void *member = member_of(row, settings);
		struct error err = {0};

		switch (row->kind) {
		case CONFIG_STRING:
			*(char **)member = NULL;
			break;
		case CONFIG_LIST:
			*(char ***)member = NULL;
			break;
		case CONFIG_BOOL:
			*(bool *)member = false;
			break;
		case CONFIG_INT:
			*(int64_t *)member = row->min;
			break;
		case CONFIG_ENUM:
			*(int *)member = 0;
			break;
		}
		/* A default that is no value is a defect of the rows; the above stays then. */
		(void)set_value(row, settings, row->fallback, &err);
	}
}

void config_free(const struct config_row *rows, void *settings)
{
	for (const struct config_row *row = rows; row->key; row++) {
		void *member = member_of(row, settings);

		if (row->kind == CONFIG_STRING) {
			free(*(char **)member);
			*(char **)member = NULL;
		} else if (row->kind == CONFIG_LIST) {
			list_free(*(char ***)member);
			*(char ***)member = NULL;
		}
	}
}

void config_copy(const struct config_row *rows, void *to, const void *from)
{
	config_init(rows, to);
	for (const struct config_row *row = rows; row->key; row++) {
		struct error err = {0};
		cleanup_free char *text = config_get(row, from);

		set_value(row, to, text, &err);
	}
}

static const struct config_row *find_key(const struct config_row *rows, const char *key)
{
	for (const struct config_row *row = rows; row->key; row++)
		if (str_equal(row->key, key))
			return row;
	return NULL;
}

static int unknown_key(const struct config_row *rows, const char *key, struct error *err)
{
	struct str_nearest nearest = {.word = key};

	for (const struct config_row *row = rows; row->key; row++)
		str_nearest_try(&nearest, row->key);
	error_set(err, ERR_INVALID, "there is no key \"%s\"", key);
	if (nearest.best)
		error_hint(err, "did you mean %s?", nearest.best);
	return -1;
}

/* Cuts blanks at the end of a text off, in place. */
static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len && strchr(BLANKS, text[len - 1]))
		text[--len] = '\0';
}

/* A comment starts with # at the start of a line or behind a blank. */
static void cut_comment(char *line)
{
	for (char *c = line; *c; c++) {
		if (*c == '#' && (c == line || strchr(BLANKS, c[-1]))) {
			*c = '\0';
			return;
		}
	}
}

static int read_line(
	const struct config_row *rows, void *settings, bool *seen, char *line, struct error *err)
{
	cut_comment(line);
	char *key = line + strspn(line, BLANKS);

	trim_end(key);
	if (!*key)
		return 0;
	char *equals = strchr(key, '=');

	if (!equals)
		return error_set(err, ERR_INVALID, "not KEY = VALUE: %s", key);
	*equals = '\0';
	trim_end(key);
	const struct config_row *row = find_key(rows, key);

	if (!row)
		return unknown_key(rows, key, err);
	if (seen[row - rows])
		return error_set(err, ERR_INVALID, "%s is given twice", key);
	seen[row - rows] = true;
	return config_set(row, settings, equals + 1 + strspn(equals + 1, BLANKS), err);
}

int config_read_text(const struct config_row *rows, void *settings, const char *name,
	const char *text, size_t len, struct error *err)
{
	size_t count = 0;

	while (rows[count].key)
		count++;
	cleanup_free bool *seen = xcalloc(count, sizeof(*seen));

	for (unsigned number = 1; len; number++) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;
		cleanup_free char *line = xstrndup(text, line_len);

		if (strlen(line) != line_len || !str_is_utf8(line))
			error_set(err, ERR_INVALID, "the line is not UTF-8 text");
		if (error_is_set(err) || read_line(rows, settings, seen, line, err) < 0)
			return error_prefix(err, "%s:%u", name, number);
		line_len += end != NULL;
		text += line_len;
		len -= line_len;
	}
	return 0;
}

int config_read_file(
	const struct config_row *rows, void *settings, const char *path, struct error *err)
{
	size_t len;
	cleanup_free char *text = file_read(path, CONFIG_FILE_MAX, &len, err);

	return text ? config_read_text(rows, settings, path, text, len, err) : -1;
}

/* The option of a key: "foo_bar" is "--foo-bar". The caller frees it. */
static char *option_name(const char *key)
{
	char *name = xasprintf("--%s", key);

	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	return name;
}

/* True when an argument is the row's option; *value is what stands behind "=", or NULL. */
static bool is_option(const struct config_row *row, const char *argument, const char **value)
{
	cleanup_free char *name = option_name(row->key);
	size_t len = strlen(name);

	if (strncmp(argument, name, len) != 0 || (argument[len] && argument[len] != '='))
		return false;
	*value = argument[len] ? argument + len + 1 : NULL;
	return true;
}

static int unknown_option(const struct config_row *rows, const char *argument, struct error *err)
{
	cleanup_free char *word = xstrndup(argument, strcspn(argument, "="));
	struct str_nearest nearest = {.word = word};
	size_t count = 0;

	error_set(err, ERR_USAGE,
		argument[0] == '-' ? "there is no option %s" : "unexpected \"%s\"", word);
	while (rows[count].key)
		count++;
	cleanup_free char **names = xcalloc(count, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		str_nearest_try(&nearest, names[i] = option_name(rows[i].key));
	if (nearest.best)
		error_hint(err, "did you mean %s?", nearest.best);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	return -1;
}

/* Sets the row's value from argv[0] and what follows it; how many arguments that took. */
static int read_option(const struct config_row *row, void *settings, const char *value, int argc,
	char **argv, struct error *err)
{
	bool truth;
	int used = 1;

	if (!value && row->kind == CONFIG_BOOL) {
		value = argc > 1 && str_parse_bool(argv[1], &truth) ? argv[1] : "yes";
		used = value == argv[1] ? 2 : 1;
	} else if (!value) {
		if (argc < 2)
			return error_set(err, ERR_USAGE, "%s needs a value", argv[0]);
		value = argv[1];
		used = 2;
	}
	return config_set(row, settings, value, err) < 0 ? -1 : used;
}

int config_read_options(const struct config_row *rows, void *settings, int argc, char **argv,
	int (*other)(void *context, int argc, char **argv, struct error *err), void *context,
	struct error *err)
{
	for (int i = 1; i < argc;) {
		const struct config_row *row = rows;
		const char *value = NULL;
		int used = 0;

		while (row->key && !is_option(row, argv[i], &value))
			row++;
		if (row->key)
			used = read_option(row, settings, value, argc - i, argv + i, err);
		else if (other)
			used = other(context, argc - i, argv + i, err);
		if (used < 0)
			return -1;
		if (used == 0)
			return unknown_option(rows, argv[i], err);
		i += used;
	}
	return 0;
}

char *config_describe(const struct config_row *row)
{
	struct printbuf *text = buf_new();

	buf_format(text, "%s.", row->help);
	if (row->kind == CONFIG_INT)
		buf_format(text, " From %" PRId64 " to %" PRId64 ".", row->min, row->max);
	for (int i = 0; row->kind == CONFIG_ENUM && row->choices[i]; i++)
		buf_format(text, "%s%s%s", i ? ", " : " One of ", row->choices[i],
			row->choices[i + 1] ? "" : ".");
	if (row->fallback[0])
		buf_format(text, " Default: %s.", row->fallback);
	if (row->reloads)
		buf_text(text, " SIGHUP changes it too.");
	return buf_steal(text);
}

/* A description in lines that begin with an indentation and fit a terminal. */
static void print_description(const struct config_row *row, const char *indent, FILE *out)
{
	cleanup_free char *text = config_describe(row);
	size_t column = 0;
	char *rest = text, *word;

	while ((word = strsep(&rest, " "))) {
		if (column && column + 1 + strlen(word) > LINE_WIDTH) {
			putc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%s", column ? " " : indent, word);
	}
	putc('\n', out);
}

void config_print_help(const struct config_row *rows, FILE *out)
{
	for (const struct config_row *row = rows; row->key; row++) {
		cleanup_free char *name = option_name(row->key);

		fprintf(out, "  %s%s%s\n", name, row->argument ? " " : "",
			row->argument ? row->argument : "");
		print_description(row, "      ", out);
	}
}

void config_print_example(const struct config_row *rows, FILE *out)
{
	for (const struct config_row *row = rows; row->key; row++) {
		putc('\n', out);
		print_description(row, "# ", out);
		fprintf(out, "#%s =%s%s\n", row->key, row->fallback[0] ? " " : "", row->fallback);
	}
}
