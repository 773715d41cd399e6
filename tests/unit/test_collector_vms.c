/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of a host in memory: which reading wins, what is shown of a VM, its rates. */
#include "applets/virtxd/local_vms.h"
#include "applets/virtxd/vm_figures.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOST "aaaaaaaa-0000-0000-0000-000000000001"
#define VM_A "11111111-0000-0000-0000-000000000001"
#define VM_B "22222222-0000-0000-0000-000000000002"

struct fixture {
	struct inventory *inventory;
	struct local_vms *vms;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->inventory = inventory_new();
	f->vms = local_vms_new(f->inventory, HOST);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	local_vms_free(f->vms);
	inventory_free(f->inventory);
	free(f);
	return 0;
}

static struct domain_stats stats_of(const char *uuid, enum runstate runstate)
{
	struct domain_stats stats = {
		.runstate = runstate, .persistent = true, .complete = true, .vcpus = 2};

	str_copy(stats.uuid, sizeof(stats.uuid), uuid);
	return stats;
}

/* Puts a VM whose XML gives that name; NULL: one that is not understood. */
static void put(struct fixture *f, uint64_t ticket, const char *uuid, enum runstate runstate,
	const char *name, int64_t seconds)
{
	struct domain_stats stats = stats_of(uuid, runstate);
	struct local_definition definition = {.why = name ? NULL : xstrdup("too long")};

	if (name) {
		definition.reading.def.name = xstrdup(name);
		definition.reading.def.memory_mib = 512;
		definition.reading.vnc = xstrdup("127.0.0.1:5900");
	}
	local_vms_put(f->vms, &(struct local_reading){.ticket = ticket,
				      .stats = &stats,
				      .definition = &definition,
				      .now_ms = seconds * 1000,
				      .now_ns = seconds * 1000000000,
				      .mhz = 1000});
	domain_reading_free(&definition.reading);
	free(definition.why);
}

static bool is_listed(struct fixture *f, const char *uuid)
{
	struct vm_place place;
	struct error err = {0};

	return inventory_find_vm(f->inventory, uuid, &place, &err) == 0;
}

/* name and state as the inventory and the VM itself tell, which must agree. */
static void assert_vm(struct fixture *f, const char *uuid, const char *name, enum runstate runstate)
{
	struct vm_place place;
	struct error err = {0};
	cleanup_vm struct vm vm = {0};

	assert_int_equal(inventory_find_vm(f->inventory, uuid, &place, &err), 0);
	assert_string_equal(place.host_uuid, HOST);
	assert_int_equal(place.runstate, runstate);
	assert_int_equal(strncmp(place.name, name, VMDEF_MAX_NAME), 0);
	assert_int_equal(local_vms_get(f->vms, uuid, &vm, &err), 0);
	assert_string_equal(vm.def.name, name);
	assert_int_equal(vm.runstate, runstate);
	assert_string_equal(vm.host_uuid, HOST);
}

static void test_newer_reading_wins(void **state)
{
	struct fixture *f = *state;
	uint64_t old = local_vms_ticket(f->vms), new = local_vms_ticket(f->vms);

	put(f, new, VM_A, RUNSTATE_RUNNING, "new", 2);
	put(f, old, VM_A, RUNSTATE_POWEROFF, "old", 1);
	assert_vm(f, VM_A, "new", RUNSTATE_RUNNING);
}

static void test_removed_stays_removed(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	char etag[17];

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_POWEROFF, "a", 1);
	uint64_t round = local_vms_ticket(f->vms); /* reads the list, which has it ... */
	local_vms_remove(f->vms, local_vms_ticket(f->vms), VM_A);
	put(f, round, VM_A, RUNSTATE_POWEROFF, "a", 2); /* ... and puts it late */
	local_vms_sweep(f->vms, round);
	assert_false(is_listed(f, VM_A));
	assert_null(local_vms_body(f->vms, VM_A, etag, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_POWEROFF, "again", 3);
	assert_vm(f, VM_A, "again", RUNSTATE_POWEROFF);
}

static void test_sweep(void **state)
{
	struct fixture *f = *state;

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	uint64_t round = local_vms_ticket(f->vms);
	put(f, local_vms_ticket(f->vms), VM_B, RUNSTATE_RUNNING, "made-meanwhile", 2);
	local_vms_sweep(f->vms, round);
	assert_false(is_listed(f, VM_A));
	assert_true(is_listed(f, VM_B));
	local_vms_sweep(f->vms, local_vms_ticket(f->vms));
	assert_false(is_listed(f, VM_B));
}

static int64_t sum_mib(struct fixture *f)
{
	struct host_round round = {0};

	local_vms_sum(f->vms, &round);
	return round.vms_memory_mib;
}

/* A reservation counts until the VM itself does, and outlives sweeps. */
static void test_reserve(void **state)
{
	struct fixture *f = *state;
	struct domain_stats stats = stats_of(VM_A, RUNSTATE_POWEROFF);
	struct local_reading reading = {.stats = &stats};
	int64_t left;

	assert_true(local_vms_reserve(f->vms, VM_A, false, 600, 1000, &left));
	assert_true(local_vms_reserve(f->vms, VM_B, true, 600, 600, &left));
	assert_false(local_vms_reserve(f->vms, VM_B, false, 401, 1000, &left));
	assert_int_equal(left, 400);
	local_vms_sweep(f->vms, local_vms_ticket(f->vms));
	local_vms_sweep(f->vms, local_vms_ticket(f->vms));
	assert_int_equal(sum_mib(f), 600);
	assert_false(is_listed(f, VM_A));
	stats.memory_max_kib = 500 * 1024;
	reading.ticket = local_vms_ticket(f->vms);
	local_vms_put(f->vms, &reading);
	assert_int_equal(sum_mib(f), 500);
	local_vms_release(f->vms, VM_A);
	assert_int_equal(sum_mib(f), 500);
	local_vms_remove(f->vms, local_vms_ticket(f->vms), VM_A);
	assert_int_equal(sum_mib(f), 0);
	local_vms_release(f->vms, VM_B);
}

/* Whoever asks for it, or for a change of it, hears the reason. */
static void assert_not_understood(struct fixture *f, const char *uuid)
{
	struct error err = {0};
	char etag[17];

	assert_null(local_vms_body(f->vms, uuid, etag, &err));
	assert_int_equal(err.code, ERR_STORED_DATA);
	assert_non_null(strstr(err.message, "too long"));
	error_clear(&err);
	assert_int_equal(local_vms_check_own(f->vms, uuid, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
}

static void test_not_understood(void **state)
{
	struct error err = {0};
	struct fixture *f = *state;

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, NULL, 1);
	assert_vm(f, VM_A, VM_A, RUNSTATE_RUNNING);
	assert_true(local_vms_is_foreign(f->vms, VM_A));
	assert_not_understood(f, VM_A);
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "", 2); /* untitled */
	assert_vm(f, VM_A, VM_A, RUNSTATE_RUNNING);
	assert_false(local_vms_is_foreign(f->vms, VM_A));
	assert_int_equal(local_vms_check_own(f->vms, VM_A, &err), 0);
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "name", 3);
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_POWEROFF, NULL, 4);
	assert_vm(f, VM_A, "name", RUNSTATE_POWEROFF); /* as it was */
	assert_not_understood(f, VM_A);
	assert_int_equal(local_vms_check_own(f->vms, VM_B, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_true(local_vms_is_foreign(f->vms, VM_B));
}

static void test_wants_definition(void **state)
{
	struct fixture *f = *state;
	struct domain_stats running = stats_of(VM_A, RUNSTATE_RUNNING),
			    paused = stats_of(VM_A, RUNSTATE_PAUSED);

	assert_true(local_vms_wants_definition(f->vms, &running));
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	assert_false(local_vms_wants_definition(f->vms, &running));
	assert_true(local_vms_wants_definition(f->vms, &paused));
	local_vms_mark(f->vms, VM_B);
	assert_false(local_vms_wants_definition(f->vms, &running));
	local_vms_mark(f->vms, VM_A);
	assert_true(local_vms_wants_definition(f->vms, &running));
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	local_vms_mark(f->vms, NULL);
	assert_true(local_vms_wants_definition(f->vms, &running));
}

static char *body_text(struct fixture *f, char etag[static 17])
{
	struct error err = {0};
	struct http_body *body = local_vms_body(f->vms, VM_A, etag, &err);

	assert_non_null(body);
	char *text = xstrndup(http_body_data(body), http_body_len(body));
	http_body_unref(body);
	return text;
}

static void test_body_and_etag(void **state)
{
	struct fixture *f = *state;
	char first[17], second[17];

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	cleanup_free char *before = body_text(f, first);
	assert_non_null(strstr(before, "\"runstate\":4"));
	assert_non_null(strstr(before, first));
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_PAUSED, "a", 2);
	cleanup_free char *paused = body_text(f, second);
	assert_non_null(strstr(paused, "\"runstate\":5"));
	assert_string_equal(first, second); /* of the definition */
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_PAUSED, "b", 3);
	cleanup_free char *renamed = body_text(f, second);
	assert_non_null(strstr(renamed, "\"name\":\"b\""));
	assert_string_not_equal(first, second);
}

static char **one_address(const char *address)
{
	char **list = xcalloc(1, sizeof(*list));

	list[0] = xstrdup(address);
	return list;
}

static void test_addresses(void **state)
{
	struct fixture *f = *state;
	char(*running)[UUID_TEXT_SIZE];
	char etag[17];

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	put(f, local_vms_ticket(f->vms), VM_B, RUNSTATE_POWEROFF, "b", 1);
	assert_int_equal(local_vms_list_running(f->vms, &running), 1);
	assert_string_equal(running[0], VM_A);
	free(running);
	cleanup_free char *none = body_text(f, etag);
	assert_non_null(strstr(none, "\"addresses\":[]"));
	local_vms_set_addresses(f->vms, VM_A, one_address("10.0.0.5"), 1);
	local_vms_set_addresses(f->vms, VM_B, one_address("10.0.0.6"), 1); /* dropped */
	cleanup_free char *some = body_text(f, etag);
	assert_non_null(strstr(some, "10.0.0.5"));
	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_POWEROFF, "a", 2);
	cleanup_free char *off = body_text(f, etag);
	assert_non_null(strstr(off, "\"addresses\":[]"));
}

static void test_sums(void **state)
{
	struct fixture *f = *state;
	struct host_round round = {0};

	put(f, local_vms_ticket(f->vms), VM_A, RUNSTATE_RUNNING, "a", 1);
	put(f, local_vms_ticket(f->vms), VM_B, RUNSTATE_POWEROFF, "b", 1);
	local_vms_sum(f->vms, &round);
	assert_int_equal(round.vms_memory_mib, 1024); /* stopped ones count too */
	assert_int_equal(round.vms_hugepages_mib, 0);
	assert_int_equal(round.vms_vcpus, 4);
}

#define SECOND INT64_C(1000000000)

static void test_rates(void **state)
{
	struct vm vm = {.def = {.memory_mib = 64}};
	struct vm_counters last = {0};
	struct domain_stats stats = stats_of(VM_A, RUNSTATE_RUNNING);
	struct vm_figures_context context = {.now_ns = 10 * SECOND, .mhz = 2000};

	(void)state;
	stats.cpu_time_ns = 5000000000;
	stats.net_rx_bytes = 1 << 30;
	stats.memory_max_kib = 128 * 1024;
	stats.memory_rss_kib = 40 * 1024;
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.cpu_utilization, 0); /* nothing to compare with */
	assert_int_equal(vm.stats.net_rx_kib_s, 0);
	assert_int_equal(vm.stats.memory_capacity_mib, 128);
	assert_int_equal(vm.stats.memory_used_mib, 40);

	context.now_ns += 2 * SECOND;
	stats.cpu_time_ns += 3000000000;
	stats.net_rx_bytes += 8192;
	stats.net_tx_bytes += 4096;
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.cpu_utilization, 150);
	assert_int_equal(vm.stats.mhz_used, 3000);
	assert_int_equal(vm.stats.net_rx_kib_s, 4);
	assert_int_equal(vm.stats.net_tx_kib_s, 2);

	context.now_ns += SECOND / 2; /* too soon: left to the next call */
	stats.cpu_time_ns += 1000000000;
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.cpu_utilization, 150);

	context.now_ns += SECOND;
	stats.complete = false;
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.cpu_utilization, 150);
	assert_int_equal(vm.stats.memory_used_mib, 40);

	stats.complete = true;
	stats.cpu_time_ns = 7; /* rebooted */
	stats.net_rx_bytes = 7;
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.cpu_utilization, 0);
	assert_int_equal(vm.stats.net_rx_kib_s, 0);

	context.now_ns += SECOND;
	stats = stats_of(VM_A, RUNSTATE_POWEROFF);
	vm_figures_update(&vm, &last, &stats, &context);
	assert_int_equal(vm.stats.memory_used_mib, 0);
	assert_int_equal(vm.stats.memory_capacity_mib, 128);
	assert_int_equal(last.at_ns, 0);
}

static void test_disks_without_cdroms(void **state)
{
	static const char xml[] =
		"<domain><devices>"
		"<disk device='disk'><target dev='vda'/></disk>"
		"<disk device='cdrom'><target dev='sda'/></disk>"
		"<disk device='cdrom'><target/></disk>"
		"<disk device='cdrom'><target dev='a-name-that-is-too-long'/></disk>"
		"<disk device='lun'><target dev='sdb'/></disk></devices></domain>";
	char cdroms[4][DOMAIN_TARGET_SIZE];
	struct vm vm = {0};
	struct vm_counters last = {0};
	struct domain_stats stats = stats_of(VM_A, RUNSTATE_POWEROFF);

	(void)state;
	assert_int_equal(domain_xml_cdroms("<domain", 7, cdroms, 4), 0);
	assert_int_equal(domain_xml_cdroms(xml, sizeof(xml) - 1, cdroms, 0), 0);
	size_t count = domain_xml_cdroms(xml, sizeof(xml) - 1, cdroms, 4);
	assert_int_equal(count, 1);
	assert_string_equal(cdroms[0], "sda");
	stats.n_disks = 3;
	stats.disks[0] = (struct domain_disk){"vda", 10 << 20, 5 << 20, 6 << 20};
	stats.disks[1] = (struct domain_disk){"sda", 99 << 20, 99 << 20, 99 << 20};
	stats.disks[2] = (struct domain_disk){"sdb", 1 << 20, 1 << 20, 1 << 20};
	vm_figures_update(&vm, &last, &stats,
		&(struct vm_figures_context){
			.cdroms = (const char(*)[DOMAIN_TARGET_SIZE])cdroms, .n_cdroms = count});
	assert_int_equal(vm.stats.disk_capacity_mib, 11);
	assert_int_equal(vm.stats.disk_allocation_mib, 6);
	assert_int_equal(vm.stats.disk_physical_mib, 7);
}

#define WITH_VMS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VMS(test_newer_reading_wins),
		WITH_VMS(test_removed_stays_removed),
		WITH_VMS(test_sweep),
		WITH_VMS(test_reserve),
		WITH_VMS(test_not_understood),
		WITH_VMS(test_wants_definition),
		WITH_VMS(test_body_and_etag),
		WITH_VMS(test_addresses),
		WITH_VMS(test_sums),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_disks_without_cdroms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
