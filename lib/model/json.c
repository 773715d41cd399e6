/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of JSON objects: read with their type and range checked, and made. */
#include "model/json.h"

#include "base/str.h"

/* Prints the path of a member that is wrong, and what is wrong with it. */
#define MEMBER_FMT             "%s%s%s"
#define MEMBER_ARG(path, name) (path), *(path) ? "." : "", (name)

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
	/* The lowest number is also what json-c gives for anything below it. */
	return get_int(parent, name, path, INT64_MIN + 1, INT64_MAX, out, err);
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
	json_object_object_add(parent, name, mem_check(json_object_new_string(text ? text : "")));
}

void json_add_int(struct json_object *parent, const char *name, int64_t number)
{
	json_object_object_add(parent, name, mem_check(json_object_new_int64(number)));
}

void json_add_bool(struct json_object *parent, const char *name, bool truth)
{
	json_object_object_add(parent, name, mem_check(json_object_new_boolean(truth)));
}

struct json_object *json_add_object(struct json_object *parent, const char *name)
{
	struct json_object *object = json_new_object();

	json_object_object_add(parent, name, object);
	return object;
}

struct json_object *json_add_array(struct json_object *parent, const char *name)
{
	struct json_object *array = mem_check(json_object_new_array());

	json_object_object_add(parent, name, array);
	return array;
}

void json_append_string(struct json_object *array, const char *text)
{
	json_object_array_add(array, mem_check(json_object_new_string(text ? text : "")));
}

struct json_object *json_append_object(struct json_object *array)
{
	struct json_object *object = json_new_object();

	json_object_array_add(array, object);
	return object;
}

struct json_object *json_new_object(void)
{
	return mem_check(json_object_new_object());
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
