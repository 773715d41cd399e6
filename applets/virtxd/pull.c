/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request to a proven host; its answer is judged as a whole before any of it counts. */
#include "pull.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/claims.h"
#include "cluster/wire_list.h"
#include "forward.h"

/* What is read of an answer. */
struct pulled {
	struct wire_host host;
	struct wire_vm *vms;
	size_t count, room;
};

static int on_host(void *context, struct wire_host *host, struct error *err)
{
	struct pulled *pulled = context;

	(void)err;
	pulled->host = *host;
	*host = (struct wire_host){0};
	return 0;
}

static int on_vm(void *context, struct wire_vm *vm, struct error *err)
{
	struct pulled *pulled = context;

	(void)err;
	if (pulled->count == pulled->room) {
		pulled->room = pulled->room ? pulled->room * 2 : 64;
		pulled->vms = xreallocarray(pulled->vms, pulled->room, sizeof(*pulled->vms));
	}
	pulled->vms[pulled->count++] = *vm;
	*vm = (struct wire_vm){0};
	return 0;
}

static void pulled_clear(struct pulled *pulled)
{
	wire_host_free(&pulled->host);
	for (size_t i = 0; i < pulled->count; i++)
		wire_vm_free(&pulled->vms[i]);
	free(pulled->vms);
}

static int read_body(struct pulled *pulled, const char *host_uuid, const char *body, size_t len,
	struct error *err)
{
	struct wire_list_reader *reader = wire_list_reader_new(
		&(struct wire_list_reading){on_host, on_vm, pulled}, host_uuid, CLAIMS_MAX_VMS);
	int result = wire_list_reader_feed(reader, body, len, err);

	if (result == 0)
		result = wire_list_reader_finish(reader, err);
	wire_list_reader_free(reader);
	return result;
}

int pull_inventory(struct daemon *daemon, const char *host_uuid, struct error *err)
{
	struct pulled pulled = {0};
	cleanup_free char *target = xasprintf("/hosts/%s/inventory", host_uuid);
	size_t len;
	cleanup_free char *body = forward_fetch(daemon->forward, host_uuid, target, &len, err);

	if (!body)
		return -1;
	int result = read_body(&pulled, host_uuid, body, len, err);
	if (result == 0)
		claims_finish_pull(
			daemon->claims, &pulled.host, pulled.vms, pulled.count, clock_ms());
	pulled_clear(&pulled);
	return result;
}
