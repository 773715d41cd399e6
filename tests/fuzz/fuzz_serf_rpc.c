/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as what a serf agent sends, whole and in pieces. Every message is sane, both
 * ways tell the same, and what cannot be read on says so.
 */
#include "base/str.h"
#include "cluster/serf_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void check_message(const struct serf_message *message)
{
	must(str_is_utf8(message->error) && str_is_utf8(message->name));
	must((message->payload == NULL) == (message->payload_len == 0));
	must(message->n_members <= SERF_MAX_MEMBERS);
	for (size_t i = 0; i < message->n_members; i++) {
		const struct serf_member *member = &message->members[i];

		must(*member->name && str_is_utf8(member->name) && *member->address);
		must(member->n_tags <= SERF_MAX_TAGS);
		must(!serf_member_tag(member, "uuid") ||
			str_is_utf8(serf_member_tag(member, "uuid")));
	}
	/* Every byte of the payload is there to be read. */
	volatile uint8_t sum = 0;
	for (size_t i = 0; i < message->payload_len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)message->payload)[i]);
}

/* What was seen: messages of each kind, and the end. */
struct seen {
	unsigned kinds[4], members;
	int status;
};

static struct seen read_all(const uint8_t *data, size_t size, size_t piece)
{
	struct serf_input *input = serf_input_new();
	struct seen seen = {0};

	while (size > 0 && seen.status == 0) {
		struct error err = {0};
		size_t room;
		void *at = serf_input_room(input, &room);
		size_t len = size < piece ? size : piece;

		len = len < room ? len : room;
		memcpy(at, data, len);
		serf_input_filled(input, len);
		data += len;
		size -= len;
		do {
			cleanup_serf_message struct serf_message message;

			seen.status = serf_input_next(input, &message, &err);
			if (seen.status != 1)
				break;
			check_message(&message);
			seen.kinds[message.kind]++;
			seen.members += (unsigned)message.n_members;
		} while (true);
		must(seen.status == 0 || (err.code == ERR_INVALID && err.message[0]));
	}
	serf_input_free(input);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = read_all(data, size, SIZE_MAX);
	struct seen pieces = read_all(data, size, 1 + size / 7);

	must(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	return 0;
}
