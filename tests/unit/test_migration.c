/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a VM goes when nobody says where, and what is made of what can be seen of a move that ended
 * or was cut. */
#include "applets/virtxd/migration.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>

#define REFUSED                      \
	{                            \
		.code = ERR_CAPACITY \
	}

static void test_best_fit(void **state)
{
	static const struct migration_host hosts[] = {
		{.name = "full", .memory_mib = 9000, .why = REFUSED},
		{.name = "little", .memory_mib = 100, .cpu_mhz = 9000},
		{.name = "slow", .memory_mib = 800, .cpu_mhz = 100},
		{.name = "crowded", .memory_mib = 800, .cpu_mhz = 200, .vms = 3},
		{.name = "b", .memory_mib = 800, .cpu_mhz = 200, .vms = 2},
		{.name = "a", .memory_mib = 800, .cpu_mhz = 200, .vms = 2},
	};
	/* Each is the best of those before it that can. */
	static const char *const best[] = {NULL, "little", "slow", "crowded", "b", "a"};

	(void)state;
	assert_null(migration_pick(hosts, 0));
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		const struct migration_host *picked = migration_pick(hosts, i + 1);

		if (best[i])
			assert_string_equal(picked->name, best[i]);
		else
			assert_null(picked);
	}
}

enum outcome { UNKNOWN, MOVED, REMOVED, STAYED, RESUMED };

static enum outcome judge(const struct migration_facts *facts)
{
	struct migration_verdict verdict = migration_judge(facts);

	/* Whatever is resumed stays, whatever is removed runs elsewhere. */
	assert_false(verdict.resume && verdict.fate != MIGRATION_STAYED);
	assert_false(verdict.remove && verdict.fate != MIGRATION_MOVED);
	if (verdict.fate == MIGRATION_MOVED)
		return verdict.remove ? REMOVED : MOVED;
	if (verdict.fate == MIGRATION_STAYED)
		return verdict.resume ? RESUMED : STAYED;
	return UNKNOWN;
}

#define HERE(state) .here = true, .runstate = (state), .lease_known = true

static void test_what_became_of_it(void **state)
{
	static const struct {
		const char *what;
		struct migration_facts facts;
		enum outcome outcome;
	} cases[] = {
		{"libvirt is at it", {.job = true, HERE(RUNSTATE_RUNNING)}, UNKNOWN},
		{"it is gone", {.ran = true}, MOVED},
		{"it runs", {HERE(RUNSTATE_RUNNING), .ran = true}, STAYED},
		{"it runs, and sanlock is away", {.here = true, .runstate = RUNSTATE_RUNNING},
			STAYED},
		{"shut off as moved", {HERE(RUNSTATE_DELETED)}, REMOVED},
		{"stopped for the move, which failed", {HERE(RUNSTATE_MIGRATING), .ran = true},
			RESUMED},
		{"the same, as paused", {HERE(RUNSTATE_PAUSED), .ran = true}, RESUMED},
		{"it was paused before", {HERE(RUNSTATE_PAUSED)}, STAYED},
		{"another host runs it", {HERE(RUNSTATE_PAUSED), .held_elsewhere = true}, REMOVED},
		{"another host has run it since",
			{HERE(RUNSTATE_PAUSED), .ran = true, .held_elsewhere_since = true},
			REMOVED},
		{"it was paused, and had come from another host",
			{HERE(RUNSTATE_PAUSED), .held_elsewhere_since = true}, STAYED},
		{"the other host has registered it",
			{HERE(RUNSTATE_PAUSED), .ran = true, .registered_there = true}, REMOVED},
		{"both have",
			{HERE(RUNSTATE_PAUSED), .ran = true, .registered_there = true,
				.registered_here = true},
			RESUMED},
		{"stopped, and nobody knows who holds it",
			{.here = true, .runstate = RUNSTATE_PAUSED, .ran = true}, UNKNOWN},
		{"off", {HERE(RUNSTATE_POWEROFF), .held_elsewhere_since = true}, STAYED},
		{"its QEMU was killed", {HERE(RUNSTATE_CRASHED), .ran = true}, STAYED},
		{"off, and runs elsewhere", {HERE(RUNSTATE_POWEROFF), .held_elsewhere = true},
			REMOVED},
		{"it is ending", {HERE(RUNSTATE_TERMINATING)}, UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum outcome outcome = judge(&cases[i].facts);

		if (outcome != cases[i].outcome)
			fail_msg("%s: %d, not %d", cases[i].what, (int)outcome,
				(int)cases[i].outcome);
	}
}

/* Of all that can be: nothing is resumed that another host runs or has run, and nothing removed
 * that runs here. */
static void test_never_twice(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1U << 8; bits++) {
		for (int runstate = RUNSTATE_NONE; runstate <= RUNSTATE_CRASHED; runstate++) {
			const struct migration_facts facts = {
				.job = bits & 1,
				.here = bits & 2,
				.ran = bits & 4,
				.lease_known = bits & 8,
				.held_elsewhere = bits & 16,
				.held_elsewhere_since = bits & 32,
				.registered_here = bits & 64,
				.registered_there = bits & 128,
				.runstate = (enum runstate)runstate,
			};
			enum outcome outcome = judge(&facts);

			if (outcome == RESUMED)
				assert_false(!facts.lease_known || facts.held_elsewhere ||
					     facts.held_elsewhere_since || facts.job);
			if (outcome == REMOVED)
				assert_false(
					runstate == RUNSTATE_RUNNING || !facts.here || facts.job);
		}
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {"", "virt 2", "virt2/system?x", "a@b", "[::1]", "a\nb"};
	struct daemon daemon = {.settings = {.migrate_transport = MIGRATE_TLS}};
	char *target, *data;
	struct error err = {0};

	(void)state;
	assert_int_equal(migration_uris(&daemon, "virt-2.example", &target, &data, &err), 0);
	assert_string_equal(target, "qemu+tls://virt-2.example/system");
	assert_string_equal(data, "tcp://virt-2.example");
	free(target);
	free(data);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_clear(&err);
		assert_int_equal(migration_uris(&daemon, bad[i], &target, &data, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_null(target);
	}
}

static void test_entry_in_the_log(void **state)
{
	struct intent intent = {.op = INTENT_MIGRATE,
		.from = "11111111-1111-4111-8111-111111111111",
		.to = "22222222-2222-4222-8222-222222222222",
		.live = true,
		.note_ms = 7};
	struct oplog_note note;

	(void)state;
	migration_note(&intent, &note);
	assert_string_equal(note.message,
		"live migration from 11111111-1111-4111-8111-111111111111 "
		"to 22222222-2222-4222-8222-222222222222.");
	assert_true(note.op == OPLOG_MIGRATE && note.start_ms == 7);

	const struct daemon there = {.host_uuid = "22222222-2222-4222-8222-222222222222"},
			    here = {.host_uuid = "11111111-1111-4111-8111-111111111111"};
	struct oplog_entry oplog[OPLOG_COUNT] = {
		[OPLOG_MIGRATE] = {
			.present = true, .status = OPLOG_STARTED, .message = note.message}};

	/* It has come when it is no longer on its way. */
	assert_true(oplog_is_behind(&there, oplog, RUNSTATE_RUNNING));
	assert_true(oplog_is_behind(&there, oplog, RUNSTATE_POWEROFF));
	assert_false(oplog_is_behind(&there, oplog, RUNSTATE_MIGRATING));
	assert_false(oplog_is_behind(&here, oplog, RUNSTATE_RUNNING));
	oplog[OPLOG_MIGRATE].status = OPLOG_COMPLETED;
	assert_false(oplog_is_behind(&there, oplog, RUNSTATE_RUNNING));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best_fit),
		cmocka_unit_test(test_what_became_of_it),
		cmocka_unit_test(test_never_twice),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_entry_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
