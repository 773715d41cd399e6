/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtxd --check: this host's serf agent, and the names of the members that it knows. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "cluster/serf.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

#define ANSWER_MS   2000
#define GOOD_LIMIT  1024
#define EVENT_EXTRA 40 /* name and framing, which the limit counts too */

/* What the client's thread tells. */
struct answer {
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t changed;
	bool done;
	struct error cause; /* set: no connection */
};

static void finish(struct answer *answer, const struct error *cause)
{
	pthread_mutex_lock(&answer->lock);
	if (!answer->done && cause)
		answer->cause = *cause;
	answer->done = true;
	pthread_cond_signal(&answer->changed);
	pthread_mutex_unlock(&answer->lock);
}

static void on_disconnected(void *context, const struct error *cause)
{
	finish(context, cause);
}

/* The last answer of those that a connection begins with: the event limit is known then. */
static void on_members(
	void *context, enum serf_change change, const struct serf_member *members, size_t count)
{
	(void)members;
	(void)count;
	if (change == SERF_MEMBERS_ALL)
		finish(context, NULL);
}

/* The agent, asked: all members and the most bytes of an event. */
static int ask_agent(const struct settings *settings, struct serf_member **members, size_t *count,
	size_t *limit, struct error *err)
{
	struct answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER};
	int64_t deadline = clock_ms() + 2 * ANSWER_MS;
	int status = 0;

	pthread_cond_init(&answer.changed, NULL);
	struct serf *serf = serf_start(&(struct serf_config){.address = settings->serf_rpc,
					       .key = settings->serf_key,
					       .answer_ms = ANSWER_MS,
					       .on_disconnected = on_disconnected,
					       .on_members = on_members,
					       .context = &answer},
		err);
	if (!serf)
		return -1;
	pthread_mutex_lock(&answer.lock);
	while (!answer.done && status != ETIMEDOUT)
		status = clock_wait(&answer.changed, &answer.lock, deadline);
	if (!answer.done)
		error_set(&answer.cause, ERR_UNAVAILABLE, "serf agent %s: no answer",
			settings->serf_rpc);
	pthread_mutex_unlock(&answer.lock);
	*limit = serf_max_payload(serf, "") + EVENT_EXTRA;
	if (error_is_set(&answer.cause))
		*err = answer.cause;
	else
		status = serf_list_members(serf, "", "", members, count, ANSWER_MS / 2, err);
	serf_stop(serf);
	pthread_cond_destroy(&answer.changed);
	return error_is_set(err) ? -1 : 0;
}

void host_check_serf(struct check *check)
{
	const struct settings *settings = check->settings;
	struct serf_member *members = NULL;
	size_t count = 0, limit = 0;
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (ask_agent(settings, &members, &count, &limit, &err) < 0)
		check_set_error(check, CHECK_FAIL, &err,
			"start the agent, or set serf_rpc to its RPC address; without it the host "
			"serves its own VMs only");
	else if (limit < GOOD_LIMIT)
		check_set(check, CHECK_WARN,
			"write \"user_event_size_limit\": 1024 into the agent's configuration: it "
			"spares questions",
			"the agent at %s knows %zu members, and takes events of about %zu bytes "
			"only",
			settings->serf_rpc, count, limit);
	else
		check_set(check, CHECK_OK, NULL, "the agent at %s knows %zu members, the key fits",
			settings->serf_rpc, count);
	serf_members_free(members, count);
}

/* Names of active members that have no address, as a list. */
static size_t find_unknown(
	const struct serf_member *members, size_t count, struct printbuf *unknown)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

		if (members[i].status != SERF_STATUS_ALIVE)
			continue;
		if (getaddrinfo(members[i].name, NULL, &hints, &list) == 0) {
			freeaddrinfo(list);
			continue;
		}
		buf_text(unknown, found ? ", " : "");
		buf_text(unknown, members[i].name);
		found++;
	}
	return found;
}

void host_check_names(struct check *check)
{
	struct serf_member *members = NULL;
	size_t count = 0, limit = 0;
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (ask_agent(check->settings, &members, &count, &limit, &err) < 0) {
		check_set(check, CHECK_SKIP, NULL, "the members are not known without serf");
		return;
	}
	struct printbuf *unknown = buf_new();
	if (find_unknown(members, count, unknown) > 0)
		check_set(check, CHECK_FAIL,
			"write them into /etc/hosts or DNS, on all hosts: VMs migrate to names",
			"members without an address: %s", unknown->buf);
	else
		check_set(check, CHECK_OK, NULL, "all active members have addresses");
	buf_free(unknown);
	serf_members_free(members, count);
}
