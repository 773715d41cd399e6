/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a request to one for another host, and from its answer to ours: see forward.h. */
#include "forward.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/proof.h"
#include "http/pool.h"
#include "http/problem.h"

#include <pthread.h>
#include <strings.h>

#define CONNECT_MS 3000
#define SHORT_MS   10000
#define POST_MS    30000 /* what is asked for may look at storage and libvirt */
/* Minutes, or hours: whoever is gone without a word is noticed by TCP (http/client_socket.c). */
#define LONG_MS       (12 * 3600 * 1000)
#define PROBE_MS      2000
#define IDLE_MS       30000
#define LOOP_HEADER   "X-VirtX-Loop"
#define FORWARDED_FOR "X-Forwarded-For"
#define OWN_HEADERS   4
#define OPERATIONS    1000
#define COMPLAINTS    64 /* addresses */
#define COMPLAIN_MS   60000

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

/* ---- headers ---- */

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strcasecmp(name, *list) == 0)
			return true;
	return false;
}

/* Those of one connection (RFC 9110, 7.6.1). */
static const char *const hop_by_hop[] = {"Connection", "Keep-Alive", "Proxy-Connection",
	"Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
	"Upgrade", NULL};
/* Those that we write ourselves, have looked at already, or that nobody may claim. */
static const char *const not_sent_on[] = {"Host", "Content-Length", "Expect", "Origin",
	"Accept-Encoding", "X-Request-Id", LOOP_HEADER, FORWARDED_FOR, PROOF_HEADER, NULL};
static const char *const not_passed_back[] = {
	"Content-Length", "Content-Type", "Date", "X-Request-Id", PROOF_ANSWER_HEADER, NULL};

/* Whether a Connection header names another one as belonging to the connection too. */
static bool is_named(const struct http_header *headers, size_t count, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < count; i++) {
		const char *at = headers[i].value;

		if (strcasecmp(headers[i].name, "Connection") != 0)
			continue;
		while (*at) {
			at += strspn(at, ", \t");
			if (strncasecmp(at, name, len) == 0 && strchr(", \t", at[len]))
				return true;
			at += strcspn(at, ", \t");
		}
	}
	return false;
}

/* What a request to another host is made of. */
struct outgoing {
	const char *headers[HTTP_MAX_HEADERS + OWN_HEADERS + 1][2]; /* ends with NULLs */
	size_t n_headers;
	char *forwarded_for;
	char proof[PROOF_HEADER_SIZE];
	char host[sizeof(((struct peer *)NULL)->name) + sizeof(":8080")];
};

static void add(struct outgoing *outgoing, const char *name, const char *value)
{
	outgoing->headers[outgoing->n_headers][0] = name;
	outgoing->headers[outgoing->n_headers++][1] = value;
}

/* Every client's address that this request has come by, ours last. */
static char *list_clients(const struct http_request *request)
{
	char *list = NULL;

	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, FORWARDED_FOR) != 0)
			continue;
		cleanup_free char *before = list;
		list = xasprintf("%s%s, ", before ? before : "", request->headers[i].value);
	}
	if (!list)
		return xstrdup(request->client);
	cleanup_free char *before = list;
	return xasprintf("%s%s", before, request->client);
}

static void make_headers(struct outgoing *outgoing, const struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct http_header *header = &request->headers[i];

		if (!is_one_of(header->name, hop_by_hop) && !is_one_of(header->name, not_sent_on) &&
			!is_named(request->headers, request->n_headers, header->name))
			add(outgoing, header->name, header->value);
	}
	outgoing->forwarded_for = list_clients(request);
	add(outgoing, FORWARDED_FOR, outgoing->forwarded_for);
	add(outgoing, "X-Request-Id", request->id);
	add(outgoing, LOOP_HEADER, "1");
}

/* The server keeps no copy of a type: one of those that hosts use. */
static const char *known_type(const char *type)
{
	static const char *const types[] = {"application/json", "application/problem+json",
		"application/xml", "application/yaml", "text/plain; charset=utf-8", "text/plain"};

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(type, types[i]) == 0)
			return types[i];
	return "application/octet-stream";
}

/* Status, headers and body, which is taken over. */
static void pass_back(struct http_exchange *exchange, struct http_response *response)
{
	const struct http_header *headers = exchange->response_headers;
	size_t count = exchange->n_response_headers;

	response->status = exchange->status;
	response->type = known_type(http_exchange_header(exchange, "Content-Type"));
	for (size_t i = 0; i < count; i++)
		if (!is_one_of(headers[i].name, hop_by_hop) &&
			!is_one_of(headers[i].name, not_passed_back) &&
			!is_named(headers, count, headers[i].name))
			http_response_header(response, headers[i].name, headers[i].value);
	if (exchange->response_len)
		response->body = http_body_new(steal(&exchange->response), exchange->response_len);
}

/* ---- one exchange ---- */

/*
 * The exchange, with a proof and its answer's where the peer is not old. ERR_FORWARD when the
 * answer is not proven: then it is no answer of a host of this cluster.
 */
static int exchange_proven(struct forward *forward, const struct peer *peer,
	struct outgoing *outgoing, struct http_exchange *exchange, struct error *err)
{
	if (peer->old) {
		/* They are used to names. */
		snprintf(outgoing->host, sizeof(outgoing->host), "%s:8080", peer->name);
		exchange->host = outgoing->host;
	} else {
		proof_make(forward->proof, peer->uuid,
			&(struct proof_request){exchange->method, exchange->target, exchange->body,
				exchange->body_len},
			outgoing->proof);
		add(outgoing, PROOF_HEADER, outgoing->proof);
	}
	exchange->headers = (const char *const(*)[2])outgoing->headers;
	exchange->connect_timeout_ms = CONNECT_MS;
	exchange->max_response = FORWARD_MAX_ANSWER;
	if (http_pool_exchange(forward->pool, peer->server, exchange, err) < 0)
		return -1;
	if (peer->old || proof_check_answer(forward->proof, outgoing->proof, exchange->status,
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
	struct outgoing outgoing = {0};
	struct http_exchange exchange = {
		.method = "GET", .target = "/healthz", .timeout_ms = PROBE_MS};

	if (!forward->proof)
		return error_set(err, ERR_UNAVAILABLE, "this host has no key of the cluster");
	add(&outgoing, LOOP_HEADER, "1");
	int result = exchange_proven(forward, peer, &outgoing, &exchange, err);
	http_exchange_clear(&exchange);
	return result;
}

/* The body of the answer to a request of our own, which is to be one of 200; NULL with err. */
static char *ask(struct forward *forward, const char *host, struct http_exchange *exchange,
	size_t *len, struct error *err)
{
	struct outgoing outgoing = {0};
	struct peer peer;
	char *body = NULL;

	if (!peers_find(forward->peers, host, &peer) || !peer.proven) {
		error_set(err, ERR_UNAVAILABLE, "host %s has not proven itself", host);
		return NULL;
	}
	add(&outgoing, LOOP_HEADER, "1");
	if (exchange_proven(forward, &peer, &outgoing, exchange, err) == 0) {
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

	bool came_by =
		call->peer[0] || !str_is_empty(http_request_header(call->request, LOOP_HEADER));

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
	struct outgoing outgoing = {0};
	struct error cause = {0};

	if (is_short && !peers_enter(forward->peers, peer->uuid)) {
		name_host(call, peer->uuid, peer->name);
		return error_set(err, ERR_UNAVAILABLE,
			"host %s does not answer: others wait for it already", call->failed);
	}
	make_headers(&outgoing, call->request);
	int result = exchange_proven(forward, peer, &outgoing, exchange, &cause);
	free(outgoing.forwarded_for);
	if (is_short)
		peers_leave(forward->peers, peer->uuid, result == 0);
	if (result == 0)
		return 0;
	name_host(call, peer->uuid, peer->name);
	/* The contract has one status for all of these. */
	error_set(err, ERR_FORWARD, "host %s: %s", call->failed, cause.message);
	return cause.hint[0] ? error_hint(err, "%s", cause.hint) : -1;
}

int forward_call(struct call *call, const char *host, struct error *err)
{
	struct http_exchange exchange;
	struct peer peer;

	if (check_target(call, host, &peer, err) < 0)
		return -1;
	make_exchange(call, &exchange);
	int result = send_on(call, &peer, &exchange, err);
	if (result == 0) {
		note_operation(call->daemon->forward, &exchange, host);
		pass_back(&exchange, call->response);
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
