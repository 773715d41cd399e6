/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of GET /hosts/{id}/inventory, by which one host learns all VMs of another: the payload
 * of the HI it is true for, then the VI of each of its VMs (wire.h), each behind its length in two
 * bytes, little-endian. The HI's count says how many, its digest whether they are the right ones.
 */
#ifndef CLUSTER_WIRE_LIST_H
#define CLUSTER_WIRE_LIST_H

#include "cluster/wire.h"

/* Each appends one record to the body. The host's stamp is extended, its vms and digest are those
 * of the VMs that follow. */
void wire_list_put_host(struct printbuf *body, const struct wire_host *host);
void wire_list_put_vm(struct printbuf *body, const struct wire_vm *vm);

/* What reading tells. Both may keep what the struct owns by emptying it. -1 with err ends it. */
struct wire_list_reading {
	int (*on_host)(void *context, struct wire_host *host, struct error *err); /* once, first */
	int (*on_vm)(void *context, struct wire_vm *vm, struct error *err);
	void *context;
};

struct wire_list_reader;

/* Reads the body that the host with that UUID sends; more than max_vms VMs are refused before the
 * first of them is told. */
struct wire_list_reader *wire_list_reader_new(
	const struct wire_list_reading *reading, const char *host_uuid, uint32_t max_vms);
void wire_list_reader_free(struct wire_list_reader *reader);

/* The next piece of the body, of any length. ERR_INVALID for what is none, or of another host.
 * Holds one record at most. After an error it is only freed. */
int wire_list_reader_feed(
	struct wire_list_reader *reader, const void *data, size_t len, struct error *err);
/* The body is over: ERR_INVALID when it was cut, or its VMs are not those that the HI promised. */
int wire_list_reader_finish(struct wire_list_reader *reader, struct error *err);

#endif
