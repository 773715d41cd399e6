/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serf client as other threads see it: start, stop and requests. */
#include "cluster/serf.h"

#include "base/clock.h"
#include "base/str.h"
#include "cluster/serf_private.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#define HARD_LIMIT 9216 /* of an event's size, in every agent */
#define OVERHEAD   38   /* bytes that the agent adds to name and payload, at most */

/* ---- start and stop ---- */

/* "host:port" or "[address]:port" in its parts. */
static int split_address(struct serf *serf, const char *address, struct error *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool bracketed = len > 2 && address[0] == '[' && address[len - 1] == ']';
	int64_t port;

	if (!colon || len == 0 || !str_parse_int(colon + 1, 1, UINT16_MAX, &port) ||
		(!bracketed && (memchr(address, ':', len) || address[0] == '[')))
		return error_set(err, ERR_INVALID,
			"\"%s\" is not the address of a serf agent: host:port or [address]:port",
			address);
	serf->host = bracketed ? xstrndup(address + 1, len - 2) : xstrndup(address, len);
	serf->port = xstrdup(colon + 1);
	return 0;
}

static void serf_free(struct serf *serf)
{
	for (size_t i = 0; i < serf->n_tags; i++) {
		free(serf->tags[i].name);
		free(serf->tags[i].value);
	}
	free(serf->tags);
	free((char *)serf->config.address);
	free((char *)serf->config.key);
	free(serf->host);
	free(serf->port);
	buf_free(serf->queue);
	buf_free(serf->sending);
	if (serf->wake >= 0)
		close(serf->wake);
	pthread_mutex_destroy(&serf->lock);
	free(serf);
}

/* Under the lock, which the thread takes first: it finds its own id in place. */
static int run(struct serf *serf)
{
	pthread_mutex_lock(&serf->lock);
	int status = pthread_create(&serf->thread, NULL, serf_connection_main, serf);
	pthread_mutex_unlock(&serf->lock);
	return status;
}

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value ? value : fallback;
}

struct serf *serf_start(const struct serf_config *config, struct error *err)
{
	struct serf *serf = xcalloc(1, sizeof(*serf));

	serf->config = *config;
	serf->config.address = xstrdup(config->address);
	serf->config.key = xstrdup(config->key ? config->key : "");
	serf->config.retry_ms = or_default(config->retry_ms, 5000);
	serf->config.answer_ms = or_default(config->answer_ms, 5000);
	serf->config.refresh_ms = or_default(config->refresh_ms, 30000);
	serf->queue = buf_new();
	serf->sending = buf_new();
	serf->limit = SERF_DEFAULT_LIMIT;
	serf->fd = -1;
	serf->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&serf->lock, NULL);
	error_set(&serf->cause, ERR_UNAVAILABLE, "serf agent %s: not connected yet",
		serf->config.address);
	int status = 0;
	if (serf->wake < 0)
		error_set_errno(err, ERR_INTERNAL, errno, "eventfd");
	else if (split_address(serf, config->address, err) == 0 && (status = run(serf)) != 0)
		error_set_errno(err, ERR_INTERNAL, status, "the serf client's thread");
	if (!error_is_set(err))
		return serf;
	serf_free(serf);
	return NULL;
}

static void wake(struct serf *serf)
{
	eventfd_write(serf->wake, 1);
}

void serf_stop(struct serf *serf)
{
	if (!serf)
		return;
	pthread_mutex_lock(&serf->lock);
	serf->stopping = true;
	pthread_mutex_unlock(&serf->lock);
	wake(serf);
	pthread_join(serf->thread, NULL);
	serf_free(serf);
}

int serf_check(struct serf *serf, struct error *err)
{
	pthread_mutex_lock(&serf->lock);
	bool connected = serf->connected;
	if (!connected)
		*err = serf->cause;
	pthread_mutex_unlock(&serf->lock);
	return connected ? 0 : -1;
}

/* ---- requests; called with the lock held ---- */

void serf_request_add(struct serf *serf, struct serf_request *request)
{
	request->seq = ++serf->last_seq;
	request->next = serf->requests;
	serf->requests = request;
	serf->n_requests++;
}

struct serf_request *serf_request_find(const struct serf *serf, uint64_t seq)
{
	struct serf_request *request = serf->requests;

	while (request && request->seq != seq)
		request = request->next;
	return request;
}

void serf_request_remove(struct serf *serf, struct serf_request *request)
{
	struct serf_request **link = &serf->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	serf->n_requests--;
}

bool serf_limit_learn(struct serf *serf, const char *error)
{
	static const char words[] = "limit of ";
	const char *number = strstr(error, words);

	if (!number || !strstr(error, "exceeds"))
		return false;
	unsigned long limit = strtoul(number + strlen(words), NULL, 10);
	if (limit > OVERHEAD && limit <= HARD_LIMIT)
		serf->limit = limit;
	return true;
}

void serf_request_finish(struct serf *serf, struct serf_request *request, const char *error)
{
	bool too_large = serf_limit_learn(serf, error);

	serf_request_remove(serf, request);
	if (request->kind == SERF_REQUEST_CALL) {
		if (*error)
			error_set(request->err, too_large ? ERR_TOO_LARGE : ERR_UNAVAILABLE,
				"serf agent: %s: %s", request->what, error);
		request->done = true;
		pthread_cond_signal(&request->answered);
	} else if (request->kind == SERF_REQUEST_POST) {
		free(request);
	}
}

/* Whether one more request can be queued. */
static int check_room(struct serf *serf, struct error *err)
{
	if (!serf->accepting) {
		*err = serf->cause;
		return -1;
	}
	if (serf->n_requests >= SERF_MAX_WAITING || serf->queue->bpos > SERF_MAX_QUEUE)
		return error_set(err, ERR_UNAVAILABLE,
			"serf agent: %zu requests wait for an answer, and no more may",
			serf->n_requests);
	return 0;
}

/* Waits for a request that was queued, and takes it back when it is late. */
static int wait_answer(struct serf *serf, struct serf_request *request, unsigned timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;
	int status = 0;

	while (!request->done && status != ETIMEDOUT)
		status = clock_wait(&request->answered, &serf->lock, deadline);
	if (request->done)
		return error_is_set(request->err) ? -1 : 0;
	serf_request_remove(serf, request);
	return error_set(request->err, ERR_TIMEOUT, "serf agent: %s: no answer within %u ms",
		request->what, timeout_ms);
}

/* ---- requests ---- */

/* What is asked, for the one function that packs it under the lock. */
struct question {
	const char *what;
	enum serf_message_kind body;
	const char *name, *status;
	const void *payload;
	size_t len;
	const struct serf_tag *tags;
	size_t n_tags;
};

static void pack(struct serf *serf, const struct question *question, uint64_t seq)
{
	if (question->payload)
		serf_rpc_put_event(
			serf->queue, seq, question->name, question->payload, question->len);
	else if (question->tags)
		serf_rpc_put_tags(serf->queue, seq, question->tags, question->n_tags);
	else if (!question->status)
		serf_rpc_put_stats(serf->queue, seq);
	else
		serf_rpc_put_members_filtered(serf->queue, seq, question->status, question->name);
}

/* Asks and waits. *request has the members afterwards. */
static int ask(struct serf *serf, const struct question *question, struct serf_request *request,
	unsigned timeout_ms, struct error *err)
{
	if (pthread_equal(pthread_self(), serf->thread))
		return error_set(err, ERR_INTERNAL, "serf: a callback would wait for itself");
	*request = (struct serf_request){
		.kind = SERF_REQUEST_CALL,
		.what = question->what,
		.body = question->body,
		.err = err,
	};
	pthread_cond_init(&request->answered, NULL);
	pthread_mutex_lock(&serf->lock);
	int status = check_room(serf, err);
	if (status == 0) {
		serf_request_add(serf, request);
		pack(serf, question, request->seq);
		wake(serf);
		status = wait_answer(serf, request, timeout_ms);
	}
	pthread_mutex_unlock(&serf->lock);
	pthread_cond_destroy(&request->answered);
	return status;
}

/* What no agent would take. */
static int check_event(const char *name, size_t len, struct error *err)
{
	if (strlen(name) > SERF_MAX_NAME)
		return error_set(err, ERR_INVALID, "the name of an event is too long");
	if (len > HARD_LIMIT)
		return error_set(err, ERR_TOO_LARGE,
			"serf agent: an event of %zu bytes, more than %d", len, HARD_LIMIT);
	return 0;
}

int serf_send_event(struct serf *serf, const char *name, const void *payload, size_t len,
	unsigned timeout_ms, struct error *err)
{
	struct question question = {
		.what = "event", .name = name, .payload = payload ? payload : "", .len = len};
	struct serf_request request;

	if (check_event(name, len, err) < 0)
		return -1;
	return ask(serf, &question, &request, timeout_ms, err);
}

int serf_post_event(
	struct serf *serf, const char *name, const void *payload, size_t len, struct error *err)
{
	if (check_event(name, len, err) < 0)
		return -1;
	pthread_mutex_lock(&serf->lock);
	int status = check_room(serf, err);
	if (status == 0) {
		struct serf_request *request = xcalloc(1, sizeof(*request));

		request->kind = SERF_REQUEST_POST;
		request->what = "event";
		serf_request_add(serf, request);
		serf_rpc_put_event(serf->queue, request->seq, name, payload ? payload : "", len);
		wake(serf);
	}
	pthread_mutex_unlock(&serf->lock);
	return status;
}

size_t serf_max_payload(struct serf *serf, const char *name)
{
	pthread_mutex_lock(&serf->lock);
	size_t limit = serf->limit;
	pthread_mutex_unlock(&serf->lock);
	size_t used = OVERHEAD + strlen(name);
	return limit > used ? limit - used : 0;
}

/* Keeps a tag for the next connections; false when there are too many. Called with the lock. */
static bool keep_tag(struct serf *serf, const struct serf_tag *tag)
{
	size_t at = 0;

	while (at < serf->n_tags && !str_equal(serf->tags[at].name, tag->name))
		at++;
	if (at == SERF_MAX_TAGS)
		return false;
	if (at == serf->n_tags) {
		serf->tags = xreallocarray(serf->tags, ++serf->n_tags, sizeof(*serf->tags));
		serf->tags[at] = (struct serf_tag){.name = xstrdup(tag->name)};
	}
	free(serf->tags[at].value);
	serf->tags[at].value = xstrdup_or_null(tag->value);
	return true;
}

int serf_set_tags(struct serf *serf, const struct serf_tag *tags, size_t count, unsigned timeout_ms,
	struct error *err)
{
	struct question question = {.what = "tags", .tags = tags, .n_tags = count};
	struct serf_request request;
	bool kept = true;

	if (count == 0)
		return 0;
	pthread_mutex_lock(&serf->lock);
	for (size_t i = 0; i < count && kept; i++)
		kept = keep_tag(serf, &tags[i]);
	pthread_mutex_unlock(&serf->lock);
	if (!kept)
		return error_set(err, ERR_INVALID, "serf: more than %d tags", SERF_MAX_TAGS);
	return ask(serf, &question, &request, timeout_ms, err);
}

int serf_list_members(struct serf *serf, const char *status, const char *name,
	struct serf_member **members, size_t *count, unsigned timeout_ms, struct error *err)
{
	struct question question = {
		.what = "members", .status = status, .name = name, .body = SERF_MESSAGE_MEMBERS};
	struct serf_request request;

	*members = NULL;
	*count = 0;
	if (ask(serf, &question, &request, timeout_ms, err) < 0)
		return -1;
	*members = request.members;
	*count = request.n_members;
	return 0;
}

int serf_is_encrypted(struct serf *serf, bool *encrypted, unsigned timeout_ms, struct error *err)
{
	struct question question = {.what = "stats", .body = SERF_MESSAGE_STATS};
	struct serf_request request;

	if (ask(serf, &question, &request, timeout_ms, err) < 0)
		return -1;
	*encrypted = str_equal(request.encrypted, "true");
	if (!*encrypted && !str_equal(request.encrypted, "false"))
		return error_set(
			err, ERR_UNSUPPORTED, "serf agent: it does not tell whether it encrypts");
	return 0;
}
