/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host says of itself, as others read it: its inventory, digest and generation. With agents
 * and other hosts it is tested in tests/e2e/forward.t. */
#include "applets/virtxd/announce.h"
#include "applets/virtxd/collector.h"
#include "applets/virtxd/local_vms.h"
#include "base/str.h"
#include "cluster/wire_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define OWN_UUID "aaaaaaaa-0000-0000-0000-000000000001"
#define VM_1     "11111111-0000-0000-0000-000000000001"
#define VM_2     "11111111-0000-0000-0000-000000000002"

static struct daemon here;
static struct announce *announce;

static int set_up(void **state)
{
	(void)state;
	here = (struct daemon){.host_uuid = OWN_UUID, .host_name = "virt1"};
	here.inventory = inventory_new();
	here.collector = collector_new(&here);
	here.claims = claims_new(here.inventory, OWN_UUID);
	local_vms_publish_by(collector_vms(here.collector), here.claims);
	announce = announce_new(&here);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	announce_free(announce);
	collector_free(here.collector);
	claims_free(here.claims);
	inventory_free(here.inventory);
	return 0;
}

static void put_host(void)
{
	struct host host = {.uuid = OWN_UUID, .name = (char *)"virt1", .cstate = CSTATE_ACTIVE};

	inventory_put_host(here.inventory, &host);
}

static void put_vm(const char *uuid, enum runstate runstate)
{
	struct local_vms *vms = collector_vms(here.collector);
	struct domain_stats stats = {.runstate = runstate};

	str_copy(stats.uuid, sizeof(stats.uuid), uuid);
	local_vms_put(vms, &(struct local_reading){
				   .ticket = local_vms_ticket(vms), .stats = &stats, .now_ms = 5});
}

/* What a reader found. */
struct read {
	struct wire_stamp stamp;
	uint32_t vms;
	enum runstate runstate; /* of the last one */
};

static int on_host(void *context, struct wire_host *host, struct error *err)
{
	struct read *read = context;

	(void)err;
	read->stamp = host->stamp;
	assert_string_equal(host->host.name, "virt1");
	return 0;
}

static int on_vm(void *context, struct wire_vm *vm, struct error *err)
{
	struct read *read = context;

	(void)err;
	read->vms++;
	read->runstate = vm->row.runstate;
	assert_string_equal(vm->row.host_uuid, OWN_UUID);
	return 0;
}

/* The reader holds count and digest against each other. */
static struct read read_inventory(void)
{
	struct read read = {0};
	struct error err = {0};
	size_t len;
	cleanup_free char *body = announce_inventory(announce, &len, &err);

	assert_non_null(body);
	struct wire_list_reader *reader = wire_list_reader_new(
		&(struct wire_list_reading){on_host, on_vm, &read}, OWN_UUID, 10);
	if (wire_list_reader_feed(reader, body, len, &err) < 0 ||
		wire_list_reader_finish(reader, &err) < 0)
		fail_msg("%s", err.message);
	wire_list_reader_free(reader);
	return read;
}

static void test_the_inventory_follows_the_vms(void **state)
{
	struct error err = {0};
	size_t len;

	(void)state;
	assert_null(announce_inventory(announce, &len, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	put_host();
	struct read empty = read_inventory();
	assert_int_equal(empty.vms, 0);
	assert_true(empty.stamp.extended && empty.stamp.boot_id > 0);

	put_vm(VM_1, RUNSTATE_POWEROFF);
	put_vm(VM_2, RUNSTATE_RUNNING);
	/* What was not looked at yet is in neither. */
	assert_int_equal(read_inventory().vms, 0);
	announce_turn(announce, NULL, false);
	struct read two = read_inventory();
	assert_int_equal(two.vms, 2);
	assert_int_equal(two.runstate, RUNSTATE_RUNNING);
	assert_int_equal(two.stamp.boot_id, empty.stamp.boot_id);
	assert_int_equal(two.stamp.generation, empty.stamp.generation + 2);

	/* Nothing new, nothing said. */
	put_vm(VM_1, RUNSTATE_POWEROFF);
	announce_turn(announce, NULL, true);
	assert_int_equal(read_inventory().stamp.generation, two.stamp.generation);

	put_vm(VM_2, RUNSTATE_PAUSED);
	announce_turn(announce, NULL, false);
	struct read paused = read_inventory();
	assert_int_equal(paused.runstate, RUNSTATE_PAUSED);
	assert_int_equal(paused.stamp.generation, two.stamp.generation + 1);

	struct local_vms *vms = collector_vms(here.collector);
	local_vms_remove(vms, local_vms_ticket(vms), VM_2);
	announce_turn(announce, NULL, false);
	struct read one = read_inventory();
	assert_int_equal(one.vms, 1);
	assert_int_equal(one.stamp.generation, paused.stamp.generation + 1);
}

/* Who asks before the first look has everything, and nothing is news then. */
static void test_what_was_there_is_no_news(void **state)
{
	(void)state;
	announce_free(announce);
	put_host();
	put_vm(VM_1, RUNSTATE_RUNNING);
	announce = announce_new(&here);
	struct read first = read_inventory();
	assert_int_equal(first.vms, 1);
	announce_turn(announce, NULL, false);
	assert_int_equal(read_inventory().stamp.generation, first.stamp.generation);
}

static atomic_bool ended;

static void *keep_changing(void *context)
{
	(void)context;
	for (int i = 0; i < 2000; i++)
		put_vm(i % 2 ? VM_1 : VM_2, i % 3 ? RUNSTATE_RUNNING : RUNSTATE_PAUSED);
	atomic_store(&ended, true);
	return NULL;
}

/* Whatever happens meanwhile, an inventory is one of one moment. */
static void test_each_inventory_is_whole(void **state)
{
	pthread_t thread;

	(void)state;
	put_host();
	atomic_store(&ended, false);
	assert_int_equal(pthread_create(&thread, NULL, keep_changing, NULL), 0);
	while (!atomic_load(&ended)) {
		announce_turn(announce, NULL, false);
		read_inventory();
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_the_inventory_follows_the_vms),
		TEST(test_what_was_there_is_no_news),
		TEST(test_each_inventory_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
