/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/register.h: entries and intents, and what may lie in their place. */
#include "storage_fixture.h"

#include "storage/register.h"

#define ENTRY "xml/" HOST "/" VM ".xml"

static void test_entries(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_int_equal(register_save(fixture->store, HOST, VM, "<domain/>", &err), 0);
	assert_int_equal(mode_of(fixture, ENTRY), 0640);
	char *xml = register_load(fixture->store, HOST, VM, &err);
	assert_string_equal(xml, "<domain/>");
	free(xml);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<other/>", &err), 0);
	xml = register_load(fixture->store, HOST, VM, &err);
	assert_string_equal(xml, "<other/>");
	free(xml);
	assert_int_equal(register_remove(fixture->store, HOST, VM, &err), 0);
	assert_int_equal(register_remove(fixture->store, HOST, VM, &err), 0);
	assert_int_equal(register_remove(fixture->store, HOST2, VM, &err), 0);
	assert_null(register_load(fixture->store, HOST, VM, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_null(register_load(fixture->store, HOST2, VM, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_move(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_int_equal(register_move(fixture->store, VM, HOST, HOST2, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<domain/>", &err), 0);
	assert_int_equal(register_move(fixture->store, VM, HOST, HOST2, &err), 0);
	assert_false(is_there(fixture, ENTRY));
	assert_int_equal(mode_of(fixture, "xml/" HOST2), 0750);
	char *xml = register_load(fixture->store, HOST2, VM, &err);
	assert_string_equal(xml, "<domain/>");
	free(xml);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<mine/>", &err), 0);
	assert_int_equal(register_move(fixture->store, VM, HOST, HOST2, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	error_clear(&err);
	xml = register_load(fixture->store, HOST2, VM, &err);
	assert_string_equal(xml, "<domain/>");
	free(xml);
	assert_true(is_there(fixture, ENTRY));
}

static void test_listing_ignores_foreign_names(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct register_entry *entries;
	size_t count;
	static const char *const foreign[] = {"xml/" HOST "/notes.txt", "xml/" HOST "/" VM ".xml~",
		"xml/" HOST "/" VM ".tmp-abcdef", "xml/" HOST "/.xml",
		"xml/" HOST "/AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA.xml",
		"xml/" HOST "/" VM ".xml.xml", "xml/not-a-host/" VM ".xml", "xml/" HOST "/lockid"};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		make_file(fixture, foreign[i], "x");
	assert_int_equal(register_list(fixture->store, NULL, &entries, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_null(entries);
	assert_int_equal(register_save(fixture->store, HOST2, VM, "2", &err), 0);
	assert_int_equal(register_save(fixture->store, HOST, VM2, "1", &err), 0);
	assert_int_equal(register_save(fixture->store, HOST, VM, "1", &err), 0);
	/* A host's directory that is a link hides nobody else's. */
	cleanup_free char *link = in_vms(fixture, "xml/" VM);
	assert_int_equal(symlink(HOST, link), 0);
	assert_int_equal(register_list(fixture->store, NULL, &entries, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(entries[0].host, HOST);
	assert_string_equal(entries[0].vm, VM);
	assert_string_equal(entries[1].vm, VM2);
	assert_string_equal(entries[2].host, HOST2);
	free(entries);
	assert_int_equal(register_list(fixture->store, HOST2, &entries, &count, &err), 0);
	assert_int_equal(count, 1);
	free(entries);
	assert_int_equal(register_list(fixture->store, VM2, &entries, &count, &err), 0);
	assert_int_equal(count, 0);
	/* The VM of two hosts. */
	assert_int_equal(register_find(fixture->store, VM, &entries, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(entries[0].host, HOST);
	assert_string_equal(entries[1].host, HOST2);
	free(entries);
	assert_int_equal(register_find(fixture->store, VM2, &entries, &count, &err), 0);
	assert_int_equal(count, 1);
	free(entries);
	assert_int_equal(register_find(fixture->store, HOST, &entries, &count, &err), 0);
	assert_int_equal(count, 0);
}

static void load_fails(struct fixture *fixture, enum error_code code)
{
	struct error err = {0};
	struct register_entry *entries;
	size_t count;

	assert_null(register_load(fixture->store, HOST, VM, &err));
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.message, VM));
	error_clear(&err);
	/* It is listed, so that someone says what is wrong with it. */
	assert_int_equal(register_list(fixture->store, HOST, &entries, &count, &err), 0);
	assert_int_equal(count, 1);
	free(entries);
}

static void test_bad_entries_are_named(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *path = in_vms(fixture, ENTRY);
	cleanup_free char *large = xmalloc(REGISTER_MAX_XML + 2);
	struct error err = {0};

	make_file(fixture, "secret", "<domain/>");
	assert_int_equal(symlink("../../secret", path), 0);
	load_fails(fixture, ERR_STORED_DATA);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	load_fails(fixture, ERR_STORED_DATA);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	load_fails(fixture, ERR_STORED_DATA);
	assert_int_equal(rmdir(path), 0);
	memset(large, 'x', REGISTER_MAX_XML + 1);
	large[REGISTER_MAX_XML + 1] = '\0';
	make_file(fixture, ENTRY, large);
	load_fails(fixture, ERR_STORED_DATA);
	assert_int_equal(file_write_atomic(path, "<a>\0</a>", 8, 0640, &err), 0);
	load_fails(fixture, ERR_STORED_DATA);
	assert_int_equal(register_save(fixture->store, HOST, VM2, large, &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	large[REGISTER_MAX_XML] = '\0';
	error_clear(&err);
	assert_int_equal(register_save(fixture->store, HOST, VM, large, &err), 0);
	char *xml = register_load(fixture->store, HOST, VM, &err);
	assert_string_equal(xml, large);
	free(xml);
}

static void test_saving_replaces_a_link_not_its_target(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *path = in_vms(fixture, ENTRY);
	cleanup_free char *secret = in_vms(fixture, "secret");

	make_file(fixture, "secret", "untouched");
	assert_int_equal(symlink("../../secret", path), 0);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<domain/>", &err), 0);
	char *text = file_read(secret, 100, NULL, &err);
	assert_string_equal(text, "untouched");
	free(text);
	/* A host's directory that leads elsewhere is refused. */
	cleanup_free char *link = in_vms(fixture, "xml/" HOST2);
	assert_int_equal(symlink("/tmp", link), 0);
	assert_int_equal(register_save(fixture->store, HOST2, VM, "<domain/>", &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
}

static void test_failures_are_reported(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *path = in_vms(fixture, ENTRY);

	/* Nothing can be renamed over a directory that is not empty. */
	make_file(fixture, ENTRY "/in-the-way", "x");
	assert_int_equal(register_save(fixture->store, HOST, VM, "<domain/>", &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	error_clear(&err);
	assert_int_equal(register_remove(fixture->store, HOST, VM, &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	assert_true(file_exists(path));
	error_clear(&err);
	cleanup_free char *temps = list_all(fixture);
	assert_null(strstr(temps, ".tmp-"));
}

static void test_only_uuids_become_paths(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"", ".", "../../secret", HOST "/../" HOST, HOST "x",
		"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"};
	struct register_entry *entries;
	size_t count;
	cleanup_free char *before = list_all(fixture);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct error err = {0};

#define INVALID(call)                                    \
	do {                                             \
		assert_int_equal(call, -1);              \
		assert_int_equal(err.code, ERR_INVALID); \
		error_clear(&err);                       \
	} while (0)
		INVALID(register_save(fixture->store, names[i], VM, "x", &err));
		INVALID(register_save(fixture->store, HOST, names[i], "x", &err));
		INVALID(register_remove(fixture->store, HOST, names[i], &err));
		INVALID(register_move(fixture->store, names[i], HOST, HOST2, &err));
		INVALID(register_move(fixture->store, VM, HOST, names[i], &err));
		INVALID(register_list(fixture->store, names[i], &entries, &count, &err));
		INVALID(register_find(fixture->store, names[i], &entries, &count, &err));
		INVALID(intent_save(fixture->store, names[i], "{}", &err));
		INVALID(intent_remove(fixture->store, names[i], &err));
		assert_null(register_load(fixture->store, names[i], VM, &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_intents(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char(*vms)[UUID_TEXT_SIZE];
	struct register_entry *entries;
	size_t count;

	assert_int_equal(intent_list(fixture->store, &vms, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_null(vms);
	assert_int_equal(intent_save(fixture->store, VM2, "{\"a\": 1}", &err), 0);
	assert_int_equal(intent_save(fixture->store, VM, "{}", &err), 0);
	assert_int_equal(mode_of(fixture, "xml/" HOST "/" VM ".intent"), 0640);
	assert_int_equal(intent_list(fixture->store, &vms, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(vms[0], VM);
	assert_string_equal(vms[1], VM2);
	free(vms);
	/* They are no register entries. */
	assert_int_equal(register_list(fixture->store, NULL, &entries, &count, &err), 0);
	assert_int_equal(count, 0);
	char *json = intent_load(fixture->store, VM2, &err);
	assert_string_equal(json, "{\"a\": 1}");
	free(json);
	assert_int_equal(intent_remove(fixture->store, VM2, &err), 0);
	assert_int_equal(intent_remove(fixture->store, VM2, &err), 0);
	assert_null(intent_load(fixture->store, VM2, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	/* A bad one, whatever it is, is out of the way; the next one too. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(intent_save(fixture->store, VM2, "{", &err), 0);
		assert_int_equal(intent_set_aside(fixture->store, VM2, &err), 0);
		assert_true(is_there(fixture, "xml/" HOST "/" VM2 ".intent.bad"));
		assert_int_equal(intent_list(fixture->store, &vms, &count, &err), 0);
		assert_int_equal(count, 1);
		free(vms);
	}
	assert_int_equal(intent_set_aside(fixture->store, VM2, &err), -1);
}

/* A host that died leaves its intents to the one that takes its VMs over. */
static void test_intents_of_another_host(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct register_entry *entries;
	size_t count;

	assert_int_equal(intent_take(fixture->store, VM, HOST2, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(intent_list_of(fixture->store, HOST2, &entries, &count, &err), 0);
	assert_int_equal(count, 0);
	struct store *dead = fixture_open(fixture, HOST2, &err);
	assert_non_null(dead);
	assert_int_equal(intent_save(dead, VM, "{\"dead\": 1}", &err), 0);
	store_close(dead);
	assert_int_equal(intent_save(fixture->store, VM, "{\"own\": 1}", &err), 0);
	assert_int_equal(intent_list_of(fixture->store, HOST2, &entries, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(entries[0].vm, VM);
	free(entries);
	assert_int_equal(intent_find(fixture->store, VM, &entries, &count, &err), 0);
	assert_int_equal(count, 2);
	free(entries);
	char *json = intent_load_of(fixture->store, HOST2, VM, &err);
	assert_string_equal(json, "{\"dead\": 1}");
	free(json);
	assert_int_equal(intent_take(fixture->store, VM, HOST2, &err), 0);
	json = intent_load(fixture->store, VM, &err);
	assert_string_equal(json, "{\"dead\": 1}");
	free(json);
	assert_null(intent_load_of(fixture->store, HOST2, VM, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(intent_take(fixture->store, VM, HOST2, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(intent_take(fixture->store, VM, "../" HOST2, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_what_failed_writes_left(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_int_equal(register_has_rest(fixture->store, VM, &err), 0);
	assert_int_equal(register_save(fixture->store, HOST, VM, "<domain/>", &err), 0);
	assert_int_equal(register_has_rest(fixture->store, VM, &err), 0);
	make_file(fixture, "xml/" HOST "/" VM ".tmp-1a2b3c", "<dom");
	assert_int_equal(register_has_rest(fixture->store, VM, &err), 1);
	assert_int_equal(register_sweep(fixture->store, VM, &err), 0);
	assert_false(is_there(fixture, "xml/" HOST "/" VM ".tmp-1a2b3c"));
	assert_true(is_there(fixture, ENTRY));
	assert_int_equal(register_has_rest(fixture->store, VM, &err), 0);
	assert_int_equal(intent_save(fixture->store, VM, "{}", &err), 0);
	assert_int_equal(register_has_rest(fixture->store, VM, &err), 1);
	assert_int_equal(register_sweep(fixture->store, VM, &err), 0);
	assert_true(is_there(fixture, "xml/" HOST "/" VM ".intent"));
	assert_int_equal(register_has_rest(fixture->store, "../" VM, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		OPEN(test_entries),
		OPEN(test_move),
		OPEN(test_listing_ignores_foreign_names),
		OPEN(test_bad_entries_are_named),
		OPEN(test_saving_replaces_a_link_not_its_target),
		OPEN(test_failures_are_reported),
		OPEN(test_only_uuids_become_paths),
		OPEN(test_intents),
		OPEN(test_intents_of_another_host),
		OPEN(test_what_failed_writes_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
