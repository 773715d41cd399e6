/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payloads of HI, VE and VI: one function in and one out for each, in the order of the spec. */
#include "cluster/wire.h"

#include "base/str.h"
#include "cluster/table.h"

#include <endian.h>
#include <string.h>

#define MAGIC      0x31445856u
#define STAMP_SIZE (4 + 8 + 8)

/* ---- out ---- */

static void put_u16(struct printbuf *buf, uint16_t value)
{
	value = htole16(value);
	buf_append(buf, &value, sizeof(value));
}

static void put_u32(struct printbuf *buf, uint32_t value)
{
	value = htole32(value);
	buf_append(buf, &value, sizeof(value));
}

static void put_u64(struct printbuf *buf, uint64_t value)
{
	value = htole64(value);
	buf_append(buf, &value, sizeof(value));
}

static void put_bytes(struct printbuf *buf, const char *text, size_t len)
{
	put_u16(buf, (uint16_t)len);
	buf_append(buf, text, len);
}

/* Cut between characters when it is too long. */
static void put_text(struct printbuf *buf, const char *text)
{
	size_t len = text ? strnlen(text, WIRE_MAX_TEXT + 1) : 0;

	if (len > WIRE_MAX_TEXT)
		for (len = WIRE_MAX_TEXT; len && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	put_bytes(buf, text ? text : "", len);
}

static void put_i16(struct printbuf *buf, int value)
{
	put_u16(buf, (uint16_t)value);
}

static void put_stamp(struct printbuf *buf, const struct wire_stamp *stamp)
{
	if (!stamp->extended)
		return;
	put_u32(buf, MAGIC);
	put_u64(buf, stamp->boot_id);
	put_u64(buf, stamp->generation);
}

void wire_host_encode(const struct wire_host *wire, struct printbuf *buf)
{
	const struct host *host = &wire->host;

	put_text(buf, host->uuid);
	put_text(buf, host->name);
	put_text(buf, host->arch);
	put_text(buf, host->vendor);
	put_text(buf, host->cpu.model);
	put_i16(buf, host->cpu.nodes);
	put_i16(buf, host->cpu.sockets);
	put_i16(buf, host->cpu.cores);
	put_i16(buf, host->cpu.threads);
	put_i16(buf, (int)host->cstate);
	put_u32(buf, (uint32_t)host->memory.available_vms);
	put_u32(buf, (uint32_t)host->hugepages.available_vms);
	put_text(buf, host->os_id);
	put_text(buf, host->os_version);
	put_u64(buf, (uint64_t)host->ts_ms);
	put_stamp(buf, &wire->stamp);
	if (wire->stamp.extended) {
		put_u32(buf, wire->vms);
		put_u64(buf, wire->digest);
	}
}

void wire_event_encode(const struct wire_event *event, struct printbuf *buf)
{
	put_text(buf, event->uuid);
	put_text(buf, event->host_uuid);
	put_i16(buf, (int)event->runstate);
	put_u64(buf, (uint64_t)event->ts_ms);
	put_stamp(buf, &event->stamp);
}

/* True when one of the first count fields has that name. */
static bool has_custom(const struct custom *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(list[i].name, name))
			return true;
	return false;
}

/* Appends the list of custom fields; false, and what it appended is of no use, when there are more
 * than max bytes of them. */
static bool put_custom(struct printbuf *buf, const struct vm_row *row, size_t max)
{
	int start = buf->bpos;
	uint16_t count = 0;

	put_u16(buf, 0);
	for (size_t i = 0; i < row->n_custom && count < VMDEF_MAX_CUSTOM; i++) {
		const char *name = row->custom[i].name, *value = row->custom[i].value;
		size_t name_len = strlen(name), value_len = value ? strlen(value) : 0;

		if (has_custom(row->custom, i, name))
			continue;
		if ((size_t)(buf->bpos - start) + 4 + name_len + value_len > max)
			return false;
		put_bytes(buf, name, name_len);
		put_bytes(buf, value ? value : "", value_len);
		count++;
	}
	uint16_t le = htole16(count);
	memcpy(buf->buf + start, &le, sizeof(le));
	return true;
}

/* The payload without extension; where its time stands is told. */
static bool put_vm(struct printbuf *buf, const struct vm_row *row, size_t limit, size_t *ts_at)
{
	int start = buf->bpos;

	put_text(buf, row->uuid);
	put_text(buf, row->host_uuid);
	put_i16(buf, (int)row->runstate);
	*ts_at = (size_t)buf->bpos;
	put_u64(buf, (uint64_t)row->ts_ms);
	put_text(buf, row->name);
	put_i16(buf, row->vlanid);
	int custom_at = buf->bpos;
	size_t used = (size_t)(custom_at - start) + sizeof(uint16_t);
	bool whole = put_custom(buf, row, limit > used ? limit - used : 0);

	if (!whole) {
		buf->bpos = custom_at;
		put_u16(buf, 0);
	}
	put_i16(buf, row->vcpus);
	return whole;
}

bool wire_vm_encode(const struct wire_vm *vm, size_t limit, struct printbuf *buf)
{
	size_t ts_at, room = limit < WIRE_MAX_PAYLOAD ? limit : WIRE_MAX_PAYLOAD;

	if (vm->stamp.extended)
		room = room > STAMP_SIZE ? room - STAMP_SIZE : 0;
	/* Whether all of it fits must not depend on the extension, which the hash leaves out. */
	if (room > WIRE_MAX_PAYLOAD - STAMP_SIZE)
		room = WIRE_MAX_PAYLOAD - STAMP_SIZE;
	bool whole = put_vm(buf, &vm->row, room, &ts_at);
	put_stamp(buf, &vm->stamp);
	return whole;
}

uint64_t wire_vm_hash(const struct vm_row *row)
{
	cleanup_buf struct printbuf *buf = buf_new();
	size_t ts_at;

	put_vm(buf, row, WIRE_MAX_PAYLOAD - STAMP_SIZE, &ts_at);
	size_t rest = ts_at + sizeof(uint64_t);
	uint64_t hash = table_digest(TABLE_DIGEST_START, buf->buf, ts_at);
	return table_digest(hash, buf->buf + rest, (size_t)buf->bpos - rest);
}

/* ---- in ---- */

/* What is left to read. After the first error nothing more is read and everything is 0. */
struct reader {
	const char *event;
	const uint8_t *at;
	size_t left;
	struct error *err;
	bool failed;
};

static void fail(struct reader *in, const char *member, const char *reason)
{
	if (!in->failed)
		error_set(in->err, ERR_INVALID, "%s: %s: %s", in->event, member, reason);
	in->failed = true;
}

/* The next len bytes, NULL when there are less. */
static const uint8_t *take(struct reader *in, const char *member, size_t len)
{
	if (!in->failed && in->left < len)
		fail(in, member, "the payload ends before it does");
	if (in->failed)
		return NULL;
	const uint8_t *bytes = in->at;
	in->at += len;
	in->left -= len;
	return bytes;
}

static uint16_t get_u16(struct reader *in, const char *member)
{
	uint16_t value = 0;
	const uint8_t *bytes = take(in, member, sizeof(value));

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(struct reader *in, const char *member)
{
	uint32_t value = 0;
	const uint8_t *bytes = take(in, member, sizeof(value));

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(struct reader *in, const char *member)
{
	uint64_t value = 0;
	const uint8_t *bytes = take(in, member, sizeof(value));

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

/* A number within first and last. */
static int get_i16(struct reader *in, const char *member, int first, int last)
{
	int value = (int16_t)get_u16(in, member);

	if (!in->failed && (value < first || value > last))
		fail(in, member, "no such value");
	return in->failed ? 0 : value;
}

static int16_t get_count(struct reader *in, const char *member)
{
	return (int16_t)get_i16(in, member, 0, INT16_MAX);
}

static int64_t get_time(struct reader *in)
{
	uint64_t ts = get_u64(in, "ts");

	if (!in->failed && ts > INT64_MAX)
		fail(in, "ts", "before 1970");
	return in->failed ? 0 : (int64_t)ts;
}

/* A string of at most max bytes, which the caller frees; NULL after a failure. */
static char *get_text(struct reader *in, const char *member, size_t max)
{
	size_t len = get_u16(in, member);
	const uint8_t *bytes = take(in, member, len);

	if (!bytes)
		return NULL;
	if (len > max)
		fail(in, member, "too long");
	else if (memchr(bytes, '\0', len))
		fail(in, member, "holds a NUL");
	cleanup_free char *text = in->failed ? NULL : xstrndup((const char *)bytes, len);
	if (text && !str_is_utf8(text))
		fail(in, member, "not UTF-8");
	return in->failed ? NULL : steal(&text);
}

static void get_uuid(struct reader *in, const char *member, char uuid[static UUID_TEXT_SIZE])
{
	cleanup_free char *text = get_text(in, member, UUID_TEXT_SIZE - 1);

	uuid[0] = '\0';
	if (text && !uuid_canonical(text, uuid))
		fail(in, member, "no UUID");
}

/* The extension, when there is one; what follows it, or is something else, is skipped. */
static void get_stamp(struct reader *in, struct wire_stamp *stamp)
{
	uint32_t magic = 0;

	if (!in->failed && in->left >= sizeof(magic))
		memcpy(&magic, in->at, sizeof(magic));
	if (le32toh(magic) != MAGIC)
		return;
	stamp->extended = true;
	get_u32(in, "magic");
	stamp->boot_id = get_u64(in, "boot id");
	stamp->generation = get_u64(in, "generation");
}

static struct reader reader_of(const char *event, const void *data, size_t len, struct error *err)
{
	return (struct reader){.event = event, .at = data, .left = len, .err = err};
}

int wire_host_decode(const void *data, size_t len, struct wire_host *wire, struct error *err)
{
	struct reader in = reader_of(WIRE_HOST, data, len, err);
	struct host *host = &wire->host;

	*wire = (struct wire_host){0};
	get_uuid(&in, "uuid", host->uuid);
	host->name = get_text(&in, "name", WIRE_MAX_TEXT);
	host->arch = get_text(&in, "arch", WIRE_MAX_TEXT);
	host->vendor = get_text(&in, "vendor", WIRE_MAX_TEXT);
	host->cpu.model = get_text(&in, "model", WIRE_MAX_TEXT);
	host->cpu.nodes = get_count(&in, "nodes");
	host->cpu.sockets = get_count(&in, "sockets");
	host->cpu.cores = get_count(&in, "cores");
	host->cpu.threads = get_count(&in, "threads");
	host->cstate = (enum cstate)get_i16(&in, "cstate", CSTATE_INVALID, CSTATE_FAILED);
	host->memory.available_vms = (int32_t)get_u32(&in, "memoryavailable");
	host->hugepages.available_vms = (int32_t)get_u32(&in, "hpavailable");
	host->os_id = get_text(&in, "osid", WIRE_MAX_TEXT);
	host->os_version = get_text(&in, "osv", WIRE_MAX_TEXT);
	host->ts_ms = get_time(&in);
	get_stamp(&in, &wire->stamp);
	if (wire->stamp.extended) {
		wire->vms = get_u32(&in, "number of VMs");
		wire->digest = get_u64(&in, "digest");
	}
	if (in.failed)
		wire_host_free(wire);
	return in.failed ? -1 : 0;
}

int wire_event_decode(const void *data, size_t len, struct wire_event *event, struct error *err)
{
	struct reader in = reader_of(WIRE_EVENT, data, len, err);

	*event = (struct wire_event){0};
	get_uuid(&in, "uuid", event->uuid);
	get_uuid(&in, "host", event->host_uuid);
	event->runstate = (enum runstate)get_i16(&in, "runstate", RUNSTATE_NONE, RUNSTATE_CRASHED);
	event->ts_ms = get_time(&in);
	get_stamp(&in, &event->stamp);
	if (in.failed)
		*event = (struct wire_event){0};
	return in.failed ? -1 : 0;
}

/* The first of two fields with one name counts, as in the lists. */
static void get_custom(struct reader *in, struct vm_row *row)
{
	size_t count = get_u16(in, "custom");

	if (count > VMDEF_MAX_CUSTOM)
		fail(in, "custom", "too many fields");
	/* Each field takes four bytes at least. */
	if (!in->failed && count * 4 > in->left)
		fail(in, "custom", "more fields than the payload can hold");
	if (in->failed || count == 0)
		return;
	row->custom = xcalloc(count, sizeof(*row->custom));
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *name = get_text(in, "custom name", UINT16_MAX);
		cleanup_free char *value = get_text(in, "custom value", UINT16_MAX);

		if (!value)
			return;
		if (!has_custom(row->custom, row->n_custom, name))
			row->custom[row->n_custom++] =
				(struct custom){.name = steal(&name), .value = steal(&value)};
	}
}

int wire_vm_decode(const void *data, size_t len, struct wire_vm *vm, struct error *err)
{
	struct reader in = reader_of(WIRE_VM, data, len, err);
	struct vm_row *row = &vm->row;

	*vm = (struct wire_vm){0};
	get_uuid(&in, "uuid", row->uuid);
	get_uuid(&in, "host", row->host_uuid);
	row->runstate = (enum runstate)get_i16(&in, "runstate", RUNSTATE_NONE, RUNSTATE_CRASHED);
	row->ts_ms = get_time(&in);
	row->name = get_text(&in, "name", WIRE_MAX_TEXT);
	row->vlanid = (int16_t)get_i16(&in, "vlanid", INT16_MIN, INT16_MAX);
	get_custom(&in, row);
	/* Old peers overflow this one: a VM is not hidden for it. */
	row->vcpus = (int16_t)get_i16(&in, "vcpus", INT16_MIN, INT16_MAX);
	get_stamp(&in, &vm->stamp);
	if (in.failed)
		wire_vm_free(vm);
	return in.failed ? -1 : 0;
}

void wire_host_free(struct wire_host *host)
{
	host_free(&host->host);
	*host = (struct wire_host){0};
}

void wire_vm_free(struct wire_vm *vm)
{
	vm_row_free(&vm->row);
	*vm = (struct wire_vm){0};
}
