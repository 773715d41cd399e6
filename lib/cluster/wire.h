/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hosts tell each other, as bytes (spec: cluster-wire.md): the payloads of the user events HI,
 * VE and VI. Peers that are not ours read and write the same bytes: the members, their order and
 * their widths never change. Ours put an extension at the end, which others skip.
 *
 * Decoders take anything: each length is checked, strings are UTF-8 without NUL, numbers that name
 * something name a thing that exists. They fail with ERR_INVALID, "EVENT: member: reason", and
 * leave what they fill empty. Encoders write only what the decoders take: texts over
 * WIRE_MAX_TEXT bytes are cut between characters, a custom field whose name came before is left
 * out, as are those beyond VMDEF_MAX_CUSTOM.
 */
#ifndef CLUSTER_WIRE_H
#define CLUSTER_WIRE_H

#include "base/buf.h"
#include "base/error.h"
#include "model/filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names of the events. */
#define WIRE_HOST  "HI"
#define WIRE_EVENT "VE"
#define WIRE_VM    "VI"

#define WIRE_MAX_TEXT 255 /* bytes of a string, but for custom fields */
/* Bytes of a payload of ours, extension and all, so that its length fits in 16 bits. */
#define WIRE_MAX_PAYLOAD 65535

/* The part of the extension that all three have: when the sender started, and which of its changes
 * this is. */
struct wire_stamp {
	bool extended;    /* false: of an old peer, the rest is 0 */
	uint64_t boot_id; /* ms since 1970: later starts order after earlier ones */
	uint64_t generation;
};

/* HI. Of the host it carries uuid, name, arch, vendor, cpu, cstate, what is available for VMs of
 * memory and huge pages, os_id, os_version and ts_ms; the rest is zero when it was decoded. */
struct wire_host {
	struct host host;
	struct wire_stamp stamp;
	uint32_t vms; /* how many the host has, and their digest (digest.h) */
	uint64_t digest;
};

/* VE: a VM's state. Owns nothing. */
struct wire_event {
	char uuid[UUID_TEXT_SIZE];
	char host_uuid[UUID_TEXT_SIZE];
	enum runstate runstate; /* RUNSTATE_DELETED: the VM is gone */
	int64_t ts_ms;
	struct wire_stamp stamp;
};

/* VI: all that lists know of a VM. */
struct wire_vm {
	struct vm_row row;
	struct wire_stamp stamp;
};

/* Each appends a payload; the extension when the stamp says so. */
void wire_host_encode(const struct wire_host *host, struct printbuf *buf);
void wire_event_encode(const struct wire_event *event, struct printbuf *buf);
/*
 * The same, without the custom fields when the payload would be longer than limit bytes; false
 * then. Longer than 1 KiB it is never without them.
 */
bool wire_vm_encode(const struct wire_vm *vm, size_t limit, struct printbuf *buf);

int wire_host_decode(const void *data, size_t len, struct wire_host *host, struct error *err);
int wire_event_decode(const void *data, size_t len, struct wire_event *event, struct error *err);
int wire_vm_decode(const void *data, size_t len, struct wire_vm *vm, struct error *err);

void wire_host_free(struct wire_host *host);
void wire_vm_free(struct wire_vm *vm);
#define cleanup_wire_host CLEANUP(wire_host_free)
#define cleanup_wire_vm   CLEANUP(wire_vm_free)

/*
 * 64-bit FNV-1a of the VM's whole payload, without its extension and without the 8 bytes of its
 * time: what the digest of a host is the sum of.
 */
uint64_t wire_vm_hash(const struct vm_row *row);

#endif
