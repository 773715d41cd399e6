/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Question and answer of an admission on the wire: both ways, and what is no such thing. */
#include "applets/virtxd/admission.h"
#include "base/str.h"
#include "model/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define VM_UUID "22222222-0000-0000-0000-00000000000a"

static struct json_object *parse(const char *text)
{
	struct json_object *json = NULL;
	struct error err = {0};

	if (json_parse(text, strlen(text), &json, &err))
		fail_msg("%s", err.message);
	return json;
}

static void test_question_there_and_back(void **state)
{
	const struct admission_question question = {.vm = VM_UUID,
		.live = true,
		.hold = true,
		.xml = "<domain>\n\"\xc3\xa4\"</domain>"};
	cleanup_json struct json_object *json = admission_question_to_json(&question);
	struct admission_question read;
	struct error err = {0};

	(void)state;
	assert_int_equal(admission_question_from_json(json, &read, &err), 0);
	assert_string_equal(read.vm, question.vm);
	assert_string_equal(read.xml, question.xml);
	assert_true(read.live);
	assert_true(read.hold);
}

static void test_what_is_no_question(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"{}", "vm"},
		{"{\"vm\": \"" VM_UUID "\"}", "xml"},
		{"{\"vm\": \"web-01\", \"xml\": \"<domain/>\"}", "UUID"},
		{"{\"vm\": \"22222222-0000-0000-0000-00000000000A\", \"xml\": \"x\"}", "UUID"},
		{"{\"vm\": 1, \"xml\": \"<domain/>\"}", "vm"},
		{"{\"vm\": \"" VM_UUID "\", \"xml\": {}}", "xml"},
		{"{\"vm\": \"" VM_UUID "\", \"xml\": \"x\", \"live\": \"yes\"}", "live"},
		{"{\"vm\": \"" VM_UUID "\", \"xml\": \"x\", \"hold\": 1}", "hold"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = parse(rows[i].text);
		struct admission_question question;
		struct error err = {0};

		assert_int_equal(admission_question_from_json(json, &question, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		if (!strstr(err.message, rows[i].why))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
}

static void test_answer_there_and_back(void **state)
{
	struct admission_answer yes = {.memory_mib = -12, .cpu_mhz = 4800, .vms = 7}, read,
				no = {0};
	struct error err = {0};

	(void)state;
	cleanup_json struct json_object *first = admission_answer_to_json(&yes);
	assert_int_equal(admission_answer_from_json(first, &read, &err), 0);
	assert_false(error_is_set(&read.refusal));
	assert_int_equal(read.memory_mib, -12);
	assert_int_equal(read.cpu_mhz, 4800);
	assert_int_equal(read.vms, 7);

	error_set(&no.refusal, ERR_CAPACITY, "memory: %s", "too little");
	error_hint(&no.refusal, "less");
	cleanup_json struct json_object *second = admission_answer_to_json(&no);
	assert_int_equal(admission_answer_from_json(second, &read, &err), 0);
	assert_int_equal(read.refusal.code, ERR_CAPACITY);
	assert_string_equal(read.refusal.message, "memory: too little");
	assert_string_equal(read.refusal.hint, "less");
}

/* Nothing that cannot be understood passes for a yes. */
static void test_what_is_no_answer(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"ok\": \"true\"}",
		"{\"ok\": false, \"code\": \"capacity\"}",
		"{\"ok\": false, \"code\": \"capacity\", \"detail\": \"a\\u001b[31mb\"}",
		"{\"ok\": false, \"code\": \"capacity\", \"detail\": \"a\", \"hint\": \"\\n\"}",
		"{\"ok\": true, \"vms\": -1}",
		"{\"ok\": true, \"vms\": 4294967296}",
		"{\"ok\": true, \"memoryavailable\": \"much\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = parse(rows[i]);
		struct admission_answer answer;
		struct error err = {0};

		if (admission_answer_from_json(json, &answer, &err) == 0)
			fail_msg("%s", rows[i]);
	}
}

/* A word of a later version, or one that is no refusal, is a refusal all the same. */
static void test_a_refusal_of_an_unknown_kind(void **state)
{
	static const char *const rows[] = {
		"{\"ok\": false, \"code\": \"moon-phase\", \"detail\": \"waning\"}",
		"{\"ok\": false, \"code\": \"none\", \"detail\": \"waning\"}",
		"{\"ok\": false, \"detail\": \"waning\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_json struct json_object *json = parse(rows[i]);
		struct admission_answer answer;
		struct error err = {0};

		assert_int_equal(admission_answer_from_json(json, &answer, &err), 0);
		assert_int_equal(answer.refusal.code, ERR_INTERNAL);
		assert_string_equal(answer.refusal.message, "waning");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question_there_and_back),
		cmocka_unit_test(test_what_is_no_question),
		cmocka_unit_test(test_answer_there_and_back),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_a_refusal_of_an_unknown_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
