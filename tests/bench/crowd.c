/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other hosts of a large cluster, as one virtxd sees them, in one process that takes next to
 * nothing of the processors: a serf agent whose members they are, and their API, which proves
 * itself and gives their inventories. Each says HI every 15 s.
 *
 * crowd RPC API KEYFILE HOSTS VMS: addresses of the agent and of the API, the cluster's key, how
 * many hosts and how many VMs each. A number on standard input is how many VMs change their state
 * per second from then on. Prints "ready", and ends with its input.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cluster/digest.h"
#include "cluster/proof.h"
#include "cluster/wire_list.h"
#include "http/message.h"
#include "http/server.h"
#include "tests/tools/played_agent.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO_MS 15000
#define TURN_MS  20

struct member {
	struct wire_host says;
	struct wire_vm *vms;
	struct digest digest;
};

static struct {
	struct proof *proof;
	struct member *members;
	size_t n_members, n_vms; /* n_vms: of each */
	char api[64];
	pthread_mutex_t lock; /* of the members and of everything below */
	int fd;               /* of the connection to the agent, -1: none */
	uint64_t stream;      /* number of the request for events, 0: none yet */
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* ---- hosts and VMs ---- */

static void vm_make(struct wire_vm *vm, const struct member *of, unsigned number)
{
	static const char *const kinds[] = {"web", "db", "build", "mail", "cache"};
	struct custom *custom = xcalloc(2, sizeof(*custom));
	struct vm_row *row = &vm->row;

	snprintf(row->uuid, sizeof(row->uuid), "%08x-0000-4000-8000-%012x", number * 2654435761u,
		number);
	memcpy(row->host_uuid, of->says.host.uuid, sizeof(row->host_uuid));
	row->name = xasprintf("%s-%05u", kinds[number % 5], number);
	row->runstate = number % 4 ? RUNSTATE_RUNNING : RUNSTATE_POWEROFF;
	row->vlanid = (int16_t)(number % 50);
	row->vcpus = (int16_t)(1 << number % 4);
	row->ts_ms = clock_wall_ms();
	row->custom = custom;
	row->n_custom = 2;
	custom[0] = (struct custom){xstrdup("department"), xasprintf("d%02u", number % 100)};
	custom[1] = (struct custom){xstrdup("ticket"), xasprintf("t%05u", number)};
	vm->stamp = of->says.stamp;
}

static void member_make(struct member *member, unsigned number)
{
	struct host *host = &member->says.host;

	snprintf(host->uuid, sizeof(host->uuid), "%08x-0000-4000-9000-%012x", number, number);
	host->name = xasprintf("crowd%u", number);
	host->arch = xstrdup("x86_64");
	host->vendor = xstrdup("Intel");
	host->cpu = (struct cpudef){.model = xstrdup("Skylake-Server-IBRS"),
		.nodes = 2,
		.sockets = 2,
		.cores = 16,
		.threads = 2};
	host->os_id = xstrdup("debian");
	host->os_version = xstrdup("12");
	host->cstate = CSTATE_ACTIVE;
	host->memory.available_vms = 262144;
	member->says.stamp = (struct wire_stamp){true, (uint64_t)clock_wall_ms(), 1};
	member->vms = xcalloc(crowd.n_vms, sizeof(*member->vms));
	for (size_t i = 0; i < crowd.n_vms; i++) {
		vm_make(&member->vms[i], member, (unsigned)(number * crowd.n_vms + i));
		digest_add(&member->digest, wire_vm_hash(&member->vms[i].row));
	}
}

/* The host with its words of this moment. Called with the lock held. */
static const struct wire_host *member_says(struct member *member)
{
	member->says.host.ts_ms = clock_wall_ms();
	member->says.vms = member->digest.vms;
	member->says.digest = member->digest.sum;
	return &member->says;
}

/* ---- the agent ---- */

static void put_members(msgpack_packer *out)
{
	const char *colon = strrchr(crowd.api, ':');
	cleanup_free char *address = xasprintf("%.*s", (int)(colon - crowd.api), crowd.api);
	struct in_addr ip = {0};

	inet_pton(AF_INET, address, &ip);
	msgpack_pack_map(out, 1);
	put_text(out, "Members");
	msgpack_pack_array(out, crowd.n_members);
	for (size_t i = 0; i < crowd.n_members; i++) {
		const struct host *host = &crowd.members[i].says.host;

		msgpack_pack_map(out, 5);
		put_pair(out, "Name", host->name);
		put_pair(out, "Status", "alive");
		put_text(out, "Addr");
		msgpack_pack_bin_with_body(out, &ip, sizeof(ip));
		put_text(out, "Port");
		msgpack_pack_int(out, 7946);
		put_text(out, "Tags");
		msgpack_pack_map(out, 3);
		put_pair(out, "uuid", host->uuid);
		put_pair(out, "virtx", "1");
		put_pair(out, "port", colon + 1);
	}
}

/* Called with the lock held. */
static void tell(const msgpack_sbuffer *buffer)
{
	if (crowd.fd >= 0 && file_write_all(crowd.fd, buffer->data, buffer->size) < 0)
		shutdown(crowd.fd, SHUT_RDWR);
}

/* Whatever is asked succeeds. */
static void answer(const msgpack_object *command, uint64_t seq)
{
	msgpack_sbuffer buffer;
	msgpack_packer out;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&out, &buffer, msgpack_sbuffer_write);
	put_header(&out, seq, "");
	if (is(command, "members"))
		put_members(&out);
	pthread_mutex_lock(&crowd.lock);
	if (is(command, "stream"))
		crowd.stream = seq;
	tell(&buffer);
	pthread_mutex_unlock(&crowd.lock);
	msgpack_sbuffer_destroy(&buffer);
}

static void set_connection(int fd)
{
	pthread_mutex_lock(&crowd.lock);
	crowd.fd = fd;
	crowd.stream = 0;
	pthread_mutex_unlock(&crowd.lock);
}

static void *run_agent(void *listener)
{
	int fd;

	while ((fd = accept(*(int *)listener, NULL, NULL)) >= 0) {
		set_connection(fd);
		agent_serve(fd, answer);
		set_connection(-1);
		close(fd);
	}
	return NULL;
}

/* A user event. Called with the lock held. */
static void gossip(const char *name, const struct printbuf *payload)
{
	msgpack_sbuffer buffer;
	msgpack_packer out;

	if (!crowd.stream)
		return;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&out, &buffer, msgpack_sbuffer_write);
	put_event(&out, crowd.stream, name, payload->buf, (size_t)payload->bpos);
	tell(&buffer);
	msgpack_sbuffer_destroy(&buffer);
}

static void say_hello(struct member *member)
{
	cleanup_buf struct printbuf *payload = buf_new();

	wire_host_encode(member_says(member), payload);
	gossip(WIRE_HOST, payload);
}

/* A VM that ran is paused, any other one runs. */
static void change(struct member *member, struct wire_vm *vm)
{
	cleanup_buf struct printbuf *payload = buf_new();
	struct vm_row *row = &vm->row;

	digest_remove(&member->digest, wire_vm_hash(row));
	row->runstate = row->runstate == RUNSTATE_RUNNING ? RUNSTATE_PAUSED : RUNSTATE_RUNNING;
	row->ts_ms = clock_wall_ms();
	digest_add(&member->digest, wire_vm_hash(row));
	member->says.stamp.generation++;
	vm->stamp = member->says.stamp;
	struct wire_event event = {
		.runstate = row->runstate, .ts_ms = row->ts_ms, .stamp = vm->stamp};
	memcpy(event.uuid, row->uuid, sizeof(event.uuid));
	memcpy(event.host_uuid, row->host_uuid, sizeof(event.host_uuid));
	wire_event_encode(&event, payload);
	gossip(WIRE_EVENT, payload);
}

/* ---- the API ---- */

static char *inventory(const char *uuid, size_t *len)
{
	struct printbuf *body = buf_new();

	pthread_mutex_lock(&crowd.lock);
	for (size_t i = 0; i < crowd.n_members; i++) {
		struct member *member = &crowd.members[i];

		if (strncmp(uuid, member->says.host.uuid, UUID_TEXT_SIZE - 1) != 0)
			continue;
		wire_list_put_host(body, member_says(member));
		for (size_t k = 0; k < crowd.n_vms; k++)
			wire_list_put_vm(body, &member->vms[k]);
	}
	pthread_mutex_unlock(&crowd.lock);
	*len = (size_t)body->bpos;
	return buf_steal(body);
}

static void handle(void *unused, const struct http_request *request, struct http_response *response)
{
	static const char hosts[] = "/hosts/";
	const char *proof = http_request_header(request, PROOF_HEADER);
	char answer[HASH_HEX_SIZE];
	size_t len = 0;

	(void)unused;
	response->status = 200;
	if (str_starts_with(request->target, hosts)) {
		char *body = inventory(request->target + strlen(hosts), &len);

		response->type = "application/octet-stream";
		response->body = http_body_new(body, len);
	}
	if (!proof)
		return;
	proof_make_answer(crowd.proof, proof, response->status,
		len ? http_body_data(response->body) : "", len, answer);
	http_response_header(response, PROOF_ANSWER_HEADER, answer);
}

/* ---- start and end ---- */

static int listen_at(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	cleanup_free char *host = xstrdup(text);
	char *colon = strrchr(host, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!colon)
		return -1;
	*colon = '\0';
	address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4))
		return -1;
	return fd;
}

static bool read_key(const char *path, uint8_t key[static PROOF_KEY_SIZE])
{
	char hex[2 * PROOF_KEY_SIZE + 2] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	bool read = fgets(hex, sizeof(hex), file);
	fclose(file);
	for (size_t i = 0; read && i < PROOF_KEY_SIZE; i++)
		key[i] =
			(uint8_t)(http_hex_value(hex[2 * i]) << 4 | http_hex_value(hex[2 * i + 1]));
	return read;
}

/* The rate on standard input; false at its end. */
static bool read_rate(unsigned *rate)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char text[16];

	if (poll(&input, 1, TURN_MS) <= 0)
		return true;
	ssize_t len = read(STDIN_FILENO, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	*rate = (unsigned)strtoul(text, NULL, 10);
	return true;
}

static void live(void)
{
	int64_t begin = clock_ms(), said = 0, due_ms = begin;
	unsigned rate = 0, number = 0;

	while (read_rate(&rate)) {
		int64_t now = clock_ms();
		int64_t to_say = (now - begin) * (int64_t)crowd.n_members / HELLO_MS;

		pthread_mutex_lock(&crowd.lock);
		for (; said < to_say; said++)
			say_hello(&crowd.members[(size_t)said % crowd.n_members]);
		if (!rate)
			due_ms = now;
		for (; rate && due_ms < now; due_ms += 1000 / rate) {
			struct member *member = &crowd.members[number % crowd.n_members];

			number += 7919; /* a prime, so that it comes by all */
			change(member, &member->vms[number / crowd.n_members % crowd.n_vms]);
		}
		pthread_mutex_unlock(&crowd.lock);
	}
}

int main(int argc, char **argv)
{
	uint8_t key[PROOF_KEY_SIZE];
	struct error err = {0};
	pthread_t thread;
	int listener;

	if (argc != 6 || !str_copy(crowd.api, sizeof(crowd.api), argv[2]) ||
		(listener = listen_at(argv[1])) < 0 || !read_key(argv[3], key)) {
		fprintf(stderr, "usage: crowd RPC API KEYFILE HOSTS VMS\n");
		return 2;
	}
	crowd.n_members = strtoul(argv[4], NULL, 10);
	crowd.n_vms = strtoul(argv[5], NULL, 10);
	crowd.members = xcalloc(crowd.n_members, sizeof(*crowd.members));
	for (size_t i = 0; i < crowd.n_members; i++)
		member_make(&crowd.members[i], (unsigned)i + 1);
	crowd.proof = proof_new(key, "");
	const char *listen[] = {crowd.api, NULL};
	struct http_server *server = http_server_start(
		&(struct http_server_config){.listen = listen, .handle = handle}, &err);
	if (!server || pthread_create(&thread, NULL, run_agent, &listener)) {
		fprintf(stderr, "crowd: %s\n", err.message);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	live();
	return 0;
}
