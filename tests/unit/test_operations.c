/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations: one per VM, on record over restarts, keys of retries, cancelling, draining. */
#include "applets/virtxd/operations.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"
#include "model/json.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VM_A "00000000-0000-0000-0000-00000000000a"
#define VM_B "00000000-0000-0000-0000-00000000000b"

/* A state directory of its own for every test, and the operations in it. */
struct fixture {
	char *dir;
	struct operations *operations;
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct error err = {0};

	fixture->dir = folder_make();
	fixture->operations = operations_open(fixture->dir, &err);
	*state = fixture;
	return fixture->operations ? 0 : -1;
}

static char *in_dir(const struct fixture *fixture, const char *name)
{
	return xasprintf("%s/%s", fixture->dir, name);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *file = in_dir(fixture, "operations.json");
	cleanup_free char *bad = in_dir(fixture, "operations.json.bad");

	operations_close(fixture->operations);
	unlink(file);
	unlink(bad);
	rmdir(fixture->dir);
	free(fixture->dir);
	free(fixture);
	return 0;
}

static void restart(struct fixture *fixture)
{
	struct error err = {0};

	operations_close(fixture->operations);
	fixture->operations = operations_open(fixture->dir, &err);
	assert_non_null(fixture->operations);
}

static struct operation *begin(struct fixture *fixture, const char *kind, const char *vm)
{
	struct error err = {0};
	struct operation *operation =
		operations_begin(fixture->operations, kind, vm, "web", NULL, &err);

	assert_non_null(operation);
	return operation;
}

static size_t count_items(struct fixture *fixture)
{
	cleanup_json struct json_object *json = operations_to_json(fixture->operations);

	return json_object_array_length(json_object_object_get(json, "items"));
}

/* A member of an operation as text; the caller frees it. */
static char *member(struct fixture *fixture, const char *id, const char *name)
{
	struct error err = {0};
	cleanup_json struct json_object *json = operation_find_json(fixture->operations, id, &err);

	assert_non_null(json);
	return xstrdup(json_object_get_string(json_object_object_get(json, name)));
}

static void assert_member(
	struct fixture *fixture, const char *id, const char *name, const char *expected)
{
	cleanup_free char *value = member(fixture, id, name);

	assert_string_equal(value, expected);
}

static void test_one_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct operation *first = begin(fixture, "boot", VM_A);
	char id[UUID_TEXT_SIZE];
	struct error err = {0};

	assert_null(operations_begin(fixture->operations, "delete", VM_A, "web", NULL, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_non_null(strstr(err.message, operation_id(first)));
	assert_non_null(strstr(err.message, "boot"));
	assert_true(operations_is_busy(fixture->operations, VM_A, id));
	assert_string_equal(id, operation_id(first));

	struct operation *other = begin(fixture, "boot", VM_B);

	operation_end(other, NULL);
	operation_end(first, &(struct error){0});
	assert_false(operations_is_busy(fixture->operations, VM_A, id));
	operation_end(begin(fixture, "delete", VM_A), NULL);
	assert_int_equal(count_items(fixture), 3);
}

static void test_record_of_a_failure(void **state)
{
	struct fixture *fixture = *state;
	struct operation *operation = begin(fixture, "create", VM_A);
	cleanup_free char *id = xstrdup(operation_id(operation));
	struct error err = {0};

	operation_progress(operation, "provision /vms/ds/a.qcow2", 250);
	assert_member(fixture, id, "state", "running");
	assert_member(fixture, id, "phase", "provision /vms/ds/a.qcow2");
	assert_member(fixture, id, "progress", "100");
	assert_member(fixture, id, "cancellable", "true");
	error_set(&err, ERR_STORAGE, "no space on %s", "/vms");
	error_hint(&err, "make room");
	operation_end(operation, &err);
	for (int round = 0; round < 2; round++) {
		cleanup_json struct json_object *json =
			operation_find_json(fixture->operations, id, &(struct error){0});
		struct json_object *error = json_object_object_get(json, "error");

		assert_member(fixture, id, "state", "failed");
		assert_string_equal(json_object_get_string(json_object_object_get(error, "code")),
			error_code_word(ERR_STORAGE));
		assert_string_equal(json_object_get_string(json_object_object_get(error, "detail")),
			"no space on /vms");
		assert_string_equal(
			json_object_get_string(json_object_object_get(error, "hint")), "make room");
		restart(fixture);
	}
}

static size_t count_interrupted(struct fixture *fixture)
{
	cleanup_free char(*list)[UUID_TEXT_SIZE] = NULL;

	return operations_list_interrupted(fixture->operations, "create", &list);
}

/* A start that is cut itself must not hide from the next one what was cut before. */
static void test_interrupted_until_recovered(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *cut = xstrdup(operation_id(begin(fixture, "create", VM_A)));

	restart(fixture);
	restart(fixture);
	assert_member(fixture, cut, "state", "failed");
	assert_int_equal(count_interrupted(fixture), 1);
	operations_recovered(fixture->operations);
	assert_int_equal(count_interrupted(fixture), 0);
	restart(fixture);
	assert_member(fixture, cut, "state", "failed");
	assert_int_equal(count_interrupted(fixture), 0);
}

static void test_restart_ends_what_ran(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char(*list)[UUID_TEXT_SIZE] = NULL;
	cleanup_free char *done = NULL, *cut = NULL;
	struct operation *operation = begin(fixture, "create", VM_A);
	char id[UUID_TEXT_SIZE];

	done = xstrdup(operation_id(operation));
	operation_end(operation, NULL);
	cut = xstrdup(operation_id(begin(fixture, "create", VM_B)));
	restart(fixture);
	assert_member(fixture, done, "state", "completed");
	assert_member(fixture, cut, "state", "failed");
	assert_false(operations_is_busy(fixture->operations, VM_B, id));
	assert_int_equal(operations_list_interrupted(fixture->operations, "create", &list), 1);
	assert_string_equal(list[0], VM_B);

	operations_settle(fixture->operations, "create", VM_B);
	assert_member(fixture, cut, "state", "completed");
	restart(fixture);
	assert_member(fixture, cut, "state", "completed");
}

static void test_bad_file_is_set_aside(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "{\"items\": 7}", "{\"items\": [7]}"};
	struct fixture *fixture = *state;
	cleanup_free char *file = in_dir(fixture, "operations.json");
	cleanup_free char *aside = in_dir(fixture, "operations.json.bad");
	struct error err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_write_atomic(file, bad[i], strlen(bad[i]), 0600, &err), 0);
		restart(fixture);
		assert_int_equal(count_items(fixture), 0);
		assert_true(file_exists(aside));
		unlink(aside);
	}
	/* One bad record does not take the others along. */
	const char *mixed = "{\"items\": [{\"id\": \"no\"}, {\"id\": \"" VM_A "\", \"vm\": \"" VM_B
			    "\", \"kind\": \"boot\", \"state\": \"completed\", \"end\": "
			    "9000000000000}]}";

	assert_int_equal(file_write_atomic(file, mixed, strlen(mixed), 0600, &err), 0);
	restart(fixture);
	assert_int_equal(count_items(fixture), 1);
	assert_member(fixture, VM_A, "kind", "boot");
}

static void test_old_ones_are_forgotten(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *file = in_dir(fixture, "operations.json");
	struct operation_key key = {.key = "k", .fingerprint = "f"};
	char vm[UUID_TEXT_SIZE];
	struct error err = {0};

	operation_end(
		operations_begin(fixture->operations, "create", VM_A, "web", &key, &err), NULL);
	for (int i = 0; i < OPERATIONS_MAX + 20; i++)
		operation_end(begin(fixture, "pause", VM_A), NULL);
	assert_in_range(count_items(fixture), OPERATIONS_MAX - 1, OPERATIONS_MAX + 1);
	/* Retries stay safe however much else happened. */
	assert_int_equal(operations_find_key(fixture->operations, &key, vm), OPERATION_KEY_DONE);

	const char *old = "{\"items\": [{\"id\": \"" VM_A "\", \"vm\": \"" VM_B
			  "\", \"kind\": \"boot\", \"state\": \"completed\", \"end\": 1000}]}";

	assert_int_equal(file_write_atomic(file, old, strlen(old), 0600, &err), 0);
	restart(fixture);
	assert_int_equal(count_items(fixture), 0);
}

static void test_keys(void **state)
{
	struct fixture *fixture = *state;
	struct operation_key key = {.key = "retry-1", .fingerprint = "f1"};
	struct operation_key other = {.key = "retry-1", .fingerprint = "f2"};
	struct error err = {0};
	char vm[UUID_TEXT_SIZE];

	assert_int_equal(operations_find_key(fixture->operations, &key, vm), OPERATION_KEY_NEW);
	struct operation *operation =
		operations_begin(fixture->operations, "create", VM_A, "web", &key, &err);

	assert_non_null(operation);
	assert_int_equal(operations_find_key(fixture->operations, &key, vm), OPERATION_KEY_RUNNING);
	assert_string_equal(vm, VM_A);
	/* Two requests at once with one key: only one of them gets to work. */
	assert_null(operations_begin(fixture->operations, "create", VM_B, "web", &key, &err));
	assert_int_equal(err.code, ERR_BUSY);
	error_clear(&err);

	error_set(&err, ERR_STORAGE, "full");
	operation_end(operation, &err);
	error_clear(&err);
	assert_int_equal(operations_find_key(fixture->operations, &key, vm), OPERATION_KEY_NEW);

	operation = operations_begin(fixture->operations, "create", VM_B, "web", &key, &err);
	assert_non_null(operation);
	operation_end(operation, NULL);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(
			operations_find_key(fixture->operations, &key, vm), OPERATION_KEY_DONE);
		assert_string_equal(vm, VM_B);
		assert_int_equal(
			operations_find_key(fixture->operations, &other, vm), OPERATION_KEY_OTHER);
		restart(fixture);
	}
	/* The key is the client's secret as much as a cookie: no list shows it. */
	cleanup_json struct json_object *json = operations_to_json(fixture->operations);

	assert_null(strstr(json_object_to_json_string(json), "retry-1"));
}

static void test_cancel(void **state)
{
	struct fixture *fixture = *state;
	struct operation *operation = begin(fixture, "create", VM_A);
	cleanup_free char *id = xstrdup(operation_id(operation));
	struct error err = {0};

	assert_int_equal(operation_check_cancel(operation, &err), 0);
	assert_int_equal(operations_cancel(fixture->operations, id, &err), 0);
	assert_true(atomic_load(operation_cancel_flag(operation)));
	assert_int_equal(operation_check_cancel(operation, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	operation_end(operation, &err);
	assert_member(fixture, id, "state", "cancelled");

	error_clear(&err);
	assert_int_equal(operations_cancel(fixture->operations, id, &err), -1);
	assert_int_equal(err.code, ERR_STATE);
	error_clear(&err);
	assert_int_equal(operations_cancel(fixture->operations, VM_B, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);

	operation = begin(fixture, "delete", VM_A);
	operation_commit(operation);
	assert_int_equal(operations_cancel(fixture->operations, operation_id(operation), &err), -1);
	assert_int_equal(err.code, ERR_STATE);
	assert_false(atomic_load(operation_cancel_flag(operation)));
	operation_end(operation, NULL);
}

static void test_what_was_left(void **state)
{
	static const struct error why = {ERR_CAPACITY, "virt2: no room", "more memory"};
	struct fixture *fixture = *state;
	struct operation *operation = begin(fixture, "drain", VM_A);
	cleanup_free char *id = xstrdup(operation_id(operation));
	struct error failure = {ERR_MIGRATION, "1 of 2 VMs stays", ""};

	operations_set_host(fixture->operations, VM_A);
	assert_member(fixture, id, "host", VM_A);
	assert_member(fixture, id, "left", "[ ]");
	operation_leave(operation, VM_B, "web", &why);
	operation_end(operation, &failure);
	for (int i = 0; i < 2; i++) {
		assert_member(fixture, id, "left",
			"[ { \"vm\": \"" VM_B "\", \"name\": \"web\", \"code\": \"capacity\", "
			"\"detail\": \"virt2: no room\" } ]");
		restart(fixture);
	}
	assert_true(operations_has(fixture->operations, id));
	assert_false(operations_has(fixture->operations, VM_A));
	operation = begin(fixture, "drain", VM_A);
	cleanup_free char *second = xstrdup(operation_id(operation));
	for (int i = 0; i < OPERATION_LEFT_MAX + 5; i++)
		operation_leave(operation, VM_B, "web", &why);
	cleanup_json struct json_object *json =
		operation_find_json(fixture->operations, second, &failure);
	assert_int_equal(
		json_object_array_length(json_object_object_get(json, "left")), OPERATION_LEFT_MAX);
	operation_end(operation, NULL);
}

static void test_unwritable_record_lets_the_vm_go(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *file = in_dir(fixture, "operations.json");
	struct error err = {0};
	char id[UUID_TEXT_SIZE];

	unlink(file);
	assert_int_equal(rmdir(fixture->dir), 0);
	assert_null(operations_begin(fixture->operations, "boot", VM_A, "web", NULL, &err));
	assert_int_not_equal(err.code, ERR_NONE);
	assert_false(operations_is_busy(fixture->operations, VM_A, id));
	assert_int_equal(count_items(fixture), 0);
	assert_int_equal(operations_drain(fixture->operations, 0), 0);
}

/* Works until it is cancelled. */
static void *work(void *context)
{
	struct operation *operation = context;
	struct error err = {0};

	while (operation_check_cancel(operation, &err) == 0)
		poll(NULL, 0, 1);
	operation_end(operation, &err);
	return NULL;
}

static void test_drain(void **state)
{
	struct fixture *fixture = *state;
	struct operation *stubborn = begin(fixture, "delete", VM_A);
	struct operation *willing = begin(fixture, "create", VM_B);
	struct error err = {0};
	pthread_t thread;

	operation_commit(stubborn);
	assert_int_equal(pthread_create(&thread, NULL, work, willing), 0);
	assert_int_equal(operations_drain(fixture->operations, 20), 1);
	pthread_join(thread, NULL);
	assert_null(operations_begin(fixture->operations, "boot", VM_B, "web", NULL, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	operation_end(stubborn, NULL);
	assert_int_equal(operations_drain(fixture->operations, 10000), 0);
}

/* What others do goes on while the daemon restarts, under the same id. */
static void test_detached_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct operation *operation = begin(fixture, "migrate", VM_A);
	cleanup_free char *id = xstrdup(operation_id(operation));
	char busy[UUID_TEXT_SIZE];

	operation_detach(operation);
	assert_int_equal(operations_drain(fixture->operations, 60000), 1);
	assert_false(atomic_load(operation_cancel_flag(operation)));
	restart(fixture);
	assert_member(fixture, id, "state", "failed");
	assert_null(operations_resume(fixture->operations, "migrate", VM_B));
	operation = operations_resume(fixture->operations, "migrate", VM_A);
	assert_non_null(operation);
	assert_string_equal(operation_id(operation), id);
	assert_null(operations_resume(fixture->operations, "migrate", VM_A));
	assert_true(operations_is_busy(fixture->operations, VM_A, busy));
	assert_member(fixture, id, "state", "running");
	operation_end(operation, NULL);
	assert_member(fixture, id, "state", "completed");
	assert_int_equal(operations_drain(fixture->operations, 0), 0);
}

#define THREADS 6
#define ROUNDS  60

struct crowd {
	struct operations *operations;
	atomic_int inside, done, refused, overlaps;
};

static void *contend(void *context)
{
	struct crowd *crowd = context;

	for (int i = 0; i < ROUNDS; i++) {
		struct error err = {0};
		struct operation *operation =
			operations_begin(crowd->operations, "boot", VM_A, "web", NULL, &err);

		if (!operation) {
			atomic_fetch_add(&crowd->refused, err.code == ERR_BUSY);
			continue;
		}
		if (atomic_fetch_add(&crowd->inside, 1) != 0)
			atomic_fetch_add(&crowd->overlaps, 1);
		operation_progress(operation, "work", 50);
		atomic_fetch_sub(&crowd->inside, 1);
		operation_end(operation, NULL);
		atomic_fetch_add(&crowd->done, 1);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	struct crowd crowd = {.operations = fixture->operations};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contend, &crowd), 0);
	for (int i = 0; i < 100; i++)
		json_object_put(operations_to_json(fixture->operations));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&crowd.overlaps), 0);
	assert_int_equal(atomic_load(&crowd.done) + atomic_load(&crowd.refused), THREADS * ROUNDS);
	restart(fixture);
	assert_int_equal(count_items(fixture), atomic_load(&crowd.done));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_at_a_time),
		TEST(test_record_of_a_failure),
		TEST(test_restart_ends_what_ran),
		TEST(test_interrupted_until_recovered),
		TEST(test_bad_file_is_set_aside),
		TEST(test_old_ones_are_forgotten),
		TEST(test_keys),
		TEST(test_cancel),
		TEST(test_what_was_left),
		TEST(test_unwritable_record_lets_the_vm_go),
		TEST(test_drain),
		TEST(test_detached_goes_on),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
