/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors as application/problem+json (RFC 9457), both ways; the one place that maps codes to
 * statuses. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/error.h"
#include "http/server.h"

#define HTTP_PROBLEM_TYPE "application/problem+json"

/* 404 for ERR_NOT_FOUND ...; 500 for what has no row. */
int http_status_of(enum error_code code);
/* The reason phrase, "Unknown" for a status that is not listed. */
const char *http_status_reason(int status);

/*
 * Makes the response a problem: type ("about:blank"), title, status, detail, instance
 * (request->target without query; request may be NULL), code, host (when not NULL or ""), hint
 * where there is one. status 0: http_status_of(err->code).
 */
void http_problem_set(struct http_response *response, const struct http_request *request,
	const struct error *err, int status, const char *host);

/*
 * Reads an answer of 400 and above into err: detail, hint and code of a problem, or the text of
 * another server (what is printable, cut), or the reason phrase. Always returns -1.
 */
int http_problem_read(
	int status, const char *type, const char *body, size_t len, struct error *err);

#endif
