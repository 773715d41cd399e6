/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inventory: order, finding, filters, pages that stay stable, entity tags, readers beside a
 * writer. */
#include "base/str.h"
#include "cluster/inventory.h"
#include "model/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#define HOST_A "aaaaaaaa-0000-0000-0000-000000000001"
#define HOST_B "bbbbbbbb-0000-0000-0000-000000000002"

static const char *uuid_of(unsigned number)
{
	static char uuid[4][UUID_TEXT_SIZE];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(uuid[turn], sizeof(uuid[turn]), "00000000-0000-0000-0000-%012u", number);
	return uuid[turn];
}

static void put(struct inventory *inventory, unsigned number, const char *name, const char *host,
	enum runstate runstate, int64_t ts)
{
	struct custom custom[] = {
		{(char *)"owner", (char *)"ann"}, {(char *)"tier", (char *)"web"}};
	struct vm_row row = {
		.name = (char *)name,
		.runstate = runstate,
		.vlanid = (int16_t)number,
		.custom = custom,
		.n_custom = 2,
		.ts_ms = ts,
	};

	str_copy(row.uuid, sizeof(row.uuid), uuid_of(number));
	str_copy(row.host_uuid, sizeof(row.host_uuid), host);
	inventory_put_vm(inventory, &row);
}

static void put_host(struct inventory *inventory, const char *uuid, const char *name)
{
	struct host host = {.name = (char *)name, .cstate = CSTATE_ACTIVE, .ts_ms = 7};

	str_copy(host.uuid, sizeof(host.uuid), uuid);
	inventory_put_host(inventory, &host);
}

static void list_clear(struct inventory_list *list)
{
	free(list->json);
	free(list->next);
	*list = (struct inventory_list){0};
}

/* The names of a list, joined by blanks. */
static char *names_of(const struct inventory_list *list)
{
	struct error err = {0};
	struct json_object *json, *items, *name;
	char *text = xstrdup("");

	assert_int_equal(json_parse(list->json, list->len, &json, &err), 0);
	assert_true(json_object_object_get_ex(json, "items", &items));
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *fields;
		char *old = text;

		assert_true(json_object_object_get_ex(
			json_object_array_get_idx(items, i), "fields", &fields));
		assert_true(json_object_object_get_ex(fields, "name", &name));
		text = xasprintf("%s%s%s", old, *old ? " " : "", json_object_get_string(name));
		free(old);
	}
	json_object_put(json);
	return text;
}

static void assert_names(struct inventory *inventory, const struct vm_filter *filter,
	const struct inventory_page *page, struct inventory_list *list, const char *expected)
{
	struct error err = {0};

	assert_int_equal(inventory_list_vms(inventory, filter, page, list, &err), 0);
	cleanup_free char *names = names_of(list);
	assert_string_equal(names, expected);
}

static void test_order_and_content(void **state)
{
	struct inventory *inventory = inventory_new();
	struct inventory_list list;
	struct vm_filter all = {0};

	(void)state;
	put(inventory, 3, "web", HOST_A, RUNSTATE_RUNNING, 1234);
	put(inventory, 2, "db", HOST_A, RUNSTATE_POWEROFF, 1234);
	put(inventory, 1, "web", HOST_B, RUNSTATE_PAUSED, 1234);
	assert_names(inventory, &all, NULL, &list, "db web web");
	assert_non_null(strstr(list.json, "\"ts\":1234"));
	assert_true(strstr(list.json, uuid_of(1)) < strstr(list.json, uuid_of(3)));
	assert_null(list.next);
	list_clear(&list);

	put(inventory, 2, "zoo", HOST_A, RUNSTATE_POWEROFF, 1234); /* renamed: moves */
	assert_names(inventory, &all, NULL, &list, "web web zoo");
	list_clear(&list);
	inventory_remove_vm(inventory, uuid_of(3));
	inventory_remove_vm(inventory, uuid_of(99));
	assert_names(inventory, &all, NULL, &list, "web zoo");
	list_clear(&list);
	inventory_free(inventory);
}

static void test_find(void **state)
{
	struct inventory *inventory = inventory_new();
	struct vm_place place;
	struct error err = {0};
	char uuid[UUID_TEXT_SIZE];

	(void)state;
	put(inventory, 1, "web", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 2, "db", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 3, "db", HOST_B, RUNSTATE_RUNNING, 1);
	put_host(inventory, HOST_A, "virt1");

	assert_int_equal(inventory_find_vm(inventory, "web", &place, &err), 0);
	assert_string_equal(place.uuid, uuid_of(1));
	assert_string_equal(place.host_uuid, HOST_A);
	assert_int_equal(inventory_find_vm(inventory, uuid_of(3), &place, &err), 0);
	assert_string_equal(place.name, "db");
	assert_int_equal(
		inventory_find_host(inventory, "AAAAAAAA-0000-0000-0000-000000000001", uuid, &err),
		0);
	assert_int_equal(inventory_find_host(inventory, "virt1", uuid, &err), 0);
	assert_string_equal(uuid, HOST_A);

	assert_int_equal(inventory_find_vm(inventory, "we", &place, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(inventory_find_vm(inventory, "", &place, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	error_clear(&err);
	assert_int_equal(inventory_find_vm(inventory, "db", &place, &err), -1);
	assert_int_equal(err.code, ERR_AMBIGUOUS);
	assert_non_null(strstr(err.message, uuid_of(2)));
	assert_non_null(strstr(err.message, uuid_of(3)));
	for (unsigned i = 10; i < 30; i++)
		put(inventory, i, "many", HOST_A, RUNSTATE_RUNNING, 1);
	error_clear(&err);
	assert_int_equal(inventory_find_vm(inventory, "many", &place, &err), -1);
	assert_non_null(strstr(err.message, uuid_of(19)));
	assert_null(strstr(err.message, uuid_of(20)));
	inventory_free(inventory);
}

static void test_long_foreign_name_is_cut_between_characters(void **state)
{
	struct inventory *inventory = inventory_new();
	struct vm_place place;
	struct error err = {0};

	(void)state;
	put(inventory, 1, "0123456789012345678901234567890\xc3\xa4rger", HOST_A, RUNSTATE_RUNNING,
		1);
	assert_int_equal(inventory_find_vm(inventory, uuid_of(1), &place, &err), 0);
	assert_string_equal(place.name, "0123456789012345678901234567890");
	inventory_free(inventory);
}

static void test_filter(void **state)
{
	struct inventory *inventory = inventory_new();
	struct inventory_list list;

	(void)state;
	put(inventory, 1, "web1", HOST_A, RUNSTATE_RUNNING, 10);
	put(inventory, 2, "web2", HOST_B, RUNSTATE_POWEROFF, 20);
	put(inventory, 3, "db", HOST_B, RUNSTATE_RUNNING, 30);
	struct vm_filter by_name = {.name = (char *)"web"};
	assert_names(inventory, &by_name, NULL, &list, "web1 web2");
	list_clear(&list);
	struct vm_filter by_host = {.host_uuid = (char *)HOST_B, .runstate = RUNSTATE_RUNNING};
	assert_names(inventory, &by_host, NULL, &list, "db");
	list_clear(&list);
	struct vm_filter old = {.ts_ms = 20};
	assert_names(inventory, &old, NULL, &list, "web1 web2");
	assert_non_null(strstr(list.json, "\"owner\""));
	list_clear(&list);
	struct vm_filter custom = {.custom_name = (char *)"tier", .custom_value = (char *)"web"};
	assert_names(inventory, &custom, NULL, &list, "db web1 web2");
	assert_non_null(strstr(list.json, "\"tier\""));
	assert_null(strstr(list.json, "\"owner\""));
	list_clear(&list);
	struct vm_filter none = {.vlanid = 99};
	assert_names(inventory, &none, NULL, &list, "");
	assert_string_equal(list.json, "{\"items\":[]}");
	list_clear(&list);
	inventory_free(inventory);
}

/* What is found among many that are put, renamed and removed is what looking at each one finds. */
static void test_filter_among_many(void **state)
{
	enum { MANY = 400, LENGTH = 7 };
	static char names[MANY][LENGTH + 1];
	struct inventory *inventory = inventory_new();
	struct error err = {0};

	(void)state;
	srand(7);
	for (unsigned turn = 0; turn < 3 * MANY; turn++) {
		unsigned number = (unsigned)rand() % MANY;
		char *name = names[number];

		if (turn % 4 == 0) {
			unsigned gone = (unsigned)rand() % MANY;

			inventory_remove_vm(inventory, uuid_of(gone));
			*names[gone] = '\0';
		}
		for (size_t i = 0; i < LENGTH; i++)
			name[i] = (char)('a' + rand() % 4);
		put(inventory, number, name, number % 2 ? HOST_A : HOST_B, RUNSTATE_RUNNING, 1);
	}
	for (unsigned turn = 0; turn < 300; turn++) {
		char *text = names[(unsigned)rand() % MANY] + rand() % 4;
		struct vm_filter filter = {.name = text,
			.host_uuid =
				(char *)(turn % 3 ? NULL : "AAAAAAAA-0000-0000-0000-000000000001"),
			.custom_name = (char *)(turn % 2 ? "tier" : NULL),
			.custom_value = (char *)"web"};
		struct inventory_list list;
		size_t wanted = 0, found = 0;

		for (unsigned i = 0; i < MANY; i++)
			wanted += *names[i] && strstr(names[i], text) && (turn % 3 || i % 2);
		assert_int_equal(inventory_list_vms(inventory, &filter, NULL, &list, &err), 0);
		for (const char *at = list.json; (at = strstr(at, "\"uuid\"")); at++)
			found++;
		assert_int_equal(found, wanted);
		list_clear(&list);
	}
	inventory_free(inventory);
}

static void test_pages_stay_stable(void **state)
{
	struct inventory *inventory = inventory_new();
	struct inventory_list list;
	struct vm_filter all = {0};

	(void)state;
	put(inventory, 1, "a", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 2, "b", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 3, "b", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 4, "c", HOST_A, RUNSTATE_RUNNING, 1);
	struct inventory_page page = {.limit = 2};
	assert_names(inventory, &all, &page, &list, "a b");
	assert_non_null(list.next);
	assert_non_null(strstr(list.json, list.next));
	cleanup_free char *cursor = steal(&list.next);
	list_clear(&list);

	/* The row the cursor names goes, one before and one behind it come. */
	inventory_remove_vm(inventory, uuid_of(2));
	put(inventory, 5, "0", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 6, "bb", HOST_A, RUNSTATE_RUNNING, 1);
	page.cursor = cursor;
	assert_names(inventory, &all, &page, &list, "b bb");
	cleanup_free char *second = steal(&list.next);
	list_clear(&list);
	page.cursor = second;
	assert_names(inventory, &all, &page, &list, "c");
	assert_null(list.next);
	list_clear(&list);
	inventory_free(inventory);
}

static void test_bad_cursor(void **state)
{
	static const char *const bad[] = {"x", ".", "6.", "zz." HOST_A, "61." HOST_A "0",
		"6100." HOST_A, "616." HOST_A, "61.not-a-uuid"};
	struct inventory *inventory = inventory_new();
	struct inventory_list list;
	struct vm_filter all = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct inventory_page page = {.cursor = bad[i]};
		struct error err = {0};

		assert_int_equal(inventory_list_vms(inventory, &all, &page, &list, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	inventory_free(inventory);
}

static void test_etag_and_versions(void **state)
{
	struct inventory *inventory = inventory_new();
	struct inventory_list first, second;
	struct vm_filter all = {0};
	struct error err = {0};

	(void)state;
	put(inventory, 1, "a", HOST_A, RUNSTATE_RUNNING, 1);
	put_host(inventory, HOST_A, "virt1");
	struct inventory_version before = inventory_vms_version(inventory);
	struct inventory_version hosts = inventory_hosts_version(inventory);
	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &first, &err), 0);

	put(inventory, 1, "a", HOST_A, RUNSTATE_RUNNING, 2);
	inventory_set_runstate(inventory, uuid_of(1), RUNSTATE_RUNNING, 3);
	inventory_set_runstate(inventory, uuid_of(9), RUNSTATE_RUNNING, 3);
	assert_int_equal(inventory_vms_version(inventory).content, before.content);
	assert_int_not_equal(inventory_vms_version(inventory).revision, before.revision);
	assert_int_equal(inventory_hosts_version(inventory).revision, hosts.revision);
	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &second, &err), 0);
	assert_string_equal(first.etag, second.etag);
	assert_non_null(strstr(second.json, "\"ts\":3"));
	list_clear(&second);

	inventory_set_runstate(inventory, uuid_of(1), RUNSTATE_PAUSED, 4);
	assert_int_not_equal(inventory_vms_version(inventory).content, before.content);
	assert_int_equal(inventory_list_vms(inventory, &all, NULL, &second, &err), 0);
	assert_string_not_equal(first.etag, second.etag);
	list_clear(&second);
	list_clear(&first);

	before = inventory_vms_version(inventory);
	put_host(inventory, HOST_A, "virt2");
	assert_int_not_equal(inventory_hosts_version(inventory).content, hosts.content);
	assert_int_equal(inventory_vms_version(inventory).revision, before.revision);
	inventory_free(inventory);
}

static void test_hosts_and_counts(void **state)
{
	struct inventory *inventory = inventory_new();
	struct inventory_counts counts;
	struct inventory_list list;
	struct host_filter filter = {.name = (char *)"virt"};
	struct host host;
	struct error err = {0};
	char(*vms)[UUID_TEXT_SIZE];

	(void)state;
	put_host(inventory, HOST_A, "virt1");
	put_host(inventory, HOST_B, "other");
	put(inventory, 1, "a", HOST_A, RUNSTATE_RUNNING, 1);
	put(inventory, 2, "b", HOST_B, RUNSTATE_RUNNING, 1);
	put(inventory, 3, "c", HOST_B, RUNSTATE_CRASHED, 1);
	inventory_count(inventory, &counts);
	assert_int_equal(counts.vms[RUNSTATE_RUNNING], 2);
	assert_int_equal(counts.vms[RUNSTATE_CRASHED], 1);
	assert_int_equal(counts.hosts[CSTATE_ACTIVE], 2);
	assert_int_equal(inventory_list_host_vms(inventory, HOST_B, &vms), 2);
	assert_string_equal(vms[0], uuid_of(2));
	free(vms);
	assert_int_equal(inventory_list_hosts(inventory, &filter, NULL, &list, &err), 0);
	cleanup_free char *names = names_of(&list);
	assert_string_equal(names, "virt1");
	list_clear(&list);
	assert_int_equal(inventory_get_host(inventory, HOST_B, &host, &err), 0);
	assert_string_equal(host.name, "other");
	host_free(&host);
	assert_int_equal(inventory_get_host(inventory, uuid_of(1), &host, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	inventory_free(inventory);
}

struct crowd {
	struct inventory *inventory;
	atomic_bool stop;
	atomic_uint lists;
};

static void *read_lists(void *context)
{
	struct crowd *crowd = context;
	struct vm_filter all = {0};

	while (!atomic_load(&crowd->stop)) {
		struct inventory_list list;
		struct error err = {0};

		if (inventory_list_vms(crowd->inventory, &all, NULL, &list, &err) == 0) {
			atomic_fetch_add(&crowd->lists, 1);
			list_clear(&list);
		}
	}
	return NULL;
}

static void test_readers_beside_a_writer(void **state)
{
	struct crowd crowd = {.inventory = inventory_new()};
	pthread_t reader;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, read_lists, &crowd), 0);
	for (unsigned i = 0; i < 500 || atomic_load(&crowd.lists) < 10; i++) {
		put(crowd.inventory, i % 50, i % 3 ? "x" : "y", HOST_A, RUNSTATE_RUNNING, i);
		inventory_set_runstate(crowd.inventory, uuid_of(i % 50), RUNSTATE_PAUSED, i);
		if (i % 7 == 0)
			inventory_remove_vm(crowd.inventory, uuid_of(i % 50));
	}
	atomic_store(&crowd.stop, true);
	pthread_join(reader, NULL);
	inventory_free(crowd.inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_content),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_long_foreign_name_is_cut_between_characters),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_among_many),
		cmocka_unit_test(test_pages_stay_stable),
		cmocka_unit_test(test_bad_cursor),
		cmocka_unit_test(test_etag_and_versions),
		cmocka_unit_test(test_hosts_and_counts),
		cmocka_unit_test(test_readers_beside_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
