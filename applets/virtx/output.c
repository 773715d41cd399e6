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

void rows_begin(struct rows *rows, struct client *client, const struct view *view)
{
	const struct column *column = view->columns;

	*rows = (struct rows){.client = client, .view = view, .text = buf_new()};
	if (client->format == OUTPUT_NAME) {
		rows->table.columns = 1;
		return;
	}
	for (; column->header; column++) {
		rows->table.columns++;
		if (client->headers)
			table_add(&rows->table, column->header);
	}
}

void rows_add(void *context, struct json_object *row)
{
	struct rows *rows = context;

	if (rows->client->format == OUTPUT_NAME) {
		table_add(&rows->table, json_text_at(row, rows->view->name));
		return;
	}
	for (const struct column *column = rows->view->columns; column->header; column++) {
		const struct cell cell = {rows->client, column, json_at(row, column->path)};

		printbuf_reset(rows->text);
		column->write(&cell, rows->text);
		table_add(&rows->table, rows->text->bpos ? rows->text->buf : "-");
	}
}

void rows_print(const struct rows *rows)
{
	table_print(&rows->table, rows->client->out);
}

void rows_free(struct rows *rows)
{
	buf_free(rows->text);
	table_clear(&rows->table);
}

/* Adds the rows of one result. */
static void add_result(struct rows *rows, struct json_object *result)
{
	if (!rows->view->rows) {
		rows_add(rows, result);
		return;
	}
	cleanup_json struct json_object *list = rows->view->rows(result);
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		rows_add(rows, json_object_array_get_idx(list, i));
}

bool output_is_whole(const struct client *client)
{
	return client->format == OUTPUT_JSON || client->format == OUTPUT_YAML;
}

void output_whole(const struct client *client, struct json_object *value)
{
	if (client->format == OUTPUT_YAML) {
		yaml_print(value, client->out);
		return;
	}
	cleanup_free char *text = json_pretty(value);

	fputs(text, client->out);
}

void output_print(struct client *client, const struct view *view, struct json_object *results)
{
	size_t count = json_object_array_length(results);

	if (output_is_whole(client)) {
		output_whole(client, count == 1 ? json_object_array_get_idx(results, 0) : results);
		return;
	}
	cleanup_rows struct rows rows;

	rows_begin(&rows, client, view);
	for (size_t i = 0; i < count; i++)
		add_result(&rows, json_object_array_get_idx(results, i));
	rows_print(&rows);
}
