/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results in the four formats, and how their values are found. */
#include "output.h"

#include "base/str.h"

struct json_object *json_at(struct json_object *json, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, ".");
		struct json_object *member = NULL;
		char name[64] = "";

		if (len < sizeof(name))
			memcpy(name, path, len);
		if (!json_object_is_type(json, json_type_object) ||
			!json_object_object_get_ex(json, name, &member))
			return NULL;
		json = member;
		path += len + (path[len] == '.');
	}
	return json;
}

const char *json_text_at(struct json_object *json, const char *path)
{
	struct json_object *value = json_at(json, path);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t json_int_at(struct json_object *json, const char *path)
{
	struct json_object *value = json_at(json, path);

	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

/* Adds the rows of one result to an array. */
static void add_rows(const struct view *view, struct json_object *result, struct json_object *rows)
{
	if (!view->rows) {
		json_object_array_add(rows, json_object_get(result));
		return;
	}
	cleanup_json struct json_object *list = view->rows(result);
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		json_object_array_add(rows, json_object_get(json_object_array_get_idx(list, i)));
}

static void print_table(struct client *client, const struct view *view, struct json_object *rows)
{
	cleanup_buf struct printbuf *text = buf_new();
	struct table table = {0};

	while (view->columns[table.columns].header)
		table.columns++;
	for (size_t i = 0; client->headers && i < table.columns; i++)
		table_add(&table, xstrdup(view->columns[i].header));
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		for (size_t j = 0; j < table.columns; j++) {
			const struct column *column = &view->columns[j];
			struct json_object *row = json_object_array_get_idx(rows, i);
			const struct cell cell = {client, column, json_at(row, column->path)};

			printbuf_reset(text);
			column->write(&cell, text);
			table_add(&table, text->bpos ? text_escape(text->buf) : xstrdup("-"));
		}
	}
	table_print(&table, client->out);
}

static void print_names(struct client *client, const struct view *view, struct json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		cleanup_free char *name =
			text_escape(json_text_at(json_object_array_get_idx(rows, i), view->name));

		fprintf(client->out, "%s\n", name);
	}
}

void output_print(struct client *client, const struct view *view, struct json_object *results)
{
	size_t count = json_object_array_length(results);
	struct json_object *whole = count == 1 ? json_object_array_get_idx(results, 0) : results;

	if (client->format == OUTPUT_YAML) {
		yaml_print(whole, client->out);
		return;
	}
	if (client->format == OUTPUT_JSON) {
		cleanup_free char *text = json_pretty(whole);

		fputs(text, client->out);
		return;
	}
	cleanup_json struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		add_rows(view, json_object_array_get_idx(results, i), rows);
	if (client->format == OUTPUT_NAME)
		print_names(client, view, rows);
	else
		print_table(client, view, rows);
}
