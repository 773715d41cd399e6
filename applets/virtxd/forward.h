/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests for VMs and hosts that are another host's go there, and its answer comes back (spec:
 * rest-api.md, Forwarding). Hosts prove to each other with each request and each answer that they
 * know the cluster's key (cluster/proof.h); a host that has not done so is sent nothing.
 *
 * Bodies are held in memory on their way, as the server's API has them: requests below 1 MiB,
 * answers up to FORWARD_MAX_ANSWER.
 */
#ifndef VIRTXD_FORWARD_H
#define VIRTXD_FORWARD_H

#include "peers.h"
#include "routes.h"

#define FORWARD_MAX_ANSWER ((size_t)64 << 20)

struct forward;

/* key: the cluster's, of PROOF_KEY_SIZE bytes; NULL when it could not be had: then peers' requests
 * are refused and none is forwarded. own: this host's UUID. peers is borrowed. */
struct forward *forward_new(struct peers *peers, const uint8_t *key, const char *own);
void forward_free(struct forward *forward);

/*
 * Sends the call to the host with the UUID `host` and fills the response with its answer, or with
 * another fate than HTTP_ANSWERED (http/server.h): then neither is the caller's any more. -1:
 * ERR_LOOP when it was forwarded to us; ERR_UNAVAILABLE when that host is not known, not active or
 * not proven; ERR_FORWARD with the cause when it cannot be reached or does not answer in time.
 * call->failed is the host's name then.
 */
int forward_call(struct call *call, const char *host, struct error *err);

/* Where an operation is that was begun by a request that went through here ("Prefer:
 * respond-async") or that was noted; false when that is not known. The last 1,000 are remembered.
 * forward may be NULL. */
bool forward_find_operation(
	struct forward *forward, const char *id, char host[static UUID_TEXT_SIZE]);

void forward_note_operation(struct forward *forward, const char *id, const char *host);

/*
 * Judges what a request says of itself: *sender is the UUID of the host that sent it, "" for an
 * ordinary client. ERR_FORBIDDEN for one that claims to be a host and cannot prove it; that is
 * logged once a minute for each address.
 */
int forward_identify(struct forward *forward, const struct http_request *request,
	char sender[static UUID_TEXT_SIZE], struct error *err);
/* Adds our own proof to the answer to a host. */
void forward_sign(struct forward *forward, const struct http_request *request,
	struct http_response *response);

/* Asks a peer to prove itself; 0 when it does, otherwise ERR_FORWARD, ERR_CONNECT, ERR_TIMEOUT. */
int forward_probe(struct forward *forward, const struct peer *peer, struct error *err);

/* GETs a target of the host with that UUID, which is proven: the body of its answer, 200; the
 * caller frees it. NULL with err. */
char *forward_fetch(struct forward *forward, const char *host, const char *target, size_t *len,
	struct error *err);

/* The same with a deadline of its own. */
char *forward_fetch_within(struct forward *forward, const char *host, const char *target,
	unsigned timeout_ms, size_t *len, struct error *err);

/* POSTs JSON to a target of the host with that UUID, which is proven, and waits for at most 30 s:
 * the body of its answer, as above. What it refuses with a problem comes back in err as it is. */
char *forward_post(struct forward *forward, const char *host, const char *target, const char *body,
	size_t len, size_t *answer_len, struct error *err);

/* Closes connections that have been idle for long. */
void forward_trim(struct forward *forward);

#endif
