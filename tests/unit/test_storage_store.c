/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/store.h: making, taking over and refusing storage; the formats of lvb.c and qcow2.c are
 * in test_storage_format.c. */
#include "storage_fixture.h"

static void test_init_makes_a_storage_once(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char cluster[UUID_TEXT_SIZE], again[UUID_TEXT_SIZE];

	assert_int_equal(store_init(fixture->vms, cluster, &err), 0);
	assert_true(uuid_is_valid(cluster));
	assert_true(is_there(fixture, "ds"));
	assert_int_equal(mode_of(fixture, "xml"), 0750);
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(store_init(fixture->vms, again, &err), 0);
	assert_string_equal(cluster, again);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);

	fixture->store = fixture_open(fixture, HOST, &err);
	assert_non_null(fixture->store);
	assert_string_equal(store_cluster(fixture->store), cluster);
	assert_string_equal(store_host_uuid(fixture->store), HOST);
	assert_string_equal(store_vms_dir(fixture->store), fixture->vms);
	assert_int_equal(mode_of(fixture, "lock"), 02771);
	assert_int_equal(mode_of(fixture, "xml/" HOST), 0750);
	assert_int_equal(store_check(fixture->store, &err), 0);
	mode_t mask = umask(0);
	assert_int_equal(mask, 0006);
	umask(mask);
}

static void test_empty_or_missing_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_null(fixture_open(fixture, HOST, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_true(err.hint[0]);
	error_clear(&err);
	/* The mount point of a storage that is not mounted. */
	assert_int_equal(mkdir(fixture->vms, 0755), 0);
	assert_null(fixture_open(fixture, HOST, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.hint, "--init-cluster"));
	assert_false(is_there(fixture, "xml"));
	error_clear(&err);
	/* Folders alone are no register. */
	make_file(fixture, "xml/notes.txt", "x");
	make_file(fixture, "lock/x/x", "x");
	assert_null(fixture_open(fixture, HOST, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void check_taken_over(
	struct fixture *fixture, const char *path, enum lock_manager lock_manager)
{
	const struct store_config config = {
		.vms_dir = fixture->vms, .host_uuid = HOST, .lock_manager = lock_manager};
	struct error err = {0};
	cleanup_free char *full = in_vms(fixture, path);
	char cluster[UUID_TEXT_SIZE];

	fixture->store = store_open(&config, &err);
	assert_non_null(fixture->store);
	assert_true(is_there(fixture, ".virtx-cluster"));
	cleanup_free char *text = file_read(full, 100, NULL, &err);
	assert_string_equal(text, "as it was");
	assert_int_equal(store_init(fixture->vms, cluster, &err), 0);
	assert_string_equal(cluster, store_cluster(fixture->store));
}

static void test_takes_a_register_over(void **state)
{
	make_file(*state, "xml/" HOST2 "/" VM ".xml", "as it was");
	check_taken_over(*state, "xml/" HOST2 "/" VM ".xml", LOCK_MANAGER_LOCAL);
}

static void test_takes_a_lockspace_over(void **state)
{
	struct error err = {0};

	make_file(*state, "lock/__VIRTX__DISKS__", "as it was");
	/* Not by somebody who would not ask sanlock. */
	assert_null(fixture_open(*state, HOST, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "lockspace"));
	assert_non_null(strstr(err.hint, "lock_manager = sanlock"));
	check_taken_over(*state, "lock/__VIRTX__DISKS__", LOCK_MANAGER_SANLOCK);
}

static void test_bad_marker_is_refused(void **state)
{
	static const char *const markers[] = {
		"", "{", "[]", "{\"cluster\": 5}", "{\"cluster\": \"..\"}", "null"};
	struct fixture *fixture = *state;
	char cluster[UUID_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
		struct error err = {0};

		make_file(fixture, ".virtx-cluster", markers[i]);
		assert_null(fixture_open(fixture, HOST, &err));
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		error_clear(&err);
		assert_int_equal(store_init(fixture->vms, cluster, &err), -1);
	}
	struct error err = {0};
	cleanup_free char *marker = in_vms(fixture, ".virtx-cluster");
	assert_int_equal(unlink(marker), 0);
	assert_int_equal(symlink("/etc/passwd", marker), 0);
	assert_null(fixture_open(fixture, HOST, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void test_one_daemon_per_host(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_null(fixture_open(fixture, HOST, &err));
	assert_int_equal(err.code, ERR_BUSY);
	assert_true(err.hint[0]);
	error_clear(&err);
	struct store *other = fixture_open(fixture, HOST2, &err);
	assert_non_null(other);
	store_close(other);
	store_close(fixture->store);
	fixture->store = fixture_open(fixture, HOST, &err);
	assert_non_null(fixture->store);
}

static void test_what_was_lost_shows(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *marker = in_vms(fixture, ".virtx-cluster");

	assert_int_equal(unlink(marker), 0);
	assert_int_equal(store_check(fixture->store, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	error_clear(&err);
	make_file(fixture, ".virtx-cluster", "{\"cluster\": \"" VM "\"}");
	assert_int_equal(store_check(fixture->store, &err), -1);
	assert_non_null(strstr(err.message, VM));
	error_clear(&err);

	/* Another folder in its place, as when it was unmounted behind our descriptor. */
	cleanup_free char *vms_dir = xstrdup(store_vms_dir(fixture->store));
	cleanup_free char *moved = xasprintf("%s.moved", vms_dir);
	assert_int_equal(rename(vms_dir, moved), 0);
	assert_int_equal(store_check(fixture->store, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	error_clear(&err);
	assert_int_equal(mkdir(vms_dir, 0700), 0);
	assert_int_equal(store_check(fixture->store, &err), -1);
	assert_non_null(strstr(err.message, "at the start"));
	assert_int_equal(rmdir(vms_dir), 0);
	assert_int_equal(rename(moved, vms_dir), 0);
}

static void test_refuses_what_it_cannot_be(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	static const char *const hosts[] = {
		"", "..", "../../x", "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		error_clear(&err);
		assert_null(fixture_open(fixture, hosts[i], &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
	const struct store_config relative = {.vms_dir = "vms", .host_uuid = HOST2};
	error_clear(&err);
	assert_null(store_open(&relative, &err));
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_register_folder_may_not_be_a_link(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *link = in_vms(fixture, "xml/" HOST2);

	assert_int_equal(symlink("/tmp", link), 0);
	assert_null(fixture_open(fixture, HOST2, &err));
	assert_non_null(strstr(err.message, "not a directory"));
}

static void test_open_sweeps_unfinished_entries(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	make_file(fixture, "xml/" HOST "/" VM ".tmp-abcdef", "half");
	make_file(fixture, "xml/" HOST "/other.tmp-abcdef", "not ours");
	make_file(fixture, "xml/" HOST2 "/" VM ".tmp-abcdef", "another host's");
	store_close(fixture->store);
	fixture->store = fixture_open(fixture, HOST, &err);
	assert_non_null(fixture->store);
	assert_false(is_there(fixture, "xml/" HOST "/" VM ".tmp-abcdef"));
	assert_true(is_there(fixture, "xml/" HOST "/other.tmp-abcdef"));
	assert_true(is_there(fixture, "xml/" HOST2 "/" VM ".tmp-abcdef"));
}

/* For a checker: whatever is wrong, it changes nothing. */
static void test_look_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	const struct store_config config = {.vms_dir = fixture->vms, .host_uuid = HOST};
	struct error err = {0}, marker = {0};

	assert_null(store_look(&config, &marker, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	error_clear(&err);
	assert_int_equal(mkdir(fixture->vms, 0755), 0);
	fixture->store = store_look(&config, &marker, &err);
	assert_non_null(fixture->store);
	assert_int_equal(marker.code, ERR_NOT_FOUND);
	store_close(fixture->store);
	error_clear(&marker);
	make_file(fixture, ".virtx-cluster", "{}");
	make_file(fixture, "xml/" HOST "/" VM ".tmp-abcdef", "half");
	cleanup_free char *before = list_all(fixture);
	fixture->store = store_look(&config, &marker, &err);
	assert_non_null(fixture->store);
	assert_int_equal(marker.code, ERR_UNAVAILABLE);
	assert_true(is_there(fixture, ".virtx-cluster"));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_look_sees_who_serves(void **state)
{
	struct fixture *fixture = *state;
	const struct store_config config = {.vms_dir = fixture->vms, .host_uuid = HOST};
	struct error err = {0}, marker = {0};
	bool served;
	struct store *look = store_look(&config, &marker, &err);

	assert_non_null(look);
	assert_int_equal(marker.code, ERR_NONE);
	assert_int_equal(store_is_served(look, HOST, false, &served, &err), 0);
	assert_true(served);
	assert_int_equal(store_is_served(look, HOST, true, &served, &err), 0);
	assert_true(served);
	assert_int_equal(store_is_served(look, HOST2, false, &served, &err), 0);
	assert_false(served);
	assert_int_equal(store_is_served(look, "../x", false, &served, &err), -1);
	error_clear(&err);
	store_close(fixture->store);
	assert_int_equal(store_is_served(look, HOST, false, &served, &err), 0);
	assert_false(served);
	/* A look keeps nobody out, one that is to stay does. */
	fixture->store = fixture_open(fixture, HOST, &err);
	assert_non_null(fixture->store);
	store_close(fixture->store);
	assert_int_equal(store_is_served(look, HOST, true, &served, &err), 0);
	assert_false(served);
	fixture->store = fixture_open(fixture, HOST, &err);
	assert_null(fixture->store);
	assert_int_equal(err.code, ERR_BUSY);
	store_close(look);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define EMPTY(test) cmocka_unit_test_setup_teardown(test, fixture_empty, fixture_tear_down)
#define OPEN(test)  cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		EMPTY(test_init_makes_a_storage_once),
		EMPTY(test_empty_or_missing_is_refused),
		EMPTY(test_takes_a_register_over),
		EMPTY(test_takes_a_lockspace_over),
		EMPTY(test_bad_marker_is_refused),
		OPEN(test_one_daemon_per_host),
		OPEN(test_what_was_lost_shows),
		OPEN(test_refuses_what_it_cannot_be),
		OPEN(test_register_folder_may_not_be_a_link),
		OPEN(test_open_sweeps_unfinished_entries),
		EMPTY(test_look_changes_nothing),
		OPEN(test_look_sees_who_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
