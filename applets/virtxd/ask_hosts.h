/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question to all other hosts: those that are active and have proven themselves are asked,
 * eight at a time, each with a deadline. So the whole takes a moment even where hosts hang; who did
 * not answer is named.
 */
#ifndef VIRTXD_ASK_HOSTS_H
#define VIRTXD_ASK_HOSTS_H

#include "daemon.h"

#define ASK_HOSTS_MS      3000
#define ASK_HOSTS_AT_ONCE 8

struct host_answer {
	char uuid[UUID_TEXT_SIZE], name[256];
	char *body; /* NULL: err says why there is none */
	size_t len;
	struct error err;
};

struct host_answers {
	struct host_answer *list;
	size_t count;
};

/* GETs a target of each; waits for all. None standalone. The caller clears the answers. */
void ask_hosts(struct daemon *daemon, const char *target, struct host_answers *answers);
void host_answers_clear(struct host_answers *answers);
#define cleanup_host_answers CLEANUP(host_answers_clear)

/*
 * Which other host has an operation: asks all, and remembers it (forward_find_operation). False
 * when none says so.
 */
bool ask_hosts_for_operation(
	struct daemon *daemon, const char *id, char host[static UUID_TEXT_SIZE]);

#endif
