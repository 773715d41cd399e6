/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON (RFC 8259) on json-c, which alone would accept more than it should. */
#include "model/json.h"

#include "base/str.h"

#include <limits.h>
#include <math.h>

/* Prints the path of a member that is wrong, and what is wrong with it. */
#define MEMBER_FMT             "%s%s%s"
#define MEMBER_ARG(path, name) (path), *(path) ? "." : "", (name)

static void *check(void *pointer)
{
	if (!pointer) {
		fputs("virtx: out of memory\n", stderr);
		abort();
	}
	return pointer;
}

/*
 * What json-c would let through: raw control characters, member names cut at
 * \u0000, one level more or less of depth. Counts the members of all objects.
 */
static int scan(const char *text, size_t len, size_t *members, struct error *err)
{
	bool in_string = false, has_nul = false;
	int depth = 0;

	*members = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' && (in_string || !strchr("\t\n\r", c) || !c))
			return error_set(err, ERR_INVALID,
				"not JSON: control character 0x%02x at byte %zu", c, i);
		if (in_string && c == '\\') {
			has_nul |= len - i > 5 && !strncmp(text + i, "\\u0000", 6);
			i++;
		} else if (c == '"') {
			has_nul &= in_string;
			in_string = !in_string;
		} else if (in_string) {
			continue;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_MAX_DEPTH)
				return error_set(err, ERR_INVALID,
					"JSON nested more than %d deep at byte %zu", JSON_MAX_DEPTH,
					i);
		} else if (c == '}' || c == ']') {
			depth--;
		} else if (c == ':') {
			if (has_nul)
				return error_set(err, ERR_INVALID,
					"the member name before byte %zu contains \\u0000", i);
			++*members;
		}
	}
	return 0;
}

/* Counts members; json-c keeps only the last of two with one name. Depth is bounded by scan(). */
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
	size_t members;

	*json = NULL;
	if (len >= INT_MAX)
		return error_set(err, ERR_INVALID, "JSON of %zu bytes is too long", len);
	if (scan(text, len, &members, err) < 0)
		return -1;
	struct json_tokener *tokener = check(json_tokener_new_ex(JSON_MAX_DEPTH + 2));
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

static const char *type_name(enum json_type type)
{
	switch (type) {
	case json_type_boolean:
		return "true or false";
	case json_type_double:
		return "a number with a fraction or exponent";
	case json_type_int:
		return "a whole number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "a list";
	case json_type_string:
		return "a string";
	case json_type_null:
		break;
	}
	return "null";
}

/* A member of one type, NULL when missing or null. */
static int find_member(struct json_object *parent, const char *name, const char *path,
	enum json_type type, struct json_object **out, struct error *err)
{
	*out = NULL;
	if (!parent)
		return 0;
	if (!json_object_is_type(parent, json_type_object))
		return error_set(err, ERR_INVALID, "%s: must be an object, not %s",
			*path ? path : "the body", type_name(json_object_get_type(parent)));
	if (!json_object_object_get_ex(parent, name, out) || !*out)
		return 0;
	if (!json_object_is_type(*out, type))
		return error_set(err, ERR_INVALID, MEMBER_FMT ": must be %s, not %s",
			MEMBER_ARG(path, name), type_name(type),
			type_name(json_object_get_type(*out)));
	return 0;
}

int json_get_object(struct json_object *parent, const char *name, const char *path,
	struct json_object **out, struct error *err)
{
	return find_member(parent, name, path, json_type_object, out, err);
}

int json_get_array(struct json_object *parent, const char *name, const char *path,
	struct json_object **out, struct error *err)
{
	return find_member(parent, name, path, json_type_array, out, err);
}

int json_get_objects(struct json_object *parent, const char *name, const char *path, size_t max,
	struct json_object **out, size_t *count, struct error *err)
{
	*count = 0;
	if (json_get_array(parent, name, path, out, err) < 0)
		return -1;
	size_t length = *out ? json_object_array_length(*out) : 0;
	if (length > max)
		return error_set(err, ERR_INVALID, MEMBER_FMT ": at most %zu, not %zu",
			MEMBER_ARG(path, name), max, length);
	for (size_t i = 0; i < length; i++) {
		struct json_object *element = json_object_array_get_idx(*out, i);

		if (element && !json_object_is_type(element, json_type_object))
			return error_set(err, ERR_INVALID,
				MEMBER_FMT "[%zu]: must be an object, not %s",
				MEMBER_ARG(path, name), i,
				type_name(json_object_get_type(element)));
	}
	*count = length;
	return 0;
}

const char *json_element_path(
	char element_path[static JSON_PATH_SIZE], const char *path, const char *name, size_t index)
{
	snprintf(element_path, JSON_PATH_SIZE, MEMBER_FMT "[%zu]", MEMBER_ARG(path, name), index);
	return element_path;
}

int json_get_string(struct json_object *parent, const char *name, const char *path, char **out,
	struct error *err)
{
	struct json_object *member;

	*out = NULL;
	if (find_member(parent, name, path, json_type_string, &member, err) < 0)
		return -1;
	const char *text = member ? json_object_get_string(member) : "";
	if (member && strlen(text) != (size_t)json_object_get_string_len(member))
		return error_set(err, ERR_INVALID, MEMBER_FMT ": must not contain \\u0000",
			MEMBER_ARG(path, name));
	if (!str_is_utf8(text))
		return error_set(
			err, ERR_INVALID, MEMBER_FMT ": not UTF-8", MEMBER_ARG(path, name));
	*out = xstrdup(text);
	return 0;
}

int json_get_bool(struct json_object *parent, const char *name, const char *path, bool *out,
	struct error *err)
{
	struct json_object *member;

	*out = false;
	if (find_member(parent, name, path, json_type_boolean, &member, err) < 0)
		return -1;
	*out = json_object_get_boolean(member);
	return 0;
}

static int get_int(struct json_object *parent, const char *name, const char *path, int64_t min,
	int64_t max, int64_t *out, struct error *err)
{
	struct json_object *member;

	*out = 0;
	if (find_member(parent, name, path, json_type_int, &member, err) < 0)
		return -1;
	int64_t number = json_object_get_int64(member);
	/* json-c gives INT64_MAX for anything above. */
	bool too_large = number == INT64_MAX && json_object_get_uint64(member) > INT64_MAX;
	if (too_large || number < min || number > max)
		return error_set(err, ERR_INVALID, MEMBER_FMT ": %s is not between %lld and %lld",
			MEMBER_ARG(path, name), json_object_get_string(member), (long long)min,
			(long long)max);
	*out = number;
	return 0;
}

int json_get_i16(struct json_object *parent, const char *name, const char *path, int16_t *out,
	struct error *err)
{
	int64_t number;
	int status = get_int(parent, name, path, INT16_MIN, INT16_MAX, &number, err);

	*out = (int16_t)number;
	return status;
}

int json_get_i32(struct json_object *parent, const char *name, const char *path, int32_t *out,
	struct error *err)
{
	int64_t number;
	int status = get_int(parent, name, path, INT32_MIN, INT32_MAX, &number, err);

	*out = (int32_t)number;
	return status;
}

int json_get_i64(struct json_object *parent, const char *name, const char *path, int64_t *out,
	struct error *err)
{
	return get_int(parent, name, path, INT64_MIN, INT64_MAX, out, err);
}

int json_get_enum(struct json_object *parent, const char *name, const char *path,
	const struct enum_names *names, int *out, struct error *err)
{
	int16_t number;

	*out = 0;
	if (json_get_i16(parent, name, path, &number, err) < 0)
		return -1;
	if (number >= 0 && number < names->count) {
		*out = number;
		return 0;
	}
	char values[256] = "";
	size_t used = 0;
	for (int i = 0; i < names->count && used < sizeof(values); i++)
		used += (size_t)snprintf(values + used, sizeof(values) - used, "%s%d %s",
			i ? ", " : "", i, names->names[i]);
	return error_set(err, ERR_INVALID, MEMBER_FMT ": %d is not a %s (%s)",
		MEMBER_ARG(path, name), number, names->what, values);
}

void json_add_string(struct json_object *parent, const char *name, const char *text)
{
	json_object_object_add(parent, name, check(json_object_new_string(text ? text : "")));
}

void json_add_int(struct json_object *parent, const char *name, int64_t number)
{
	json_object_object_add(parent, name, check(json_object_new_int64(number)));
}

void json_add_bool(struct json_object *parent, const char *name, bool truth)
{
	json_object_object_add(parent, name, check(json_object_new_boolean(truth)));
}

struct json_object *json_add_object(struct json_object *parent, const char *name)
{
	struct json_object *object = json_new_object();

	json_object_object_add(parent, name, object);
	return object;
}

struct json_object *json_add_array(struct json_object *parent, const char *name)
{
	struct json_object *array = check(json_object_new_array());

	json_object_object_add(parent, name, array);
	return array;
}

void json_append_string(struct json_object *array, const char *text)
{
	json_object_array_add(array, check(json_object_new_string(text ? text : "")));
}

struct json_object *json_append_object(struct json_object *array)
{
	struct json_object *object = json_new_object();

	json_object_array_add(array, object);
	return object;
}

struct json_object *json_new_object(void)
{
	return check(json_object_new_object());
}

char *json_text(struct json_object *json)
{
	return xstrdup(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *json_pretty(struct json_object *json)
{
	return xasprintf("%s\n", json_object_to_json_string_ext(
					 json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
}
