/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The collector on libvirt's test driver: rounds, events, VMs that come and go, while others read.
 */
#include "applets/virtxd/collector.h"
#include "applets/virtxd/console.h"
#include "applets/virtxd/guest_check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "hypervisor_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOST      "aaaaaaaa-0000-0000-0000-000000000001"
#define TEST_UUID "6695eb01-f6a4-8304-79aa-97f2502e193f" /* the driver's own, running */
#define NEW_UUID  "11111111-0000-0000-0000-000000000001"

static int setup(void **state)
{
	struct daemon *daemon = xcalloc(1, sizeof(*daemon));
	struct error err = {0};

	config_init(settings_rows, &daemon->settings);
	daemon->settings.collect_interval = 1;
	free(daemon->settings.state_dir);
	daemon->settings.state_dir = folder_make();
	str_copy(daemon->host_uuid, sizeof(daemon->host_uuid), HOST);
	str_copy(daemon->host_name, sizeof(daemon->host_name), "virt1");
	daemon->inventory = inventory_new();
	daemon->collector = collector_new(daemon);
	daemon->hypervisor = hypervisor_start(&(struct hypervisor_config){.uri = "test:///default",
						      .on_event = collector_on_event,
						      .on_connection = collector_on_connection,
						      .context = daemon->collector},
		&err);
	*state = daemon;
	return daemon->hypervisor && hypervisor_wait(daemon->hypervisor, 10000, &err) == 0 &&
			       collector_start(daemon->collector, &err) == 0
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	struct daemon *daemon = *state;

	collector_stop(daemon->collector);
	hypervisor_stop(daemon->hypervisor);
	collector_free(daemon->collector);
	inventory_free(daemon->inventory);
	folder_remove(daemon->settings.state_dir);
	settings_free(&daemon->settings);
	free(daemon);
	return 0;
}

static bool has_state(struct daemon *daemon, const char *uuid, enum runstate runstate)
{
	struct vm_place place;
	struct error err = {0};

	return inventory_find_vm(daemon->inventory, uuid, &place, &err) == 0 &&
	       place.runstate == runstate;
}

static bool is_gone(struct daemon *daemon, const char *uuid)
{
	struct vm_place place;
	struct error err = {0};

	return inventory_find_vm(daemon->inventory, uuid, &place, &err) < 0;
}

static void define(struct daemon *daemon, const char *uuid)
{
	cleanup_free char *xml = xasprintf(
		"<domain type='test'><name>%s</name><uuid>%s</uuid><title>web</title>"
		"<memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>",
		uuid, uuid);
	struct error err = {0};

	if (hypervisor_define(daemon->hypervisor, xml, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static void test_first_round(void **state)
{
	struct daemon *daemon = *state;
	cleanup_host struct host host = {0};
	struct error err = {0};
	struct vm_place place;

	assert_true(collector_last_round(daemon->collector) > 0);
	assert_true(has_state(daemon, TEST_UUID, RUNSTATE_RUNNING));
	assert_int_equal(inventory_find_vm(daemon->inventory, "test", &place, &err), 0);
	assert_true(collector_is_foreign(daemon->collector, TEST_UUID));
	assert_int_equal(inventory_get_host(daemon->inventory, HOST, &host, &err), 0);
	assert_string_equal(host.name, "virt1");
	assert_true(host.memory.total > 0);
	/* The test driver's VM has more than its host: nothing is left. */
	int64_t left;
	assert_true(collector_available_mib(daemon->collector, false) < 0);
	assert_false(collector_reserve(daemon->collector, NEW_UUID, false, 1, &left));
	assert_int_equal(left, collector_available_mib(daemon->collector, false));
}

/* Of two VMs that come at once with one MAC, or with more memory than there is, one is refused. */
static void test_claims(void **state)
{
	struct daemon *daemon = *state;
	char bridge[] = "br0", mac[] = "52:54:00:00:00:01", name[] = "first",
	     other_name[] = "second";
	struct net net = {.name = bridge, .mac = mac};
	struct vmdef first = {.name = name, .nets = &net, .n_nets = 1, .memory_mib = 64};
	struct vmdef second = {.name = other_name, .nets = &net, .n_nets = 1, .memory_mib = 64};
	struct vmdef less = {.name = name, .memory_mib = 32};
	struct error err = {0};

	daemon->settings.overcommit = true;
	{
		cleanup_guest_claim struct guest_claim claim = {0}, other = {0};

		assert_int_equal(guest_claim(&claim, daemon, NEW_UUID, &first, NULL, &err), 0);
		assert_int_equal(guest_claim(&other, daemon, HOST, &second, NULL, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.message, "belongs to VM first"));
		error_clear(&err);
	}
	cleanup_guest_claim struct guest_claim claim = {0}, update = {0}, more = {0};
	assert_int_equal(guest_claim(&claim, daemon, HOST, &second, NULL, &err), 0);
	/* The test driver's VM has more than its host: an update may give back, but not take. */
	daemon->settings.overcommit = false;
	assert_int_equal(guest_claim(&update, daemon, NEW_UUID, &less, &first, &err), 0);
	assert_int_equal(guest_claim(&more, daemon, NEW_UUID, &first, &less, &err), -1);
	assert_int_equal(err.code, ERR_INVALID); /* of second's MAC, which was looked at first */
	error_clear(&err);
	guest_release(&claim);
	guest_release(&more);
	assert_int_equal(guest_claim(&more, daemon, NEW_UUID, &first, &less, &err), -1);
	assert_int_equal(err.code, ERR_CAPACITY);
	assert_non_null(strstr(err.message, "needs 32 MiB more"));
}

static void test_events(void **state)
{
	struct daemon *daemon = *state;
	struct error err = {0};

	define(daemon, NEW_UUID);
	assert_true(wait_for(10, has_state(daemon, NEW_UUID, RUNSTATE_POWEROFF)));
	assert_int_equal(hypervisor_boot(daemon->hypervisor, NEW_UUID, false, &err), 0);
	assert_true(wait_for(10, has_state(daemon, NEW_UUID, RUNSTATE_RUNNING)));
	assert_int_equal(hypervisor_suspend(daemon->hypervisor, NEW_UUID, &err), 0);
	assert_true(wait_for(10, has_state(daemon, NEW_UUID, RUNSTATE_PAUSED)));
	assert_int_equal(hypervisor_destroy(daemon->hypervisor, NEW_UUID, false, &err), 0);
	assert_true(wait_for(10, has_state(daemon, NEW_UUID, RUNSTATE_POWEROFF)));
	assert_int_equal(hypervisor_undefine(daemon->hypervisor, NEW_UUID, &err), 0);
	assert_true(wait_for(10, is_gone(daemon, NEW_UUID)));
	assert_true(has_state(daemon, TEST_UUID, RUNSTATE_RUNNING));
}

static void test_refresh(void **state)
{
	struct daemon *daemon = *state;
	struct error err = {0};
	cleanup_vm struct vm vm = {0};
	char etag[17];

	define(daemon, NEW_UUID);
	assert_int_equal(collector_refresh(daemon->collector, NEW_UUID, &err), 0);
	assert_int_equal(collector_get_vm(daemon->collector, NEW_UUID, &vm, &err), 0);
	assert_int_equal(vm.runstate, RUNSTATE_POWEROFF);
	struct http_body *body = collector_get_vm_body(daemon->collector, NEW_UUID, etag, &err);
	assert_non_null(body);
	assert_int_equal(strlen(etag), 16);
	http_body_unref(body);
	assert_int_equal(hypervisor_undefine(daemon->hypervisor, NEW_UUID, &err), 0);
	assert_int_equal(collector_refresh(daemon->collector, NEW_UUID, &err), 0);
	assert_true(is_gone(daemon, NEW_UUID));
	assert_int_equal(collector_refresh(daemon->collector, NEW_UUID, &err), 0);
}

/* More events than the collector notes one by one, with operations beside them. */
static void test_many_events(void **state)
{
	struct daemon *daemon = *state;
	char uuid[UUID_TEXT_SIZE];
	struct error err = {0};

	for (unsigned i = 0; i < 300; i++) {
		snprintf(uuid, sizeof(uuid), "33333333-0000-0000-0000-%012u", i);
		define(daemon, uuid);
		if (i % 50 == 0)
			assert_int_equal(collector_refresh(daemon->collector, uuid, &err), 0);
	}
	assert_true(wait_for(30, has_state(daemon, uuid, RUNSTATE_POWEROFF)));
	for (unsigned i = 0; i < 300; i++) {
		snprintf(uuid, sizeof(uuid), "33333333-0000-0000-0000-%012u", i);
		assert_true(wait_for(30, has_state(daemon, uuid, RUNSTATE_POWEROFF)));
	}
	for (unsigned i = 0; i < 300; i++) {
		snprintf(uuid, sizeof(uuid), "33333333-0000-0000-0000-%012u", i);
		assert_int_equal(hypervisor_undefine(daemon->hypervisor, uuid, &err), 0);
	}
	assert_true(wait_for(30, is_gone(daemon, uuid)));
}

static void test_rounds_go_on(void **state)
{
	struct daemon *daemon = *state;
	int64_t before = collector_last_round(daemon->collector);

	assert_true(wait_for(10, collector_last_round(daemon->collector) > before));
	assert_true(clock_ms() - collector_heartbeat(daemon->collector) < 10000);
}

/* A guest that writes without end must not fill the disk. */
static void test_rounds_shorten_consoles(void **state)
{
	struct daemon *daemon = *state;
	cleanup_free char *path = console_path(daemon->settings.state_dir, NEW_UUID);
	cleanup_free char *much = xmalloc(5 << 20);
	struct error err = {0};
	struct stat status = {0};

	memset(much, 'x', 5 << 20);
	assert_int_equal(console_prepare(daemon->settings.state_dir, &err), 0);
	assert_int_equal(file_write_atomic(path, much, 5 << 20, 0600, &err), 0);
	assert_true(wait_for(10, stat(path, &status) == 0 && status.st_blocks < (2 << 20) / 512));
}

#define WITH_COLLECTOR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COLLECTOR(test_first_round),
		WITH_COLLECTOR(test_claims),
		WITH_COLLECTOR(test_rounds_go_on),
		WITH_COLLECTOR(test_rounds_shorten_consoles),
		WITH_COLLECTOR(test_refresh),
		WITH_COLLECTOR(test_events),
		WITH_COLLECTOR(test_many_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
