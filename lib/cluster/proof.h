/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a host shows another that it belongs to the cluster: it knows the cluster's key. One header
 * with each request, one with its answer; both are HMAC-SHA-256, and the key is never sent.
 *
 *     Virtx-Peer: SENDER TIMESTAMP NONCE HMAC
 *     Virtx-Peer-Answer: HMAC
 *
 * SENDER is a host's UUID, TIMESTAMP ms since 1970, NONCE 32 random hex digits. The first HMAC
 * covers those, the receiver's UUID, method, target and body; the second covers the first one,
 * status and body. So neither can be used for another host, request or answer, and none twice. It
 * is no encryption: whoever can read the wire reads the requests.
 *
 * All functions may be called by any thread.
 */
#ifndef CLUSTER_PROOF_H
#define CLUSTER_PROOF_H

#include "base/error.h"
#include "base/hash.h"
#include "base/uuid.h"

#include <stdint.h>

#define PROOF_HEADER        "Virtx-Peer"
#define PROOF_ANSWER_HEADER "Virtx-Peer-Answer"
#define PROOF_KEY_SIZE      32
#define PROOF_WINDOW_MS     120000 /* how far the clocks of two hosts may be apart */
#define PROOF_HEADER_SIZE   192    /* of the value, with its NUL */

struct proof;

/* own: this host's UUID. Copies both. */
struct proof *proof_new(const uint8_t key[static PROOF_KEY_SIZE], const char *own);
void proof_free(struct proof *proof);

/* What of a request is covered. target as it is sent: path and query, encoded. */
struct proof_request {
	const char *method;
	const char *target;
	const void *body;
	size_t body_len;
};

/* The value of the header for a request to the host with the UUID `receiver`. */
void proof_make(struct proof *proof, const char *receiver, const struct proof_request *request,
	char value[static PROOF_HEADER_SIZE]);
/*
 * Judges a value that came with a request. *sender is the host that sent it. ERR_FORBIDDEN with the
 * reason: no key or another one, made for another host or request, used before, or made at a time
 * that is too far from this host's clock. now_ms: clock_wall_ms().
 */
int proof_check(struct proof *proof, const char *value, const struct proof_request *request,
	int64_t now_ms, char sender[static UUID_TEXT_SIZE], struct error *err);

/* The value of the answer's header; request_value is that of the request, which was good. */
void proof_make_answer(struct proof *proof, const char *request_value, int status, const void *body,
	size_t body_len, char value[static HASH_HEX_SIZE]);
/* True when the answer comes from a host that knows the key, for that request. value may be NULL.
 */
bool proof_check_answer(struct proof *proof, const char *request_value, int status,
	const void *body, size_t body_len, const char *value);

#endif
