/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON text (RFC 8259) on json-c, which alone would accept more than it should. */
#include "model/json.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static size_t count_digits(const char *text, size_t len)
{
	size_t count = 0;

	while (count < len && text[count] >= '0' && text[count] <= '9')
		count++;
	return count;
}

/* Length of the number that text starts with, 0 when it is none as RFC 8259 has them. */
static size_t number_length(const char *text, size_t len)
{
	size_t at = text[0] == '-', digits = count_digits(text + at, len - at);

	if (digits == 0 || (digits > 1 && text[at] == '0'))
		return 0;
	at += digits;
	if (at < len && text[at] == '.') {
		digits = count_digits(text + at + 1, len - at - 1);
		at += digits ? 1 + digits : len;
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		at += at < len && (text[at] == '+' || text[at] == '-');
		digits = at < len ? count_digits(text + at, len - at) : 0;
		at += digits ? digits : len;
	}
	return at <= len ? at : 0;
}

/* What scan() is in the middle of. */
struct scan {
	const char *text;
	size_t len, at;
	bool in_string;
	bool has_nul; /* the last string contains \u0000 */
	int depth;
	size_t members; /* of all objects */
};

static void scan_string(struct scan *scan)
{
	const char *here = scan->text + scan->at;

	if (*here == '"') {
		scan->in_string = false;
	} else if (*here == '\\') {
		scan->has_nul |= scan->len - scan->at > 5 && !strncmp(here, "\\u0000", 6);
		scan->at++;
	}
}

static int scan_token(struct scan *scan, struct error *err)
{
	size_t length = 1;

	switch (scan->text[scan->at]) {
	case '"':
		scan->in_string = true;
		scan->has_nul = false;
		break;
	case '{':
	case '[':
		if (++scan->depth > JSON_MAX_DEPTH)
			return error_set(err, ERR_INVALID,
				"JSON nested more than %d deep at byte %zu", JSON_MAX_DEPTH,
				scan->at);
		break;
	case '}':
	case ']':
		scan->depth--;
		break;
	case ':':
		if (scan->has_nul)
			return error_set(err, ERR_INVALID,
				"the member name before byte %zu contains \\u0000", scan->at);
		scan->members++;
		break;
	case '\'':
		length = 0;
		break;
	case '-':
	case '0' ... '9':
		length = number_length(scan->text + scan->at, scan->len - scan->at);
		break;
	}
	if (length == 0)
		return error_set(
			err, ERR_INVALID, "not JSON: unexpected character at byte %zu", scan->at);
	scan->at += length - 1;
	return 0;
}

/*
 * Refuses what json-c would let through: raw control characters, names cut at \u0000,
 * numbers as 00 or 1., names in single quotes; and depth, which it counts differently.
 */
static int scan_text(const char *text, size_t len, size_t *members, struct error *err)
{
	struct scan scan = {.text = text, .len = len};

	for (; scan.at < len; scan.at++) {
		unsigned char c = (unsigned char)text[scan.at];
		bool blank = c == '\t' || c == '\n' || c == '\r';

		if (c < ' ' && (scan.in_string || !blank))
			return error_set(err, ERR_INVALID,
				"not JSON: control character 0x%02x at byte %zu", c, scan.at);
		if (scan.in_string)
			scan_string(&scan);
		else if (scan_token(&scan, err) < 0)
			return -1;
	}
	*members = scan.members;
	return 0;
}

/* Counts members; json-c keeps only the last of two with one name. Depth is bounded by scan_text().
 */
static size_t count_members(struct json_object *json, bool *finite)
{
	size_t count = 0;

	switch (json_object_get_type(json)) {
	case json_type_object: {
		json_object_object_foreach(json, name, value)
		{
			(void)name;
			count += 1 + count_members(value, finite);
		}
		break;
	}
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(json); i++)
			count += count_members(json_object_array_get_idx(json, i), finite);
		break;
	case json_type_double:
		*finite &= isfinite(json_object_get_double(json)) != 0;
		break;
	default:
		break;
	}
	return count;
}

static int check_tree(struct json_object *json, size_t members, struct error *err)
{
	bool finite = true;

	if (count_members(json, &finite) != members)
		return error_set(err, ERR_INVALID, "an object has two members of the same name");
	if (!finite)
		return error_set(err, ERR_INVALID, "a number is out of range or not a number");
	return 0;
}

int json_parse(const char *text, size_t len, struct json_object **json, struct error *err)
{
	size_t members = 0;

	*json = NULL;
	if (len >= INT_MAX)
		return error_set(err, ERR_INVALID, "JSON of %zu bytes is too long", len);
	if (scan_text(text, len, &members, err) < 0)
		return -1;
	struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
	if (!tokener)
		return error_set(err, ERR_INTERNAL, "no memory to read JSON");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *tree = json_tokener_parse_ex(tokener, text, (int)len);
	size_t end = json_tokener_get_parse_end(tokener);
	/* A number or an unfinished text ends only with its NUL. */
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		tree = json_tokener_parse_ex(tokener, "", 1);
	enum json_tokener_error status = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	if (status != json_tokener_success) {
		json_object_put(tree);
		return error_set(err, ERR_INVALID, "not JSON: %s at byte %zu",
			json_tokener_error_desc(status), end);
	}
	if (check_tree(tree, members, err) < 0) {
		json_object_put(tree);
		return -1;
	}
	*json = tree;
	return 0;
}
