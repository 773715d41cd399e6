/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt's states and figures as ours (spec: statistics.md), from made-up answers. */
#include "hypervisor/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_runstates(void **unused)
{
	static const struct {
		int state, reason;
		enum runstate runstate;
	} rows[] = {
		{VIR_DOMAIN_NOSTATE, 0, RUNSTATE_NONE},
		{VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED, RUNSTATE_RUNNING},
		{VIR_DOMAIN_BLOCKED, 0, RUNSTATE_PAUSED},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, RUNSTATE_PAUSED},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, RUNSTATE_PAUSED},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, RUNSTATE_MIGRATING},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, RUNSTATE_TERMINATING},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, RUNSTATE_CRASHED},
		{VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, RUNSTATE_STARTUP},
		{VIR_DOMAIN_SHUTDOWN, 0, RUNSTATE_TERMINATING},
		{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, RUNSTATE_POWEROFF},
		{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED, RUNSTATE_POWEROFF},
		{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, RUNSTATE_POWEROFF},
		{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, RUNSTATE_CRASHED},
		{VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_MIGRATED, RUNSTATE_DELETED},
		{VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED, RUNSTATE_CRASHED},
		{VIR_DOMAIN_PMSUSPENDED, 0, RUNSTATE_PMSUSPENDED},
		{99, 0, RUNSTATE_NONE},
		{-1, -1, RUNSTATE_NONE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			runstate_from_libvirt(rows[i].state, rows[i].reason), rows[i].runstate);
}

#define PARAM_INT(name, number)                                                 \
	{                                                                       \
		.field = name, .type = VIR_TYPED_PARAM_INT, .value.i = (number) \
	}
#define PARAM_U64(name, number)                                                     \
	{                                                                           \
		.field = name, .type = VIR_TYPED_PARAM_ULLONG, .value.ul = (number) \
	}
#define PARAM_TEXT(name, text)                                                           \
	{                                                                                \
		.field = name, .type = VIR_TYPED_PARAM_STRING, .value.s = (char *)(text) \
	}
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void test_running_domain(void **unused)
{
	const virTypedParameter params[] = {
		PARAM_INT("state.state", VIR_DOMAIN_RUNNING),
		PARAM_INT("state.reason", VIR_DOMAIN_RUNNING_BOOTED),
		PARAM_U64("cpu.time", 123456789),
		PARAM_U64("balloon.maximum", 65536),
		PARAM_U64("balloon.rss", 40000),
		PARAM_INT("vcpu.current", 2),
		PARAM_INT("block.count", 2),
		PARAM_TEXT("block.0.name", "vda"),
		PARAM_U64("block.0.capacity", 1000),
		PARAM_U64("block.0.allocation", 300),
		PARAM_U64("block.0.physical", 400),
		PARAM_TEXT("block.1.name", "sda"),
		PARAM_U64("block.1.capacity", 7),
		PARAM_U64("net.0.rx.bytes", 10),
		PARAM_U64("net.1.rx.bytes", 5),
		PARAM_U64("net.0.tx.bytes", 1),
		PARAM_U64("net.0.rx.pkts", 999),
	};
	struct domain_stats stats = {0};

	(void)unused;
	stats_from_params(&stats, true, params, COUNT(params));
	assert_int_equal(stats.runstate, RUNSTATE_RUNNING);
	assert_int_equal(stats.cpu_time_ns, 123456789);
	assert_int_equal(stats.memory_max_kib, 65536);
	assert_int_equal(stats.memory_rss_kib, 40000);
	assert_int_equal(stats.vcpus, 2);
	assert_int_equal(stats.n_disks, 2);
	assert_string_equal(stats.disks[0].target, "vda");
	assert_int_equal(stats.disks[0].capacity, 1000);
	assert_int_equal(stats.disks[0].allocation, 300);
	assert_int_equal(stats.disks[0].physical, 400);
	assert_string_equal(stats.disks[1].target, "sda");
	assert_int_equal(stats.disks[1].capacity, 7);
	assert_int_equal(stats.net_rx_bytes, 15);
	assert_int_equal(stats.net_tx_bytes, 1);
	assert_true(stats.complete);
}

/* libvirt reports its own process' time and size for a domain that has none. */
static void test_stopped_domain(void **unused)
{
	const virTypedParameter params[] = {
		PARAM_INT("state.state", VIR_DOMAIN_SHUTOFF),
		PARAM_INT("state.reason", VIR_DOMAIN_SHUTOFF_CRASHED),
		PARAM_U64("cpu.time", 5000000000),
		PARAM_U64("balloon.maximum", 65536),
		PARAM_U64("balloon.rss", 17000),
	};
	struct domain_stats stats = {0};

	(void)unused;
	stats_from_params(&stats, false, params, COUNT(params));
	assert_int_equal(stats.runstate, RUNSTATE_CRASHED);
	assert_int_equal(stats.cpu_time_ns, 0);
	assert_int_equal(stats.memory_rss_kib, 0);
	assert_int_equal(stats.memory_max_kib, 65536);
	assert_true(stats.complete);
}

/* A busy domain is passed over: the state is there, the figures are not. */
static void test_incomplete(void **unused)
{
	const virTypedParameter params[] = {
		PARAM_INT("state.state", VIR_DOMAIN_RUNNING),
		PARAM_U64("balloon.maximum", 65536),
	};
	struct domain_stats stats = {0};

	(void)unused;
	stats_from_params(&stats, true, params, COUNT(params));
	assert_int_equal(stats.runstate, RUNSTATE_RUNNING);
	assert_false(stats.complete);
	memset(&stats, 0, sizeof(stats));
	stats_from_params(&stats, false, params, 1);
	assert_false(stats.complete);
}

static void test_strange_answers(void **unused)
{
	const virTypedParameter params[] = {
		PARAM_INT("cpu.time", -5),
		PARAM_U64("balloon.rss", UINT64_MAX),
		PARAM_TEXT("balloon.maximum", "many"),
		PARAM_TEXT("block.0.name", "a-target-name-that-no-guest-could-ever-have"),
		PARAM_U64("block.31.capacity", 31),
		PARAM_U64("block.32.capacity", 32),
		PARAM_U64("block.99999999999999999999999.capacity", 1),
		PARAM_U64("block.-1.capacity", 1),
		PARAM_U64("block.x.capacity", 1),
		PARAM_U64("block.", 1),
		PARAM_U64("net.0", 1),
		PARAM_U64("", 1),
		{.field = "cpu.time", .type = 77},
	};
	struct domain_stats stats = {0};

	(void)unused;
	stats_from_params(&stats, true, params, COUNT(params));
	assert_int_equal(stats.cpu_time_ns, 0);
	assert_true(stats.memory_rss_kib == INT64_MAX);
	assert_int_equal(stats.memory_max_kib, 0);
	assert_string_equal(stats.disks[0].target, "");
	assert_int_equal(stats.n_disks, DOMAIN_DISKS_MAX);
	assert_int_equal(stats.disks[31].capacity, 31);
	assert_int_equal(stats.net_rx_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runstates),
		cmocka_unit_test(test_running_domain),
		cmocka_unit_test(test_stopped_domain),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_strange_answers),
	};

	return cmocka_run_group_tests_name("hypervisor_stats", tests, NULL, NULL);
}
