/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/cluster_key.h: made once, read beneath, refused when it is not what it must be. */
#include "storage_fixture.h"

#include "storage/cluster_key.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_is_made_once(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	uint8_t key[CLUSTER_KEY_SIZE] = {0}, again[CLUSTER_KEY_SIZE] = {0},
		zero[CLUSTER_KEY_SIZE] = {0};

	assert_int_equal(cluster_key_load(store_root(fixture->store), key, &err), 0);
	assert_memory_not_equal(key, zero, sizeof(key));
	assert_int_equal(mode_of(fixture, ".virtx-key"), 0600);
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(cluster_key_load(store_root(fixture->store), again, &err), 0);
	assert_memory_equal(key, again, sizeof(key));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	assert_null(strstr(after, ".new-"));
}

static void test_reads_what_is_there(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	uint8_t key[CLUSTER_KEY_SIZE];
	cleanup_free char *path = in_vms(fixture, ".virtx-key");

	make_file(fixture, ".virtx-key", HEX64 "\n");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(cluster_key_load(store_root(fixture->store), key, &err), 0);
	assert_int_equal(key[1], 0x11);
	assert_int_equal(key[31], 0xff);
}

static void test_garbage_is_refused(void **state)
{
	static const char *const texts[] = {"", "\n", "x", HEX64 "0", HEX64 "\n\n", HEX64 HEX64,
		"g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
	struct fixture *fixture = *state;
	uint8_t key[CLUSTER_KEY_SIZE];
	cleanup_free char *path = in_vms(fixture, ".virtx-key");

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err = {0};

		make_file(fixture, ".virtx-key", texts[i]);
		assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(cluster_key_load(store_root(fixture->store), key, &err), -1);
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		assert_non_null(strstr(err.message, ".virtx-key"));
		assert_true(err.hint[0]);
		/* What the file holds is nobody's business. */
		assert_null(strstr(err.message, "0112233"));
		cleanup_free char *text = file_read(path, 1000, NULL, &err);
		assert_string_equal(text, texts[i]);
	}
}

static void test_is_for_its_owner_alone(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	uint8_t key[CLUSTER_KEY_SIZE];
	cleanup_free char *path = in_vms(fixture, ".virtx-key");

	make_file(fixture, ".virtx-key", HEX64 "\n");
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(cluster_key_load(store_root(fixture->store), key, &err), -1);
	assert_non_null(strstr(err.message, "0640"));
	assert_non_null(strstr(err.hint, "chmod 600"));
	error_clear(&err);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(cluster_key_load(store_root(fixture->store), key, &err), -1);
}

/* Several hosts that start at once get the same one. */
static void test_one_of_many_wins(void **state)
{
	enum { HOSTS = 12 };
	struct fixture *fixture = *state;
	uint8_t keys[HOSTS][CLUSTER_KEY_SIZE] = {0};
	int results[2];

	assert_int_equal(pipe(results), 0);
	for (int i = 0; i < HOSTS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct error err = {0};
			uint8_t key[CLUSTER_KEY_SIZE];

			if (cluster_key_load(store_root(fixture->store), key, &err) == 0)
				(void)!write(results[1], key, sizeof(key));
			_exit(0);
		}
	}
	close(results[1]);
	for (int i = 0; i < HOSTS; i++) {
		assert_int_equal(read(results[0], keys[i], CLUSTER_KEY_SIZE), CLUSTER_KEY_SIZE);
		assert_memory_equal(keys[i], keys[0], CLUSTER_KEY_SIZE);
	}
	close(results[0]);
	while (wait(NULL) > 0)
		;
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, ".new-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		OPEN(test_is_made_once),
		OPEN(test_reads_what_is_there),
		OPEN(test_garbage_is_refused),
		OPEN(test_is_for_its_owner_alone),
		OPEN(test_one_of_many_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
