/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two threads share a struct background: the one that answers and the one that works. The last
 * frees it. */
#include "background.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/problem.h"

#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <time.h>

struct background {
	pthread_mutex_t lock; /* of everything below it */
	pthread_cond_t changed;
	bool ended, abandoned;
	char operation[UUID_TEXT_SIZE]; /* "": not begun */
	int result;
	struct error err;
	/* The worker's own, as the server's request ends with the answer. */
	struct call call;
	struct http_request request;
	struct http_response response;
};

static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_running = PTHREAD_COND_INITIALIZER;
static unsigned running; /* threads; under running_lock */

/* A Prefer header lists preferences with parameters; each starts with its name. */
static bool lists_preference(const char *value, const char *name)
{
	size_t len = strlen(name);

	while (*value) {
		value += strspn(value, ", \t");
		if (strncasecmp(value, name, len) == 0 && strchr(",; \t", value[len]))
			return true;
		value += strcspn(value, ",");
	}
	return false;
}

bool background_is_wanted(const struct call *call)
{
	const struct http_request *request = call->request;

	if (!(call->route->flags & ROUTE_LONG))
		return false;
	for (size_t i = 0; i < request->n_headers; i++)
		if (strcasecmp(request->headers[i].name, "Prefer") == 0 &&
			lists_preference(request->headers[i].value, "respond-async"))
			return true;
	return false;
}

/* A copy that owns its strings: what a handler reads. */
static void request_copy(struct http_request *to, const struct http_request *from)
{
	*to = (struct http_request){
		.method = xstrdup(from->method),
		.target = xstrdup(from->target),
		.query = xstrdup(from->query),
		.host = xstrdup(from->host),
		.body = xmemdup(from->body, from->body_len + 1),
		.body_len = from->body_len,
		.content_length = from->content_length,
		.client = xstrdup(from->client),
		.client_is_peer = from->client_is_peer,
		.n_headers = from->n_headers,
	};
	str_copy(to->path_storage, sizeof(to->path_storage), from->path);
	to->path = to->path_storage;
	memcpy(to->id, from->id, sizeof(to->id));
	for (size_t i = 0; i < from->n_headers; i++)
		to->headers[i] = (struct http_header){
			xstrdup(from->headers[i].name), xstrdup(from->headers[i].value)};
}

static void request_clear(struct http_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		free((char *)request->headers[i].name);
		free((char *)request->headers[i].value);
	}
	free((char *)request->method);
	free((char *)request->target);
	free((char *)request->query);
	free((char *)request->host);
	free((char *)request->body);
	free((char *)request->client);
}

static struct background *background_new(const struct call *call)
{
	struct background *work = xcalloc(1, sizeof(*work));

	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->changed, NULL);
	request_copy(&work->request, call->request);
	work->response = (struct http_response){.status = 200, .type = "application/json"};
	work->call = *call;
	work->call.request = &work->request;
	work->call.response = &work->response;
	work->call.body = json_object_get(call->body);
	work->call.background = work;
	return work;
}

static void background_free(struct background *work)
{
	json_object_put(work->call.body);
	http_body_unref(work->response.body);
	free(work->response.headers);
	request_clear(&work->request);
	pthread_cond_destroy(&work->changed);
	pthread_mutex_destroy(&work->lock);
	free(work);
}

void call_started(struct call *call, const char *operation_id)
{
	struct background *work = call->background;

	if (!work)
		return;
	pthread_mutex_lock(&work->lock);
	str_copy(work->operation, sizeof(work->operation), operation_id);
	pthread_cond_signal(&work->changed);
	pthread_mutex_unlock(&work->lock);
}

static void *background_work(void *context)
{
	struct background *work = context;
	struct error err = {0};

	log_set_context(work->request.id, work->request.client);
	int result = work->call.route->handle(&work->call, &err);
	pthread_mutex_lock(&work->lock);
	work->result = result;
	work->err = err;
	work->ended = true;
	bool abandoned = work->abandoned;
	pthread_cond_signal(&work->changed);
	pthread_mutex_unlock(&work->lock);
	if (abandoned) { /* the client was answered long ago; the operation's record tells it */
		if (result < 0)
			log_warning("background operation failed", "operation", work->operation,
				"reason", err.message);
		background_free(work);
	}
	pthread_mutex_lock(&running_lock);
	if (--running == 0)
		pthread_cond_broadcast(&none_running);
	pthread_mutex_unlock(&running_lock);
	return NULL;
}

/* Detached: nobody waits for one of them, only for all (background_wait). */
static int start_thread(struct background *work, struct error *err)
{
	pthread_attr_t detached;
	pthread_t thread;

	pthread_mutex_lock(&running_lock);
	running++;
	pthread_mutex_unlock(&running_lock);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int failure = pthread_create(&thread, &detached, background_work, work);
	pthread_attr_destroy(&detached);
	if (!failure)
		return 0;
	pthread_mutex_lock(&running_lock);
	running--;
	pthread_mutex_unlock(&running_lock);
	return error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
}

static int answer_accepted(struct call *call, const char *operation)
{
	cleanup_free char *location = xasprintf("/operations/%s", operation);
	struct error err = {0};
	struct json_object *json = operation_find_json(call->daemon->operations, operation, &err);

	http_response_header(call->response, "Location", location);
	http_response_header(call->response, "Preference-Applied", "respond-async");
	return json ? call_answer_json(call, 202, json) : call_answer(call, 202);
}

/* Moves the worker's answer to the call that waits. */
static int take_answer(struct call *call, struct background *work, struct error *err)
{
	*err = work->err;
	*call->response = work->response;
	work->response = (struct http_response){0};
	return work->result;
}

int background_run(struct call *call, struct error *err)
{
	struct background *work = background_new(call);
	char operation[UUID_TEXT_SIZE];

	if (start_thread(work, err) < 0) {
		background_free(work);
		return -1;
	}
	pthread_mutex_lock(&work->lock);
	while (!work->operation[0] && !work->ended)
		pthread_cond_wait(&work->changed, &work->lock);
	memcpy(operation, work->operation, sizeof(operation));
	bool ended = work->ended;
	work->abandoned = !ended;
	pthread_mutex_unlock(&work->lock);
	/* From here on an unfinished worker has it alone. */
	int result = operation[0] ? answer_accepted(call, operation) : take_answer(call, work, err);
	if (ended)
		background_free(work);
	return result;
}

bool background_wait(unsigned timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;

	pthread_mutex_lock(&running_lock);
	while (running && clock_wait(&none_running, &running_lock, deadline) != ETIMEDOUT)
		;
	bool all_ended = running == 0;
	pthread_mutex_unlock(&running_lock);
	return all_ended;
}
