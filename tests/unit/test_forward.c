/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests for another host: what reaches it, what comes back, who is believed. The other host is
 * a server of the test's own that proves itself as ours do, or does not.
 */
#include "applets/virtxd/access.h"
#include "applets/virtxd/collector.h"
#include "applets/virtxd/forward.h"
#include "base/buf.h"
#include "base/str.h"
#include "cluster/proof.h"
#include "http_raw.h"

#include <stdatomic.h>

#define OWN_UUID   "aaaaaaaa-0000-0000-0000-000000000001"
#define OTHER_UUID "bbbbbbbb-0000-0000-0000-000000000002"
#define VM_UUID    "22222222-0000-0000-0000-000000000002"
#define OPERATION  "33333333-0000-0000-0000-000000000003"

static const uint8_t key[PROOF_KEY_SIZE] = "one key of thirty-two bytes, yes";
static const uint8_t other_key[PROOF_KEY_SIZE] = "one key of thirty-two bytes, not";
static char *own_listen[] = {(char *)"127.0.0.1:8080", NULL};

static struct daemon here;
/* The other host. */
static struct http_server *there;
static struct peers *no_peers;
static struct forward *there_forward;
static atomic_bool is_silent, signs_nothing;
static atomic_uint asked, held;

/* Tells what it was sent. */
static void echo(
	const struct http_request *request, const char *sender, struct http_response *response)
{
	cleanup_buf struct printbuf *text = buf_new();

	buf_format(text, "%s %s from %s\n", request->method, request->target, sender);
	for (size_t i = 0; i < request->n_headers; i++)
		buf_format(text, "%s: %s\n", request->headers[i].name, request->headers[i].value);
	buf_format(text, "\n%s", request->body);
	http_response_text(response, 200, "text/plain", text->buf);
	http_response_header(response, "ETag", "\"7\"");
	http_response_header(response, "Location", "/x");
	http_response_header(response, "Keep-Alive", "timeout=1");
}

static void answer_there(
	void *context, const struct http_request *request, struct http_response *response)
{
	char sender[UUID_TEXT_SIZE];
	struct error err = {0};

	(void)context;
	atomic_fetch_add(&asked, 1);
	if (forward_identify(there_forward, request, sender, &err) < 0) {
		http_response_text(response, 403, "text/plain", err.message);
		return;
	}
	atomic_fetch_add(&held, 1);
	for (int i = 0; atomic_load(&is_silent) && i < 4000; i++)
		poll(NULL, 0, 5);
	atomic_fetch_sub(&held, 1);
	if (strstr(request->target, "/xml")) {
		response->status = 204;
		http_response_header(response, "Warning", "299 VirtX \"x\"");
	} else if (http_request_header(request, "Prefer")) {
		http_response_text(response, 202, "application/json", "{}");
		http_response_header(response, "Location", "/operations/" OPERATION);
	} else if (strstr(request->target, "/migrate")) {
		http_response_text(response, 424, "application/problem+json",
			"{\"detail\":\"x\",\"code\":\"capacity\",\"hint\":\"less\"}");
	} else {
		echo(request, sender, response);
	}
	if (sender[0] && !atomic_load(&signs_nothing))
		forward_sign(there_forward, request, response);
}

static enum http_class classify_there(void *context, const struct http_request *request)
{
	(void)context;
	(void)request;
	return HTTP_SLOW;
}

static struct peer peer_there(void)
{
	struct peer peer = {.name = "virt2",
		.uuid = OTHER_UUID,
		.address = "127.0.0.1",
		.cstate = CSTATE_ACTIVE};

	str_copy(peer.server, sizeof(peer.server), http_server_address(there, 0));
	return peer;
}

static void start_there(const uint8_t *its_key)
{
	struct error err = {0};

	no_peers = peers_new(OTHER_UUID, false);
	there_forward = forward_new(no_peers, its_key, OTHER_UUID);
	there = http_server_start(
		&(struct http_server_config){
			.listen = (const char *const[]){"127.0.0.1:0", NULL},
			.threads = 8,
			.classify = classify_there,
			.handle = answer_there,
		},
		&err);
	if (!there)
		fail_msg("%s", err.message);
}

static void stop_there(void)
{
	http_server_stop(there, 1000);
	forward_free(there_forward);
	peers_free(no_peers);
}

static void add_host(const char *uuid, const char *name)
{
	struct host host = {.name = (char *)name, .cstate = CSTATE_ACTIVE};

	str_copy(host.uuid, sizeof(host.uuid), uuid);
	inventory_put_host(here.inventory, &host);
}

static int set_up(void **state)
{
	struct vm_row row = {.uuid = VM_UUID, .host_uuid = OTHER_UUID, .name = (char *)"far"};

	(void)state;
	here = (struct daemon){.host_uuid = OWN_UUID, .host_name = "virt1"};
	config_init(settings_rows, &here.settings);
	here.inventory = inventory_new();
	here.collector = collector_new(&here);
	here.access = access_new(own_listen, here.host_name, here.inventory);
	here.peers = peers_new(OWN_UUID, false);
	here.forward = forward_new(here.peers, key, OWN_UUID);
	add_host(OWN_UUID, "virt1");
	add_host(OTHER_UUID, "virt2");
	inventory_put_vm(here.inventory, &row);
	atomic_store(&is_silent, false);
	atomic_store(&signs_nothing, false);
	atomic_store(&asked, 0);
	start_there(key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	forward_free(here.forward);
	peers_free(here.peers);
	access_free(here.access);
	collector_free(here.collector);
	inventory_free(here.inventory);
	settings_free(&here.settings);
	stop_there();
	return 0;
}

/* Makes the other host a member, which has proven itself when asked. */
static void join(bool probe)
{
	struct peer peer = peer_there();
	struct error err = {0};

	assert_true(peers_put(here.peers, &peer));
	if (!probe)
		return;
	if (forward_probe(here.forward, &peer, &err) < 0)
		fail_msg("%s", err.message);
	peers_set_proven(here.peers, &peer, true, "");
	assert_true(peers_is_believed(here.peers, OTHER_UUID));
	atomic_store(&asked, 0);
}

struct answer {
	int status;
	char *body, *headers;
	const char *type;
};

static struct answer ask(
	const char *method, const char *target, const char *body, const char *const *headers)
{
	struct http_request request = {
		.method = method,
		.target = target,
		.query = "",
		.host = "127.0.0.1:8080",
		.body = body ? body : "",
		.body_len = body ? strlen(body) : 0,
		.client = "192.0.2.7",
		.id = "request-1",
		.may_wait = true,
	};
	struct http_response response = {.status = 200, .type = "application/json"};

	for (; headers && headers[0]; headers += 2)
		request.headers[request.n_headers++] = (struct http_header){headers[0], headers[1]};
	request.path = request.path_storage;
	str_copy(request.path_storage, sizeof(request.path_storage), target);
	routes_handle(&here, &request, &response);
	struct answer answer = {
		.status = response.status,
		.body = response.body ? xstrndup(http_body_data(response.body),
						http_body_len(response.body))
				      : xstrdup(""),
		.headers = response.headers ? response.headers : xstrdup(""),
		.type = response.type,
	};
	http_body_unref(response.body);
	return answer;
}

static void answer_free(struct answer *answer)
{
	free(answer->body);
	free(answer->headers);
}

static void assert_has(const char *text, const char *part)
{
	if (!strcasestr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strcasestr(text, part))
		fail_msg("\"%s\" in: %s", part, text);
}

static void assert_answer(const char *method, const char *target, const char *const *headers,
	int status, const char *part)
{
	struct answer answer = ask(method, target, NULL, headers);

	if (answer.status != status)
		fail_msg("%s %s: %d %s", method, target, answer.status, answer.body);
	assert_has(answer.body, part);
	answer_free(&answer);
}

static void test_what_is_sent_and_comes_back(void **state)
{
	static const char *const headers[] = {"If-Match", "\"5\"", "Connection", "X-Mine, close",
		"X-Mine", "gone", "TE", "gzip", "Upgrade", "h2c", "Accept-Encoding", "gzip",
		"X-Forwarded-For", "192.0.2.1", "X-Request-Id", "forged", "Content-Type",
		"application/json", "User-Agent", "test", NULL};

	(void)state;
	join(true);
	struct answer answer = ask("PUT", "/vms/far?a=%20b", "{\"vmdef\":{}}", headers);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.type, "text/plain");
	assert_has(answer.body, "PUT /vms/far?a=%20b from " OWN_UUID "\n");
	assert_has(answer.body, "If-Match: \"5\"\n");
	assert_has(answer.body, "User-Agent: test\n");
	assert_has(answer.body, "X-Forwarded-For: 192.0.2.1, 192.0.2.7\n");
	assert_has(answer.body, "X-Request-Id: request-1\n");
	assert_has(answer.body, "X-VirtX-Loop: 1\n");
	assert_has(answer.body, "\n\n{\"vmdef\":{}}");
	assert_lacks(answer.body, "X-Mine");
	assert_lacks(answer.body, "gzip");
	assert_lacks(answer.body, "h2c");
	assert_lacks(answer.body, "forged");
	assert_has(answer.headers, "ETag: \"7\"\r\n");
	assert_has(answer.headers, "Location: /x\r\n");
	assert_lacks(answer.headers, "Keep-Alive");
	assert_lacks(answer.headers, "Content-Length");
	assert_lacks(answer.headers, "X-Request-Id");
	assert_lacks(answer.headers, PROOF_ANSWER_HEADER);
	answer_free(&answer);
	/* A body goes only where the route takes one; HEAD is our own affair. */
	answer = ask("GET", "/hosts/virt2", "null\n", NULL);
	assert_lacks(answer.body, "null");
	answer_free(&answer);
	assert_answer("HEAD", "/hosts/virt2", NULL, 200, "GET /hosts/virt2");
	/* Others' words pass through, too. */
	answer = ask("GET", "/vms/far/xml", NULL, NULL);
	assert_int_equal(answer.status, 204);
	assert_has(answer.headers, "Warning: 299");
	answer_free(&answer);
	answer = ask("GET", "/vms/far/runstate/migrate", NULL, NULL);
	assert_int_equal(answer.status, 424);
	assert_string_equal(answer.type, "application/problem+json");
	assert_string_equal(
		answer.body, "{\"detail\":\"x\",\"code\":\"capacity\",\"hint\":\"less\"}");
	answer_free(&answer);
	assert_int_equal(atomic_load(&asked), 5);
}

/* POST /vms goes where its body says. */
static void test_the_body_names_the_host(void **state)
{
	static const char *const as_json[] = {"Content-Type", "application/json", NULL};

	(void)state;
	join(true);
	struct answer answer = ask("POST", "/vms", "{\"host\":\"virt2\",\"vmdef\":{}}", as_json);
	assert_has(answer.body, "POST /vms from");
	answer_free(&answer);
	answer = ask("PUT", "/vms/" VM_UUID "/register", "{\"host\":\"" OTHER_UUID "\"}", as_json);
	assert_has(answer.body, "PUT /vms/" VM_UUID "/register from");
	answer_free(&answer);
}

/* Whoever was told to wait asks the host that told him. */
static void test_operations_are_found_again(void **state)
{
	static const char *const later[] = {"Prefer", "respond-async", NULL};
	char host[UUID_TEXT_SIZE];

	(void)state;
	join(true);
	assert_false(forward_find_operation(here.forward, OPERATION, host));
	struct answer answer = ask("DELETE", "/vms/far", NULL, later);
	assert_int_equal(answer.status, 202);
	assert_has(answer.headers, "Location: /operations/" OPERATION "\r\n");
	answer_free(&answer);
	assert_answer("GET", "/operations/" OPERATION, NULL, 200, "GET /operations/" OPERATION);
	assert_answer("DELETE", "/operations/" OPERATION, NULL, 200, "DELETE /operations/");
}

static void test_no_request_goes_twice(void **state)
{
	static const char *const loop[] = {"x-virtx-loop", "yes", NULL};
	struct proof *proof = proof_new(key, OTHER_UUID);
	char value[PROOF_HEADER_SIZE];
	const char *const proven[] = {PROOF_HEADER, value, NULL};

	(void)state;
	join(true);
	assert_answer("GET", "/vms/far", loop, 508, "virt2");
	proof_make(proof, OWN_UUID, &(struct proof_request){"GET", "/vms/far", NULL, 0}, value);
	assert_answer("GET", "/vms/far", proven, 508, "\"loop");
	assert_int_equal(atomic_load(&asked), 0);
	proof_free(proof);
}

static void test_who_proves_nothing_gets_nothing(void **state)
{
	struct peer peer = peer_there();

	(void)state;
	assert_answer("GET", "/vms/far", NULL, 503, "no member");
	join(false);
	assert_answer("GET", "/vms/far", NULL, 503, "not proven");
	peer.old = true;
	peers_put(here.peers, &peer);
	assert_answer("GET", "/vms/far", NULL, 503, "another implementation");
	peer.old = false;
	join(true);
	assert_answer("GET", "/vms/far", NULL, 200, "GET /vms/far");
	peer.cstate = CSTATE_FAILED;
	peers_put(here.peers, &peer);
	assert_answer("GET", "/vms/far", NULL, 503, "has failed");
	peer.cstate = CSTATE_LEFT;
	peers_put(here.peers, &peer);
	assert_answer("GET", "/vms/far", NULL, 503, "has left");
	/* Back again, it has to prove itself anew. */
	peer.cstate = CSTATE_ACTIVE;
	peers_put(here.peers, &peer);
	assert_answer("GET", "/vms/far", NULL, 503, "not proven");
	assert_int_equal(atomic_load(&asked), 1);
}

/* Another host has its UUID and address, but not the key. */
static void test_a_stranger_is_found_out(void **state)
{
	struct error err = {0};

	(void)state;
	stop_there();
	start_there(other_key);
	struct peer peer = peer_there();
	peers_put(here.peers, &peer);
	assert_int_equal(forward_probe(here.forward, &peer, &err), -1);
	assert_int_equal(err.code, ERR_FORWARD);
	assert_has(err.message, "another key");
	/* One that answers everybody and signs nothing. */
	stop_there();
	start_there(key);
	join(true);
	atomic_store(&signs_nothing, true);
	assert_answer("GET", "/vms/far", NULL, 502, "without proof");
	assert_answer("GET", "/vms/far", NULL, 503, "not proven");
	assert_int_equal(atomic_load(&asked), 1);
}

static void test_claims_without_key_are_refused(void **state)
{
	struct proof *stranger = proof_new(other_key, OTHER_UUID);
	char value[PROOF_HEADER_SIZE];
	const char *const headers[] = {PROOF_HEADER, value, NULL};

	(void)state;
	proof_make(
		stranger, OWN_UUID, &(struct proof_request){"GET", "/hosts/virt1", NULL, 0}, value);
	assert_answer("GET", "/hosts/virt1", headers, 403, "another key");
	str_copy(value, sizeof(value), "yes");
	assert_answer("GET", "/hosts/virt1", headers, 403, "malformed");
	proof_free(stranger);
	struct proof *other = proof_new(key, OTHER_UUID);
	proof_make(other, OWN_UUID, &(struct proof_request){"GET", "/hosts/virt1", NULL, 0}, value);
	struct answer answer = ask("GET", "/hosts/virt1", NULL, headers);
	assert_int_equal(answer.status, 200);
	assert_has(answer.headers, PROOF_ANSWER_HEADER ": ");
	char *proof = strcasestr(answer.headers, PROOF_ANSWER_HEADER ": ") +
		      strlen(PROOF_ANSWER_HEADER ": ");
	*strstr(proof, "\r") = '\0';
	assert_true(proof_check_answer(other, value, 200, answer.body, strlen(answer.body), proof));
	answer_free(&answer);
	assert_answer("GET", "/hosts/virt1", headers, 403, "used before");
	proof_free(other);
	/* A client is a client. */
	assert_answer("GET", "/hosts/virt1", NULL, 200, "virt1");
}

static void test_a_host_that_is_gone(void **state)
{
	(void)state;
	join(true);
	stop_there();
	struct answer answer = ask("GET", "/vms/far", NULL, NULL);
	assert_int_equal(answer.status, 502);
	assert_has(answer.body, "cannot reach");
	assert_has(answer.body, "\"host\":\"virt2\"");
	assert_has(answer.body, "\"code\":\"forward");
	answer_free(&answer);
	start_there(key);
}

static void *ask_far(void *context)
{
	(void)context;
	assert_answer("GET", "/vms/far", NULL, 200, "GET /vms/far");
	return NULL;
}

/* Two that wait are enough: the third is told so, and when it answers all is well again. */
static void test_a_host_that_hangs_holds_two(void **state)
{
	pthread_t threads[2];

	(void)state;
	join(true);
	atomic_store(&is_silent, true);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_far, NULL), 0);
	WAIT_FOR(atomic_load(&held) == 2);
	WAIT_FOR(!peers_enter(here.peers, OTHER_UUID) ||
		 (peers_leave(here.peers, OTHER_UUID, false), false));
	assert_answer("GET", "/vms/far", NULL, 503, "does not answer");
	atomic_store(&is_silent, false);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_answer("GET", "/vms/far", NULL, 200, "GET /vms/far");
}

/* A question of our own to another host: what it says, and what it refuses, come as they are. */
static void test_posts_of_our_own(void **state)
{
	static const char question[] = "{\"vm\": 1}";
	struct error err = {0};
	size_t len = 0;

	(void)state;
	assert_null(forward_post(here.forward, OTHER_UUID, "/x", question, 2, &len, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	join(true);
	cleanup_free char *answer = forward_post(
		here.forward, OTHER_UUID, "/x", question, strlen(question), &len, &err);
	assert_non_null(answer);
	assert_int_equal(len, strlen(answer));
	assert_has(answer, "POST /x from " OWN_UUID);
	assert_has(answer, "Content-Type: application/json");
	assert_has(answer, question);
	error_clear(&err);
	assert_null(forward_post(here.forward, OTHER_UUID, "/migrate", question, 2, &len, &err));
	assert_int_equal(err.code, ERR_CAPACITY);
	assert_string_equal(err.message, "x");
	assert_string_equal(err.hint, "less");
}

static struct http_server *start_here(void)
{
	struct http_server_config config = {.listen = (const char *const[]){"127.0.0.1:0", NULL},
		.threads = 2,
		.classify = routes_classify,
		.handle = routes_handle,
		.context = &here};
	struct http_server *server = http_server_start(&config, &(struct error){0});

	assert_non_null(server);
	return server;
}

static struct raw_answer ask_server(struct http_server *server)
{
	int fd = raw_connect(http_server_address(server, 0), 0);

	raw_send(fd, "GET /hosts/virt2 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
	struct raw_answer answer = raw_read(fd, false);
	close(fd);
	return answer;
}

static void *ask_short(void *server)
{
	struct raw_answer answer = ask_server(server);

	assert_int_equal(answer.status, 200);
	assert_has(answer.body, "GET /hosts/virt2 from " OWN_UUID "\n");
	assert_has(answer.body, "X-Forwarded-For: 127.0.0.1\n");
	assert_null(raw_header(&answer, PROOF_ANSWER_HEADER));
	assert_string_equal(raw_header(&answer, "ETag"), "\"7\"");
	free(answer.body);
	return NULL;
}

/* What the other host answers from memory keeps no thread here; what it does not prove counts for
 * nothing there either, and says so the ordinary way. */
static void test_the_short_cut(void **state)
{
	struct http_server *server = start_here();
	struct raw_answer answer;
	pthread_t threads[3];

	(void)state;
	join(true);
	ask_short(server); /* the first one opens it */
	ask_short(server);
	atomic_store(&is_silent, true);
	/* More than this server's threads. */
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_short, server), 0);
	WAIT_FOR(atomic_load(&held) == 1); /* behind which the others wait their turn */
	atomic_store(&is_silent, false);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&signs_nothing, true);
	answer = ask_server(server);
	assert_int_equal(answer.status, 502);
	assert_has(answer.body, "without proof");
	free(answer.body);
	atomic_store(&signs_nothing, false);
	assert_int_equal(http_server_stop(server, 1000), 0);
}

static void test_classes(void **state)
{
	static const struct {
		const char *method, *target;
		enum http_class class;
	} rows[] = {{"GET", "/vms/far", HTTP_FAST}, {"GET", "/vms/far/runstate", HTTP_FAST},
		{"GET", "/vms/far/xml", HTTP_REMOTE}, {"DELETE", "/vms/far", HTTP_LONG},
		{"GET", "/hosts/virt2", HTTP_FAST}, {"GET", "/hosts/virt1", HTTP_FAST},
		{"GET", "/vms/none", HTTP_FAST}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_request request = {
			.method = rows[i].method, .target = rows[i].target};

		if (routes_classify(&here, &request) != rows[i].class)
			fail_msg("%s %s", rows[i].method, rows[i].target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_what_is_sent_and_comes_back),
		TEST(test_the_body_names_the_host),
		TEST(test_operations_are_found_again),
		TEST(test_no_request_goes_twice),
		TEST(test_who_proves_nothing_gets_nothing),
		TEST(test_a_stranger_is_found_out),
		TEST(test_claims_without_key_are_refused),
		TEST(test_a_host_that_is_gone),
		TEST(test_a_host_that_hangs_holds_two),
		TEST(test_posts_of_our_own),
		TEST(test_the_short_cut),
		TEST(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
