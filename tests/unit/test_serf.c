/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serf client with real agents, on loopback addresses that come from this process's id, so that
 * tests may run side by side.
 */
#include "serf_fixture.h"

#include "base/file.h"
#include "folder_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct agent {
	pid_t pid;
	char name[8];
	char host[24];
	char rpc[32]; /* address of its RPC */
};

/* Statics, so that a test that fails leaves nothing behind that writes to its stack. */
static struct agent a, b;
static struct recorder at_a, at_b, others[3];

/* Starts number 1 or 2; the client waits until it is ready. */
static void agent_start(struct agent *to, const char *option)
{
	struct agent agent = {0};
	unsigned id = (unsigned)getpid(), number = to == &a ? 1 : 2;

	snprintf(agent.name, sizeof(agent.name), "n%u", number);
	snprintf(agent.host, sizeof(agent.host), "127.%u.%u.%u", 64 + (id >> 14) % 64,
		(id >> 6) % 256, id % 64 * 4 + number);
	snprintf(agent.rpc, sizeof(agent.rpc), "%s:7373", agent.host);
	const char *argv[] = {"tests/e2e/serf.sh", agent.name, agent.host, option, NULL};
	agent.pid = fork();
	assert_true(agent.pid >= 0);
	if (agent.pid == 0) {
		int log = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log, 0);
		dup2(log, 1);
		dup2(log, 2);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	*to = agent;
}

static void agent_end(struct agent *agent, int signal)
{
	int status;

	kill(agent->pid, signal);
	waitpid(agent->pid, &status, 0);
	agent->pid = 0;
}

static void agent_join(struct agent *agent, const struct agent *other)
{
	cleanup_free char *join = xasprintf("-retry-join=%s", other->host);

	agent_start(agent, join);
}

/* With a configuration of its own. */
static void agent_configure(struct agent *agent, const char *config, const char *key)
{
	cleanup_free char *folder = folder_make();
	cleanup_free char *path = xasprintf("%s/config", folder);
	struct error err = {0};

	assert_int_equal(file_write_atomic(path, config, strlen(config), 0600, &err), 0);
	cleanup_free char *option = xasprintf("-config-file=%s", path);
	agent_start(agent, option);
	/* It has read the file when it listens. */
	struct serf *probe = client_start(&others[0], agent->rpc, key);
	bool started = wait_for(10, is_connected(probe));
	unlink(path);
	rmdir(folder);
	assert_true(started);
	client_stop(probe);
}

static int end_all(void **state)
{
	(void)state;
	client_stop(NULL);
	if (a.pid)
		agent_end(&a, SIGKILL);
	if (b.pid)
		agent_end(&b, SIGKILL);
	return 0;
}

static void set_uuid(struct serf *serf, const char *uuid)
{
	struct serf_tag tags[] = {{(char *)"uuid", (char *)uuid}};
	struct error err = {0};

	if (serf_set_tags(serf, tags, 1, 3000, &err) < 0)
		fail_msg("%s", err.message);
}

static void assert_says(const struct error *err, const char *words)
{
	if (!strstr(err->message, words))
		fail_msg("\"%s\" lacks \"%s\"", err->message, words);
}

/* ---- one agent ---- */

static void test_one_agent(void **state)
{
	struct serf_member *members;
	size_t count;
	struct error err = {0};

	(void)state;
	agent_start(&a, NULL);
	struct serf *serf = client_start(&at_a, a.rpc, NULL);
	assert_true(wait_for(10, knows_members(&at_a)));
	assert_true(is_connected(serf));
	assert_int_equal(recorded(&at_a, at_a.connected), 1);
	assert_int_equal(recorded(&at_a, at_a.members), 1);
	assert_true(recorded(&at_a, str_equal(at_a.member, "n1")));
	assert_true(recorded(&at_a, str_equal(at_a.address, a.host)));

	set_uuid(serf, "first");
	assert_true(wait_for(5, recorded(&at_a, str_equal(at_a.uuid, "first"))));
	assert_int_equal(serf_list_members(serf, "alive", "n.", &members, &count, 3000, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(members[0].status, SERF_STATUS_ALIVE);
	assert_int_equal(members[0].port, 7946);
	assert_string_equal(serf_member_tag(&members[0], "uuid"), "first");
	assert_null(serf_member_tag(&members[0], "port"));
	serf_members_free(members, count);
	bool encrypted = true;
	assert_int_equal(serf_is_encrypted(serf, &encrypted, 3000, &err), 0);
	assert_false(encrypted);
	assert_int_equal(serf_list_members(serf, "failed", "", &members, &count, 3000, &err), 0);
	assert_int_equal(count, 0);
	serf_members_free(members, count);

	struct serf_tag gone = {(char *)"uuid", NULL};
	assert_int_equal(serf_set_tags(serf, &gone, 1, 3000, &err), 0);
	assert_true(wait_for(5, recorded(&at_a, str_equal(at_a.uuid, ""))));
	/* The list is asked for again and again. */
	unsigned lists = recorded(&at_a, at_a.lists[SERF_MEMBERS_ALL]);
	assert_true(wait_for(5, recorded(&at_a, at_a.lists[SERF_MEMBERS_ALL]) > lists + 1));
}

static void assert_limit(unsigned limit)
{
	struct error err = {0};
	char payload[10000] = "";

	struct serf *serf = client_start(&at_a, a.rpc, NULL);
	assert_true(wait_for(10, knows_members(&at_a)));
	assert_int_equal(serf_max_payload(serf, "HI"), limit - 40);
	assert_int_equal(serf_send_event(serf, "HI", payload, limit - 40, 3000, &err), 0);
	assert_int_equal(serf_send_event(serf, "HI", payload, limit - 12, 3000, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	cleanup_free char *words = xasprintf("limit of %u bytes", limit);
	assert_says(&err, words);
	error_clear(&err);
	assert_int_equal(serf_send_event(serf, "HI", payload, sizeof(payload), 3000, &err), -1);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_true(is_connected(serf));
}

static void test_limit(void **state)
{
	(void)state;
	agent_start(&a, NULL);
	assert_limit(512);
}

static void test_other_limit(void **state)
{
	(void)state;
	agent_configure(&a, "{\"user_event_size_limit\": 1024}", NULL);
	assert_limit(1024);
}

/* ---- two agents ---- */

/* Sent again until it arrives, since gossip may lose it. */
static void send_until_seen(
	struct serf *serf, const char *name, const void *payload, size_t len, struct recorder *seen)
{
	for (int i = 0; i < 10; i++) {
		struct error err = {0};

		if (serf_send_event(serf, name, payload, len, 3000, &err) < 0)
			fail_msg("%s", err.message);
		if (wait_for(2, recorded(seen, str_equal(seen->name, name))))
			return;
	}
	fail_msg("%s never arrived", name);
}

static void test_two_agents(void **state)
{
	(void)state;
	agent_start(&a, NULL);
	agent_join(&b, &a);
	struct serf *one = client_start(&at_a, a.rpc, NULL);
	struct serf *two = client_start(&at_b, b.rpc, NULL);
	assert_true(wait_for(20, recorded(&at_a, at_a.members) == 2));
	assert_true(wait_for(20, recorded(&at_b, at_b.members) == 2));

	set_uuid(one, "of-a");
	assert_true(wait_for(10, recorded(&at_b, at_b.lists[SERF_MEMBERS_UPDATED]) > 0));
	assert_true(wait_for(10, recorded(&at_b, str_equal(at_b.uuid, "of-a"))));
	send_until_seen(one, "HI", "a\0b\xff", 4, &at_b);
	assert_int_equal(recorded(&at_b, at_b.payload_len), 4);
	assert_memory_equal(at_b.payload, "a\0b\xff", 4);
	send_until_seen(two, "empty", NULL, 0, &at_a);
	assert_int_equal(recorded(&at_a, at_a.payload_len), 0);
}

static size_t count_alive(struct serf *serf)
{
	struct serf_member *members;
	size_t count;
	struct error err = {0};

	serf_list_members(serf, "alive", "", &members, &count, 3000, &err);
	serf_members_free(members, count);
	return count;
}

/* One that leaves says so; one that dies is found out. */
static void test_leaving_and_failing(void **state)
{
	(void)state;
	agent_start(&a, NULL);
	agent_join(&b, &a);
	struct serf *one = client_start(&at_a, a.rpc, NULL);
	struct serf *two = client_start(&at_b, b.rpc, NULL);
	assert_true(wait_for(20, count_alive(one) == 2));
	assert_true(wait_for(5, recorded(&at_a, at_a.lists[SERF_MEMBERS_JOINED]) > 0));
	agent_end(&b, SIGINT);
	assert_true(wait_for(20, recorded(&at_a, at_a.lists[SERF_MEMBERS_LEFT]) > 0));
	assert_true(wait_for(5, !is_connected(two)));

	agent_join(&b, &a);
	assert_true(wait_for(20, count_alive(one) == 2));
	assert_true(wait_for(10, is_connected(two)));
	agent_end(&b, SIGKILL);
	assert_true(wait_for(30, recorded(&at_a, at_a.lists[SERF_MEMBERS_FAILED]) > 0));
}

/* ---- an agent that goes and comes ---- */

static bool is_refused(struct serf *serf)
{
	struct error err = {0};

	return serf_check(serf, &err) < 0 && strstr(err.message, "Connection refused");
}

static void test_killed_and_back(void **state)
{
	struct error err = {0};

	(void)state;
	agent_start(&a, NULL);
	struct serf *serf = client_start(&at_a, a.rpc, NULL);
	assert_true(wait_for(10, knows_members(&at_a)));
	set_uuid(serf, "kept");
	agent_end(&a, SIGKILL);
	assert_true(wait_for(5, is_refused(serf)));
	assert_int_equal(recorded(&at_a, at_a.cause.code), ERR_UNAVAILABLE);
	assert_true(recorded(&at_a, strstr(at_a.cause.message, a.rpc) != NULL));
	assert_int_equal(serf_send_event(serf, "HI", "x", 1, 3000, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_says(&err, "Connection refused");

	/* A tag that is set while there is no agent is told to the next one, as those before. */
	struct serf_tag later[] = {{(char *)"port", (char *)"8080"}};
	error_clear(&err);
	assert_int_equal(serf_set_tags(serf, later, 1, 3000, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	unsigned lists = recorded(&at_a, at_a.lists[SERF_MEMBERS_ALL]);
	agent_start(&a, NULL);
	assert_true(wait_for(10, recorded(&at_a, at_a.lists[SERF_MEMBERS_ALL]) > lists));
	assert_true(wait_for(10, recorded(&at_a, str_equal(at_a.uuid, "kept"))));
	struct serf_member *members;
	size_t count;
	error_clear(&err);
	assert_int_equal(serf_list_members(serf, "", "", &members, &count, 3000, &err), 0);
	assert_string_equal(serf_member_tag(&members[0], "port"), "8080");
	serf_members_free(members, count);
	send_until_seen(serf, "again", "x", 1, &at_a);
}

static void test_stopped_agent(void **state)
{
	struct error err = {0};
	int status;

	(void)state;
	agent_start(&a, NULL);
	struct serf *serf = client_start(&at_a, a.rpc, NULL);
	assert_true(wait_for(10, knows_members(&at_a)));
	kill(a.pid, SIGSTOP);
	waitpid(a.pid, &status, WUNTRACED);
	int64_t start = clock_ms();
	assert_int_equal(serf_send_event(serf, "HI", "x", 1, 300, &err), -1);
	assert_true(clock_ms() - start < 2000);
	assert_int_equal(err.code, ERR_TIMEOUT);
	/* It is noticed without any request of ours. */
	assert_true(wait_for(8, !is_connected(serf)));
	error_clear(&err);
	assert_int_equal(serf_check(serf, &err), -1);
	assert_says(&err, "did not answer within 3000 ms");
	kill(a.pid, SIGCONT);
	assert_true(wait_for(10, is_connected(serf)));
	send_until_seen(serf, "back", "x", 1, &at_a);
}

static void test_key(void **state)
{
	static const char *const words[] = {"Authentication required", "Invalid authentication"};
	static const char *const keys[] = {NULL, "wrong"};

	(void)state;
	agent_configure(&a, "{\"rpc_auth\": \"secret\"}", "secret");
	for (int i = 0; i < 2; i++) {
		struct recorder *seen = &others[i];

		client_start(seen, a.rpc, keys[i]);
		assert_true(
			wait_for(5, recorded(seen, strstr(seen->cause.message, words[i]) != NULL)));
		assert_true(recorded(seen, strstr(seen->cause.hint, "serf_key") != NULL));
		assert_int_equal(recorded(seen, seen->connected), 0);
	}
	client_start(&at_a, a.rpc, "secret");
	assert_true(wait_for(5, knows_members(&at_a)));
}

static void test_bad_address(void **state)
{
	static const char *const bad[] = {"", "host", "host:", ":7373", "host:0", "host:65536",
		"host:x", "::1:7373", "[]:7373"};
	struct serf_config config = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		config.address = bad[i];
		assert_null(serf_start(&config, &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
	serf_stop(NULL);
}

/* ---- many threads at once ---- */

struct worker {
	pthread_t thread;
	struct serf *serf;
	unsigned failed;
	struct error err; /* the last one */
};

static void *work(void *data)
{
	struct worker *worker = data;

	for (int i = 0; i < 50; i++) {
		struct serf_member *members;
		size_t count;
		struct error err = {0};

		if (serf_list_members(worker->serf, "", "", &members, &count, 10000, &err) == 0 &&
			count != 1)
			error_set(&err, ERR_INTERNAL, "%zu members", count);
		serf_members_free(members, count);
		serf_send_event(worker->serf, "VE", "x", 1, 10000, &err);
		serf_post_event(worker->serf, "VE", "y", 1, &err);
		if (error_is_set(&err)) {
			worker->failed++;
			worker->err = err;
		}
	}
	return NULL;
}

/* Answers find their questions while the stream of events runs between them. */
static void test_threads(void **state)
{
	static struct worker workers[4];

	(void)state;
	agent_start(&a, NULL);
	struct serf *serf = client_start(&at_a, a.rpc, NULL);
	assert_true(wait_for(10, is_connected(serf)));
	unsigned before = recorded(&at_a, at_a.disconnected); /* while the agent started */
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){.serf = serf};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < 4; i++)
		if (workers[i].failed)
			fail_msg("%u failed: %s", workers[i].failed, workers[i].err.message);
	assert_true(wait_for(10, recorded(&at_a, at_a.events) > 0));
	if (recorded(&at_a, at_a.disconnected) != before)
		fail_msg("%s", at_a.cause.message);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_one_agent, end_all),
		cmocka_unit_test_teardown(test_limit, end_all),
		cmocka_unit_test_teardown(test_other_limit, end_all),
		cmocka_unit_test_teardown(test_two_agents, end_all),
		cmocka_unit_test_teardown(test_leaving_and_failing, end_all),
		cmocka_unit_test(test_bad_address),
		cmocka_unit_test_teardown(test_killed_and_back, end_all),
		cmocka_unit_test_teardown(test_stopped_agent, end_all),
		cmocka_unit_test_teardown(test_key, end_all),
		cmocka_unit_test_teardown(test_threads, end_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
