/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payloads of events: as the golden file has them byte for byte, there and back, and refused.
 */
#include "base/file.h"
#include "base/str.h"
#include "cluster/digest.h"
#include "cluster/wire.h"
#include "cluster/wire_list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VM   "82de2950-3106-4073-af1a-f76ecfda7afd"
#define HOST "00000001-1111-4222-8333-444444444444"

static const struct wire_stamp stamp = {
	.extended = true, .boot_id = 1795211000000, .generation = 7};

/* The payload of a label in the golden file. */
static size_t golden(const char *label, uint8_t payload[static 512])
{
	struct error err = {0};
	cleanup_free char *text = file_read("tests/golden/wire.txt", 65536, NULL, &err);
	cleanup_free char *key = xasprintf("\n%s ", label);
	const char *at = strstr(text, key);
	size_t len = 0;

	assert_non_null(at);
	for (at += strlen(key); *at != '\n'; at += 2, len++) {
		unsigned byte;

		assert_int_equal(sscanf(at, "%2x", &byte), 1);
		payload[len] = (uint8_t)byte;
	}
	return len;
}

static void assert_bytes(const struct printbuf *buf, const uint8_t *data, size_t len)
{
	assert_int_equal(buf->bpos, len);
	assert_memory_equal(buf->buf, data, len);
}

static void test_golden_host(void **state)
{
	cleanup_buf struct printbuf *buf = buf_new();
	cleanup_wire_host struct wire_host wire = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("HI", data);

	(void)state;
	assert_int_equal(wire_host_decode(data, len, &wire, &err), 0);
	assert_string_equal(wire.host.uuid, HOST);
	assert_string_equal(wire.host.name, "virt1");
	assert_string_equal(wire.host.arch, "x86_64");
	assert_string_equal(wire.host.vendor, "AMD");
	assert_string_equal(wire.host.cpu.model, "EPYC-Milan");
	assert_int_equal(wire.host.cpu.nodes, 2);
	assert_int_equal(wire.host.cpu.sockets, 1);
	assert_int_equal(wire.host.cpu.cores, 32);
	assert_int_equal(wire.host.cpu.threads, 2);
	assert_int_equal(wire.host.cstate, CSTATE_ACTIVE);
	assert_int_equal(wire.host.memory.available_vms, 515000);
	assert_int_equal(wire.host.hugepages.available_vms, -1);
	assert_string_equal(wire.host.os_id, "opensuse-leap");
	assert_string_equal(wire.host.os_version, "16.0");
	assert_int_equal(wire.host.ts_ms, 1795211569753);
	assert_false(wire.stamp.extended);
	wire_host_encode(&wire, buf);
	assert_bytes(buf, data, len);
}

static void test_golden_event(void **state)
{
	cleanup_buf struct printbuf *buf = buf_new();
	struct wire_event event;
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("VE", data);

	(void)state;
	assert_int_equal(wire_event_decode(data, len, &event, &err), 0);
	assert_string_equal(event.uuid, VM);
	assert_string_equal(event.host_uuid, HOST);
	assert_int_equal(event.runstate, RUNSTATE_RUNNING);
	assert_int_equal(event.ts_ms, 1795211576582);
	wire_event_encode(&event, buf);
	assert_bytes(buf, data, len);
}

static void test_golden_vm(void **state)
{
	cleanup_buf struct printbuf *buf = buf_new();
	cleanup_wire_vm struct wire_vm vm = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("VI", data);

	(void)state;
	assert_int_equal(wire_vm_decode(data, len, &vm, &err), 0);
	assert_string_equal(vm.row.uuid, VM);
	assert_string_equal(vm.row.host_uuid, HOST);
	assert_string_equal(vm.row.name, "web-01");
	assert_int_equal(vm.row.vlanid, 100);
	assert_int_equal(vm.row.vcpus, 16);
	assert_int_equal(vm.row.n_custom, 2);
	assert_string_equal(vm.row.custom[1].name, "tier");
	assert_string_equal(vm.row.custom[1].value, "gold");
	assert_true(wire_vm_encode(&vm, 512, buf));
	assert_bytes(buf, data, len);
}

/* The extension as the design has it, and what comes behind it is no concern of ours. */
static void test_extension(void **state)
{
	cleanup_buf struct printbuf *buf = buf_new();
	cleanup_wire_host struct wire_host wire = {0}, again = {0};
	struct error err = {0};
	uint8_t data[512];
	static const uint8_t expected[] = {0x56, 0x58, 0x44, 0x31, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0,
		0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
	size_t len = golden("HI", data);

	(void)state;
	assert_int_equal(wire_host_decode(data, len, &wire, &err), 0);
	wire.stamp = (struct wire_stamp){.extended = true, .boot_id = 1, .generation = 2};
	wire.vms = 3;
	wire.digest = 4;
	wire_host_encode(&wire, buf);
	assert_int_equal(buf->bpos, len + sizeof(expected));
	assert_memory_equal(buf->buf, data, len);
	assert_memory_equal(buf->buf + len, expected, sizeof(expected));
	buf_text(buf, "of a later version");
	assert_int_equal(wire_host_decode(buf->buf, (size_t)buf->bpos, &again, &err), 0);
	assert_true(again.stamp.extended);
	assert_int_equal(again.stamp.boot_id, 1);
	assert_int_equal(again.stamp.generation, 2);
	assert_int_equal(again.vms, 3);
	assert_int_equal(again.digest, 4);

	/* Bytes that are no extension of ours are skipped; one that is cut is refused. */
	memcpy(data + len, "1DXV and more", 13);
	wire_host_free(&again);
	assert_int_equal(wire_host_decode(data, len + 13, &again, &err), 0);
	assert_false(again.stamp.extended);
	wire_host_free(&again);
	for (size_t cut = 4; cut < sizeof(expected); cut++) {
		error_clear(&err);
		assert_int_equal(wire_host_decode(buf->buf, len + cut, &again, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

/* Every payload that ends too early is refused, and says where. */
static void test_cut(void **state)
{
	uint8_t data[512];
	struct wire_event event;
	cleanup_wire_host struct wire_host host = {0};
	cleanup_wire_vm struct wire_vm vm = {0};
	struct error err = {0};

	(void)state;
	for (size_t len = golden("HI", data); len-- > 0; error_clear(&err)) {
		assert_int_equal(wire_host_decode(data, len, &host, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.message, "HI: "));
		assert_null(host.host.name);
	}
	for (size_t len = golden("VE", data); len-- > 0; error_clear(&err)) {
		assert_int_equal(wire_event_decode(data, len, &event, &err), -1);
		assert_string_equal(event.uuid, "");
	}
	for (size_t len = golden("VI", data); len-- > 0; error_clear(&err)) {
		assert_int_equal(wire_vm_decode(data, len, &vm, &err), -1);
		assert_int_equal(vm.row.n_custom, 0);
	}
}

/* A golden VI with some bytes replaced is refused with these words. */
static void assert_refused(size_t at, const char *bytes, size_t len, const char *words)
{
	cleanup_wire_vm struct wire_vm vm = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t size = golden("VI", data);

	memcpy(data + at, bytes, len);
	assert_int_equal(wire_vm_decode(data, size, &vm, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	if (!strstr(err.message, words))
		fail_msg("\"%s\" lacks \"%s\"", err.message, words);
}

static void test_hostile(void **state)
{
	enum { UUID = 2, RUNSTATE_AT = 76, TS = 78, NAME = 86, CUSTOM = 96 };

	(void)state;
	assert_refused(0, "\x23\x00", 2, "uuid: no UUID");
	assert_refused(0, "\x25\x00", 2, "uuid: too long");
	assert_refused(UUID, "x", 1, "uuid: no UUID");
	assert_refused(RUNSTATE_AT, "\x0a\x00", 2, "runstate: no such value");
	assert_refused(RUNSTATE_AT, "\xff\xff", 2, "runstate: no such value");
	assert_refused(TS + 7, "\x80", 1, "ts: ");
	assert_refused(NAME, "\xff\xff", 2, "name: ");
	assert_refused(NAME + 4, "\xff", 1, "name: not UTF-8");
	assert_refused(NAME + 4, "\0", 1, "name: holds a NUL");
	assert_refused(CUSTOM, "\xff\xff", 2, "custom: too many fields");
	assert_refused(CUSTOM, "\x00\x01", 2, "custom: more fields than");
	assert_refused(CUSTOM, "\x04\x00", 2, "custom");
}

/* A name of 300 bytes, more fields than may be, two of one name: what is sent can be read. */
static void test_encoder_sends_what_can_be_read(void **state)
{
	static struct custom custom[VMDEF_MAX_CUSTOM + 20];
	cleanup_buf struct printbuf *buf = buf_new();
	cleanup_wire_vm struct wire_vm again = {0};
	struct error err = {0};
	char name[301] = "", names[VMDEF_MAX_CUSTOM + 20][8];
	struct wire_vm vm = {.row = {.uuid = VM,
				     .host_uuid = HOST,
				     .name = name,
				     .custom = custom,
				     .n_custom = VMDEF_MAX_CUSTOM + 20}};

	(void)state;
	memset(name, 'x', 254);
	memcpy(name + 254, "\xc3\xa4", 2); /* a character across the border */
	memset(name + 256, 'x', 44);
	for (size_t i = 0; i < VMDEF_MAX_CUSTOM + 20; i++) {
		snprintf(names[i], sizeof(names[i]), "%zu", i < 5 ? 0 : i);
		custom[i] = (struct custom){.name = names[i], .value = names[i]};
	}
	assert_true(wire_vm_encode(&vm, WIRE_MAX_PAYLOAD, buf));
	assert_int_equal(wire_vm_decode(buf->buf, (size_t)buf->bpos, &again, &err), 0);
	assert_int_equal(strlen(again.row.name), 254);
	assert_int_equal(again.row.n_custom, VMDEF_MAX_CUSTOM);
	assert_string_equal(again.row.custom[1].name, "5");
	assert_int_equal(wire_vm_hash(&vm.row), wire_vm_hash(&again.row));
}

/* The first of two fields with one name counts. */
static void test_custom_twice(void **state)
{
	cleanup_wire_vm struct wire_vm vm = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("VI", data);

	(void)state;
	memcpy(data + 98,
		"\x03\0CID\x02\0"
		"42"
		"\x03\0CID\x05\0"
		"other"
		"\x10\0",
		24);
	len = 98 + 24;
	assert_int_equal(wire_vm_decode(data, len, &vm, &err), 0);
	assert_int_equal(vm.row.n_custom, 1);
	assert_string_equal(vm.row.custom[0].value, "42");
}

static void test_limit(void **state)
{
	cleanup_buf struct printbuf *whole = buf_new(), *less = buf_new();
	cleanup_wire_vm struct wire_vm vm = {0}, again = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("VI", data);

	(void)state;
	assert_int_equal(wire_vm_decode(data, len, &vm, &err), 0);
	vm.stamp = stamp;
	assert_true(wire_vm_encode(&vm, len + 20, whole));
	assert_int_equal(whole->bpos, len + 20);
	assert_false(wire_vm_encode(&vm, len + 19, less));
	assert_true((size_t)less->bpos < len);
	assert_int_equal(wire_vm_decode(less->buf, (size_t)less->bpos, &again, &err), 0);
	assert_int_equal(again.row.n_custom, 0);
	assert_int_equal(again.row.vcpus, 16);
	assert_int_equal(again.stamp.generation, 7);
	assert_int_not_equal(wire_vm_hash(&vm.row), wire_vm_hash(&again.row));
}

/* FNV-1a over the golden payload without its time, computed here by its definition. */
static void test_hash(void **state)
{
	cleanup_wire_vm struct wire_vm vm = {0};
	struct error err = {0};
	uint8_t data[512];
	size_t len = golden("VI", data);
	uint64_t expected = 14695981039346656037u;

	(void)state;
	for (size_t i = 0; i < len; i++)
		if (i < 78 || i >= 86)
			expected = (expected ^ data[i]) * 1099511628211u;
	assert_int_equal(wire_vm_decode(data, len, &vm, &err), 0);
	assert_int_equal(wire_vm_hash(&vm.row), expected);
	vm.row.ts_ms++;
	assert_int_equal(wire_vm_hash(&vm.row), expected);
	vm.row.vlanid++;
	assert_int_not_equal(wire_vm_hash(&vm.row), expected);
}

/* ---- random values ---- */

static uint64_t seed = 20261121;

static uint64_t random_number(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 20;
}

static char *random_text(size_t max)
{
	static const char *const parts[] = {
		"a", "Z", "0", "-", "\xc3\xa4", "\xe2\x82\xac", "\n", " "};
	cleanup_buf struct printbuf *buf = buf_new();
	size_t len = random_number() % (max + 1);

	while ((size_t)buf->bpos + 3 <= len)
		buf_text(buf, parts[random_number() % 8]);
	return xstrndup(buf->buf, (size_t)buf->bpos);
}

static void random_uuid(char uuid[static UUID_TEXT_SIZE])
{
	snprintf(uuid, UUID_TEXT_SIZE, "%08x-0000-4000-8000-%012llx", (unsigned)random_number(),
		(unsigned long long)random_number() & 0xffffffffffff);
}

static void random_vm(struct wire_vm *vm)
{
	struct vm_row *row = &vm->row;

	*vm = (struct wire_vm){0};
	random_uuid(row->uuid);
	str_copy(row->host_uuid, sizeof(row->host_uuid), HOST);
	row->name = random_text(WIRE_MAX_TEXT);
	row->runstate = (enum runstate)(random_number() % 10);
	row->vlanid = (int16_t)random_number();
	row->vcpus = (int16_t)random_number();
	row->ts_ms = (int64_t)random_number();
	row->n_custom = random_number() % 20;
	row->custom = xcalloc(row->n_custom + 1, sizeof(*row->custom));
	for (size_t i = 0; i < row->n_custom; i++) {
		row->custom[i].name = xasprintf("%zu", i);
		row->custom[i].value = random_text(random_number() % 8 ? 20 : 6000);
	}
	vm->stamp.extended = random_number() % 2;
	if (vm->stamp.extended) {
		vm->stamp.boot_id = random_number();
		vm->stamp.generation = random_number();
	}
}

static void test_random_vms(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		cleanup_buf struct printbuf *buf = buf_new(), *second = buf_new();
		cleanup_wire_vm struct wire_vm vm, again;
		struct error err = {0};

		random_vm(&vm);
		bool whole = wire_vm_encode(&vm, WIRE_MAX_PAYLOAD, buf);
		assert_int_equal(wire_vm_decode(buf->buf, (size_t)buf->bpos, &again, &err), 0);
		assert_int_equal(again.row.n_custom, whole ? vm.row.n_custom : 0);
		assert_string_equal(again.row.name, vm.row.name);
		assert_int_equal(again.row.ts_ms, vm.row.ts_ms);
		assert_int_equal(again.stamp.generation, vm.stamp.generation);
		/* Also when the custom fields are too much for any payload. */
		assert_int_equal(wire_vm_hash(&vm.row), wire_vm_hash(&again.row));
		wire_vm_encode(&again, WIRE_MAX_PAYLOAD, second);
		assert_bytes(second, (const uint8_t *)buf->buf, (size_t)buf->bpos);
	}
}

static void test_digest(void **state)
{
	struct digest one = {0}, other = {0};

	(void)state;
	digest_add(&one, UINT64_MAX);
	digest_add(&one, 5);
	digest_add(&other, 5);
	assert_false(digest_equal(&one, &other));
	digest_add(&other, UINT64_MAX);
	assert_true(digest_equal(&one, &other));
	digest_remove(&one, 5);
	digest_remove(&one, UINT64_MAX);
	assert_true(digest_equal(&one, &(struct digest){0}));
	digest_add(&one, 0);
	assert_false(digest_equal(&one, &(struct digest){0}));
}

/* ---- the body of a pull ---- */

struct got {
	unsigned hosts, vms, stop_at;
};

static int got_host(void *context, struct wire_host *host, struct error *err)
{
	struct got *got = context;

	(void)err;
	assert_string_equal(host->host.name, "virt1");
	got->hosts++;
	return 0;
}

static int got_vm(void *context, struct wire_vm *vm, struct error *err)
{
	struct got *got = context;

	if (got->stop_at && got->vms == got->stop_at)
		return error_set(err, ERR_CANCELLED, "stopped at %s", vm->row.uuid);
	got->vms++;
	return 0;
}

/* A body of so many random VMs; the HI promises promise of them. */
static struct printbuf *body_of(unsigned count, unsigned promise)
{
	struct printbuf *body = buf_new();
	cleanup_wire_host struct wire_host host = {0};
	struct wire_vm *vms = xcalloc(count + 1, sizeof(*vms));
	struct digest digest = {0};
	struct error err = {0};
	uint8_t data[512];

	assert_int_equal(wire_host_decode(data, golden("HI", data), &host, &err), 0);
	for (unsigned i = 0; i < count; i++) {
		random_vm(&vms[i]);
		digest_add(&digest, wire_vm_hash(&vms[i].row));
	}
	host.stamp = stamp;
	host.vms = promise;
	host.digest = digest.sum;
	wire_list_put_host(body, &host);
	for (unsigned i = 0; i < count; i++) {
		wire_list_put_vm(body, &vms[i]);
		wire_vm_free(&vms[i]);
	}
	free(vms);
	return body;
}

/* Feeds it in pieces; 0 when all of it and its end were taken. */
static int read_body(const void *body, size_t len, size_t piece, const char *host, struct got *got,
	struct error *err)
{
	struct wire_list_reading reading = {.on_host = got_host, .on_vm = got_vm, .context = got};
	struct wire_list_reader *reader = wire_list_reader_new(&reading, host, 1000);
	int status = 0;

	*got = (struct got){.stop_at = got->stop_at};
	*err = (struct error){0};
	for (size_t at = 0; at < len && status == 0; at += piece)
		status = wire_list_reader_feed(
			reader, (const char *)body + at, len - at < piece ? len - at : piece, err);
	if (status == 0)
		status = wire_list_reader_finish(reader, err);
	wire_list_reader_free(reader);
	return status;
}

static void test_body(void **state)
{
	static const size_t pieces[] = {1, 2, 7, 4096, SIZE_MAX / 2};
	cleanup_buf struct printbuf *body = body_of(100, 100);
	struct got got = {0};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		assert_int_equal(
			read_body(body->buf, (size_t)body->bpos, pieces[i], HOST, &got, &err), 0);
		assert_int_equal(got.hosts, 1);
		assert_int_equal(got.vms, 100);
	}
	got.stop_at = 5;
	assert_int_equal(read_body(body->buf, (size_t)body->bpos, 100, HOST, &got, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(got.vms, 5);
	got.stop_at = 0;
	cleanup_buf struct printbuf *empty = body_of(0, 0);
	assert_int_equal(read_body(empty->buf, (size_t)empty->bpos, 9, HOST, &got, &err), 0);
}

static void assert_body_refused(
	const struct printbuf *body, size_t len, const char *host, const char *words)
{
	struct got got = {0};
	struct error err;

	assert_int_equal(read_body(body->buf, len, 999, host, &got, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	if (!strstr(err.message, words))
		fail_msg("\"%s\" lacks \"%s\"", err.message, words);
}

static void test_body_refused(void **state)
{
	cleanup_buf struct printbuf *body = body_of(3, 3), *less = body_of(3, 2);
	cleanup_buf struct printbuf *more = body_of(3, 4), *many = body_of(0, 1001);
	cleanup_buf struct printbuf *empty = buf_new();
	size_t len = (size_t)body->bpos;

	(void)state;
	assert_body_refused(empty, 0, HOST, "cut off");
	assert_body_refused(body, 1, HOST, "cut off");
	assert_body_refused(body, len - 1, HOST, "cut off");
	assert_body_refused(body, len, VM, "that of host");
	assert_body_refused(less, (size_t)less->bpos, HOST, "more than its 2");
	assert_body_refused(more, (size_t)more->bpos, HOST, "has 3 VMs, not the 4");
	assert_body_refused(many, (size_t)many->bpos, HOST, "1001 VMs, more than 1000");
	uint8_t data[512], old[600];
	size_t size = golden("HI", data);
	old[0] = (uint8_t)size;
	old[1] = 0;
	memcpy(old + 2, data, size);
	cleanup_buf struct printbuf *plain = buf_new();
	buf_append(plain, old, size + 2);
	assert_body_refused(plain, size + 2, HOST, "says nothing");
}

static void test_body_of_other_vms(void **state)
{
	cleanup_buf struct printbuf *body = body_of(0, 1);
	cleanup_wire_vm struct wire_vm vm;

	(void)state;
	random_vm(&vm);
	wire_list_put_vm(body, &vm);
	assert_body_refused(body, (size_t)body->bpos, HOST, "digest");
	cleanup_buf struct printbuf *foreign = body_of(0, 1);
	str_copy(vm.row.host_uuid, sizeof(vm.row.host_uuid), VM);
	wire_list_put_vm(foreign, &vm);
	assert_body_refused(foreign, (size_t)foreign->bpos, HOST, "said to be on host");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_host),
		cmocka_unit_test(test_golden_event),
		cmocka_unit_test(test_golden_vm),
		cmocka_unit_test(test_extension),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_encoder_sends_what_can_be_read),
		cmocka_unit_test(test_custom_twice),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_random_vms),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_body_refused),
		cmocka_unit_test(test_body_of_other_vms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
