/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host and its VMs as records with lengths, out and in. */
#include "cluster/wire_list.h"

#include "base/str.h"
#include "cluster/digest.h"

#include <endian.h>
#include <string.h>

#define HEADER sizeof(uint16_t)

/* Room for the length of the record that is appended next; returns where it begins. */
static int begin(struct printbuf *body)
{
	int start = body->bpos;

	buf_append(body, (char[HEADER]){0}, HEADER);
	return start;
}

static void end(struct printbuf *body, int start)
{
	uint16_t len = htole16((uint16_t)((size_t)(body->bpos - start) - HEADER));

	memcpy(body->buf + start, &len, HEADER);
}

void wire_list_put_host(struct printbuf *body, const struct wire_host *host)
{
	int start = begin(body);

	wire_host_encode(host, body);
	end(body, start);
}

void wire_list_put_vm(struct printbuf *body, const struct wire_vm *vm)
{
	int start = begin(body);

	wire_vm_encode(vm, WIRE_MAX_PAYLOAD, body);
	end(body, start);
}

struct wire_list_reader {
	struct wire_list_reading reading;
	char host_uuid[UUID_TEXT_SIZE];
	uint32_t max_vms;
	bool has_host;
	struct digest promised, seen;
	size_t used; /* bytes of record */
	uint8_t record[HEADER + WIRE_MAX_PAYLOAD];
};

struct wire_list_reader *wire_list_reader_new(
	const struct wire_list_reading *reading, const char *host_uuid, uint32_t max_vms)
{
	struct wire_list_reader *reader = xcalloc(1, sizeof(*reader));

	reader->reading = *reading;
	reader->max_vms = max_vms;
	uuid_canonical(host_uuid, reader->host_uuid);
	return reader;
}

void wire_list_reader_free(struct wire_list_reader *reader)
{
	free(reader);
}

static int read_host(
	struct wire_list_reader *reader, const void *data, size_t len, struct error *err)
{
	cleanup_wire_host struct wire_host host = {0};

	if (wire_host_decode(data, len, &host, err) < 0)
		return -1;
	if (!str_equal(host.host.uuid, reader->host_uuid))
		return error_set(err, ERR_INVALID, "the inventory is that of host %s, not of %s",
			host.host.uuid, reader->host_uuid);
	if (!host.stamp.extended)
		return error_set(err, ERR_INVALID, "the inventory says nothing of its VMs");
	if (host.vms > reader->max_vms)
		return error_set(err, ERR_INVALID, "the inventory has %u VMs, more than %u",
			host.vms, reader->max_vms);
	reader->promised = (struct digest){.vms = host.vms, .sum = host.digest};
	reader->has_host = true;
	return reader->reading.on_host(reader->reading.context, &host, err);
}

static int read_vm(struct wire_list_reader *reader, const void *data, size_t len, struct error *err)
{
	cleanup_wire_vm struct wire_vm vm = {0};

	if (wire_vm_decode(data, len, &vm, err) < 0)
		return -1;
	if (!str_equal(vm.row.host_uuid, reader->host_uuid))
		return error_set(err, ERR_INVALID, "VM %s is said to be on host %s, not on %s",
			vm.row.uuid, vm.row.host_uuid, reader->host_uuid);
	if (reader->seen.vms == reader->promised.vms)
		return error_set(err, ERR_INVALID, "the inventory has more than its %u VMs",
			reader->promised.vms);
	digest_add(&reader->seen, wire_vm_hash(&vm.row));
	return reader->reading.on_vm(reader->reading.context, &vm, err);
}

/* How many bytes the record must have before more is known of it. */
static size_t record_size(const struct wire_list_reader *reader)
{
	uint16_t len = 0;

	if (reader->used < HEADER)
		return HEADER;
	memcpy(&len, reader->record, HEADER);
	return HEADER + le16toh(len);
}

int wire_list_reader_feed(
	struct wire_list_reader *reader, const void *data, size_t len, struct error *err)
{
	const uint8_t *at = data;

	while (len > 0) {
		size_t wanted = record_size(reader) - reader->used;
		size_t piece = len < wanted ? len : wanted;

		memcpy(reader->record + reader->used, at, piece);
		reader->used += piece;
		at += piece;
		len -= piece;
		if (reader->used < HEADER || reader->used < record_size(reader))
			continue;
		const uint8_t *payload = reader->record + HEADER;
		size_t size = reader->used - HEADER;
		reader->used = 0;
		if ((reader->has_host ? read_vm : read_host)(reader, payload, size, err) < 0)
			return -1;
	}
	return 0;
}

int wire_list_reader_finish(struct wire_list_reader *reader, struct error *err)
{
	if (reader->used || !reader->has_host)
		return error_set(err, ERR_INVALID, "the inventory is cut off");
	if (reader->seen.vms != reader->promised.vms)
		return error_set(err, ERR_INVALID,
			"the inventory has %u VMs, not the %u it promised", reader->seen.vms,
			reader->promised.vms);
	if (!digest_equal(&reader->seen, &reader->promised))
		return error_set(err, ERR_INVALID,
			"the inventory's VMs are not those that its digest is of");
	return 0;
}
