/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of a request, as the client and the relay send it. */
#ifndef HTTP_CLIENT_HEAD_H
#define HTTP_CLIENT_HEAD_H

#include "base/buf.h"
#include "http/client.h"

/*
 * Appends it to out, with its empty line. authority: what Host says unless the exchange has
 * something else. -1: ERR_INVALID when target, host or a header holds what would break out of it;
 * out may hold a part of it then.
 */
int client_head_write(struct printbuf *out, const struct http_exchange *exchange,
	const char *authority, struct error *err);

#endif
