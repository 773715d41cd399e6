/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths, Host and Origin, the order of the dispatcher's checks, answers in the background. */
#include "applets/virtxd/access.h"
#include "applets/virtxd/background.h"
#include "applets/virtxd/collector.h"
#include "applets/virtxd/path.h"
#include "applets/virtxd/routes.h"
#include "base/file.h"
#include "base/str.h"
#include "folder_fixture.h"
#include "model/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OWN_UUID   "aaaaaaaa-0000-0000-0000-000000000001"
#define OTHER_UUID "bbbbbbbb-0000-0000-0000-000000000002"
#define VM_UUID    "11111111-0000-0000-0000-000000000001"
#define FAR_UUID   "22222222-0000-0000-0000-000000000002"

static void test_path_match(void **state)
{
	static const struct {
		const char *route, *target, *id; /* id NULL: no match */
	} rows[] = {
		{"/vms", "/vms", ""},
		{"/vms", "/vms?name=x/y", ""},
		{"/vms", "/vms/", NULL},
		{"/vms", "/vm", NULL},
		{"/vms", "/vmsx", NULL},
		{"/vms", "//vms", NULL},
		{"/vms", "/", NULL},
		{"/vms", "", NULL},
		{"/vms", "*", NULL},
		{"/vms", "http://host:1/vms?x", ""},
		{"/vms/{id}", "/vms/web", "web"},
		{"/vms/{id}", "/vms/w%65b%20x", "web x"},
		{"/vms/{id}", "/vms/", NULL},
		{"/vms/{id}", "/vms/a/b", NULL},
		{"/vms/{id}", "/vms/a%2fb", NULL},
		{"/vms/{id}", "/vms/a%2", NULL},
		{"/vms/{id}", "/vms/a%00", NULL},
		{"/vms/{id}", "/vms/%ff", NULL},
		{"/vms/{id}", "/vms/..",
			".."}, /* a name like any other: it is looked up, not opened */
		{"/vms/{id}/runstate", "/vms/web/runstate", "web"},
		{"/vms/{id}/runstate", "/vms/web/runstat", NULL},
		{"/vms/{id}/runstate", "/vms//runstate", NULL},
		{"/vms/{id}/runstate", "/vms/web/runstate/boot", NULL},
		{"/openapi.yaml", "/openapi.yaml", ""},
	};
	char id[PATH_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (path_match(rows[i].route, rows[i].target, id) != (rows[i].id != NULL))
			fail_msg("%s against %s", rows[i].target, rows[i].route);
		if (rows[i].id)
			assert_string_equal(id, rows[i].id);
	}
	char long_target[400] = "/vms/";
	memset(long_target + 5, 'a', 300);
	assert_false(path_match("/vms/{id}", long_target, id));
}

static void add_host(struct inventory *inventory, const char *uuid, const char *name)
{
	struct host host = {.name = (char *)name, .cstate = CSTATE_ACTIVE};

	str_copy(host.uuid, sizeof(host.uuid), uuid);
	inventory_put_host(inventory, &host);
}

/* Whether a request with that Host and Origin (NULL: none) passes. */
static bool passes(struct access *access, const char *host, const char *origin)
{
	struct http_request request = {.host = host};
	struct error err = {0};

	if (origin)
		request.headers[request.n_headers++] = (struct http_header){"origin", origin};
	int result = access_check(access, &request, &err);
	assert_int_equal(err.code, result == 0 ? ERR_NONE : ERR_FORBIDDEN);
	return result == 0;
}

static void test_hosts(void **state)
{
	static const char *const good[] = {"127.0.0.1:8080", "127.0.0.1", "127.0.0.1:9",
		"localhost", "LOCALHOST:1", "virt1", "VIRT1:8080", "virt2:8080", ":8080", "",
		"[::1]:8080", "[::1]"};
	static const char *const bad[] = {"evil.com", "evil.com:8080", "localhost.evil.com",
		"127.0.0.1.evil.com", "127.0.0.2", "[::2]", "[::1", "::1",
		"localhost:", "localhost:x", "localhost:99999", "localhost:80:80", "virt3",
		"more.example", "a@localhost"};
	char *listen[] = {(char *)"127.0.0.1:8080", (char *)"[::1]:0", NULL};
	char *allowed[] = {(char *)"More.example", NULL};
	struct inventory *inventory = inventory_new();
	struct access *access = access_new(listen, "virt1", inventory);

	(void)state;
	add_host(inventory, OTHER_UUID, "virt2");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!passes(access, good[i], NULL))
			fail_msg("Host: %s was refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (passes(access, bad[i], NULL))
			fail_msg("Host: %s was accepted", bad[i]);
	access_set_allowed(access, allowed);
	assert_true(passes(access, "more.EXAMPLE:1", NULL));
	assert_false(passes(access, "evil.com", NULL));
	access_free(access);
	inventory_free(inventory);
}

static void test_hosts_on_every_address(void **state)
{
	static char *const wildcards[] = {
		(char *)":8080", (char *)"0.0.0.0:8080", (char *)"[::]:8080"};

	(void)state;
	for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
		char *listen[] = {wildcards[i], NULL};
		struct inventory *inventory = inventory_new();
		struct access *access = access_new(listen, "virt1", inventory);

		assert_true(passes(access, "10.99.0.1:8080", NULL));
		assert_true(passes(access, "[2001:db8::1]:8080", NULL));
		assert_false(passes(access, "evil.com", NULL));
		assert_false(passes(access, "10.99.0.1.evil.com", NULL));
		access_free(access);
		inventory_free(inventory);
	}
}

static void test_origins(void **state)
{
	char *listen[] = {(char *)"127.0.0.1:8080", NULL};
	struct inventory *inventory = inventory_new();
	struct access *access = access_new(listen, "virt1", inventory);

	(void)state;
	assert_true(passes(access, "localhost:8080", "http://localhost:8080"));
	assert_true(passes(access, "localhost:8080", "HTTP://LOCALHOST:8080"));
	assert_false(passes(access, "localhost:8080", "http://localhost"));
	assert_false(passes(access, "localhost:8080", "http://localhost:8081"));
	assert_false(passes(access, "localhost:8080", "https://localhost:8080"));
	assert_false(passes(access, "localhost:8080", "http://127.0.0.1:8080"));
	assert_false(passes(access, "localhost:8080", "http://evil.com"));
	assert_false(passes(access, "localhost:8080", "null"));
	assert_false(passes(access, "localhost:8080", ""));
	access_free(access);
	inventory_free(inventory);
}

/* A daemon without threads but libvirt's, which finds nothing to connect to. */
static char *own_listen[] = {(char *)"127.0.0.1:8080", NULL};

static void add_vm(struct inventory *inventory, const char *uuid, const char *host,
	const char *name, enum runstate runstate)
{
	struct vm_row row = {.name = (char *)name, .runstate = runstate};

	str_copy(row.uuid, sizeof(row.uuid), uuid);
	str_copy(row.host_uuid, sizeof(row.host_uuid), host);
	inventory_put_vm(inventory, &row);
}

static int setup_daemon(void **state)
{
	struct daemon *daemon = xcalloc(1, sizeof(*daemon));
	struct error err = {0};

	config_init(settings_rows, &daemon->settings);
	str_copy(daemon->host_uuid, sizeof(daemon->host_uuid), OWN_UUID);
	str_copy(daemon->host_name, sizeof(daemon->host_name), "virt1");
	daemon->inventory = inventory_new();
	daemon->collector = collector_new(daemon);
	daemon->access = access_new(own_listen, daemon->host_name, daemon->inventory);
	daemon->hypervisor = hypervisor_start(
		&(struct hypervisor_config){.uri = "test:///nonexistent/file.xml"}, &err);
	assert_non_null(daemon->hypervisor);
	add_host(daemon->inventory, OWN_UUID, "virt1");
	add_host(daemon->inventory, OTHER_UUID, "virt2");
	add_vm(daemon->inventory, VM_UUID, OWN_UUID, "web", RUNSTATE_RUNNING);
	add_vm(daemon->inventory, FAR_UUID, OTHER_UUID, "far", RUNSTATE_RUNNING);
	*state = daemon;
	return 0;
}

static int teardown_daemon(void **state)
{
	struct daemon *daemon = *state;

	hypervisor_stop(daemon->hypervisor);
	collector_free(daemon->collector);
	access_free(daemon->access);
	inventory_free(daemon->inventory);
	settings_free(&daemon->settings);
	free(daemon);
	return 0;
}

struct answer {
	int status;
	char *body, *headers;
};

/* One request, as the server would hand it over. headers: name and value pairs, then NULL. */
static struct answer ask(struct daemon *daemon, const char *method, const char *target,
	const char *body, const char *const *headers)
{
	struct http_request request = {
		.method = method,
		.target = target,
		.query = strchr(target, '?') ? strchr(target, '?') + 1 : "",
		.host = "127.0.0.1:8080",
		.body = body ? body : "",
		.body_len = body ? strlen(body) : 0,
		.client = "127.0.0.1",
	};
	struct http_response response = {.status = 200, .type = "application/json"};
	struct answer answer = {0};

	for (; headers && headers[0]; headers += 2)
		request.headers[request.n_headers++] = (struct http_header){headers[0], headers[1]};
	request.path = request.path_storage;
	str_copy(request.path_storage, sizeof(request.path_storage), target);
	routes_handle(daemon, &request, &response);
	answer.status = response.status;
	answer.body = response.body ? xstrndup(http_body_data(response.body),
					      http_body_len(response.body))
				    : xstrdup("");
	answer.headers = response.headers ? response.headers : xstrdup("");
	http_body_unref(response.body);
	return answer;
}

static void assert_answer(struct daemon *daemon, const char *method, const char *target,
	const char *body, const char *const *headers, int status, const char *part)
{
	struct answer answer = ask(daemon, method, target, body, headers);

	if (answer.status != status || !strstr(answer.body, part))
		fail_msg("%s %s: %d %s", method, target, answer.status, answer.body);
	free(answer.body);
	free(answer.headers);
}

static const char *const as_json[] = {"Content-Type", "application/json; charset=utf-8", NULL};
static const char *const as_text[] = {"Content-Type", "text/plain", NULL};

static void test_answers_from_memory(void **state)
{
	struct daemon *daemon = *state;

	assert_answer(daemon, "GET", "/healthz", NULL, NULL, 200, "\"ok\"");
	assert_answer(daemon, "HEAD", "/healthz", NULL, NULL, 200, "");
	assert_answer(daemon, "GET", "/vms", NULL, NULL, 200, VM_UUID);
	assert_answer(daemon, "GET", "/vms", "null\n", as_json, 200, FAR_UUID);
	assert_answer(daemon, "GET", "/vms?name=we", NULL, NULL, 200, VM_UUID);
	assert_answer(daemon, "GET", "/vms?name=none", NULL, NULL, 200, "{\"items\":[]}");
	assert_answer(daemon, "GET", "/vms", "{\"filter\":{\"name\":\"none\"}}", NULL, 200,
		"{\"items\":[]}");
	assert_answer(daemon, "GET", "/vms?limit=1", NULL, NULL, 200, "\"next\":");
	assert_answer(daemon, "GET", "/vms/web/runstate", "ignored {", NULL, 200,
		"{\"runstate\":4,\"host\":\"" OWN_UUID "\"}");
	assert_answer(daemon, "GET", "/vms/far/runstate", NULL, NULL, 200, OTHER_UUID);
	assert_answer(daemon, "GET", "/hosts?name=virt2", NULL, NULL, 200, OTHER_UUID);
	assert_answer(daemon, "GET", "/hosts/virt1", NULL, NULL, 200, "\"resources\"");
	assert_answer(daemon, "GET", "/version", NULL, NULL, 200, "\"version\"");
	assert_answer(daemon, "GET", "/openapi.yaml", NULL, NULL, 200, "openapi: 3.1.0");
}

static void test_order_of_checks(void **state)
{
	static const char *const foreign[] = {"Origin", "http://evil.com", NULL};
	struct daemon *daemon = *state;

	assert_answer(daemon, "PATCH", "/nope", NULL, foreign, 403, "forbidden");
	assert_answer(daemon, "PATCH", "/nope", NULL, NULL, 404, "not-found");
	assert_answer(daemon, "PATCH", "/vms/none", "x", as_text, 405, "method-not-allowed");
	assert_answer(daemon, "PUT", "/vms/none", "x", as_text, 415, "media-type");
	assert_answer(daemon, "PUT", "/vms/none", "x", NULL, 415, "missing");
	assert_answer(daemon, "PUT", "/vms/none", "", as_text, 415, "media-type");
	assert_answer(daemon, "PUT", "/vms/none", "x", as_json, 400, "body: not JSON");
	assert_answer(daemon, "PUT", "/vms/none", NULL, NULL, 400, "object is needed");
	assert_answer(daemon, "PUT", "/vms/none", "null", as_json, 400, "object is needed");
	assert_answer(daemon, "PUT", "/vms/none", "[]", as_json, 400, "JSON object");
	assert_answer(daemon, "PUT", "/vms/none", "{}", as_json, 404, "not-found");
	assert_answer(daemon, "PUT", "/vms/far", "{}", as_json, 503, "virt2");
	assert_answer(daemon, "PUT", "/vms/web", "{}", as_json, 503, "libvirt");
	assert_answer(daemon, "POST", "/vms/web/runstate/pause", NULL, NULL, 503, "libvirt");
	assert_answer(
		daemon, "DELETE", "/vms/web/runstate/boot", "null\n", as_json, 503, "libvirt");
	assert_answer(daemon, "GET", "/vms?limit=0", NULL, NULL, 400, "limit");
	assert_answer(daemon, "GET", "/vms?cursor=x", NULL, NULL, 400, "cursor");
	assert_answer(daemon, "GET", "/vms?nonsense=1", NULL, NULL, 400, "nonsense");
	assert_answer(daemon, "GET", "/vms?name=%zz", NULL, NULL, 400, "invalid");
	assert_answer(daemon, "GET", "/hosts/none", NULL, NULL, 404, "not-found");
	assert_answer(daemon, "GET", "/readyz", NULL, NULL, 503, "libvirt");
	add_vm(daemon->inventory, FAR_UUID, OTHER_UUID, "web", RUNSTATE_RUNNING);
	assert_answer(daemon, "GET", "/vms/web/runstate", NULL, NULL, 409, VM_UUID);
}

static void test_allow(void **state)
{
	struct answer answer = ask(*state, "OPTIONS", "/vms/web", NULL, NULL);

	assert_int_equal(answer.status, 405);
	assert_non_null(strstr(answer.headers, "Allow: GET, HEAD, PUT, DELETE\r\n"));
	assert_null(strstr(answer.headers, "Access-Control"));
	free(answer.body);
	free(answer.headers);
}

static void test_list_etag(void **state)
{
	struct daemon *daemon = *state;
	struct answer first = ask(daemon, "GET", "/vms", NULL, NULL);
	char tag[32];

	assert_int_equal(sscanf(first.headers, "ETag: %31s", tag), 1);
	const char *const known[] = {"If-None-Match", tag, NULL};
	inventory_set_runstate(daemon->inventory, VM_UUID, RUNSTATE_RUNNING, 99);
	assert_answer(daemon, "GET", "/vms", NULL, known, 304, "");
	assert_answer(daemon, "GET", "/vms", NULL, NULL, 200, "\"ts\":99");
	/* Nothing is asked for: the same list, however that is said. */
	assert_answer(daemon, "GET", "/vms", "{\"filter\":{\"name\":\"\"}}", known, 304, "");
	assert_answer(daemon, "GET", "/vms", "{\"filter\":{\"name\":\"far\"}}", known, 200, "far");
	assert_answer(
		daemon, "GET", "/vms", "{\"filter\":{\"vlanid\":\"\"}}", known, 400, "vlanid");
	inventory_set_runstate(daemon->inventory, VM_UUID, RUNSTATE_PAUSED, 100);
	assert_answer(daemon, "GET", "/vms", NULL, known, 200, "\"runstate\":5");
	free(first.body);
	free(first.headers);

	first = ask(daemon, "GET", "/hosts", NULL, NULL);
	assert_int_equal(sscanf(first.headers, "ETag: %31s", tag), 1);
	add_vm(daemon->inventory, VM_UUID, OWN_UUID, "renamed", RUNSTATE_RUNNING);
	assert_answer(daemon, "GET", "/hosts", NULL, known, 304, "");
	add_host(daemon->inventory, OTHER_UUID, "virt3");
	assert_answer(daemon, "GET", "/hosts", NULL, known, 200, "virt3");
	free(first.body);
	free(first.headers);
}

static void test_classes(void **state)
{
	struct http_request fast = {.method = "HEAD", .target = "/vms/x/runstate"};
	struct http_request slow = {.method = "GET", .target = "/vms/x/xml"};
	struct http_request lasting = {.method = "POST", .target = "/vms"};
	struct http_request unknown = {.method = "GET", .target = "/nope"};
	struct http_request own = {.method = "GET", .target = "/operations", .query = ""};
	struct http_request all = {.method = "GET", .target = "/operations", .query = "all=1"};

	assert_int_equal(routes_classify(*state, &fast), HTTP_FAST);
	assert_int_equal(routes_classify(*state, &slow), HTTP_SLOW);
	assert_int_equal(routes_classify(*state, &lasting), HTTP_LONG);
	assert_int_equal(routes_classify(*state, &unknown), HTTP_FAST);
	assert_int_equal(routes_classify(*state, &own), HTTP_FAST);
	assert_int_equal(routes_classify(*state, &all), HTTP_REMOTE);
}

static void test_switches(void **state)
{
	static const struct {
		const char *query;
		int result;
		bool value;
	} rows[] = {{"", 0, false}, {"all=true", 0, true}, {"all=no", 0, false},
		{"all=some", -1, false}, {"al=true", -1, false}, {"all=true&x=1", -1, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = {.query = rows[i].query};
		struct call call = {.request = &request};
		struct error err = {0};
		bool value;

		assert_int_equal(call_read_switch(&call, "all", &value, &err), rows[i].result);
		if (rows[i].result == 0)
			assert_int_equal(value, rows[i].value);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_table(void **state)
{
	(void)state;
	for (const struct route *route = routes; route->method; route++) {
		bool changes = !str_equal(route->method, "GET"),
		     has_id = strstr(route->path, "{id}");

		assert_non_null(route->handle);
		assert_true(*route->summary != '\0');
		assert_int_equal(changes, (route->flags & ROUTE_CHANGE) != 0);
		if (route->flags & (ROUTE_VM | ROUTE_HOST))
			assert_true(has_id);
		if (route->flags & (ROUTE_OFF | ROUTE_OWN))
			assert_true(route->flags & ROUTE_VM);
		for (const struct route *other = route + 1; other->method; other++)
			assert_false(str_equal(route->method, other->method) &&
				     str_equal(route->path, other->path));
	}
}

/* A long request that waits in its middle until the test lets it go on. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool may_end;
	bool begins; /* or fails before */
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int handle_slowly(struct call *call, struct error *err)
{
	assert_string_equal(call->request->target, "/long");
	assert_string_equal(http_request_header(call->request, "prefer"), "respond-async");
	if (!slow.begins)
		return error_set(err, ERR_STATE, "checked before");
	struct operation *operation =
		operations_begin(call->daemon->operations, "create", VM_UUID, "web", NULL, err);
	call_started(call, operation_id(operation));
	pthread_mutex_lock(&slow.lock);
	while (!slow.may_end)
		pthread_cond_wait(&slow.changed, &slow.lock);
	pthread_mutex_unlock(&slow.lock);
	operation_end(operation, NULL);
	return call_answer(call, 204);
}

static void test_background(void **state)
{
	static const struct route route = {"POST", "/long", ROUTE_LONG, handle_slowly, "Long"};
	cleanup_free char *dir = folder_make();
	struct daemon daemon = {0};
	struct error err = {0};

	(void)state;
	daemon.operations = operations_open(dir, &err);
	assert_non_null(daemon.operations);
	struct http_request request = {.method = "POST",
		.target = "/long",
		.query = "",
		.host = "localhost",
		.body = "",
		.client = "127.0.0.1",
		.headers = {{"Prefer", "respond-async"}},
		.n_headers = 1};
	request.path = request.path_storage;
	struct http_response response = {.status = 200};
	struct call call = {
		.daemon = &daemon, .route = &route, .request = &request, .response = &response};

	assert_true(background_is_wanted(&call));
	assert_int_equal(background_run(&call, &err), -1);
	assert_int_equal(err.code, ERR_STATE);
	error_clear(&err);

	slow.begins = true;
	assert_int_equal(background_run(&call, &err), 0);
	assert_int_equal(response.status, 202);
	assert_non_null(strstr(response.headers, "Location: /operations/"));
	assert_false(background_wait(0));
	pthread_mutex_lock(&slow.lock);
	slow.may_end = true;
	pthread_cond_signal(&slow.changed);
	pthread_mutex_unlock(&slow.lock);
	assert_true(background_wait(10000));
	http_body_unref(response.body);
	free(response.headers);
	operations_close(daemon.operations);
	cleanup_free char *file = xasprintf("%s/operations.json", dir);
	unlink(file);
	rmdir(dir);
}

static void test_prefer(void **state)
{
	static const struct {
		const char *value;
		bool wanted;
	} rows[] = {{"respond-async", true}, {"wait=5, Respond-Async;x=1", true},
		{"respond-asynchronous", false}, {"return=minimal", false}, {"", false}};
	struct route route = {.flags = ROUTE_LONG};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = {
			.headers = {{"Prefer", rows[i].value}}, .n_headers = 1};
		struct call call = {.route = &route, .request = &request};

		assert_int_equal(background_is_wanted(&call), rows[i].wanted);
	}
}

#define WITH_DAEMON(test) cmocka_unit_test_setup_teardown(test, setup_daemon, teardown_daemon)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_match),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_hosts_on_every_address),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_prefer),
		cmocka_unit_test(test_background),
		WITH_DAEMON(test_answers_from_memory),
		WITH_DAEMON(test_order_of_checks),
		WITH_DAEMON(test_allow),
		WITH_DAEMON(test_list_etag),
		WITH_DAEMON(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
