/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON strictly and naming the member that is wrong.
 *
 * Readers take the parent object, the member's name and the path so far (""
 * at the top) for messages. A missing or null member leaves the zero value;
 * so does every member of a NULL parent. All return 0, or -1 with ERR_INVALID.
 */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include "base/error.h"
#include "base/mem.h"
#include "model/enums.h"

#include <json-c/json.h>

#define JSON_MAX_DEPTH 32
#define JSON_PATH_SIZE 96 /* for the path of a member that json_element_path() makes */
#define cleanup_json   CLEANUP(json_cleanup)

static inline void json_cleanup(struct json_object **json)
{
	json_object_put(*json);
}

/*
 * Parses exactly one JSON text of len bytes: UTF-8, at most JSON_MAX_DEPTH
 * deep, no member twice, nothing but white space behind. `null` gives
 * *json = NULL and success. The caller puts *json; on -1 it is NULL.
 */
int json_parse(const char *text, size_t len, struct json_object **json, struct error *err);
typedef void json_take(void *context, struct json_object *element);
/*
 * As json_parse, for an object whose member `name` (which needs no escapes) is a long array: its
 * elements go to take() one after the other, borrowed, each at most JSON_MAX_DEPTH deep, and *json
 * has an empty array. What is wrong may come behind elements that were taken: they count when this
 * returns 0. Anything but such an object is parsed as it is.
 */
int json_parse_list(const char *text, size_t len, const char *name, json_take *take, void *context,
	struct json_object **json, struct error *err);

/* A member that is an object or an array; NULL in *out when missing or null. Borrowed. */
int json_get_object(struct json_object *parent, const char *name, const char *path,
	struct json_object **out, struct error *err);
int json_get_array(struct json_object *parent, const char *name, const char *path,
	struct json_object **out, struct error *err);
/*
 * A member that is an array of objects (or nulls) with at most max elements,
 * checked before anything is allocated for them; *count is 0 and *out NULL
 * when it is missing or null. Borrowed.
 */
int json_get_objects(struct json_object *parent, const char *name, const char *path, size_t max,
	struct json_object **out, size_t *count, struct error *err);
/* "PATH.NAME[INDEX]": the path of an element's members. Returns element_path. */
const char *json_element_path(
	char element_path[static JSON_PATH_SIZE], const char *path, const char *name, size_t index);

/* A copy that the caller frees; "" when missing. On -1 *out is NULL. */
int json_get_string(struct json_object *parent, const char *name, const char *path, char **out,
	struct error *err);
int json_get_bool(struct json_object *parent, const char *name, const char *path, bool *out,
	struct error *err);
int json_get_i16(struct json_object *parent, const char *name, const char *path, int16_t *out,
	struct error *err);
int json_get_i32(struct json_object *parent, const char *name, const char *path, int32_t *out,
	struct error *err);
/* From INT64_MIN + 1 up. */
int json_get_i64(struct json_object *parent, const char *name, const char *path, int64_t *out,
	struct error *err);
int json_get_enum(struct json_object *parent, const char *name, const char *path,
	const struct enum_names *names, int *out, struct error *err);

/* New members of an object that is being made; a NULL text is "". */
void json_add_string(struct json_object *parent, const char *name, const char *text);
void json_add_int(struct json_object *parent, const char *name, int64_t number);
void json_add_bool(struct json_object *parent, const char *name, bool truth);
/* An empty object or array in parent, which owns it. */
struct json_object *json_add_object(struct json_object *parent, const char *name);
struct json_object *json_add_array(struct json_object *parent, const char *name);
/* A text at the end of an array; NULL is "". */
void json_append_string(struct json_object *array, const char *text);
/* An empty object at the end of an array, which owns it. */
struct json_object *json_append_object(struct json_object *array);
/* json_object_new_object() that never returns NULL. */
struct json_object *json_new_object(void);

/* Plain text without escaped slashes; the caller frees it. */
char *json_text(struct json_object *json);
/* The same for people: indented by two, with a final newline. */
char *json_pretty(struct json_object *json);

#endif
