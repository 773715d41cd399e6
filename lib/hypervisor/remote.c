/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written at another host's libvirt, in a thread that can be left behind: the network may
 * be gone. */
#include "base/deadline.h"
#include "base/mem.h"
#include "base/str.h"
#include "hypervisor/internal.h"

#define REMOTE_MS 10000

struct remote {
	char *connect_uri, *key, *uri, *xml;
	char uuid[UUID_TEXT_SIZE];
	struct error err;
};

static void remote_free(void *argument)
{
	struct remote *remote = argument;

	free(remote->connect_uri);
	free(remote->key);
	free(remote->uri);
	free(remote->xml);
	free(remote);
}

static void remote_run(void *argument)
{
	struct remote *remote = argument;
	cleanup_connect virConnectPtr connection = libvirt.virConnectOpen(remote->connect_uri);

	if (!connection) {
		libvirt_error(&remote->err, "connecting to %s", remote->connect_uri);
		return;
	}
	cleanup_domain virDomainPtr domain =
		libvirt.virDomainLookupByUUIDString(connection, remote->uuid);
	if (!domain || libvirt.virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT,
			       remote->xml, remote->key, remote->uri, VIR_DOMAIN_AFFECT_CONFIG) < 0)
		libvirt_error(&remote->err, "writing metadata of VM %s at %s", remote->uuid,
			remote->connect_uri);
}

int hypervisor_set_metadata_at(const char *connect_uri, const char *uuid, const char *key,
	const char *uri, const char *xml, struct error *err)
{
	struct remote *remote = xcalloc(1, sizeof(*remote));

	remote->connect_uri = xstrdup(connect_uri);
	remote->key = xstrdup(key);
	remote->uri = xstrdup(uri);
	remote->xml = xstrdup(xml);
	str_copy(remote->uuid, sizeof(remote->uuid), uuid);
	if (!deadline_run(remote_run, remote_free, remote, REMOTE_MS))
		return error_set(err, ERR_TIMEOUT, "%s: no answer within %d s", connect_uri,
			REMOTE_MS / 1000);
	*err = remote->err;
	remote_free(remote);
	return error_is_set(err) ? -1 : 0;
}
