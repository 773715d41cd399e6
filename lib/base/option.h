/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command line options as rows: parser, help, manual and completions read the same ones.
 *
 * Accepted forms: -l, -lVALUE, -l VALUE, -kn (switches together), --name,
 * --name VALUE, --name=VALUE; "--" ends the options, "-" is an operand.
 * Options and operands may be mixed.
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option_row {
	char letter;          /* 0: none */
	const char *name;     /* without its dashes; NULL ends the rows */
	const char *argument; /* what its value is called ("HOST"); NULL: a switch without value */
	const char *help;     /* a phrase without period; NULL: works, but is not shown */
	int completes;        /* what its value can be, a number of the rows' owner; 0: unknown */
};

#define OPTION_TABLES 2

/* What was read from a command line. Strings are those of argv. Starts zeroed but for its tables.
 */
struct options {
	/* Where options are looked for, in this order; the unused ones are NULL. */
	const struct option_row *tables[OPTION_TABLES];
	struct option_given {
		const struct option_row *row;
		const char *value; /* NULL for a switch */
	} * given;
	size_t n_given;
	char **operands;
	size_t n_operands;
	bool ended; /* "--" was seen */
};

/*
 * Reads what starts at argv[0] (argc is at least 1): one operand, or an option with its value. The
 * number of arguments that it took, or -1 with ERR_USAGE (with the nearest option as hint).
 */
int options_next(struct options *options, int argc, char **argv, struct error *err);
/* Frees what it owns, and empties it. */
void options_free(struct options *options);
#define cleanup_options CLEANUP(options_free)

/* The last value given to an option, by its long name; NULL when it was not given. Borrowed. */
const char *option_value(const struct options *options, const char *name);
/* How many times an option was given. */
unsigned option_count(const struct options *options, const char *name);

/* The row of a long name or of a letter (name NULL) in the tables; NULL when there is none. */
const struct option_row *option_find(
	const struct options *options, const char *name, size_t name_len, char letter);

/* "-h, --host HOST"; the caller frees it. */
char *option_synopsis(const struct option_row *row);
/* True when help would show at least one; rows may be NULL. */
bool option_any_shown(const struct option_row *rows);
/* One line for each row that is shown, for help. */
void option_print_help(const struct option_row *rows, FILE *out);

#endif
