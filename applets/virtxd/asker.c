/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that are there only while something is asked; who may be asked is for peers and claims to
 * say. */
#include "asker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/claims.h"
#include "forward.h"
#include "pull.h"

#include <pthread.h>

struct asker {
	struct daemon *daemon;
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t ended;
	unsigned running; /* threads */
	bool stopping;
};

/* Whom to ask: a member for its proof, or else a host for its inventory. */
struct question {
	struct asker *asker;
	struct peer peer;
	char host[1][UUID_TEXT_SIZE]; /* "": a member is asked */
};

struct asker *asker_new(struct daemon *daemon)
{
	struct asker *asker = xcalloc(1, sizeof(*asker));

	asker->daemon = daemon;
	pthread_mutex_init(&asker->lock, NULL);
	pthread_cond_init(&asker->ended, NULL);
	return asker;
}

void asker_free(struct asker *asker)
{
	if (!asker)
		return;
	pthread_mutex_lock(&asker->lock);
	asker->stopping = true;
	while (asker->running)
		pthread_cond_wait(&asker->ended, &asker->lock);
	pthread_mutex_unlock(&asker->lock);
	pthread_cond_destroy(&asker->ended);
	pthread_mutex_destroy(&asker->lock);
	free(asker);
}

void asker_note_state(struct daemon *daemon, const char *host_uuid)
{
	struct peer peer;
	bool known = peers_find(daemon->peers, host_uuid, &peer);

	claims_set_state(
		daemon->claims, host_uuid, known ? peer.cstate : CSTATE_INVALID, clock_ms());
	claims_set_drained(daemon->claims, host_uuid, known && peer.drained);
}

/* A member that cannot prove itself is named once for each reason. */
static void probe(struct daemon *daemon, const struct peer *peer)
{
	struct error err = {0};

	if (forward_probe(daemon->forward, peer, &err) == 0) {
		peers_set_proven(daemon->peers, peer, true, "");
		log_info("host of the cluster", "name", peer->name, "uuid", peer->uuid, "address",
			peer->server);
		claims_want_pull(daemon->claims, peer->uuid, clock_ms());
		asker_note_state(daemon, peer->uuid); /* a host that was not known until now */
		return;
	}
	if (strncmp(peer->why, err.message, sizeof(peer->why) - 1) != 0)
		log_warning("member has not proven that it knows the key of this cluster", "name",
			peer->name, "uuid", peer->uuid, "address", peer->server, "reason",
			err.message);
	peers_set_proven(daemon->peers, peer, false, err.message);
}

static void pull(struct daemon *daemon, const char *host)
{
	struct error err = {0};

	if (pull_inventory(daemon, host, &err) == 0)
		return;
	log_debug("inventory not fetched", "host", host, "reason", err.message);
	claims_fail_pull(daemon->claims, host, clock_ms());
}

static void ask(const struct question *question)
{
	if (question->host[0][0])
		pull(question->asker->daemon, question->host[0]);
	else
		probe(question->asker->daemon, &question->peer);
}

/* What is due next, which is this thread's then. */
static bool take(struct asker *asker, struct question *question)
{
	struct daemon *daemon = asker->daemon;

	pthread_mutex_lock(&asker->lock);
	bool stopping = asker->stopping;
	pthread_mutex_unlock(&asker->lock);
	if (stopping)
		return false;
	*question = (struct question){.asker = asker};
	return peers_take_unproven(daemon->peers, clock_ms(), &question->peer) ||
	       claims_take_pulls(daemon->claims, clock_ms(), question->host, 1) == 1;
}

static void *run(void *data)
{
	cleanup_free struct question *question = data;
	struct asker *asker = question->asker;

	do
		ask(question);
	while (take(asker, question));
	pthread_mutex_lock(&asker->lock);
	asker->running--;
	pthread_cond_signal(&asker->ended);
	pthread_mutex_unlock(&asker->lock);
	return NULL;
}

/* Takes the question over. */
static void start(struct asker *asker, struct question *question)
{
	pthread_t thread;

	pthread_mutex_lock(&asker->lock);
	asker->running++;
	pthread_mutex_unlock(&asker->lock);
	if (pthread_create(&thread, NULL, run, question) == 0)
		pthread_detach(thread);
	else
		run(question); /* later ones wait then */
}

void asker_turn(struct asker *asker)
{
	struct question question;

	while (take(asker, &question))
		start(asker, xmemdup(&question, sizeof(question)));
}
