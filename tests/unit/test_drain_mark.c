/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/drain_mark.h: what a start finds again, whatever lies there. */
#include "storage_fixture.h"

#include "storage/drain_mark.h"

#define MARK "xml/" HOST "/" DRAIN_MARK_FILE

static enum drain_mark load(const struct fixture *fixture)
{
	struct error err = {0};
	enum drain_mark mark;

	if (drain_mark_load(fixture->store, &mark, &err) < 0)
		fail_msg("%s", err.message);
	return mark;
}

static void save(const struct fixture *fixture, enum drain_mark mark)
{
	struct error err = {0};

	if (drain_mark_save(fixture->store, mark, &err) < 0)
		fail_msg("%s", err.message);
}

static void test_round_trip(void **state)
{
	static const enum drain_mark marks[] = {
		DRAIN_MARK_NONE, DRAIN_MARK_MOVING, DRAIN_MARK_DONE, DRAIN_MARK_NONE};
	struct fixture *fixture = *state;

	assert_int_equal(load(fixture), DRAIN_MARK_NONE);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		save(fixture, marks[i]);
		assert_int_equal(load(fixture), marks[i]);
		assert_int_equal(is_there(fixture, MARK), marks[i] != DRAIN_MARK_NONE);
	}
	save(fixture, DRAIN_MARK_MOVING);
	assert_int_equal(mode_of(fixture, MARK), 0640);
}

/* The mark is another host's business where it is another host's. */
static void test_is_this_hosts(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	save(fixture, DRAIN_MARK_DONE);
	struct store *other = fixture_open(fixture, HOST2, &err);
	enum drain_mark mark;
	assert_non_null(other);
	assert_int_equal(drain_mark_load(other, &mark, &err), 0);
	assert_int_equal(mark, DRAIN_MARK_NONE);
	store_close(other);
}

static void test_strange_marks_count(void **state)
{
	static const char *const texts[] = {"", "moving", "moving\nmore", "yes\n"};
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *path = in_vms(fixture, MARK);
	char large[1000];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(
			file_write_atomic(path, texts[i], strlen(texts[i]), 0640, &err), 0);
		assert_int_equal(load(fixture), DRAIN_MARK_DONE);
	}
	memset(large, 'x', sizeof(large));
	assert_int_equal(file_write_atomic(path, large, sizeof(large), 0640, &err), 0);
	assert_int_equal(load(fixture), DRAIN_MARK_DONE);
}

static void test_no_file(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *path = in_vms(fixture, MARK);
	struct error err = {0};
	enum drain_mark mark;

	assert_int_equal(mkdir(path, 0750), 0);
	assert_int_equal(drain_mark_load(fixture->store, &mark, &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	error_clear(&err);
	assert_int_equal(drain_mark_save(fixture->store, DRAIN_MARK_DONE, &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		OPEN(test_round_trip),
		OPEN(test_is_this_hosts),
		OPEN(test_strange_marks_count),
		OPEN(test_no_file),
	};

	return cmocka_run_group_tests_name("drain_mark", tests, NULL, NULL);
}
