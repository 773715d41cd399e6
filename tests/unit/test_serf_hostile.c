/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serf client with an agent of our own that sends what no agent should: records of odd types,
 * headers that promise gigabytes, answers that never come, 10,000 events a second.
 */
#include "serf_fixture.h"

#include "base/file.h"
#include "tests/tools/played_agent.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define HI_PAYLOAD 400

/* The agent: one connection after the other, each request answered by its command. */
static struct fake {
	pthread_t thread;
	int listener;
	char address[32];
	pthread_mutex_t lock; /* of the members below */
	int fd;               /* of the connection, -1: none */
	uint64_t stream;      /* number of its request for the stream, 0: none yet */
	char tags[64];        /* the value that was last set */
	bool mute;            /* answers events no more */
	bool listless;        /* answers members with something else */
	bool slow, stuck;     /* once it is told tags it answers nothing more */
	const char *refuse;   /* the command that is refused */
} fake;

static struct recorder seen;
static struct serf *serf;

static void put_members(msgpack_packer *out)
{
	msgpack_pack_map(out, 1);
	put_text(out, "Members");
	msgpack_pack_array(out, 1);
	msgpack_pack_map(out, 4);
	put_pair(out, "Name", "fake");
	put_text(out, "Addr");
	msgpack_pack_bin_with_body(out, "\x7f\0\0\1", 4);
	put_text(out, "Port");
	msgpack_pack_int(out, 7946);
	put_pair(out, "Status", "alive");
}

/* Answers one request. Called with the lock held. */
static void fake_answer(const msgpack_object *command, uint64_t seq)
{
	msgpack_sbuffer buffer;
	msgpack_packer out;
	bool refused = fake.refuse && is(command, fake.refuse);

	if ((fake.mute && is(command, "event")) || fake.stuck)
		return;
	if (fake.slow && is(command, "tags")) {
		fake.stuck = true;
		return;
	}
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&out, &buffer, msgpack_sbuffer_write);
	put_header(&out, seq, refused ? "no" : "");
	if (is(command, "members") || is(command, "members-filtered")) {
		if (fake.listless)
			put_text(&out, "no list");
		else
			put_members(&out);
	}
	if (is(command, "stream"))
		fake.stream = seq;
	file_write_all(fake.fd, buffer.data, buffer.size);
	msgpack_sbuffer_destroy(&buffer);
}

static void fake_read(const msgpack_object *command, uint64_t seq)
{
	pthread_mutex_lock(&fake.lock);
	fake_answer(command, seq);
	pthread_mutex_unlock(&fake.lock);
}

static void *fake_main(void *unused)
{
	int fd;

	while ((fd = accept(fake.listener, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&fake.lock);
		fake.fd = fd;
		fake.stream = 0;
		pthread_mutex_unlock(&fake.lock);
		agent_serve(fd, fake_read);
		pthread_mutex_lock(&fake.lock);
		fake.fd = -1;
		pthread_mutex_unlock(&fake.lock);
		close(fd);
	}
	return unused;
}

static int begin(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake = (struct fake){.fd = -1, .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	pthread_mutex_init(&fake.lock, NULL);
	assert_int_equal(bind(fake.listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fake.listener, 8), 0);
	getsockname(fake.listener, (struct sockaddr *)&address, &len);
	snprintf(fake.address, sizeof(fake.address), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&fake.thread, NULL, fake_main, NULL), 0);
	serf = client_start(&seen, fake.address, NULL);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	client_stop(NULL);
	shutdown(fake.listener, SHUT_RDWR);
	pthread_mutex_lock(&fake.lock);
	if (fake.fd >= 0)
		shutdown(fake.fd, SHUT_RDWR);
	pthread_mutex_unlock(&fake.lock);
	pthread_join(fake.thread, NULL);
	close(fake.listener);
	return 0;
}

/* Sends bytes as they are. */
static void inject(const void *data, size_t len)
{
	pthread_mutex_lock(&fake.lock);
	if (fake.fd >= 0)
		file_write_all(fake.fd, data, len);
	pthread_mutex_unlock(&fake.lock);
}

/* A user event, appended. */
static void append_event(msgpack_sbuffer *buffer, const char *name, const void *payload, size_t len)
{
	msgpack_packer out;

	msgpack_packer_init(&out, buffer, msgpack_sbuffer_write);
	put_event(&out, 2, name, payload, len);
}

static void inject_event(const char *name)
{
	msgpack_sbuffer buffer;

	msgpack_sbuffer_init(&buffer);
	append_event(&buffer, name, "x", 1);
	inject(buffer.data, buffer.size);
	msgpack_sbuffer_destroy(&buffer);
}

static void assert_alive(void)
{
	inject_event("alive");
	assert_true(wait_for(5, recorded(&seen, str_equal(seen.name, "alive"))));
	recorded(&seen, str_copy(seen.name, sizeof(seen.name), ""));
}

/* Records that are well-formed and senseless: each is skipped, and the next is read. */
static void test_odd_records(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} odd[] = {
#define BYTES(text) {text, sizeof(text) - 1}
		BYTES("\xc0"),
		BYTES("\x90"),
		BYTES("\x93\x01\xa1x\xc0"),
		BYTES("\x80"),
		BYTES("\x81\xa3Seq\xa1x"),
		BYTES("\x81\xa3Seq\xff"),
		BYTES("\x82\xa3Seq\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa5"
		      "Error\x05"),
		BYTES("\x81\xa5"
		      "Event\xc0"),
		BYTES("\x81\xa5"
		      "Event\xa4user"),
		BYTES("\x82\xa5"
		      "Event\xa4user\xa4Name\x05"),
		BYTES("\x82\xa5"
		      "Event\xa4user\xa4Name\xa1\xff"),
		BYTES("\x82\xa5"
		      "Event\xa4user\xa4Name\xa2x\0"),
		BYTES("\x83\xa5"
		      "Event\xa4user\xa4Name\xa1y\xa7Payload\x91\x05"),
		BYTES("\x82\xa5"
		      "Event\xabmember-join\xa7Members\x05"),
		BYTES("\x82\xa5"
		      "Event\xabmember-join\xa7Members\x91\x81\xa4Name\xa1z"),
		BYTES("\x82\xa5"
		      "Event\xa5query\xa7Payload\xa1x"),
		BYTES("\x81\xa7Members\x91\x05"),
		BYTES("\xd4\x01\x02"),
		BYTES("\xcb\1\2\3\4\5\6\7\x08"),
#undef BYTES
	};

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		inject(odd[i].bytes, odd[i].len);
		assert_alive();
	}
	assert_int_equal(recorded(&seen, seen.connected), 1);
	assert_int_equal(recorded(&seen, seen.disconnected), 0);
}

/* An event without payload, as nil, and without the member. */
static void test_no_payload(void **state)
{
	static const char nil[] = "\x83\xa5"
				  "Event\xa4user\xa4Name\xa1"
				  "a\xa7Payload\xc0";
	static const char none[] = "\x82\xa5"
				   "Event\xa4user\xa4Name\xa1"
				   "b";

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	inject(nil, sizeof(nil) - 1);
	assert_true(wait_for(5, recorded(&seen, str_equal(seen.name, "a"))));
	inject(none, sizeof(none) - 1);
	assert_true(wait_for(5, recorded(&seen, str_equal(seen.name, "b"))));
	assert_int_equal(recorded(&seen, seen.payload_len), 0);
}

/* What cannot be read on ends the connection, and the next one works. */
static void test_broken_streams(void **state)
{
	static const struct {
		const char *bytes, *words;
		size_t len;
	} broken[] = {
		{"\xc1", "does not use", 1},
		{"\xdd\xff\xff\xff\xff", "elements", 5},
		{"\xdf\x7f\xff\xff\xff", "elements", 5},
		{"\xdb\xff\xff\xff\xff", "bytes", 5},
		{"\xc6\x00\x40\x00\x00", "bytes", 5},
		{"\xc9\xff\xff\xff\xff\x01", "bytes", 6},
		{"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91", "levels", 10},
	};

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		inject(broken[i].bytes, broken[i].len);
		assert_true(wait_for(5, recorded(&seen, seen.disconnected) == i + 1));
		assert_int_equal(recorded(&seen, seen.cause.code), ERR_UNAVAILABLE);
		if (!recorded(&seen, strstr(seen.cause.message, broken[i].words) != NULL))
			fail_msg("\"%s\" lacks \"%s\"", seen.cause.message, broken[i].words);
		assert_true(wait_for(5, recorded(&seen, seen.connected) == i + 2));
		assert_alive();
	}
}

/* A record that is cut off when the connection ends leaves nothing for the next one. */
static void test_cut_record(void **state)
{
	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	inject("\xdb\x00\x10\x00\x00half of it", 15);
	pthread_mutex_lock(&fake.lock);
	shutdown(fake.fd, SHUT_RDWR);
	pthread_mutex_unlock(&fake.lock);
	assert_true(wait_for(5, recorded(&seen, seen.connected) == 2));
	assert_true(recorded(&seen, strstr(seen.cause.message, "closed") != NULL));
	assert_alive();
}

/* An agent that answers members with something else is none; a refused request says why. */
static void test_refusals(void **state)
{
	struct serf_tag tag = {(char *)"a", (char *)"b"};
	struct error err = {0};

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	pthread_mutex_lock(&fake.lock);
	fake.refuse = "tags";
	pthread_mutex_unlock(&fake.lock);
	assert_int_equal(serf_set_tags(serf, &tag, 1, 3000, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "tags: no"));
	assert_true(is_connected(serf));
	pthread_mutex_lock(&fake.lock);
	fake.listless = true;
	pthread_mutex_unlock(&fake.lock);
	assert_true(wait_for(5, recorded(&seen, strstr(seen.cause.message, "no list") != NULL)));
	/* Tags that are refused again do not keep it from connecting. */
	pthread_mutex_lock(&fake.lock);
	fake.listless = false;
	pthread_mutex_unlock(&fake.lock);
	assert_true(wait_for(5, is_connected(serf)));
	assert_alive();
}

/* An agent answers tags when gossip has spread them, and nothing else before: what a connection
 * needs comes first. */
static void test_slow_tags(void **state)
{
	struct serf_tag tag = {(char *)"a", (char *)"b"};
	struct error err = {0};

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	assert_int_equal(serf_set_tags(serf, &tag, 1, 3000, &err), 0);
	pthread_mutex_lock(&fake.lock);
	fake.slow = true;
	shutdown(fake.fd, SHUT_RDWR);
	pthread_mutex_unlock(&fake.lock);
	unsigned lists = recorded(&seen, seen.lists[SERF_MEMBERS_ALL]);
	assert_true(wait_for(5, recorded(&seen, seen.connected == 2)));
	assert_true(wait_for(2, recorded(&seen, seen.lists[SERF_MEMBERS_ALL] > lists)));
	assert_alive();
}

/* Requests without answer are late one by one, and there are never more than so many. */
static void test_no_answer(void **state)
{
	struct error err = {0};
	unsigned posted = 0;

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	pthread_mutex_lock(&fake.lock);
	fake.mute = true;
	pthread_mutex_unlock(&fake.lock);
	assert_int_equal(serf_send_event(serf, "HI", "x", 1, 100, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	error_clear(&err);
	while (posted < 10000 && serf_post_event(serf, "HI", "x", 1, &err) == 0)
		posted++;
	assert_true(posted >= 200 && posted <= 256);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	/* Those do not stop what is answered. */
	assert_alive();
	pthread_mutex_lock(&fake.lock);
	fake.mute = false;
	pthread_mutex_unlock(&fake.lock);
}

/* ---- many ---- */

static atomic_bool flooding;
static atomic_uint flooded;

/* About 10,000 events a second, for as long as flooding is true. */
static void *flood(void *unused)
{
	char payload[HI_PAYLOAD] = "";
	msgpack_sbuffer buffer;

	msgpack_sbuffer_init(&buffer);
	for (int i = 0; i < 100; i++)
		append_event(&buffer, "HI", payload, sizeof(payload));
	for (int64_t next = clock_ms(); atomic_load(&flooding); next += 10) {
		inject(buffer.data, buffer.size);
		atomic_fetch_add(&flooded, 100);
		while (clock_ms() < next)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	msgpack_sbuffer_destroy(&buffer);
	return unused;
}

/* Requests are answered within the second while 10,000 events a second come, and memory stays. */
static void test_flood(void **state)
{
	pthread_t thread;
	size_t before = mallinfo2().uordblks;
	int64_t worst = 0, end = clock_ms() + 3000;

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	atomic_store(&flooding, true);
	assert_int_equal(pthread_create(&thread, NULL, flood, NULL), 0);
	int failed = 0;
	while (clock_ms() < end) {
		struct serf_member *members;
		size_t count;
		struct error err = {0};
		int64_t start = clock_ms();

		failed += serf_list_members(serf, "", "", &members, &count, 5000, &err) < 0;
		serf_members_free(members, count);
		worst = clock_ms() - start > worst ? clock_ms() - start : worst;
	}
	atomic_store(&flooding, false);
	pthread_join(thread, NULL);
	assert_int_equal(failed, 0);
	print_message(
		"# %u events, slowest answer %lld ms\n", atomic_load(&flooded), (long long)worst);
	assert_true(worst < 1000);
	assert_true(wait_for(10, recorded(&seen, seen.events) == atomic_load(&flooded)));
	assert_true(atomic_load(&flooded) > 1000);
	assert_true(mallinfo2().uordblks < before + (4 << 20));
	assert_int_equal(recorded(&seen, seen.disconnected), 0);
}

/* One byte at a time: the same messages. */
static void test_trickle(void **state)
{
	msgpack_sbuffer buffer;

	(void)state;
	assert_true(wait_for(5, knows_members(&seen)));
	msgpack_sbuffer_init(&buffer);
	append_event(&buffer, "slow", "x", 1);
	/* Answers to the client's own requests must not come between. */
	pthread_mutex_lock(&fake.lock);
	for (size_t i = 0; i < buffer.size; i++) {
		file_write_all(fake.fd, buffer.data + i, 1);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	pthread_mutex_unlock(&fake.lock);
	msgpack_sbuffer_destroy(&buffer);
	assert_true(wait_for(5, recorded(&seen, str_equal(seen.name, "slow"))));
	assert_alive();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_odd_records, begin, finish),
		cmocka_unit_test_setup_teardown(test_no_payload, begin, finish),
		cmocka_unit_test_setup_teardown(test_broken_streams, begin, finish),
		cmocka_unit_test_setup_teardown(test_cut_record, begin, finish),
		cmocka_unit_test_setup_teardown(test_refusals, begin, finish),
		cmocka_unit_test_setup_teardown(test_slow_tags, begin, finish),
		cmocka_unit_test_setup_teardown(test_no_answer, begin, finish),
		cmocka_unit_test_setup_teardown(test_trickle, begin, finish),
		cmocka_unit_test_setup_teardown(test_flood, begin, finish),
	};

	signal(SIGPIPE, SIG_IGN); /* the client may go while the agent writes */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
