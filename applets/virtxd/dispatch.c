/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a request to its handler, in this order: 403 Host and Origin, 403 a host that proves
 * nothing, 404 and 405, 415, 400 JSON, 404 {id}, to its host when that is another one, 503 libvirt
 * or storage away, 422 foreign, 500 not understood, 422 wrong state. What a route's flags ask for
 * is checked here, so that no handler forgets it.
 */
#include "access.h"
#include "ask_hosts.h"
#include "background.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"
#include "forward.h"
#include "http/problem.h"
#include "model/json.h"
#include "path.h"
#include "readiness.h"
#include "routes.h"
#include "vm_ops.h"

#include <strings.h>

/* HEAD is answered as GET; the server leaves the body out. */
static bool method_fits(const struct route *route, const char *method)
{
	return str_equal(route->method, str_equal(method, "HEAD") ? "GET" : method);
}

/* The route of a request and its {id}. NULL: *path_known tells whether another method has that
 * path. */
static const struct route *find_route(
	const struct http_request *request, char id[static PATH_ID_SIZE], bool *path_known)
{
	*path_known = false;
	for (const struct route *route = routes; route->method; route++) {
		if (!path_match(route->path, request->target, id))
			continue;
		*path_known = true;
		if (method_fits(route, request->method))
			return route;
	}
	return NULL;
}

/* Every method of that path, for the header Allow. */
static void allow_methods(struct call *call)
{
	char allow[128] = "", id[PATH_ID_SIZE];

	for (const struct route *route = routes; route->method; route++) {
		size_t used = strlen(allow);

		if (path_match(route->path, call->request->target, id))
			snprintf(allow + used, sizeof(allow) - used, "%s%s%s", used ? ", " : "",
				route->method, str_equal(route->method, "GET") ? ", HEAD" : "");
	}
	http_response_header(call->response, "Allow", allow);
}

static int choose_route(struct call *call, struct error *err)
{
	bool path_known;

	call->route = find_route(call->request, call->id, &path_known);
	if (call->route)
		return 0;
	if (!path_known)
		return error_set(err, ERR_NOT_FOUND, "there is no such path");
	allow_methods(call);
	return error_set(err, ERR_METHOD, "%.32s does not work here", call->request->method);
}

static bool is_json(const char *type)
{
	const char *json = "application/json";
	size_t len = strlen(json);

	return strncasecmp(type, json, len) == 0 && strchr("; \t", type[len]);
}

/* A page elsewhere can send a form here without asking, but not JSON. */
static int check_content_type(const struct call *call, struct error *err)
{
	const char *type = http_request_header(call->request, "Content-Type");

	if (!(call->route->flags & ROUTE_CHANGE) || (!type && !call->request->body_len))
		return 0;
	if (type && is_json(type))
		return 0;
	return error_set(err, ERR_MEDIA_TYPE, "Content-Type must be application/json, not %.100s",
		type ? type : "missing");
}

/* Routes that take no body ignore one. */
static int read_body(struct call *call, struct error *err)
{
	const struct http_request *request = call->request;
	bool needed = call->route->flags & ROUTE_BODY;

	if (!needed && !(call->route->flags & ROUTE_ARGUMENTS))
		return 0;
	if (request->body_len && json_parse(request->body, request->body_len, &call->body, err) < 0)
		return error_prefix(err, "body");
	if (needed && !call->body)
		return error_set(err, ERR_INVALID, "body: a JSON object is needed");
	if (call->body && !json_object_is_type(call->body, json_type_object))
		return error_set(err, ERR_INVALID, "body: must be a JSON object");
	return 0;
}

/* Notes where the request belongs when that is not here. */
static int note_owner(struct call *call, const char *host_uuid)
{
	if (!str_equal(host_uuid, call->daemon->host_uuid))
		str_copy(call->elsewhere, sizeof(call->elsewhere), host_uuid);
	return 0;
}

/* A host that the body names and that is not known is the handler's to refuse. */
static int find_target(struct call *call, struct error *err)
{
	cleanup_free char *host = NULL;
	char uuid[UUID_TEXT_SIZE];
	struct error unknown = {0};

	if (json_get_string(call->body, "host", "", &host, err) < 0)
		return -1;
	if (str_is_empty(host) || str_equal(host, call->daemon->host_name) ||
		inventory_find_host(call->daemon->inventory, host, uuid, &unknown) < 0)
		return 0;
	return note_owner(call, uuid);
}

/* An operation of another host is one whose begin went through here, or one that others know. A
 * host asks for our own only. */
static void find_operation(struct call *call)
{
	struct daemon *daemon = call->daemon;

	if (!forward_find_operation(daemon->forward, call->id, call->elsewhere) &&
		!operations_has(daemon->operations, call->id) && !call->peer[0])
		ask_hosts_for_operation(daemon, call->id, call->elsewhere);
}

static int find_subject(struct call *call, struct error *err)
{
	struct inventory *inventory = call->daemon->inventory;

	if (call->route->flags & ROUTE_VM) {
		if (inventory_find_vm(inventory, call->id, &call->vm, err) < 0) {
			call->left = call->route->flags & ROUTE_LEFT && vm_ops_find_left(call);
			if (!call->left)
				return -1;
			error_clear(err);
		}
		return call->route->flags & ROUTE_OWNER ? note_owner(call, call->vm.host_uuid) : 0;
	}
	if (call->route->flags & ROUTE_HOST) {
		if (inventory_find_host(inventory, call->id, call->host, err) < 0)
			return -1;
		return call->route->flags & ROUTE_OWNER ? note_owner(call, call->host) : 0;
	}
	if (call->route->flags & ROUTE_OPERATION)
		find_operation(call);
	return call->route->flags & ROUTE_TARGET ? find_target(call, err) : 0;
}

static int check_state(const struct call *call, struct error *err)
{
	unsigned flags = call->route->flags;
	char why[256];

	if (flags & ROUTE_LIBVIRT &&
		!hypervisor_is_connected(call->daemon->hypervisor, why, sizeof(why)))
		return error_set(err, ERR_UNAVAILABLE, "libvirt: %s", why);
	if (flags & ROUTE_STORAGE && readiness_check_storage(call->daemon->readiness, err) < 0)
		return -1;
	if (flags & ROUTE_OWN && !call->left &&
		collector_check_own(call->daemon->collector, call->vm.uuid, err) < 0)
		return -1;
	if (flags & ROUTE_OFF && call->vm.runstate != RUNSTATE_POWEROFF &&
		call->vm.runstate != RUNSTATE_CRASHED) {
		error_set(err, ERR_STATE, "VM %s is %s; it must be off for this", call->vm.name,
			enum_name(&runstate_names, (int)call->vm.runstate));
		return error_hint(err, "shut it down first");
	}
	return 0;
}

static int dispatch(struct call *call, struct error *err)
{
	if (access_check(call->daemon->access, call->request, err) < 0 ||
		forward_identify(call->daemon->forward, call->request, call->peer, err) < 0 ||
		choose_route(call, err) < 0 || check_content_type(call, err) < 0 ||
		read_body(call, err) < 0 || find_subject(call, err) < 0)
		return -1;
	if (call->elsewhere[0])
		return forward_call(call, call->elsewhere, err);
	if (check_state(call, err) < 0)
		return -1;
	if (background_is_wanted(call))
		return background_run(call, err);
	return call->route->handle(call, err);
}

/* Changes are always in the log, other requests only in the access log (daemon.c). */
static void log_change(const struct call *call, const struct error *err)
{
	const struct http_request *request = call->request;
	bool forwarded = call->peer[0];

	if (!call->route || !(call->route->flags & ROUTE_CHANGE))
		return;
	log_info("request", "method", call->request->method, "path", call->route->path, "id",
		call->id[0] ? call->id : NULL, "for",
		forwarded ? http_request_header(request, "X-Forwarded-For") : NULL, "origin",
		forwarded ? http_request_header(request, "X-Request-Id") : NULL, "status",
		LOG_NUM(call->response->status), "reason", error_is_set(err) ? err->message : NULL);
}

void routes_handle(void *daemon, const struct http_request *request, struct http_response *response)
{
	struct call call = {.daemon = daemon, .request = request, .response = response};
	struct error err = {0};

	log_set_context(request->id, request->client);
	int result = dispatch(&call, &err);
	if (response->fate != HTTP_ANSWERED) { /* the request may be gone already */
		json_object_put(call.body);
		log_clear_context();
		return;
	}
	if (result < 0)
		http_problem_set(response, request, &err, 0,
			call.failed[0] ? call.failed : call.daemon->host_name);
	if (call.peer[0])
		forward_sign(call.daemon->forward, request, response);
	log_change(&call, &err);
	json_object_put(call.body);
	log_clear_context();
}

/* As far as the path tells. A VM that moves meanwhile is a rare guest on the wrong thread. */
static bool is_elsewhere(struct daemon *daemon, const struct route *route, const char *id)
{
	struct error ignored = {0};
	struct vm_place vm;
	char host[UUID_TEXT_SIZE];

	if (route->flags & ROUTE_OPERATION)
		return forward_find_operation(daemon->forward, id, host) ||
		       !operations_has(daemon->operations, id);
	if (!daemon->forward || !(route->flags & ROUTE_OWNER))
		return false;
	if (route->flags & ROUTE_VM)
		return inventory_find_vm(daemon->inventory, id, &vm, &ignored) == 0 &&
		       !str_equal(vm.host_uuid, daemon->host_uuid);
	return inventory_find_host(daemon->inventory, id, host, &ignored) == 0 &&
	       !str_equal(host, daemon->host_uuid);
}

int call_check_peer(struct call *call, struct error *err)
{
	if (!call->peer[0])
		return error_set(err, ERR_FORBIDDEN,
			"this is for hosts of the cluster, which prove that they are");
	if (!str_equal(call->host, call->daemon->host_uuid))
		return error_set(err, ERR_UNAVAILABLE, "that is host %s, this one is %s",
			call->host, call->daemon->host_uuid);
	return 0;
}

enum http_class routes_classify(void *daemon, const struct http_request *request)
{
	char id[PATH_ID_SIZE];
	bool path_known;
	const struct route *route = find_route(request, id, &path_known);

	if (!route)
		return HTTP_FAST;
	if (route->flags & ROUTE_LONG)
		return HTTP_LONG;
	/* One that is another host's begins here too, and mostly needs no thread (forward.h). */
	if (route->flags & ROUTE_FAST && route->flags & ROUTE_OWNER)
		return HTTP_FAST;
	if (is_elsewhere(daemon, route, id) ||
		(route->flags & ROUTE_ALL && strstr(request->query, "all")))
		return HTTP_REMOTE;
	return route->flags & ROUTE_FAST ? HTTP_FAST : HTTP_SLOW;
}

int call_read_switch(const struct call *call, const char *name, bool *value, struct error *err)
{
	const char *position = call->request->query;

	*value = false;
	for (;;) {
		cleanup_free char *given = NULL, *text = NULL;
		int status = http_query_next(&position, &given, &text, err);

		if (status <= 0)
			return status;
		if (!str_equal(given, name))
			return error_set(err, ERR_INVALID,
				"there is no query parameter \"%.64s\" here", given);
		if (!str_parse_bool(text, value))
			return error_set(
				err, ERR_INVALID, "%s: true or false, not %.64s", name, text);
	}
}

int call_answer_json(struct call *call, int status, struct json_object *json)
{
	http_response_json(call->response, status, json);
	json_object_put(json);
	return 0;
}

int call_answer(struct call *call, int status)
{
	call->response->status = status;
	return 0;
}
