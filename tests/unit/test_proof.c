/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster/proof.h: what a host believes, and everything that it must not. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <pthread.h>

#define A "11111111-1111-4111-8111-111111111111"
#define B "22222222-2222-4222-8222-222222222222"
#define C "33333333-3333-4333-8333-333333333333"

static const uint8_t key[PROOF_KEY_SIZE] = "one key of thirty-two bytes, yes";
static const uint8_t other_key[PROOF_KEY_SIZE] = "one key of thirty-two bytes, not";
static const struct proof_request request = {"PUT", "/vms/x?y=z", "{\"a\":1}", 7};
static struct proof *a, *b;

static int set_up(void **state)
{
	(void)state;
	a = proof_new(key, A);
	b = proof_new(key, B);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	proof_free(a);
	proof_free(b);
	return 0;
}

/* B's opinion of a value; the reason in *err. */
static bool accepts(
	const char *value, const struct proof_request *what, int64_t now_ms, struct error *err)
{
	char sender[UUID_TEXT_SIZE];

	error_clear(err);
	int result = proof_check(b, value, what, now_ms, sender, err);
	if (result == 0)
		assert_string_equal(sender, A);
	else
		assert_string_equal(sender, "");
	assert_int_equal(err->code, result == 0 ? ERR_NONE : ERR_FORBIDDEN);
	return result == 0;
}

static void test_hashes_are_the_standard_ones(void **state)
{
	char hex[HASH_HEX_SIZE];

	(void)state;
	hash_sha256_hex("abc", 3, hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* RFC 4231, test case 2 */
	struct hash_key *jefe = hash_key_new("Jefe", 4);
	for (int i = 0; i < 2; i++)
		hash_hmac_hex(jefe, "what do ya want for nothing?", 28, hex);
	hash_key_free(jefe);
	assert_string_equal(
		hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_true(hash_equal("ab", "ab"));
	assert_false(hash_equal("ab", "ac"));
	assert_false(hash_equal("ab", "abc"));
}

static void test_is_good_once(void **state)
{
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	proof_make(a, B, &request, value);
	assert_null(strstr(value, "thirty"));
	assert_true(accepts(value, &request, clock_wall_ms(), &err));
	assert_false(accepts(value, &request, clock_wall_ms(), &err));
	assert_non_null(strstr(err.message, "used before"));
}

static void test_is_for_one_request_only(void **state)
{
	static const struct proof_request others[] = {
		{"GET", "/vms/x?y=z", "{\"a\":1}", 7},
		{"PUT", "/vms/x?y=a", "{\"a\":1}", 7},
		{"PUT", "/vms/x", "{\"a\":1}", 7},
		{"PUT", "/vms/x?y=z", "{\"a\":2}", 7},
		{"PUT", "/vms/x?y=z", "{\"a\":1", 6},
		{"PUT", "/vms/x?y=z", NULL, 0},
	};
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	proof_make(a, B, &request, value);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(accepts(value, &others[i], clock_wall_ms(), &err));
	/* What was refused is not used up. */
	assert_true(accepts(value, &request, clock_wall_ms(), &err));
	proof_make(a, C, &request, value);
	assert_false(accepts(value, &request, clock_wall_ms(), &err));
}

static void test_needs_the_key(void **state)
{
	struct proof *stranger = proof_new(other_key, A);
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	proof_make(stranger, B, &request, value);
	assert_false(accepts(value, &request, clock_wall_ms(), &err));
	assert_non_null(strstr(err.message, "another key"));
	proof_free(stranger);
}

static void test_no_part_can_be_changed(void **state)
{
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	proof_make(a, B, &request, value);
	for (size_t i = 0; value[i]; i++) {
		char changed[PROOF_HEADER_SIZE];

		memcpy(changed, value, sizeof(changed));
		changed[i] = changed[i] == '1' ? '2' : '1';
		assert_false(accepts(changed, &request, clock_wall_ms(), &err));
		memcpy(changed, value, sizeof(changed));
		changed[i] = '\0';
		assert_false(accepts(changed, &request, clock_wall_ms(), &err));
	}
	assert_true(accepts(value, &request, clock_wall_ms(), &err));
}

static void test_malformed_values(void **state)
{
	static const char *const values[] = {"", " ", A, A " 1", A " 1 2 3", A " x y z",
		A " -1 00000000000000000000000000000000 "
		  "0000000000000000000000000000000000000000000000000000000000000000",
		A " 99999999999999999999 00000000000000000000000000000000 "
		  "0000000000000000000000000000000000000000000000000000000000000000",
		A "  00000000000000000000000000000000 "
		  "0000000000000000000000000000000000000000000000000000000000000000"};
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_false(accepts(values[i], &request, clock_wall_ms(), &err));
	proof_make(a, B, &request, value);
	cleanup_free char *longer = xasprintf("%s x", value);
	assert_false(accepts(longer, &request, clock_wall_ms(), &err));
}

static void test_clocks_that_differ_are_named(void **state)
{
	char value[PROOF_HEADER_SIZE];
	struct error err = {0};
	int64_t now = clock_wall_ms();

	(void)state;
	proof_make(a, B, &request, value);
	assert_false(accepts(value, &request, now + PROOF_WINDOW_MS + 5000, &err));
	assert_non_null(strstr(err.message, "s ago"));
	assert_non_null(strstr(err.hint, "clocks"));
	assert_false(accepts(value, &request, now - PROOF_WINDOW_MS - 5000, &err));
	assert_non_null(strstr(err.message, "in the future"));
	assert_true(accepts(value, &request, now + PROOF_WINDOW_MS - 5000, &err));
}

/* More than the memory holds: the first ones stay refused. */
static void test_memory_is_bounded_and_forgets_nothing(void **state)
{
	enum { KEPT = 64, FLOOD = 60000 };
	static char kept[KEPT][PROOF_HEADER_SIZE];
	char value[PROOF_HEADER_SIZE], sender[UUID_TEXT_SIZE];
	struct error err = {0};
	int64_t now = clock_wall_ms();

	(void)state;
	for (size_t i = 0; i < KEPT; i++) {
		proof_make(a, B, &request, kept[i]);
		assert_true(accepts(kept[i], &request, now, &err));
	}
	for (size_t i = 0; i < FLOOD; i++) {
		error_clear(&err);
		proof_make(a, B, &request, value);
		proof_check(b, value, &request, now, sender, &err);
	}
	for (size_t i = 0; i < KEPT; i++)
		assert_false(accepts(kept[i], &request, now, &err));
}

static void test_answers(void **state)
{
	char value[PROOF_HEADER_SIZE], second[PROOF_HEADER_SIZE], answer[HASH_HEX_SIZE];

	(void)state;
	proof_make(a, B, &request, value);
	proof_make(a, B, &request, second);
	proof_make_answer(b, value, 200, "body", 4, answer);
	assert_true(proof_check_answer(a, value, 200, "body", 4, answer));
	assert_false(proof_check_answer(a, value, 404, "body", 4, answer));
	assert_false(proof_check_answer(a, value, 200, "bodY", 4, answer));
	assert_false(proof_check_answer(a, second, 200, "body", 4, answer));
	assert_false(proof_check_answer(a, value, 200, "body", 4, NULL));
	assert_false(proof_check_answer(a, value, 200, "body", 4, ""));
	struct proof *stranger = proof_new(other_key, B);
	proof_make_answer(stranger, value, 200, "body", 4, answer);
	assert_false(proof_check_answer(a, value, 200, "body", 4, answer));
	proof_free(stranger);
}

static char shared[PROOF_HEADER_SIZE];

static void *try_shared(void *good)
{
	char sender[UUID_TEXT_SIZE];
	struct error err = {0};

	*(bool *)good = proof_check(b, shared, &request, clock_wall_ms(), sender, &err) == 0;
	return NULL;
}

/* One value, used by many at once. */
static void test_threads_use_it_once(void **state)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	bool good[THREADS];
	int total = 0;

	(void)state;
	proof_make(a, B, &request, shared);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, try_shared, &good[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		total += good[i];
	}
	assert_int_equal(total, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_hashes_are_the_standard_ones),
		TEST(test_is_good_once),
		TEST(test_is_for_one_request_only),
		TEST(test_needs_the_key),
		TEST(test_no_part_can_be_changed),
		TEST(test_malformed_values),
		TEST(test_clocks_that_differ_are_named),
		TEST(test_memory_is_bounded_and_forgets_nothing),
		TEST(test_answers),
		TEST(test_threads_use_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
