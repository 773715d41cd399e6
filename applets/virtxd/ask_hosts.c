/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking, and what the answers say: see ask_hosts.h. */
#include "ask_hosts.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/str.h"
#include "forward.h"

struct round {
	struct daemon *daemon;
	const char *target;
	struct host_answers *answers;
};

static void ask_one(void *context, size_t index)
{
	const struct round *round = context;
	struct daemon *daemon = round->daemon;
	struct host_answer *answer = &round->answers->list[index];

	if (!peers_enter(daemon->peers, answer->uuid)) {
		error_set(&answer->err, ERR_TIMEOUT, "it does not answer: others wait already");
		return;
	}
	answer->body = forward_fetch_within(daemon->forward, answer->uuid, round->target,
		ASK_HOSTS_MS, &answer->len, &answer->err);
	/* A refusal is an answer too. */
	bool silent = answer->err.code == ERR_TIMEOUT || answer->err.code == ERR_CONNECT;
	peers_leave(daemon->peers, answer->uuid, !silent);
}

void ask_hosts(struct daemon *daemon, const char *target, struct host_answers *answers)
{
	struct round round = {.daemon = daemon, .target = target, .answers = answers};
	cleanup_free struct peer *peers = NULL;

	*answers = (struct host_answers){0};
	if (!daemon->peers)
		return;
	answers->count = peers_list_proven(daemon->peers, &peers);
	answers->list = xcalloc(answers->count + 1, sizeof(*answers->list));
	for (size_t i = 0; i < answers->count; i++) {
		struct host_answer *answer = &answers->list[i];

		memcpy(answer->uuid, peers[i].uuid, sizeof(answer->uuid));
		memcpy(answer->name, peers[i].name, sizeof(answer->name));
	}
	parallel_each(answers->count, ASK_HOSTS_AT_ONCE, ask_one, &round);
}

void host_answers_clear(struct host_answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		free(answers->list[i].body);
	free(answers->list);
	*answers = (struct host_answers){0};
}

bool ask_hosts_for_operation(
	struct daemon *daemon, const char *id, char host[static UUID_TEXT_SIZE])
{
	cleanup_host_answers struct host_answers answers = {0};
	char canonical[UUID_TEXT_SIZE];
	bool found = false;

	if (!uuid_canonical(id, canonical))
		return false;
	cleanup_free char *target = xasprintf("/operations/%s", canonical);
	ask_hosts(daemon, target, &answers);
	for (size_t i = 0; i < answers.count && !found; i++) {
		found = answers.list[i].body;
		if (found)
			memcpy(host, answers.list[i].uuid, UUID_TEXT_SIZE);
	}
	if (found)
		forward_note_operation(daemon->forward, canonical, host);
	return found;
}
