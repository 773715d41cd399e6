/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as the payload of HI, VE and VI, and as the body of an inventory. What is
 * accepted is valid and means the same when it is sent on; what is refused says why.
 */
#include "base/str.h"
#include "cluster/wire_list.h"

#define HOST "00000001-1111-4222-8333-444444444444"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void must_say(int status, const struct error *err)
{
	must(status == -1 && err->code == ERR_INVALID && err->message[0]);
}

static void try_host(const uint8_t *data, size_t size)
{
	cleanup_buf struct printbuf *first = buf_new(), *second = buf_new();
	cleanup_wire_host struct wire_host host = {0}, again = {0};
	struct error err = {0};
	int status = wire_host_decode(data, size, &host, &err);

	if (status < 0) {
		must_say(status, &err);
		return;
	}
	must(uuid_is_valid(host.host.uuid) && str_is_utf8(host.host.name));
	wire_host_encode(&host, first);
	must(wire_host_decode(first->buf, (size_t)first->bpos, &again, &err) == 0);
	wire_host_encode(&again, second);
	must(first->bpos == second->bpos &&
		memcmp(first->buf, second->buf, (size_t)first->bpos) == 0);
}

static void try_event(const uint8_t *data, size_t size)
{
	cleanup_buf struct printbuf *buf = buf_new();
	struct wire_event event, again;
	struct error err = {0};
	int status = wire_event_decode(data, size, &event, &err);

	if (status < 0) {
		must_say(status, &err);
		return;
	}
	wire_event_encode(&event, buf);
	must(wire_event_decode(buf->buf, (size_t)buf->bpos, &again, &err) == 0);
	must(str_equal(event.uuid, again.uuid) && event.runstate == again.runstate &&
		event.ts_ms == again.ts_ms && event.stamp.generation == again.stamp.generation);
}

static void try_vm(const uint8_t *data, size_t size)
{
	cleanup_buf struct printbuf *buf = buf_new();
	cleanup_wire_vm struct wire_vm vm = {0}, again = {0};
	struct error err = {0};
	int status = wire_vm_decode(data, size, &vm, &err);

	if (status < 0) {
		must_say(status, &err);
		return;
	}
	must(uuid_is_valid(vm.row.uuid) && vm.row.n_custom <= VMDEF_MAX_CUSTOM);
	bool whole = wire_vm_encode(&vm, size, buf);
	must(!whole || (size_t)buf->bpos <= size);
	must(wire_vm_decode(buf->buf, (size_t)buf->bpos, &again, &err) == 0);
	must(!whole || wire_vm_hash(&vm.row) == wire_vm_hash(&again.row));
}

static int take_host(void *context, struct wire_host *host, struct error *err)
{
	(void)err;
	must(str_equal(host->host.uuid, HOST) && host->vms <= 10);
	++*(unsigned *)context;
	return 0;
}

static int take_vm(void *context, struct wire_vm *vm, struct error *err)
{
	(void)err;
	must(str_equal(vm->row.host_uuid, HOST));
	must(++*(unsigned *)context <= 11);
	return 0;
}

/* Whole and cut in two: both tell the same. */
static void try_body(const uint8_t *data, size_t size)
{
	unsigned seen[2] = {0};
	int status[2];

	for (int turn = 0; turn < 2; turn++) {
		struct wire_list_reading reading = {take_host, take_vm, &seen[turn]};
		struct wire_list_reader *reader = wire_list_reader_new(&reading, HOST, 10);
		struct error err = {0};
		size_t half = turn ? size / 2 : 0;

		status[turn] = wire_list_reader_feed(reader, data, half, &err);
		if (status[turn] == 0)
			status[turn] =
				wire_list_reader_feed(reader, data + half, size - half, &err);
		if (status[turn] == 0)
			status[turn] = wire_list_reader_finish(reader, &err);
		if (status[turn] < 0)
			must_say(status[turn], &err);
		wire_list_reader_free(reader);
	}
	must(seen[0] == seen[1] && status[0] == status[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_host(data, size);
	try_event(data, size);
	try_vm(data, size);
	try_body(data, size);
	return 0;
}
