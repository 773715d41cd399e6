/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts that take connections and say nothing do not keep others from being asked. */
#include "applets/virtxd/asker.h"
#include "applets/virtxd/forward.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "cluster/proof.h"
#include "http_raw.h"

#include <stdatomic.h>

#define OWN_UUID   "aaaaaaaa-0000-0000-0000-000000000001"
#define OTHER_UUID "bbbbbbbb-0000-0000-0000-000000000002"
#define N_HANGING  20

static const uint8_t key[PROOF_KEY_SIZE] = "one key of thirty-two bytes, yes";
static struct daemon here;
/* The host that answers. */
static struct http_server *there;
static struct peers *no_peers;
static struct forward *there_forward;
static atomic_uint pulled;
/* Those that hang: the kernel takes connections for a socket that nobody reads. */
static int hanging;
static uint16_t hanging_port;

static void answer_there(
	void *context, const struct http_request *request, struct http_response *response)
{
	char sender[UUID_TEXT_SIZE];
	struct error err = {0};

	(void)context;
	assert_int_equal(forward_identify(there_forward, request, sender, &err), 0);
	if (strstr(request->target, "/inventory"))
		atomic_fetch_add(&pulled, 1);
	http_response_text(response, 200, "text/plain", "no list");
	forward_sign(there_forward, request, response);
}

static void start_there(void)
{
	struct error err = {0};

	no_peers = peers_new(OTHER_UUID, false);
	there_forward = forward_new(no_peers, key, OTHER_UUID);
	there = http_server_start(
		&(struct http_server_config){
			.listen = (const char *const[]){"127.0.0.1:0", NULL},
			.threads = 2,
			.handle = answer_there,
		},
		&err);
	if (!there)
		fail_msg("%s", err.message);
}

static void start_hanging(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hanging = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(hanging, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(hanging, 2 * N_HANGING), 0);
	assert_int_equal(getsockname(hanging, (struct sockaddr *)&address, &len), 0);
	hanging_port = ntohs(address.sin_port);
}

static int set_up(void **state)
{
	(void)state;
	here = (struct daemon){.host_uuid = OWN_UUID, .host_name = "virt1"};
	here.inventory = inventory_new();
	here.claims = claims_new(here.inventory, OWN_UUID);
	here.peers = peers_new(OWN_UUID, false);
	here.forward = forward_new(here.peers, key, OWN_UUID);
	atomic_store(&pulled, 0);
	start_there();
	start_hanging();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_stop(there, 1000);
	close(hanging);
	forward_free(there_forward);
	peers_free(no_peers);
	forward_free(here.forward);
	peers_free(here.peers);
	claims_free(here.claims);
	inventory_free(here.inventory);
	return 0;
}

static void put_hanging(int number)
{
	struct peer peer = {.address = "127.0.0.1", .cstate = CSTATE_ACTIVE};

	snprintf(peer.name, sizeof(peer.name), "hanging%d", number);
	snprintf(peer.uuid, sizeof(peer.uuid), "cccccccc-0000-0000-0000-%012d", number);
	snprintf(peer.server, sizeof(peer.server), "127.0.0.1:%u", hanging_port);
	assert_true(peers_put(here.peers, &peer));
}

static void put_there(void)
{
	struct peer peer = {.name = "virt2",
		.uuid = OTHER_UUID,
		.address = "127.0.0.1",
		.cstate = CSTATE_ACTIVE};

	str_copy(peer.server, sizeof(peer.server), http_server_address(there, 0));
	assert_true(peers_put(here.peers, &peer));
}

static void test_some_hang(void **state)
{
	struct asker *asker = asker_new(&here);

	(void)state;
	for (int i = 0; i < PEERS_MAX_PROBES - 1; i++)
		put_hanging(i);
	put_there();
	int64_t start = clock_ms();
	asker_turn(asker);
	assert_true(clock_ms() - start < 1000);
	WAIT_FOR(peers_is_believed(here.peers, OTHER_UUID));
	WAIT_FOR(atomic_load(&pulled) > 0);
	/* One after the other they would have taken two seconds each. */
	assert_true(clock_ms() - start < 1900);
	asker_free(asker);
	assert_true(clock_ms() - start < 4000);
}

/* More than may be asked at once: whoever has not been asked yet comes before those that were. */
static void test_many_hang(void **state)
{
	struct asker *asker = asker_new(&here);
	int64_t start = clock_ms();

	(void)state;
	for (int i = 0; i < N_HANGING; i++)
		put_hanging(i);
	asker_turn(asker);
	put_there();
	WAIT_FOR((asker_turn(asker), peers_is_believed(here.peers, OTHER_UUID)));
	assert_true(clock_ms() - start < 8000);
	asker_free(asker);
}

static void test_who_is_asked(void **state)
{
	struct peer peer, again;
	int64_t now = clock_ms();

	(void)state;
	assert_false(peers_take_unproven(here.peers, now, &peer));
	put_there();
	assert_true(peers_take_unproven(here.peers, now, &peer));
	assert_false(peers_take_unproven(here.peers, now, &again));
	peers_set_proven(here.peers, &peer, false, "why");
	assert_false(peers_take_unproven(here.peers, now, &again));
	assert_true(peers_take_unproven(here.peers, now + 2 * PEERS_PROBE_MS, &peer));
	peers_set_proven(here.peers, &peer, true, "");
	assert_false(peers_take_unproven(here.peers, now + 3 * PEERS_PROBE_MS, &peer));
	for (int i = 0; i < N_HANGING; i++)
		put_hanging(i);
	for (int i = 0; i < PEERS_MAX_PROBES; i++)
		assert_true(peers_take_unproven(here.peers, now, &again));
	assert_false(peers_take_unproven(here.peers, now, &peer));
	peers_set_proven(here.peers, &again, false, "why");
	assert_true(peers_take_unproven(here.peers, now, &peer));
	assert_string_not_equal(peer.name, again.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		TEST(test_some_hang),
		TEST(test_many_hang),
		TEST(test_who_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
