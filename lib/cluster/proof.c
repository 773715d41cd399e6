/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proofs and the memory of those seen. A nonce has its bucket; where that is full the oldest one
 * leaves, and with it everything in that bucket that is not newer counts as seen. So the memory is
 * bounded and yet no proof is good twice.
 */
#include "cluster/proof.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/random.h>

#define NONCE_SIZE  16 /* bytes */
#define NONCE_CHARS (2 * NONCE_SIZE)
#define HMAC_CHARS  (HASH_HEX_SIZE - 1)
#define BUCKETS     4096
#define PLACES      8

struct seen {
	int64_t ts_ms; /* 0: a free place */
	char nonce[NONCE_CHARS];
};

struct bucket {
	int64_t floor_ms; /* what is not newer counts as seen */
	struct seen seen[PLACES];
};

struct proof {
	struct hash_key *key;
	char own[UUID_TEXT_SIZE];
	pthread_mutex_t lock; /* of buckets */
	struct bucket buckets[BUCKETS];
};

/* A header's value, taken apart. */
struct claim {
	char sender[UUID_TEXT_SIZE];
	int64_t ts_ms;
	char nonce[NONCE_CHARS + 1];
	char hmac[HASH_HEX_SIZE];
};

struct proof *proof_new(const uint8_t key[static PROOF_KEY_SIZE], const char *own)
{
	struct proof *proof = xcalloc(1, sizeof(*proof));

	proof->key = hash_key_new(key, PROOF_KEY_SIZE);
	str_copy(proof->own, sizeof(proof->own), own);
	pthread_mutex_init(&proof->lock, NULL);
	return proof;
}

void proof_free(struct proof *proof)
{
	if (!proof)
		return;
	hash_key_free(proof->key);
	pthread_mutex_destroy(&proof->lock);
	free(proof);
}

/* Most requests have none. */
static void hash_body(const void *body, size_t len, char hex[static HASH_HEX_SIZE])
{
	static const char of_nothing[HASH_HEX_SIZE] =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	if (len)
		hash_sha256_hex(body, len, hex);
	else
		memcpy(hex, of_nothing, sizeof(of_nothing));
}

/* Fills claim->hmac with what it must be. No part can hold a newline, so each text is one claim. */
static void sign(const struct proof *proof, const char *receiver,
	const struct proof_request *request, struct claim *claim)
{
	cleanup_buf struct printbuf *text = buf_new();
	char body[HASH_HEX_SIZE], ts[24];

	hash_body(request->body, request->body_len, body);
	snprintf(ts, sizeof(ts), "%" PRId64, claim->ts_ms);
	const char *const parts[] = {"virtx request 1", claim->sender, receiver, request->method,
		request->target, body, ts, claim->nonce};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_text(text, parts[i]);
		buf_append(text, "\n", 1);
	}
	hash_hmac_hex(proof->key, text->buf, (size_t)text->bpos, claim->hmac);
}

static void make_nonce(char nonce[static NONCE_CHARS + 1])
{
	unsigned char bytes[NONCE_SIZE];

	while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		;
	hash_to_hex(bytes, sizeof(bytes), nonce);
}

void proof_make(struct proof *proof, const char *receiver, const struct proof_request *request,
	char value[static PROOF_HEADER_SIZE])
{
	struct claim claim = {.ts_ms = clock_wall_ms()};

	str_copy(claim.sender, sizeof(claim.sender), proof->own);
	make_nonce(claim.nonce);
	sign(proof, receiver, request, &claim);
	snprintf(value, PROOF_HEADER_SIZE, "%s %" PRId64 " %s %s", claim.sender, claim.ts_ms,
		claim.nonce, claim.hmac);
}

/* The next word of *text into out, of exactly `chars` characters, or up to that many when `fewer`.
 */
static bool take_word(const char **text, size_t chars, bool fewer, char *out)
{
	size_t len = strcspn(*text, " ");

	if (len > chars || len == 0 || (len < chars && !fewer))
		return false;
	memcpy(out, *text, len);
	out[len] = '\0';
	*text += len + ((*text)[len] == ' ');
	return true;
}

static bool is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == '\0';
}

static bool parse(const char *value, struct claim *claim)
{
	char sender[UUID_TEXT_SIZE], ts[20];

	return take_word(&value, UUID_TEXT_SIZE - 1, false, sender) &&
	       take_word(&value, sizeof(ts) - 1, true, ts) &&
	       take_word(&value, NONCE_CHARS, false, claim->nonce) &&
	       take_word(&value, HMAC_CHARS, false, claim->hmac) && !*value &&
	       uuid_canonical(sender, claim->sender) && str_equal(sender, claim->sender) &&
	       str_parse_int(ts, 1, INT64_MAX / 2, &claim->ts_ms) && is_hex(claim->nonce) &&
	       is_hex(claim->hmac);
}

/* Where a nonce belongs: they are random, as only those who know the key get this far. */
static struct bucket *bucket_of(struct proof *proof, const char *nonce)
{
	unsigned index = 0;

	for (size_t i = 0; i < 4; i++)
		index = index * 16 +
			(unsigned)(nonce[i] <= '9' ? nonce[i] - '0' : nonce[i] - 'a' + 10);
	return &proof->buckets[index % BUCKETS];
}

/* Remembers a nonce; false when it is known, or too old to be told from those that were forgotten.
 */
static bool remember(struct proof *proof, const struct claim *claim)
{
	pthread_mutex_lock(&proof->lock);
	struct bucket *bucket = bucket_of(proof, claim->nonce);
	struct seen *oldest = &bucket->seen[0];
	bool is_new = claim->ts_ms > bucket->floor_ms;

	for (size_t i = 0; i < PLACES && is_new; i++) {
		struct seen *seen = &bucket->seen[i];

		if (seen->ts_ms && memcmp(seen->nonce, claim->nonce, NONCE_CHARS) == 0)
			is_new = false;
		if (seen->ts_ms < oldest->ts_ms)
			oldest = seen;
	}
	if (is_new) {
		if (oldest->ts_ms > bucket->floor_ms)
			bucket->floor_ms = oldest->ts_ms;
		oldest->ts_ms = claim->ts_ms;
		memcpy(oldest->nonce, claim->nonce, NONCE_CHARS);
	}
	pthread_mutex_unlock(&proof->lock);
	return is_new;
}

/* Called when the HMAC is good, so what the claim says is true. */
static int check_time(const struct claim *claim, int64_t now_ms, struct error *err)
{
	int64_t ahead = claim->ts_ms - now_ms;

	if (ahead >= -PROOF_WINDOW_MS && ahead <= PROOF_WINDOW_MS)
		return 0;
	error_set(err, ERR_FORBIDDEN,
		"the proof of host %s was made %lld s %s by the clock of this host", claim->sender,
		(long long)(ahead < 0 ? -ahead : ahead) / 1000,
		ahead < 0 ? "ago" : "in the future");
	return error_hint(err, "the hosts' clocks must agree within %d s: synchronise them",
		PROOF_WINDOW_MS / 1000);
}

int proof_check(struct proof *proof, const char *value, const struct proof_request *request,
	int64_t now_ms, char sender[static UUID_TEXT_SIZE], struct error *err)
{
	struct claim claim;

	sender[0] = '\0';
	if (!parse(value, &claim))
		return error_set(err, ERR_FORBIDDEN, "%s: malformed", PROOF_HEADER);
	struct claim expected = claim;
	sign(proof, proof->own, request, &expected);
	if (!hash_equal(claim.hmac, expected.hmac)) {
		error_set(err, ERR_FORBIDDEN,
			"%s: made with another key than this cluster's, for another host than %s, "
			"or for another request",
			PROOF_HEADER, proof->own);
		return error_hint(err, "do both hosts have the same vms_dir?");
	}
	if (check_time(&claim, now_ms, err) < 0)
		return -1;
	if (!remember(proof, &claim))
		return error_set(err, ERR_FORBIDDEN, "%s: this one was used before", PROOF_HEADER);
	memcpy(sender, claim.sender, sizeof(claim.sender));
	return 0;
}

void proof_make_answer(struct proof *proof, const char *request_value, int status, const void *body,
	size_t body_len, char value[static HASH_HEX_SIZE])
{
	cleanup_buf struct printbuf *text = buf_new();
	char hash[HASH_HEX_SIZE];

	hash_body(body, body_len, hash);
	buf_format(text, "virtx answer 1\n%s\n%d\n%s\n", request_value, status, hash);
	hash_hmac_hex(proof->key, text->buf, (size_t)text->bpos, value);
}

bool proof_check_answer(struct proof *proof, const char *request_value, int status,
	const void *body, size_t body_len, const char *value)
{
	char expected[HASH_HEX_SIZE];

	proof_make_answer(proof, request_value, status, body, body_len, expected);
	return value && hash_equal(value, expected);
}
