/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which headers go along when a request is sent on to another host, and which come back. */
#ifndef VIRTXD_FORWARD_HEAD_H
#define VIRTXD_FORWARD_HEAD_H

#include "cluster/proof.h"
#include "http/client.h"
#include "http/server.h"
#include "peers.h"

#define FORWARD_LOOP_HEADER "X-VirtX-Loop"
#define FORWARD_OWN_HEADERS 4

/* What a request to another host is made of. Starts zeroed. */
struct forward_head {
	const char *headers[HTTP_MAX_HEADERS + FORWARD_OWN_HEADERS + 1][2]; /* ends with NULLs */
	size_t n_headers;
	char *forwarded_for;
	char proof[PROOF_HEADER_SIZE];
	char host[sizeof(((struct peer *)NULL)->name) + sizeof(":8080")];
};

#define cleanup_forward_head CLEANUP(forward_head_clear)

/* Borrows both. At most FORWARD_OWN_HEADERS beside those of a request. */
void forward_head_add(struct forward_head *head, const char *name, const char *value);
/* Adds those of the request that are not its connection's or for us, and where it came by. */
void forward_head_copy(struct forward_head *head, const struct http_request *request);
void forward_head_clear(struct forward_head *head);

/* Status, headers and body of an answer, which are taken over, become the response. */
void forward_pass_back(struct http_exchange *exchange, struct http_response *response);

#endif
