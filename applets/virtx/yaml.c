/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values as YAML 1.2 that older readers understand the same way. */
#include "base/str.h"
#include "output.h"

#include <ctype.h>
#include <strings.h>

/* Words that some reader takes for something else than text. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = {
		"true", "false", "yes", "no", "on", "off", "y", "n", "null"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/* Plain text needs no quotes: a letter, then what has no meaning in YAML, and no number. */
static bool is_plain(const char *text)
{
	if (!isalpha((unsigned char)text[0]) || is_reserved(text))
		return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_-./", *c))
			return false;
	return true;
}

/* Bytes of a character that YAML or a terminal does not take as it is: C1 controls, U+2028, U+2029,
 * U+FEFF. */
static size_t special_length(const char *text, unsigned *character)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
		*character = c[1];
		return 2;
	}
	if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9)) {
		*character = 0x2000U + (c[2] & 0x3fU);
		return 3;
	}
	if (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf) {
		*character = 0xfeff;
		return 3;
	}
	*character = c[0];
	return c[0] < ' ' || c[0] == 0x7f ? 1 : 0;
}

static void print_text(const char *text, FILE *out)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	while (*text) {
		unsigned character;
		size_t len = special_length(text, &character);

		if (len) {
			fprintf(out, "\\u%04x", character);
			text += len;
			continue;
		}
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text++, out);
	}
	putc('"', out);
}

static void print_value(struct json_object *value, int indent, bool in_list, FILE *out);

static void print_members(struct json_object *object, int indent, bool in_list, FILE *out)
{
	bool first = in_list;

	json_object_object_foreach(object, key, member)
	{
		fprintf(out, "%*s", first ? 0 : indent, "");
		first = false;
		print_text(key, out);
		putc(':', out);
		print_value(member, indent, false, out);
	}
}

static void print_elements(struct json_object *array, int indent, FILE *out)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		fprintf(out, "%*s-", indent, "");
		print_value(json_object_array_get_idx(array, i), indent, true, out);
	}
}

/* What stands behind "key:" or "-" at that indentation, with its line end. */
static void print_value(struct json_object *value, int indent, bool in_list, FILE *out)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		if (json_object_object_length(value) == 0) {
			fputs(" {}\n", out);
			return;
		}
		putc(in_list ? ' ' : '\n', out);
		print_members(value, indent + 2, in_list, out);
		return;
	case json_type_array:
		if (json_object_array_length(value) == 0) {
			fputs(" []\n", out);
			return;
		}
		putc('\n', out);
		print_elements(value, indent + 2, out);
		return;
	case json_type_string:
		putc(' ', out);
		print_text(json_object_get_string(value), out);
		putc('\n', out);
		return;
	default:
		fprintf(out, " %s\n", json_object_to_json_string(value));
	}
}

void yaml_print(struct json_object *value, FILE *out)
{
	enum json_type type = json_object_get_type(value);

	if (type == json_type_object && json_object_object_length(value) > 0)
		print_members(value, 0, false, out);
	else if (type == json_type_array && json_object_array_length(value) > 0)
		print_elements(value, 0, out);
	else
		print_value(value, 0, true, out);
}
