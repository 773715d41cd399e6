/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a VM is that the register has under another host. Each row is a case that was thought of;
 * then every combination of facts is held against what must never be done.
 */
#include "applets/virtxd/ownership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LONG  OWNERSHIP_LASTS_MS
#define SHORT OWNERSHIP_WAITS_MS

/* A VM of VirtX, known here, that the register has under one other host. */
#define STRAY .managed = true, .registered_elsewhere = 1

static const struct {
	const char *what;
	struct ownership_facts facts;
	enum ownership_verdict verdict;
} rows[] = {
	{"came live, its source died before it moved the entry",
		{STRAY, .runstate = RUNSTATE_RUNNING, .holder = HOLDER_HERE,
			.begun_elsewhere = true, .lasts_ms = SHORT},
		OWNERSHIP_ADOPT},
	{"the same, and somebody paused it",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_HERE, .lasts_ms = SHORT},
		OWNERSHIP_ADOPT},
	{"came live a moment ago",
		{STRAY, .runstate = RUNSTATE_RUNNING, .holder = HOLDER_HERE, .lasts_ms = SHORT - 1},
		OWNERSHIP_LEAVE},
	{"runs without a lease",
		{STRAY, .runstate = RUNSTATE_RUNNING, .holder = HOLDER_NOBODY, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"runs, and the lease is another's",
		{STRAY, .runstate = RUNSTATE_RUNNING, .holder = HOLDER_ELSEWHERE, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"runs, sanlock is away", {STRAY, .runstate = RUNSTATE_RUNNING, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"on its way here",
		{STRAY, .runstate = RUNSTATE_MIGRATING, .holder = HOLDER_HERE, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"on its way here, not yet defined",
		{.registered_elsewhere = 1,
			.runstate = RUNSTATE_RUNNING,
			.holder = HOLDER_HERE,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"an operation of ours is at it",
		{STRAY, .busy = true, .runstate = RUNSTATE_RUNNING, .holder = HOLDER_HERE,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"in our register too",
		{STRAY, .registered_here = true, .runstate = RUNSTATE_RUNNING,
			.holder = HOLDER_HERE, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"in nobody's register",
		{.managed = true,
			.runstate = RUNSTATE_RUNNING,
			.holder = HOLDER_HERE,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"in the register of two others",
		{.managed = true,
			.registered_elsewhere = 2,
			.runstate = RUNSTATE_RUNNING,
			.holder = HOLDER_HERE,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"came paused, its source has it no more",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_NOBODY, .other = WORD_NO,
			.lasts_ms = LONG},
		OWNERSHIP_ADOPT},
	{"came paused a moment ago",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_NOBODY, .other = WORD_NO,
			.lasts_ms = LONG - 1},
		OWNERSHIP_LEAVE},
	{"came paused, its source still works on it",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_NOBODY, .other = WORD_NO,
			.lasts_ms = LONG, .begun_elsewhere = true},
		OWNERSHIP_LEAVE},
	{"paused, and its source does not answer",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_NOBODY, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"paused, and its source has it",
		{STRAY, .runstate = RUNSTATE_PAUSED, .holder = HOLDER_NOBODY, .other = WORD_YES,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"taken over while this host was dead, runs there",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .holder = HOLDER_ELSEWHERE,
			.other = WORD_YES, .lasts_ms = LONG},
		OWNERSHIP_UNDEFINE},
	{"the same, and is off there",
		{STRAY, .runstate = RUNSTATE_CRASHED, .holder = HOLDER_NOBODY, .other = WORD_YES,
			.lasts_ms = LONG},
		OWNERSHIP_UNDEFINE},
	{"the same without sanlock",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .other = WORD_YES, .lasts_ms = LONG},
		OWNERSHIP_UNDEFINE},
	{"came cold a moment ago",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .holder = HOLDER_NOBODY, .other = WORD_YES},
		OWNERSHIP_LEAVE},
	{"came cold, its source has it no more",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .holder = HOLDER_NOBODY, .other = WORD_NO,
			.lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"off, and nobody answers there",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .holder = HOLDER_NOBODY, .lasts_ms = LONG},
		OWNERSHIP_LEAVE},
	{"off, and something was begun there",
		{STRAY, .runstate = RUNSTATE_POWEROFF, .holder = HOLDER_NOBODY, .other = WORD_YES,
			.lasts_ms = LONG, .begun_elsewhere = true},
		OWNERSHIP_LEAVE},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ownership_judge(&rows[i].facts) != rows[i].verdict)
			fail_msg("%s", rows[i].what);
}

static void check(const struct ownership_facts *facts)
{
	enum ownership_verdict verdict = ownership_judge(facts);
	bool off = facts->runstate == RUNSTATE_POWEROFF || facts->runstate == RUNSTATE_CRASHED;

	if (verdict == OWNERSHIP_LEAVE)
		return;
	assert_true(facts->managed && !facts->busy && !facts->registered_here);
	assert_int_equal(facts->registered_elsewhere, 1);
	assert_int_not_equal(facts->runstate, RUNSTATE_MIGRATING);
	if (verdict == OWNERSHIP_UNDEFINE) {
		assert_true(off && facts->holder != HOLDER_HERE && facts->other == WORD_YES);
		assert_true(!facts->begun_elsewhere && facts->lasts_ms >= LONG);
	} else {
		assert_true(!off &&
			    (facts->holder == HOLDER_HERE ||
				    (facts->holder == HOLDER_NOBODY && facts->other == WORD_NO)));
	}
}

/* The bits of a number are the facts. */
static void test_what_is_never_done(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1U << 11; bits++)
		for (int runstate = RUNSTATE_NONE; runstate <= RUNSTATE_CRASHED; runstate++)
			check(&(struct ownership_facts){
				.managed = bits & 1,
				.busy = bits & 2,
				.registered_here = bits & 4,
				.begun_elsewhere = bits & 8,
				.registered_elsewhere = bits >> 4 & 3,
				.holder = (enum ownership_holder)(bits >> 6 & 3),
				.other = (enum ownership_word)((bits >> 8 & 3) % 3),
				.lasts_ms = bits >> 10 & 1 ? LONG : LONG - 1,
				.runstate = (enum runstate)runstate,
			});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_what_is_never_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
