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

struct agent_facts {
	struct serf_member *members;
	size_t count;
	size_t limit;         /* bytes of an event, at most */
	bool told, encrypted; /* whether it said if its gossip is encrypted, and what */
};

static void agent_facts_free(struct agent_facts *facts)
{
	serf_members_free(facts->members, facts->count);
}

#define cleanup_facts CLEANUP(agent_facts_free)

static int ask_agent(const struct settings *settings, struct agent_facts *facts, struct error *err)
{
	struct answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER};
	int64_t deadline = clock_ms() + 2 * ANSWER_MS;
	struct error ignored = {0};
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
	facts->limit = serf_max_payload(serf, "") + EVENT_EXTRA;
	if (error_is_set(&answer.cause))
		*err = answer.cause;
	else if (serf_list_members(
			 serf, "", "", &facts->members, &facts->count, ANSWER_MS / 2, err) == 0)
		facts->told =
			serf_is_encrypted(serf, &facts->encrypted, ANSWER_MS / 2, &ignored) == 0;
	serf_stop(serf);
	pthread_cond_destroy(&answer.changed);
	return error_is_set(err) ? -1 : 0;
}

void host_check_serf(struct check *check)
{
	const struct settings *settings = check->settings;
	cleanup_facts struct agent_facts facts = {0};
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (ask_agent(settings, &facts, &err) < 0)
		check_set_error(check, CHECK_FAIL, &err,
			"start the agent, or set serf_rpc to its RPC address; without it the host "
			"serves its own VMs only");
	else if (facts.limit < GOOD_LIMIT)
		check_set(check, CHECK_WARN,
			"write \"user_event_size_limit\": 1024 into the agent's configuration: it "
			"spares questions",
			"the agent at %s knows %zu members, and takes events of about %zu bytes "
			"only",
			settings->serf_rpc, facts.count, facts.limit);
	else
		check_set(check, CHECK_OK, NULL, "the agent at %s knows %zu members, the key fits",
			settings->serf_rpc, facts.count);
}

void host_check_encryption(struct check *check)
{
	cleanup_facts struct agent_facts facts = {0};
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (ask_agent(check->settings, &facts, &err) < 0)
		check_set(check, CHECK_SKIP, NULL, "not known without serf");
	else if (!facts.told)
		check_set(check, CHECK_WARN, "make sure that serf has an encrypt_key",
			"the agent does not tell whether its gossip is encrypted");
	else if (facts.encrypted)
		check_set(check, CHECK_OK, NULL, "serf's gossip is encrypted");
	else
		check_set(check, CHECK_WARN,
			"serf keygen makes a key: write it as encrypt_key into the agent's "
			"configuration, on all hosts",
			"serf's gossip is not encrypted: whoever reaches its port can say what he "
			"likes in the name of a host");
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
	cleanup_facts struct agent_facts facts = {0};
	struct error err = {0};

	if (check_skips_standalone(check))
		return;
	if (ask_agent(check->settings, &facts, &err) < 0) {
		check_set(check, CHECK_SKIP, NULL, "the members are not known without serf");
		return;
	}
	struct printbuf *unknown = buf_new();
	if (find_unknown(facts.members, facts.count, unknown) > 0)
		check_set(check, CHECK_FAIL,
			"write them into /etc/hosts or DNS, on all hosts: VMs migrate to names",
			"members without an address: %s", unknown->buf);
	else
		check_set(check, CHECK_OK, NULL, "all active members have addresses");
	buf_free(unknown);
}

void host_check_others(struct check *check)
{
	cleanup_facts struct agent_facts facts = {0};
	struct error err = {0};
	char own[256] = "";
	size_t count = 0;

	if (check_skips_standalone(check))
		return;
	if (ask_agent(check->settings, &facts, &err) < 0) {
		check_set(check, CHECK_SKIP, NULL, "the members are not known without serf");
		return;
	}
	gethostname(own, sizeof(own) - 1);
	cleanup_free const char **names = xcalloc(facts.count + 1, sizeof(*names));
	for (size_t i = 0; i < facts.count; i++)
		if (facts.members[i].status == SERF_STATUS_ALIVE &&
			!str_equal(facts.members[i].name, own))
			names[count++] = facts.members[i].name;
	if (count == 0)
		check_set(check, CHECK_SKIP, NULL, "there is no other active member");
	else
		check_ports(check, names, count);
}
