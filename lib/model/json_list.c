/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long lists: one element of JSON at a time, as a tree of ten thousand of them is tens of
 * megabytes. */
#include "model/json.h"

#include <string.h>

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && memchr(" \t\r\n", *at, 4))
		at++;
	return at;
}

/* Behind the string that begins there. */
static const char *string_end(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		at += *at == '\\' && at + 1 < end;
	}
	return end;
}

/* The comma or bracket behind a value or a member; the end where there is none. What that is made
 * of does not matter here. */
static const char *value_end(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		bool closes = *at == ']' || *at == '}';

		if (depth == 0 && (closes || *at == ','))
			break;
		depth += *at == '[' || *at == '{';
		depth -= closes;
		at = *at == '"' ? string_end(at, end) : at + 1;
	}
	return at;
}

/* Behind the bracket of the array, where a member of that name has one; else NULL. */
static const char *member_array(const char *at, const char *end, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(end - at) < len + 2 || at[0] != '"' || memcmp(at + 1, name, len) != 0 ||
		at[len + 1] != '"')
		return NULL;
	at = skip_blanks(at + len + 2, end);
	if (at == end || *at != ':')
		return NULL;
	at = skip_blanks(at + 1, end);
	return at < end && *at == '[' ? at + 1 : NULL;
}

/* The same in an object; NULL when it has no such member. */
static const char *find_array(const char *at, const char *end, const char *name)
{
	at = skip_blanks(at, end);
	if (at == end || *at != '{')
		return NULL;
	do {
		at = skip_blanks(at + 1, end);
		const char *array = member_array(at, end, name);

		if (array)
			return array;
		at = value_end(at, end);
	} while (at < end && *at == ',');
	return NULL;
}

/* Hands the elements over that begin there; the place behind them, NULL with err. */
static const char *take_elements(const char *at, const char *end, const char *name, json_take *take,
	void *context, struct error *err)
{
	const char *first = skip_blanks(at, end);

	if (first == end || *first == ']')
		return first;
	for (size_t i = 0;; i++) {
		cleanup_json struct json_object *element = NULL;
		const char *stop = value_end(at, end);

		if (json_parse(at, (size_t)(stop - at), &element, err) < 0) {
			error_prefix(err, "%s[%zu]", name, i);
			return NULL;
		}
		take(context, element);
		if (stop == end || *stop != ',')
			return stop;
		at = stop + 1;
	}
}

int json_parse_list(const char *text, size_t len, const char *name, json_take *take, void *context,
	struct json_object **json, struct error *err)
{
	const char *end = text + len, *array = find_array(text, end, name);

	*json = NULL;
	if (!array)
		return json_parse(text, len, json, err);
	const char *rest = take_elements(array, end, name, take, context, err);
	if (!rest)
		return -1;
	/* Without its elements the text is small, and must be JSON as well. */
	size_t before = (size_t)(array - text), behind = (size_t)(end - rest);
	cleanup_free char *frame = xmalloc(before + behind);
	memcpy(frame, text, before);
	memcpy(frame + before, rest, behind);
	return json_parse(frame, before + behind, json, err);
}
