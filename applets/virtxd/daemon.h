/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's parts in one struct, which every handler gets. Made in daemon_start, in the order of
 * the members; all pointers live until daemon_stop. Lock order: none is taken while another is held.
 */
#ifndef VIRTXD_DAEMON_H
#define VIRTXD_DAEMON_H

#include "base/uuid.h"
#include "cluster/inventory.h"
#include "hypervisor/hypervisor.h"
#include "http/server.h"
#include "settings.h"
#include "storage/store.h"

struct operations;
struct collector;

struct daemon {
	struct settings settings; /* replaced at SIGHUP by the main thread; read others' copies through daemon_settings */
	char host_uuid[UUID_TEXT_SIZE];
	char host_name[256];
	char arch[16];
	enum virt_type virt_type; /* resolved: KVM or QEMU */
	struct hypervisor *hypervisor;
	struct hypervisor_caps caps;
	struct store *store;
	struct inventory *inventory;
	struct operations *operations;
	struct collector *collector;
	struct http_server *http;
};

/* Milliseconds since the epoch, UTC. */
int64_t daemon_now_ms(void);

#endif
