/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which Host and Origin a request may carry. A web page anywhere can make a browser send requests
 * here; these two headers tell them from those of our own clients (DNS rebinding, cross-site
 * requests).
 */
#ifndef VIRTXD_ACCESS_H
#define VIRTXD_ACCESS_H

#include "cluster/inventory.h"
#include "http/message.h"

struct access;

/* listen: as configured; inventory: whose hosts' names are accepted. Both are borrowed. */
struct access *access_new(char *const *listen, const char *host_name, struct inventory *inventory);
void access_free(struct access *access);

/* Replaces the names of the setting allowed_hosts. Copied; safe while requests are checked. */
void access_set_allowed(struct access *access, char *const *names);

/* ERR_FORBIDDEN with what is wrong. */
int access_check(struct access *access, const struct http_request *request, struct error *err);

#endif
