/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results for people and programs: tables, JSON, YAML, names. */
#ifndef VIRTX_OUTPUT_H
#define VIRTX_OUTPUT_H

#include "base/buf.h"
#include "client.h"

/* One value on its way into a table. */
struct cell {
	struct client *client;
	const struct column *column;
	struct json_object *value; /* NULL when the row has none */
};
/* Writes it; nothing written shows as "-". */
typedef void cell_writer(const struct cell *cell, struct printbuf *out);

struct column {
	const char *header; /* NULL ends the columns */
	const char *path; /* of its value in the row: "fields.cpudef.model"; "" is the row itself */
	cell_writer *write;
	const struct enum_names *names; /* for cell_enum */
};

struct view {
	const struct column *columns;
	const char *name; /* path of what -o name prints */
	/* The rows that a result has, a new array; NULL: the result is the one row. */
	struct json_object *(*rows)(struct json_object *result);
};

cell_writer cell_text, cell_number, cell_mib, cell_bytes, cell_kib_s, cell_mhz, cell_hz,
	cell_percent, cell_age, cell_time, cell_enum, cell_host, cell_vlan, cell_custom,
	cell_threads, cell_cstate;

/* Rows of text with aligned columns; cells are taken in order, columns of them in each row. All is
 * zero at first but for columns. */
struct table {
	size_t columns;
	struct printbuf *text; /* of all cells */
	struct table_cell *cells;
	size_t n_cells;
};

#define cleanup_table CLEANUP(table_clear)

/* Adds a cell with the text as text_escape() has it. */
void table_add(struct table *table, const char *text);
/* Prints it without blanks at the ends of lines. */
void table_print(const struct table *table, FILE *out);
void table_clear(struct table *table);

/* Rows of a view on their way into a table, or where names were asked for as those. */
struct rows {
	struct client *client;
	const struct view *view;
	struct printbuf *text; /* of a cell */
	struct table table;
};

#define cleanup_rows CLEANUP(rows_free)

void rows_begin(struct rows *rows, struct client *client, const struct view *view);
/* Adds one; its values are copied. Takes the rows as context, so that json_parse_list() can call
 * it. */
void rows_add(void *rows, struct json_object *row);
void rows_print(const struct rows *rows);
void rows_free(struct rows *rows);

/* True when a value is printed as it is: as JSON or YAML. */
bool output_is_whole(const struct client *client);
/* Prints a value like that. */
void output_whole(const struct client *client, struct json_object *value);
/* Prints results (an array) in the format that was asked for: one result as itself, several as a
 * list. */
void output_print(struct client *client, const struct view *view, struct json_object *results);

/* Text for a terminal: control characters, bad UTF-8 and what reorders text as escapes. Caller
 * frees. */
char *text_escape(const char *text);

/* A value as YAML, which ends with a newline. */
void yaml_print(struct json_object *value, FILE *out);

/* The value at a path of members ("def.memory.total"); NULL when there is none. Borrowed. */
struct json_object *json_at(struct json_object *json, const char *path);
/* The text there, "" when it is none; the number there, 0 when it is none. */
const char *json_text_at(struct json_object *json, const char *path);
int64_t json_int_at(struct json_object *json, const char *path);

#endif
