/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a request to one for another host, and from its answer to ours: see forward.h. */
#include "forward.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/proof.h"
#include "forward_head.h"
#include "http/pool.h"
#include "http/problem.h"
#include "http/relay.h"

#include <pthread.h>

#define CONNECT_MS 3000
#define SHORT_MS   10000
#define POST_MS    30000 /* what is asked for may look at storage and libvirt */
/* Minutes, or hours: whoever is gone without a word is noticed by TCP (http/client_socket.c). */
#define LONG_MS     (12 * 3600 * 1000)
#define PROBE_MS    2000
#define IDLE_MS     30000
#define OPERATIONS  1000
#define COMPLAINTS  64 /* addresses */
#define COMPLAIN_MS 60000

struct complaint {
	char address[64];
	int64_t at_ms; /* monotonic */
};

/* An operation that runs on another host. */
struct begun {
	char id[UUID_TEXT_SIZE], host[UUID_TEXT_SIZE];
};

struct forward {
	struct peers *peers;
	struct proof *proof; /* NULL: without key */
	struct http_pool *pool;
	pthread_mutex_t lock; /* of everything below */
	struct complaint complaints[COMPLAINTS];
	struct begun begun[OPERATIONS]; /* a ring */
	size_t next_begun;
};

struct forward *forward_new(struct peers *peers, const uint8_t *key, const char *own)
{
	struct forward *forward = xcalloc(1, sizeof(*forward));

	forward->peers = peers;
	forward->proof = key ? proof_new(key, own) : NULL;
	forward->pool = http_pool_new(IDLE_MS);
	pthread_mutex_init(&forward->lock, NULL);
	return forward;
}

void forward_free(struct forward *forward)
{
	if (!forward)
		return;
	proof_free(forward->proof);
	http_pool_free(forward->pool);
	pthread_mutex_destroy(&forward->lock);
	free(forward);
}

void forward_trim(struct forward *forward)
{
	http_pool_trim(forward->pool);
}

/* ---- one exchange ---- */

/* Completes it with what the peer wants to see: a proof, or the name of an old one. */
static void address(struct forward *forward, const struct peer *peer, struct forward_head *head,
	struct http_exchange *exchange)
{
	if (peer->old) {
		/* They are used to names. */
		snprintf(head->host, sizeof(head->host), "%s:8080", peer->name);
		exchange->host = head->host;
	} else {
		proof_make(forward->proof, peer->uuid,
			&(struct proof_request){exchange->method, exchange->target, exchange->body,
				exchange->body_len},
			head->proof);
		forward_head_add(head, PROOF_HEADER, head->proof);
	}
	exchange->headers = (const char *const(*)[2])head->headers;
}

/*
 * The exchange, with a proof and its answer's where the peer is not old. ERR_FORWARD when the
 * answer is not proven: then it is no answer of a host of this cluster.
 */
static int exchange_proven(struct forward *forward, const struct peer *peer,
	struct forward_head *head, struct http_exchange *exchange, struct error *err)
{
	address(forward, peer, head, exchange);
	exchange->connect_timeout_ms = CONNECT_MS;
	exchange->max_response = FORWARD_MAX_ANSWER;
	if (http_pool_exchange(forward->pool, peer->server, exchange, err) < 0)
		return -1;
	if (peer->old || proof_check_answer(forward->proof, head->proof, exchange->status,
				 exchange->response, exchange->response_len,
				 http_exchange_header(exchange, PROOF_ANSWER_HEADER)))
		return 0;
	/* An overloaded server refuses requests before anybody has read them. */
	if (exchange->status < 400)
		peers_set_proven(forward->peers, peer, false, "its last answer was not proven");
	struct error said = {0};
	http_problem_read(exchange->status, http_exchange_header(exchange, "Content-Type"),
		exchange->response, exchange->response_len, &said);
	error_set(err, ERR_FORWARD,
		"%s answered %d without proof that it knows the key of this cluster: %s",
		peer->server, exchange->status, said.message);
	return error_hint(err, "do both hosts have the same vms_dir?");
}

int forward_probe(struct forward *forward, const struct peer *peer, struct error *err)
{
	cleanup_forward_head struct forward_head head = {0};
	struct http_exchange exchange = {
		.method = "GET", .target = "/healthz", .timeout_ms = PROBE_MS};

	if (!forward->proof)
		return error_set(err, ERR_UNAVAILABLE, "this host has no key of the cluster");
	forward_head_add(&head, FORWARD_LOOP_HEADER, "1");
	int result = exchange_proven(forward, peer, &head, &exchange, err);
	http_exchange_clear(&exchange);
	return result;
}

/* The body of the answer to a request of our own, which is to be one of 200; NULL with err. */
static char *ask(struct forward *forward, const char *host, struct http_exchange *exchange,
	size_t *len, struct error *err)
{
	cleanup_forward_head struct forward_head head = {0};
	struct peer peer;
	char *body = NULL;

	if (!peers_find(forward->peers, host, &peer) || !peer.proven) {
		error_set(err, ERR_UNAVAILABLE, "host %s has not proven itself", host);
		return NULL;
	}
	forward_head_add(&head, FORWARD_LOOP_HEADER, "1");
	if (exchange_proven(forward, &peer, &head, exchange, err) == 0) {
		if (exchange->status == 200) {
			*len = exchange->response_len;
			body = steal(&exchange->response);
		} else {
			http_problem_read(exchange->status,
				http_exchange_header(exchange, "Content-Type"), exchange->response,
				exchange->response_len, err);
		}
	}
	http_exchange_clear(exchange);
	return body;
}

char *forward_fetch_within(struct forward *forward, const char *host, const char *target,
	unsigned timeout_ms, size_t *len, struct error *err)
{
	struct http_exchange exchange = {
		.method = "GET", .target = target, .timeout_ms = timeout_ms};

	return ask(forward, host, &exchange, len, err);
}

char *forward_fetch(struct forward *forward, const char *host, const char *target, size_t *len,
	struct error *err)
{
	return forward_fetch_within(forward, host, target, SHORT_MS, len, err);
}

char *forward_post(struct forward *forward, const char *host, const char *target, const char *body,
	size_t len, size_t *answer_len, struct error *err)
{
	struct http_exchange exchange = {
		.method = "POST",
		.target = target,
		.body = body,
		.body_len = len,
		.timeout_ms = POST_MS,
	};

	return ask(forward, host, &exchange, answer_len, err);
}

/* The name that lists show, or serf's; for what went wrong. */
static void name_host(struct call *call, const char *host, const char *otherwise)
{
	cleanup_host struct host row = {0};
	struct error ignored = {0};
	bool found = inventory_get_host(call->daemon->inventory, host, &row, &ignored) == 0;

	snprintf(call->failed, sizeof(call->failed), "%s",
		found && !str_is_empty(row.name) ? row.name : otherwise);
}

static int check_target(struct call *call, const char *host, struct peer *peer, struct error *err)
{
	struct forward *forward = call->daemon->forward;
	bool known = forward && peers_find(forward->peers, host, peer);

	bool came_by = call->peer[0] ||
		       !str_is_empty(http_request_header(call->request, FORWARD_LOOP_HEADER));

	if (!came_by && known && peers_is_believed(forward->peers, host))
		return 0;
	name_host(call, host, known ? peer->name : host);
	if (came_by)
		return error_set(err, ERR_LOOP,
			"this was forwarded to host %s, but to its knowledge it is for host %s",
			call->daemon->host_name, call->failed);
	if (!known || peer->cstate != CSTATE_ACTIVE)
		return error_set(err, ERR_UNAVAILABLE,
			"host %s, where this would run, is not active: %s", call->failed,
			!known                          ? "no member of the cluster has its UUID"
			: peer->cstate == CSTATE_FAILED ? "serf says that it has failed"
							: "serf says that it has left");
	if (peer->old) {
		error_set(err, ERR_UNAVAILABLE,
			"host %s runs another implementation, which proves nothing", call->failed);
		return error_hint(err, "allow_old_peers = yes trusts such hosts");
	}
	return error_set(err, ERR_UNAVAILABLE,
		"host %s has not proven that it knows the key of this cluster: %s", call->failed,
		peer->why[0] ? peer->why : "it was not asked yet");
}

void forward_note_operation(struct forward *forward, const char *id, const char *host)
{
	pthread_mutex_lock(&forward->lock);
	struct begun *begun = &forward->begun[forward->next_begun++ % OPERATIONS];
	str_copy(begun->id, sizeof(begun->id), id);
	str_copy(begun->host, sizeof(begun->host), host);
	pthread_mutex_unlock(&forward->lock);
}

/* What a client was told to ask about it asks us. */
static void note_operation(
	struct forward *forward, const struct http_exchange *exchange, const char *host)
{
	static const char place[] = "/operations/";
	const char *location = http_exchange_header(exchange, "Location");
	char id[UUID_TEXT_SIZE];

	if (exchange->status != 202 || !location || !str_starts_with(location, place) ||
		!uuid_canonical(location + strlen(place), id))
		return;
	forward_note_operation(forward, id, host);
}

bool forward_find_operation(
	struct forward *forward, const char *id, char host[static UUID_TEXT_SIZE])
{
	char canonical[UUID_TEXT_SIZE];
	bool found = false;

	if (!forward || !uuid_canonical(id, canonical))
		return false;
	pthread_mutex_lock(&forward->lock);
	for (size_t i = 0; i < OPERATIONS && !found; i++) {
		found = str_equal(forward->begun[i].id, canonical);
		if (found)
			memcpy(host, forward->begun[i].host, UUID_TEXT_SIZE);
	}
	pthread_mutex_unlock(&forward->lock);
	return found;
}

static void make_exchange(const struct call *call, struct http_exchange *exchange)
{
	const struct http_request *request = call->request;
	unsigned flags = call->route->flags;
	bool takes_body = flags & (ROUTE_BODY | ROUTE_ARGUMENTS) && request->body_len;

	*exchange = (struct http_exchange){
		/* What HEAD leaves out is left out by our own server. */
		.method = call->route->method,
		.target = request->target,
		.body = takes_body ? request->body : NULL,
		.body_len = takes_body ? request->body_len : 0,
		.timeout_ms = flags & ROUTE_LONG ? LONG_MS : SHORT_MS,
	};
}

static int send_on(struct call *call, const struct peer *peer, struct http_exchange *exchange,
	struct error *err)
{
	struct forward *forward = call->daemon->forward;
	bool is_short = !(call->route->flags & ROUTE_LONG);
	cleanup_forward_head struct forward_head head = {0};
	struct error cause = {0};

	if (is_short && !peers_enter(forward->peers, peer->uuid)) {
		name_host(call, peer->uuid, peer->name);
		return error_set(err, ERR_UNAVAILABLE,
			"host %s does not answer: others wait for it already", call->failed);
	}
	forward_head_copy(&head, call->request);
	int result = exchange_proven(forward, peer, &head, exchange, &cause);
	if (is_short)
		peers_leave(forward->peers, peer->uuid, result == 0);
	if (result == 0)
		return 0;
	name_host(call, peer->uuid, peer->name);
	/* The contract has one status for all of these. */
	error_set(err, ERR_FORWARD, "host %s: %s", call->failed, cause.message);
	return cause.hint[0] ? error_hint(err, "%s", cause.hint) : -1;
}

/* ---- the short cut, without a thread that waits (http/relay.h) ---- */

struct relayed {
	struct forward *forward;
	char proof[PROOF_HEADER_SIZE];
};

static bool take_reply(
	void *context, struct http_exchange *exchange, struct http_response *response)
{
	const struct relayed *relayed = context;

	if (!proof_check_answer(relayed->forward->proof, relayed->proof, exchange->status,
		    exchange->response, exchange->response_len,
		    http_exchange_header(exchange, PROOF_ANSWER_HEADER)))
		return false;
	forward_pass_back(exchange, response);
	return true;
}

/* For what the other host answers from memory. */
static bool is_relayable(const struct call *call, const struct peer *peer)
{
	return call->request->exchange && call->route->flags & ROUTE_FAST &&
	       !(call->route->flags & ROUTE_CHANGE) && !peer->old;
}

/* True when the request has left, and is not ours any more. */
static bool relay(struct call *call, const struct peer *peer, struct http_exchange *exchange)
{
	struct forward *forward = call->daemon->forward;
	cleanup_forward_head struct forward_head head = {0};

	if (!is_relayable(call, peer) || !http_relay_is_open(call->request, peer->server))
		return false;
	forward_head_copy(&head, call->request);
	address(forward, peer, &head, exchange);
	cleanup_free struct relayed *relayed = xmalloc(sizeof(*relayed));
	relayed->forward = forward;
	memcpy(relayed->proof, head.proof, sizeof(relayed->proof));
	bool sent = http_relay_send(call->request,
		&(struct http_relay_call){peer->server, exchange, take_reply, relayed},
		call->response);
	if (sent)
		relayed = NULL;
	return sent;
}

/* The next one can take the short cut, on the connection that this one has found or opened. */
static void open_relay(const struct call *call, const struct peer *peer)
{
	if (!is_relayable(call, peer) || http_relay_is_open(call->request, peer->server))
		return;
	int fd = http_pool_take(call->daemon->forward->pool, peer->server);
	if (fd >= 0)
		http_relay_lend(call->request, peer->server, fd);
}

int forward_call(struct call *call, const char *host, struct error *err)
{
	struct http_exchange exchange;
	struct peer peer;

	if (check_target(call, host, &peer, err) < 0)
		return -1;
	make_exchange(call, &exchange);
	if (!call->request->may_wait) {
		if (!relay(call, &peer, &exchange))
			call->response->fate = HTTP_AGAIN;
		return 0;
	}
	int result = send_on(call, &peer, &exchange, err);
	if (result == 0) {
		note_operation(call->daemon->forward, &exchange, host);
		forward_pass_back(&exchange, call->response);
		open_relay(call, &peer);
	}
	http_exchange_clear(&exchange);
	return result;
}

/* ---- what others send us ---- */

/* True when nothing was said of that address for a minute; the oldest one is forgotten for it. */
static bool may_complain(struct forward *forward, const char *address)
{
	int64_t now = clock_ms();

	pthread_mutex_lock(&forward->lock);
	struct complaint *found = &forward->complaints[0];
	for (size_t i = 0; i < COMPLAINTS; i++) {
		struct complaint *complaint = &forward->complaints[i];

		if (complaint->at_ms && str_equal(complaint->address, address)) {
			found = complaint;
			break;
		}
		if (complaint->at_ms < found->at_ms)
			found = complaint;
	}
	bool known = found->at_ms && str_equal(found->address, address);
	/* With more addresses than places, all of them together once a minute is enough. */
	bool may = !found->at_ms || now - found->at_ms >= COMPLAIN_MS;
	if (may) {
		found->at_ms = now;
		if (!known)
			str_copy(found->address, sizeof(found->address), address);
	}
	pthread_mutex_unlock(&forward->lock);
	return may;
}

static int judge(struct forward *forward, const struct http_request *request, const char *value,
	char sender[static UUID_TEXT_SIZE], struct error *err)
{
	const struct proof_request covered = {
		request->method, request->target, request->body, request->body_len};

	if (!forward)
		return error_set(err, ERR_FORBIDDEN, "this host belongs to no cluster");
	if (!forward->proof)
		return error_set(err, ERR_FORBIDDEN, "this host has no key of the cluster");
	if (proof_check(forward->proof, value, &covered, clock_wall_ms(), sender, err) == 0)
		return 0;
	return -1;
}

int forward_identify(struct forward *forward, const struct http_request *request,
	char sender[static UUID_TEXT_SIZE], struct error *err)
{
	const char *value = http_request_header(request, PROOF_HEADER);

	sender[0] = '\0';
	if (!value || judge(forward, request, value, sender, err) == 0)
		return 0;
	if (forward && may_complain(forward, request->client))
		log_warning("what claims to be a host of the cluster is refused", "reason",
			err->message);
	return -1;
}

void forward_sign(
	struct forward *forward, const struct http_request *request, struct http_response *response)
{
	bool empty = !response->body || response->status == 204 || response->status == 304;
	char value[HASH_HEX_SIZE];

	proof_make_answer(forward->proof, http_request_header(request, PROOF_HEADER),
		response->status ? response->status : 200,
		empty ? NULL : http_body_data(response->body),
		empty ? 0 : http_body_len(response->body), value);
	http_response_header(response, PROOF_ANSWER_HEADER, value);
}
