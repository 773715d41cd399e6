/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The language of the serf agent, without an agent: requests byte for byte, answers of every age of
 * agent, limits. */
#include "base/str.h"
#include "cluster/serf_rpc.h"
#include "cluster/serf_scan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_bytes(struct printbuf *buf, const char *expected, size_t len)
{
	assert_int_equal(buf->bpos, len);
	assert_memory_equal(buf->buf, expected, len);
	buf_free(buf);
}

/* The old specification only: no str8, no bin. */
static void test_requests(void **state)
{
#define EXPECT(text) assert_bytes(buf, text, sizeof(text) - 1)
	char key[41] = "";
	struct printbuf *buf = buf_new();

	(void)state;
	serf_rpc_put_handshake(buf, 1);
	EXPECT("\x82\xa7"
	       "Command\xa9handshake\xa3Seq\x01\x81\xa7Version\x01");
	buf = buf_new();
	memset(key, 'k', 40); /* over 31 bytes: raw16, never str8 */
	serf_rpc_put_auth(buf, 200, key);
	EXPECT("\x82\xa7"
	       "Command\xa4"
	       "auth\xa3Seq\xcc\xc8\x81\xa7"
	       "AuthKey\xda\x00\x28"
	       "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
	buf = buf_new();
	serf_rpc_put_stream(buf, 2);
	EXPECT("\x82\xa7"
	       "Command\xa6stream\xa3Seq\x02\x81\xa4Type\xa1*");
	buf = buf_new();
	serf_rpc_put_members(buf, 3);
	EXPECT("\x82\xa7"
	       "Command\xa7members\xa3Seq\x03");
	buf = buf_new();
	serf_rpc_put_members_filtered(buf, 3, "alive", "n1");
	EXPECT("\x82\xa7"
	       "Command\xb0members-filtered\xa3Seq\x03\x83\xa4Tags\x80\xa6Status\xa5"
	       "alive\xa4Name\xa2n1");
	buf = buf_new();
	serf_rpc_put_event(buf, 4, "HI", "\0\xff", 2);
	EXPECT("\x82\xa7"
	       "Command\xa5"
	       "event\xa3Seq\x04\x83\xa4Name\xa2HI\xa7Payload\xa2\0\xff\xa8"
	       "Coalesce\xc2");
	buf = buf_new();
	struct serf_tag tags[] = {{(char *)"uuid", (char *)"u"}, {(char *)"drain", NULL}};
	serf_rpc_put_tags(buf, 5, tags, 2);
	EXPECT("\x82\xa7"
	       "Command\xa4tags\xa3Seq\x05\x82\xa4Tags\x81\xa4uuid\xa1u\xaa"
	       "DeleteTags\x91\xa5"
	       "drain");
#undef EXPECT
}

/* Reads one object; the message is the caller's to clear. */
static void read_one(struct serf_message *message, const char *bytes, size_t len)
{
	static struct serf_input *input;
	struct error err = {0};
	size_t room;

	serf_input_free(input);
	input = serf_input_new();
	memcpy(serf_input_room(input, &room), bytes, len);
	serf_input_filled(input, len);
	assert_int_equal(serf_input_next(input, message, &err), 1);
	struct serf_message none;
	assert_int_equal(serf_input_next(input, &none, &err), 0);
}
#define READ(text) read_one(&message, text, sizeof(text) - 1)

static void test_headers(void **state)
{
	struct serf_message message;

	(void)state;
	READ("\x82\xa3Seq\xce\x00\x01\x00\x00\xa5"
	     "Error\xa0");
	assert_int_equal(message.kind, SERF_MESSAGE_HEADER);
	assert_int_equal(message.seq, 65536);
	assert_string_equal(message.error, "");
	READ("\x82\xa5"
	     "Error\xa2no\xa3Seq\x07");
	assert_string_equal(message.error, "no");
	/* An error whose text cannot be shown is one all the same. */
	READ("\x82\xa5"
	     "Error\xa1\xff\xa3Seq\x07");
	assert_string_not_equal(message.error, "");
	READ("\x82\xa5"
	     "Error\xa1\0\xa3Seq\x07");
	assert_string_not_equal(message.error, "");
	char longer[310];
	memcpy(longer,
		"\x82\xa3Seq\x01\xa5"
		"Error\xda\x01\x20",
		16);
	memset(longer + 15, 'e', 288);
	read_one(&message, longer, 15 + 288);
	assert_int_equal(strlen(message.error), 255);
}

/* Strings and bytes as raw, str8 and bin; IPv4 as 4 and as 16 bytes, IPv6. */
static void test_members(void **state)
{
	struct serf_message message;

	(void)state;
	READ("\x82\xa5"
	     "Event\xabmember-join\xa7Members\x93"
	     "\x85\xa4Name\xa2n1\xa4"
	     "Addr\xc4\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x63\0\1"
	     "\xa4Port\xcd\x1f\x0a\xa4Tags\x82\xa4uuid\xd9\x01u\xc4\x04port\xc4\x02"
	     "80"
	     "\xa6Status\xa5"
	     "alive"
	     "\x84\xa4Name\xa2n2\xa4"
	     "Addr\xa4\x0a\x63\0\2\xa4Port\x01\xa6Status\xa6"
	     "failed"
	     "\x84\xa4Name\xa2n3\xa4"
	     "Addr\xda\0\x10\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
	     "\xa4Port\x01\xa6Status\xa3"
	     "odd");
	assert_int_equal(message.kind, SERF_MESSAGE_MEMBERS);
	assert_int_equal(message.change, SERF_MEMBERS_JOINED);
	assert_int_equal(message.n_members, 3);
	const struct serf_member *member = message.members;
	assert_string_equal(member[0].name, "n1");
	assert_string_equal(member[0].address, "10.99.0.1");
	assert_int_equal(member[0].port, 7946);
	assert_int_equal(member[0].status, SERF_STATUS_ALIVE);
	assert_string_equal(serf_member_tag(&member[0], "uuid"), "u");
	assert_string_equal(serf_member_tag(&member[0], "port"), "80");
	assert_null(serf_member_tag(&member[0], "drain"));
	assert_string_equal(member[1].address, "10.99.0.2");
	assert_int_equal(member[1].status, SERF_STATUS_FAILED);
	assert_string_equal(member[2].address, "fe80::1");
	assert_int_equal(member[2].status, SERF_STATUS_OTHER);
	serf_message_clear(&message);
	/* One that cannot be understood does not hide the others. */
	READ("\x81\xa7Members\x93\x05\x81\xa4Name\xa1x"
	     "\x83\xa4Name\xa2n2\xa4"
	     "Addr\xa4\x0a\x63\0\2\xa4Port\x01");
	assert_int_equal(message.change, SERF_MEMBERS_ALL);
	assert_int_equal(message.n_members, 1);
	serf_message_clear(&message);
	/* An agent with nobody to tell of sends nil. */
	READ("\x81\xa7Members\xc0");
	assert_int_equal(message.kind, SERF_MESSAGE_MEMBERS);
	assert_int_equal(message.n_members, 0);
}

static void test_changes(void **state)
{
	struct serf_message message;

	(void)state;
	READ("\x82\xa5"
	     "Event\xacmember-leave\xa7Members\x90");
	assert_int_equal(message.change, SERF_MEMBERS_LEFT);
	READ("\x82\xa5"
	     "Event\xadmember-failed\xa7Members\x90");
	assert_int_equal(message.change, SERF_MEMBERS_FAILED);
	READ("\x82\xa5"
	     "Event\xadmember-update\xa7Members\x90");
	assert_int_equal(message.change, SERF_MEMBERS_UPDATED);
	READ("\x82\xa5"
	     "Event\xabmember-reap\xa7Members\x90");
	assert_int_equal(message.change, SERF_MEMBERS_REAPED);
	READ("\x82\xa5"
	     "Event\xabmember-gone\xa7Members\x90");
	assert_int_equal(message.kind, SERF_MESSAGE_OTHER);
	READ("\x82\xa5"
	     "Event\xa4user\xa4Name\xa2HI");
	assert_int_equal(message.kind, SERF_MESSAGE_EVENT);
	assert_string_equal(message.name, "HI");
	assert_null(message.payload);
}

/* ---- where objects end ---- */

/* Whole only at its last byte, however it comes. */
static void assert_scans(const char *bytes, size_t len)
{
	struct error err = {0};
	struct serf_scan step = {0};

	for (size_t cut = 0; cut < len; cut++) {
		struct serf_scan scan = {0};

		assert_int_equal(serf_scan_object(&scan, (const uint8_t *)bytes, cut, &err), 0);
		assert_int_equal(serf_scan_object(&step, (const uint8_t *)bytes, cut, &err), 0);
	}
	assert_int_equal(serf_scan_object(&step, (const uint8_t *)bytes, len, &err), 1);
	assert_int_equal(step.at, len);
}

static void test_scan(void **state)
{
	static const char all[] =
		"\xdc\x00\x1e\xc0\xc2\xc3\x7f\xe0\xc4\x01x\xc5\0\1x\xc6\0\0\0\1x"
		"\xc7\1\5x\xc8\0\1\5x\xc9\0\0\0\1\5x\xca"
		"1234\xcb"
		"12345678\xcc"
		"1\xcd"
		"12\xce"
		"1234\xcf"
		"12345678\xd0"
		"1\xd1"
		"12\xd2"
		"1234\xd3"
		"12345678"
		"\xd4\5x\xd5\5xx\xd6\5xxxx\xd7\5xxxxxxxx\xd8\5xxxxxxxxxxxxxxxx\xd9\1x"
		"\xda\0\1x\xdb\0\0\0\1x\x91\x80";

	(void)state;
	assert_scans("\x80", 1);
	assert_scans("\x05", 1);
	assert_scans("\xa0", 1);
	assert_scans("\x81\xa1x\x92\xc0\x90", 6);
	assert_scans("\xde\0\1\xdd\0\0\0\1\xc0\xdf\0\0\0\0", 14);
	assert_scans(all, sizeof(all) - 1);
}

static void test_scan_limits(void **state)
{
	struct error err = {0};
	struct serf_scan scan = {0};
	uint8_t bytes[] = {0xdd, 0, 4, 0, 1};

	(void)state;
	assert_int_equal(serf_scan_object(&scan, bytes, 5, &err), -1);
	error_clear(&err);
	bytes[4] = 0; /* 2^18 exactly */
	scan = (struct serf_scan){0};
	assert_int_equal(serf_scan_object(&scan, bytes, 5, &err), 0);
	/* Promises add up. */
	uint8_t twice[] = {0x92, 0xdd, 0, 3, 0xff, 0xfe, 0x90};
	scan = (struct serf_scan){0};
	assert_int_equal(serf_scan_object(&scan, twice, 5, &err), 0);
	assert_int_equal(serf_scan_object(&scan, twice, 6, &err), 0);
	twice[5] = 0xff;
	scan = (struct serf_scan){0};
	assert_int_equal(serf_scan_object(&scan, twice, 6, &err), -1);
	error_clear(&err);
	uint8_t large[] = {0xdb, 0, 0x3f, 0xff, 0xfb}; /* 4 MiB with its header */
	scan = (struct serf_scan){0};
	assert_int_equal(serf_scan_object(&scan, large, 5, &err), 0);
	large[4]++;
	assert_int_equal(serf_scan_object(&scan, large, 5, &err), -1);
	error_clear(&err);
	static const uint8_t deep[] = {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0xc0};
	scan = (struct serf_scan){0};
	assert_int_equal(serf_scan_object(&scan, deep, 9, &err), 1);
	scan = (struct serf_scan){0};
	uint8_t deeper[10];
	memset(deeper, 0x91, 10);
	assert_int_equal(serf_scan_object(&scan, deeper, 9, &err), -1);
}

/* A list as large as a list may be arrives in pieces, and what comes behind it is read as well. */
static void test_large_object(void **state)
{
	struct serf_input *input = serf_input_new();
	size_t len = 1 << 20, sent = 0;
	uint8_t *bytes = xcalloc(1, len + 6);
	struct serf_message message;
	struct error err = {0};
	int found = 0, messages = 0;

	(void)state;
	memcpy(bytes, "\xdb\x00\x10\x00\x00", 5);
	bytes[len + 5] = 0x80;
	while (sent < len + 6) {
		size_t room;
		void *at = serf_input_room(input, &room);

		room = room < len + 6 - sent ? room : len + 6 - sent;
		memcpy(at, bytes + sent, room);
		serf_input_filled(input, room);
		sent += room;
		while ((found = serf_input_next(input, &message, &err)) == 1)
			messages++;
		assert_int_equal(found, 0);
	}
	assert_int_equal(messages, 2);
	serf_input_free(input);
	free(bytes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scan_limits),
		cmocka_unit_test(test_large_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
