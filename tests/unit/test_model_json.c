/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON: what is accepted, what is refused, and that refusals name the member. */
#include "base/buf.h"
#include "base/str.h"
#include "vmdef_fixture.h"

static int parse(const char *text, size_t len, struct error *err)
{
	cleanup_json struct json_object *json = NULL;
	/* Exactly as long as said, so that a sanitizer sees a read behind it. */
	cleanup_free char *copy = xmemdup(text, len);

	*err = (struct error){0};
	int status = json_parse(copy, len, &json, err);
	if (status < 0) {
		assert_null(json);
		assert_int_equal(err->code, ERR_INVALID);
	}
	return status;
}

static void refuse_bytes(const char *text, size_t len, const char *reason)
{
	struct error err;

	if (parse(text, len, &err) == 0)
		fail_msg("accepted: %s", text);
	if (!strstr(err.message, reason))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.message, reason);
}

static void refuse(const char *text, const char *reason)
{
	refuse_bytes(text, strlen(text), reason);
}

static void accepts_json(void **state)
{
	static const char *const texts[] = {"null", "null\n", " {} \r\n\t", "[]", "12", "-0", "0.5",
		"-1E+2", "[0,1e-3]", "18446744073709551616", "\"x\"", "true",
		"{\"a\":{\"a\":[1,2.5e3,null,\"\\u00e9\\\\\\\"\"]}}", "{\"a:b\":\"c:d\"}",
		"[{\"a\":1},{\"a\":2}]", "\"\\\\u0000\"", "{\"\\\\u0000\":1}"};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err;

		if (parse(texts[i], strlen(texts[i]), &err) < 0)
			fail_msg("%s: %s", texts[i], err.message);
	}
	assert_null(fixture_parse("null\n"));
}

static void refuses_what_is_not_json(void **state)
{
	(void)state;
	refuse("", "not JSON");
	refuse("  ", "not JSON");
	refuse("{", "not JSON");
	refuse("{\"a\":1", "not JSON");
	refuse("\"abc", "not JSON");
	refuse("{} x", "not JSON");
	refuse("{}{}", "not JSON");
	refuse("nul", "not JSON");
	refuse("NULL", "not JSON");
	refuse("{'a':1}", "not JSON");
	refuse("{a:1}", "not JSON");
	refuse("[1,]", "not JSON");
	refuse("{\"a\":1,}", "not JSON");
	refuse("/* c */ {}", "not JSON");
	refuse("+1", "not JSON");
	refuse("\"\\x\"", "not JSON");
	refuse("]", "not JSON");
	refuse("-", "not JSON");
	refuse("{\"a\":'b'}", "not JSON");
	refuse("[01]", "not JSON: unexpected character at byte 1");
	refuse("[-01]", "not JSON");
	refuse("[00]", "not JSON");
	refuse("[1.]", "not JSON");
	refuse("1.", "not JSON");
	refuse("[.5]", "not JSON");
	refuse("[1e]", "not JSON");
	refuse("1e+", "not JSON");
	refuse("[1-2]", "not JSON");
	refuse("[1.5.5]", "not JSON");
	refuse("\"\\", "not JSON");
	refuse("\xef\xbb\xbf{}", "not JSON");
	refuse("NaN", "not a number");
	refuse("{\"unknown\":Infinity}", "not a number");
	refuse("[1e999]", "out of range");
	refuse("{\"a\":\"b\nc\"}", "control character 0x0a at byte 7");
	refuse_bytes("{}\0", 3, "control character 0x00 at byte 2");
	refuse_bytes("\"a\0b\"", 5, "control character 0x00");
	refuse("\"\xff\"", "not JSON");
	refuse("\"\xc3\"", "not JSON");
}

static void refuses_the_same_member_twice(void **state)
{
	(void)state;
	refuse("{\"a\":1,\"a\":2}", "two members of the same name");
	refuse("[{\"b\":{\"a\":1,\"c\":[],\"\\u0061\":2}}]", "two members of the same name");
	refuse("{\"name\\u0000x\":1}", "contains \\u0000");
}

static char *nested(int depth, const char *open, const char *close, const char *core)
{
	struct printbuf *buf = buf_new();

	for (int i = 0; i < depth; i++)
		buf_text(buf, open);
	buf_text(buf, core);
	for (int i = 0; i < depth; i++)
		buf_text(buf, close);
	return buf_steal(buf);
}

static void limits_depth(void **state)
{
	static const char *const forms[][3] = {
		{"[", "]", ""}, {"[", "]", "1"}, {"{\"a\":", "}", "[]"}, {"{\"a\":", "}", "1"}};
	(void)state;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		int depth = JSON_MAX_DEPTH - (str_equal(forms[i][2], "[]") ? 1 : 0);
		cleanup_free char *fits = nested(depth, forms[i][0], forms[i][1], forms[i][2]);
		cleanup_free char *deep = nested(depth + 1, forms[i][0], forms[i][1], forms[i][2]);
		struct error err;

		if (parse(fits, strlen(fits), &err) < 0)
			fail_msg("%s: %s", fits, err.message);
		refuse(deep, "nested more than 32 deep");
	}
	/* Brackets inside a string are no depth. */
	cleanup_free char *brackets = nested(40, "[", "]", "");
	cleanup_free char *quoted = xasprintf("\"%s\"", brackets);
	struct error err;
	assert_int_equal(parse(quoted, strlen(quoted), &err), 0);
	cleanup_free char *bomb = nested(100000, "[", "", "");
	refuse(bomb, "nested more than 32 deep");
}

static void take_element(void *array, struct json_object *element)
{
	json_object_array_add(array, json_object_get(element));
}

/* The list "items" of a text element by element; its elements are in *taken, else -1. */
static int parse_items(const char *text, size_t len, struct json_object **json,
	struct json_object **taken, struct error *err)
{
	cleanup_free char *copy = xmemdup(text, len);

	*err = (struct error){0};
	*taken = json_object_new_array();
	int status = json_parse_list(copy, len, "items", take_element, *taken, json, err);
	if (status < 0) {
		assert_null(*json);
		assert_int_equal(err->code, ERR_INVALID);
	}
	return status;
}

static void reads_lists_by_element(void **state)
{
	static const char *const cases[][3] = {
		/* text, elements, the rest */
		{"{\"items\":[1,\"a,]\",[2,{}],{\"b\":[]},null]}",
			"[1,\"a,]\",[2,{}],{\"b\":[]},null]", "{\"items\":[]}"},
		{" { \"a\" : [ 1 , 2 ] , \"items\" : [ 3 , 4 ] , \"b\" : \"]\" } ", "[3,4]",
			"{\"a\":[1,2],\"items\":[],\"b\":\"]\"}"},
		{"{\"x\\\"\":{\"items\":[1]},\"items\":[\"\\\\\",\"\\\"]\"]}",
			"[\"\\\\\",\"\\\"]\"]", "{\"x\\\"\":{\"items\":[1]},\"items\":[]}"},
		{"{\"items\":[]}", "[]", "{\"items\":[]}"},
		{"{\"items\":[ \n]}", "[]", "{\"items\":[]}"},
		{"{\"items\":null}", "[]", "{\"items\":null}"},
		{"{\"items\":{\"a\":[1]}}", "[]", "{\"items\":{\"a\":[1]}}"},
		{"{\"a\":\"items\",\"b\":[1]}", "[]", "{\"a\":\"items\",\"b\":[1]}"},
		{"[\"items\",[1]]", "[]", "[\"items\",[1]]"},
		{"{}", "[]", "{}"},
		{"null", "[]", "null"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json struct json_object *json = NULL, *taken = NULL;
		struct error err;

		if (parse_items(cases[i][0], strlen(cases[i][0]), &json, &taken, &err) < 0)
			fail_msg("%s: %s", cases[i][0], err.message);
		cleanup_free char *elements = json_text(taken), *rest = json_text(json);
		assert_string_equal(elements, cases[i][1]);
		assert_string_equal(rest, cases[i][2]);
	}
}

static void refuses_bad_lists(void **state)
{
	static const char *const cases[][2] = {
		{"{\"items\":[1,{\"a\":01}]}",
			"items[1]: not JSON: unexpected character at byte 5"},
		{"{\"items\":[{\"a\":1,\"a\":2}]}", "items[0]: an object has two members"},
		{"{\"items\":[1,\"a", "items[1]: not JSON"},
		{"{\"items\":[1,{\"a\":2", "items[1]: not JSON"},
		{"{\"items\":[1,]}", "items[1]: not JSON"},
		{"{\"items\":[,1]}", "items[0]: not JSON"},
		{"{\"items\":[1 2]}", "items[0]: not JSON"},
		{"{\"items\":[\"\xff\"]}", "items[0]: not JSON"},
		{"{\"items\":[1}", "not JSON"},
		{"{\"items\":[1", "not JSON"},
		{"{\"items\":[", "not JSON"},
		{"{\"items\":[1]", "not JSON"},
		{"{\"items\":[1]}}", "not JSON"},
		{"{\"items\":[1]],\"a\":2}", "not JSON"},
		{"{\"items\":[1],\"items\":[2]}", "an object has two members"},
		{"{\"items", "not JSON"},
		{"{\"items\\", "not JSON"},
		{"{\"items\":", "not JSON"},
		{"{", "not JSON"},
		{"", "not JSON"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json struct json_object *json = NULL, *taken = NULL;
		struct error err;

		if (parse_items(cases[i][0], strlen(cases[i][0]), &json, &taken, &err) == 0)
			fail_msg("accepted: %s", cases[i][0]);
		if (!str_starts_with(err.message, cases[i][1]))
			fail_msg("%s: \"%s\"", cases[i][0], err.message);
	}
}

/* Puts the elements back where they were. */
static void rejoin(struct json_object *json, struct json_object *taken)
{
	struct json_object *items = NULL;

	if (json_object_array_length(taken) == 0)
		return;
	assert_true(json_object_object_get_ex(json, "items", &items));
	assert_int_equal(json_object_array_length(items), 0);
	for (size_t i = 0; i < json_object_array_length(taken); i++)
		take_element(items, json_object_array_get_idx(taken, i));
}

/* Whatever a text is, element by element it is what it is as a whole. */
static void lists_are_read_as_a_whole_is(void **state)
{
	static const char good[] = "{\"n\":[0],\"items\":[{\"a\":[1,\"x\"]},\"\\\"],\",[ ],-2.5 ],"
				   "\"o\":{\"items\":[3]}}";
	static const char bytes[] = "[]{}:,\"\\ 1x-\0\xff";
	unsigned random = 1, accepted = 0;
	(void)state;

	for (int i = 0; i < 20000; i++) {
		cleanup_json struct json_object *json = NULL, *taken = NULL, *whole = NULL;
		cleanup_free char *text = xmemdup(good, sizeof(good) - 1);
		size_t len = sizeof(good) - 1;
		struct error err, other = {0};

		for (int j = 0; j <= i % 3; j++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % len] = bytes[(random >> 24) % (sizeof(bytes) - 1)];
		}
		if (i % 5 == 0)
			len = (random >> 16) % len;
		int status = parse_items(text, len, &json, &taken, &err);
		if (status != json_parse(text, len, &whole, &other))
			fail_msg("%.*s: \"%s\", not \"%s\"", (int)len, text, err.message,
				other.message);
		if (status < 0)
			continue;
		accepted++;
		rejoin(json, taken);
		if (!json_object_equal(json, whole))
			fail_msg("%.*s is %s", (int)len, text, json_object_to_json_string(json));
	}
	assert_true(accepted > 1000);
}

/* One member "m" of each type, read by one reader. */
enum reader {
	READ_STRING,
	READ_BOOL,
	READ_I16,
	READ_I32,
	READ_I64,
	READ_ENUM,
	READ_OBJECT,
	READ_ARRAY
};

static int read_member(enum reader reader, struct json_object *json, int64_t *number, char **text,
	struct error *err)
{
	struct json_object *child;
	int16_t i16 = 7;
	int32_t i32 = 7;
	int plain = 7, status = -1;
	bool truth = true;

	switch (reader) {
	case READ_STRING:
		return json_get_string(json, "m", "p", text, err);
	case READ_BOOL:
		status = json_get_bool(json, "m", "p", &truth, err);
		*number = truth;
		return status;
	case READ_I16:
		status = json_get_i16(json, "m", "p", &i16, err);
		*number = i16;
		return status;
	case READ_I32:
		status = json_get_i32(json, "m", "p", &i32, err);
		*number = i32;
		return status;
	case READ_I64:
		return json_get_i64(json, "m", "p", number, err);
	case READ_ENUM:
		status = json_get_enum(json, "m", "p", &disk_bus_names, &plain, err);
		*number = plain;
		return status;
	case READ_OBJECT:
		status = json_get_object(json, "m", "p", &child, err);
		*number = child != NULL;
		return status;
	case READ_ARRAY:
		status = json_get_array(json, "m", "p", &child, err);
		*number = child != NULL;
		return status;
	}
	return status;
}

static void reads_members(void **state)
{
	static const struct {
		enum reader reader;
		const char *json;
		int64_t number;
		const char *text;
	} rows[] = {
		{READ_STRING, "{}", 0, ""},
		{READ_STRING, "null", 0, ""},
		{READ_STRING, "{\"m\":null}", 0, ""},
		{READ_STRING, "{\"m\":\"\\u00e9\\/x\"}", 0, "\xc3\xa9/x"},
		{READ_BOOL, "{}", 0, NULL},
		{READ_BOOL, "{\"m\":null}", 0, NULL},
		{READ_BOOL, "{\"m\":true}", 1, NULL},
		{READ_I16, "{}", 0, NULL},
		{READ_I16, "{\"m\":32767}", 32767, NULL},
		{READ_I16, "{\"m\":-32768}", -32768, NULL},
		{READ_I32, "{\"m\":null}", 0, NULL},
		{READ_I32, "{\"m\":2147483647}", INT32_MAX, NULL},
		{READ_I32, "{\"m\":-2147483648}", INT32_MIN, NULL},
		{READ_I64, "{\"m\":9223372036854775807}", INT64_MAX, NULL},
		{READ_I64, "{\"m\":-9223372036854775807}", INT64_MIN + 1, NULL},
		{READ_ENUM, "{}", 0, NULL},
		{READ_ENUM, "{\"m\":3}", 3, NULL},
		{READ_OBJECT, "{}", 0, NULL},
		{READ_OBJECT, "{\"m\":null}", 0, NULL},
		{READ_OBJECT, "{\"m\":{}}", 1, NULL},
		{READ_ARRAY, "{\"m\":[]}", 1, NULL},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_parse(rows[i].json);
		cleanup_free char *text = NULL;
		struct error err = {0};
		int64_t number = 0;

		if (read_member(rows[i].reader, json, &number, &text, &err) < 0)
			fail_msg("%s: %s", rows[i].json, err.message);
		assert_int_equal(number, rows[i].number);
		if (rows[i].text)
			assert_string_equal(text, rows[i].text);
	}
}

static void refuses_members(void **state)
{
	static const struct {
		enum reader reader;
		const char *json, *message;
	} rows[] = {
		{READ_STRING, "{\"m\":1}", "p.m: must be a string, not a whole number"},
		{READ_STRING, "{\"m\":[]}", "p.m: must be a string, not a list"},
		{READ_STRING, "{\"m\":\"a\\u0000b\"}", "p.m: must not contain \\u0000"},
		{READ_STRING, "{\"m\":\"\\u0000\"}", "p.m: must not contain \\u0000"},
		{READ_STRING, "{\"m\":\"\xc0\xaf\"}", "p.m: not UTF-8"},
		{READ_STRING, "{\"m\":\"\xed\xa0\x80\"}", "p.m: not UTF-8"},
		{READ_STRING, "[]", "p: must be an object, not a list"},
		{READ_STRING, "\"x\"", "p: must be an object, not a string"},
		{READ_BOOL, "{\"m\":1}", "p.m: must be true or false, not a whole number"},
		{READ_BOOL, "{\"m\":\"true\"}", "p.m: must be true or false, not a string"},
		{READ_I16, "{\"m\":\"1\"}", "p.m: must be a whole number, not a string"},
		{READ_I16, "{\"m\":1.0}",
			"p.m: must be a whole number, not a number with a fraction"},
		{READ_I16, "{\"m\":1e1}",
			"p.m: must be a whole number, not a number with a fraction"},
		{READ_I16, "{\"m\":true}", "p.m: must be a whole number, not true or false"},
		{READ_I16, "{\"m\":32768}", "p.m: 32768 is not between -32768 and 32767"},
		{READ_I16, "{\"m\":-32769}", "p.m: -32769 is not between"},
		{READ_I32, "{\"m\":2147483648}", "p.m: 2147483648 is not between"},
		{READ_I32, "{\"m\":-2147483649}", "p.m: -2147483649 is not between"},
		{READ_I64, "{\"m\":9223372036854775808}",
			"p.m: 9223372036854775808 is not between"},
		{READ_I64, "{\"m\":18446744073709551615}", "p.m: 18446744073709551615 is not"},
		{READ_I64, "{\"m\":99999999999999999999999}", "p.m: 18446744073709551615 is not"},
		{READ_I64, "{\"m\":-9223372036854775809}", "p.m: -9223372036854775808 is not"},
		{READ_ENUM, "{\"m\":4}",
			"p.m: 4 is not a disk bus (0 virtio-blk, 1 virtio-scsi, 2 sata, 3 scsi)"},
		{READ_ENUM, "{\"m\":-1}", "p.m: -1 is not a disk bus"},
		{READ_ENUM, "{\"m\":\"sata\"}", "p.m: must be a whole number, not a string"},
		{READ_OBJECT, "{\"m\":[]}", "p.m: must be an object, not a list"},
		{READ_ARRAY, "{\"m\":{}}", "p.m: must be a list, not an object"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = fixture_parse(rows[i].json);
		cleanup_free char *text = NULL;
		struct error err = {0};
		int64_t number = 0;

		assert_int_equal(read_member(rows[i].reader, json, &number, &text, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_null(text);
		if (!str_starts_with(err.message, rows[i].message))
			fail_msg("%s: \"%s\" is not \"%s\"", rows[i].json, err.message,
				rows[i].message);
	}
}

static void reads_lists_of_objects(void **state)
{
	cleanup_json struct json_object *json =
		fixture_parse("{\"m\":[{},null,{}],\"n\":[{},1],\"o\":null}");
	struct json_object *list;
	struct error err = {0};
	char path[JSON_PATH_SIZE];
	size_t count;
	(void)state;

	assert_int_equal(json_get_objects(json, "m", "", 3, &list, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_int_equal(json_get_objects(json, "o", "", 3, &list, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(json_get_objects(json, "m", "a", 2, &list, &count, &err), -1);
	assert_string_equal(err.message, "a.m: at most 2, not 3");
	assert_int_equal(count, 0);
	error_clear(&err);
	assert_int_equal(json_get_objects(json, "n", "", 3, &list, &count, &err), -1);
	assert_string_equal(err.message, "n[1]: must be an object, not a whole number");
	assert_string_equal(json_element_path(path, "a", "n", 3), "a.n[3]");
	assert_string_equal(json_element_path(path, "", "n", 0), "n[0]");
}

static void writes_text(void **state)
{
	cleanup_json struct json_object *json = json_new_object();
	(void)state;

	json_add_string(json, "s", "a/\"\n\xc3\xa9");
	json_add_string(json, "none", NULL);
	json_add_int(json, "i", INT64_MIN);
	json_add_bool(json, "b", true);
	json_add_bool(json_append_object(json_add_array(json, "l")), "x", false);
	json_append_string(json_add_array(json_add_object(json, "o"), "t"), "u");
	cleanup_free char *text = json_text(json);
	assert_string_equal(text,
		"{\"s\":\"a/\\\"\\n\xc3\xa9\",\"none\":\"\",\"i\":-9223372036854775808,\"b\":true,"
		"\"l\":[{\"x\":false}],\"o\":{\"t\":[\"u\"]}}");
	cleanup_free char *pretty = json_pretty(json);
	assert_true(str_starts_with(pretty, "{\n  \"s\": \"a/"));
	assert_true(str_ends_with(pretty, "}\n"));
	cleanup_json struct json_object *again = fixture_parse(pretty);
	assert_true(json_object_equal(json, again));
	cleanup_free char *null_text = json_text(NULL);
	assert_string_equal(null_text, "null");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_json),
		cmocka_unit_test(refuses_what_is_not_json),
		cmocka_unit_test(refuses_the_same_member_twice),
		cmocka_unit_test(limits_depth),
		cmocka_unit_test(reads_lists_by_element),
		cmocka_unit_test(refuses_bad_lists),
		cmocka_unit_test(lists_are_read_as_a_whole_is),
		cmocka_unit_test(reads_members),
		cmocka_unit_test(refuses_members),
		cmocka_unit_test(reads_lists_of_objects),
		cmocka_unit_test(writes_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
