/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration from rows: one row describes a key of the file ("foo_bar = value",
 * # comments), the option that overrides it (--foo-bar value, --foo-bar=value), its
 * default and its help. Who owns the settings owns the rows; file, command line, help and manual
 * read them.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_kind {
	CONFIG_STRING, /* char *, never NULL */
	CONFIG_LIST, /* char **, NULL-terminated, never NULL; in text separated by commas or blanks
		      */
	CONFIG_BOOL, /* bool; as an option without value: yes */
	CONFIG_INT,  /* int64_t within min and max */
	CONFIG_ENUM, /* int: index into choices */
};

struct config_row {
	const char *key; /* "listen"; with '_' */
	enum config_kind kind;
	size_t offset;        /* of the member in the settings struct */
	const char *fallback; /* default as text */
	int64_t min, max;
	const char *const *choices; /* of CONFIG_ENUM, NULL-terminated */
	bool reloads;               /* takes effect at SIGHUP */
	const char *argument;       /* "ADDRESS:PORT", for help */
	const char *help;           /* one sentence without a period */
};

/* Sets every member to its default; rows end with key NULL. */
void config_init(const struct config_row *rows, void *settings);
void config_free(const struct config_row *rows, void *settings);
void config_copy(const struct config_row *rows, void *to, const void *from);

/*
 * Reads a file over the settings. ERR_INVALID with "FILE:LINE: reason" for an unknown key (with the
 * nearest one as hint), a bad value, a key given twice, a line without "="; ERR_NOT_FOUND when the
 * file is not there.
 */
int config_read_file(
	const struct config_row *rows, void *settings, const char *path, struct error *err);
/* The same for text in memory; name is used in messages. */
int config_read_text(const struct config_row *rows, void *settings, const char *name,
	const char *text, size_t len, struct error *err);

/*
 * Reads options over the settings. argv[0] is skipped. Options that no row knows are passed
 * to other(), which returns the number of arguments it consumed (0: unknown, refused as ERR_USAGE;
 * -1: err is set). NULL: none.
 */
int config_read_options(const struct config_row *rows, void *settings, int argc, char **argv,
	int (*other)(void *context, int argc, char **argv, struct error *err), void *context,
	struct error *err);

/* Sets one value from text. ERR_INVALID. */
int config_set(const struct config_row *row, void *settings, const char *text, struct error *err);
/* One value as text; the caller frees it. */
char *config_get(const struct config_row *row, const void *settings);

/* What a row is for, what it can be and its default, in sentences; the caller frees it. */
char *config_describe(const struct config_row *row);
/* One paragraph per row, for --help. */
void config_print_help(const struct config_row *rows, FILE *out);
/* A file with every key and its default, explained and commented out. */
void config_print_example(const struct config_row *rows, FILE *out);

#endif
