/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recovery_watch.h: what is left is tried again, until it is gone. */
#include "storage_fixture.h"

#include "applets/virtxd/collector.h"
#include "applets/virtxd/daemon.h"
#include "applets/virtxd/operations.h"
#include "applets/virtxd/recovery_watch.h"
#include "base/clock.h"
#include "model/json.h"
#include "storage/register.h"

#define REST        "xml/" HOST "/" VM ".tmp-1a2b3c"
#define DEADLINE_MS 20000

static struct daemon service;

/* One that finds nothing to connect to. */
static struct hypervisor *start_hypervisor(void)
{
	const struct hypervisor_config config = {.uri = "test:///nonexistent/file.xml"};
	struct error err = {0};

	return hypervisor_start(&config, &err);
}

/* libvirt keeps what its event loop opened first; that is not to be counted as the tests'. */
static int set_up_libvirt(void **state)
{
	(void)state;
	hypervisor_stop(start_hypervisor());
	return 0;
}

static int set_up(void **state)
{
	struct error err = {0};

	if (fixture_set_up(state) != 0)
		return -1;
	struct fixture *fixture = *state;
	service = (struct daemon){.store = fixture->store};
	str_copy(service.host_uuid, sizeof(service.host_uuid), HOST);
	service.operations = operations_open(fixture->folder, &err);
	service.inventory = inventory_new();
	service.collector = collector_new(&service);
	service.hypervisor = start_hypervisor();
	service.recovery_watch = recovery_watch_new(&service);
	assert_false(error_is_set(&err));
	return recovery_watch_start(service.recovery_watch, &err);
}

static int tear_down(void **state)
{
	assert_true(recovery_watch_stop(service.recovery_watch));
	hypervisor_stop(service.hypervisor);
	collector_free(service.collector);
	inventory_free(service.inventory);
	operations_close(service.operations);
	return fixture_tear_down(state);
}

static size_t count_operations(void)
{
	struct json_object *json = operations_to_json(service.operations);
	size_t count = json_object_array_length(json_object_object_get(json, "items"));

	json_object_put(json);
	return count;
}

static bool vanishes(struct fixture *fixture)
{
	int64_t end = clock_ms() + DEADLINE_MS;

	while (is_there(fixture, REST) && clock_ms() < end)
		poll(NULL, 0, 10);
	return !is_there(fixture, REST);
}

static void test_a_rest_is_removed(void **state)
{
	struct fixture *fixture = *state;

	make_file(fixture, REST, "<dom");
	recovery_watch_note(service.recovery_watch, VM);
	assert_true(vanishes(fixture));
}

static void test_without_a_rest_nothing_is_done(void **state)
{
	struct fixture *fixture = *state;

	recovery_watch_note(service.recovery_watch, VM2);
	recovery_watch_note(service.recovery_watch, VM);
	make_file(fixture, REST, "<dom");
	assert_true(vanishes(fixture));
	recovery_watch_note(NULL, VM);
	recovery_watch_wake(NULL);
	/* VM2 had its turn before. */
	assert_int_equal(count_operations(), 1);
}

static void test_another_operation_goes_first(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct operation *other =
		operations_begin(service.operations, "update", VM, "web", NULL, &err);

	assert_non_null(other);
	make_file(fixture, REST, "<dom");
	recovery_watch_note(service.recovery_watch, VM);
	recovery_watch_wake(service.recovery_watch);
	/* VM2 comes after VM, so VM has been looked at by then. */
	make_file(fixture, "xml/" HOST "/" VM2 ".tmp-1a2b3c", "<dom");
	recovery_watch_note(service.recovery_watch, VM2);
	recovery_watch_wake(service.recovery_watch);
	int64_t end = clock_ms() + DEADLINE_MS;
	while (is_there(fixture, "xml/" HOST "/" VM2 ".tmp-1a2b3c") && clock_ms() < end)
		poll(NULL, 0, 10);
	assert_true(clock_ms() < end);
	assert_true(is_there(fixture, REST));
	operation_end(other, NULL);
	recovery_watch_wake(service.recovery_watch);
	assert_true(vanishes(fixture));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		WATCHED(test_a_rest_is_removed),
		WATCHED(test_without_a_rest_nothing_is_done),
		WATCHED(test_another_operation_goes_first),
	};

	return cmocka_run_group_tests(tests, set_up_libvirt, NULL);
}
