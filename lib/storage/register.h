/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register: VMS/xml/HOST/VM.xml, the domain XML libvirt reports for each VM of a host, and
 * beside it the intents: what an operation that was cut short was about to do. Errors are
 * ERR_REGISTER; ERR_NOT_FOUND for an entry that is not there; ERR_STORED_DATA for one that is over
 * its size limit or not a regular file. All UUIDs are canonical text; anything else is refused
 * before a path is made of it.
 */
#ifndef STORAGE_REGISTER_H
#define STORAGE_REGISTER_H

#include "base/error.h"
#include "base/uuid.h"
#include "storage/store.h"

#include <stddef.h>

#define REGISTER_MAX_XML (1024 * 1024)

/* Writes an entry atomically and durably, mode 0640. */
int register_save(const struct store *store, const char *host, const char *vm, const char *xml,
	struct error *err);
/* The caller frees it. NULL on error. */
char *register_load(const struct store *store, const char *host, const char *vm, struct error *err);
/* One that is not there is a success. */
int register_remove(const struct store *store, const char *host, const char *vm, struct error *err);
/* One rename, both directories fsynced. ERR_EXISTS when the target has an entry of that VM. */
int register_move(const struct store *store, const char *vm, const char *from_host,
	const char *to_host, struct error *err);

struct register_entry {
	char host[UUID_TEXT_SIZE];
	char vm[UUID_TEXT_SIZE];
};

/* Every entry of one host (host NULL: of all hosts), names only, sorted. The caller frees *entries.
 */
int register_list(const struct store *store, const char *host, struct register_entry **entries,
	size_t *count, struct error *err);

/* The hosts whose register lists a VM: entries sorted; none is a success. The caller frees. */
int register_find(const struct store *store, const char *vm, struct register_entry **entries,
	size_t *count, struct error *err);

/* Intents of this host: VM.intent, JSON text of at most REGISTER_MAX_XML bytes, written and removed
 * durably. */
int intent_save(const struct store *store, const char *vm, const char *json, struct error *err);
char *intent_load(const struct store *store, const char *vm, struct error *err);
int intent_remove(const struct store *store, const char *vm, struct error *err);
/* Renames one that cannot be understood to VM.intent.bad, in place of an earlier one. Durable. */
int intent_set_aside(const struct store *store, const char *vm, struct error *err);
/*
 * Those of other hosts, which died: as intent_load, as register_list and as register_find; and one
 * that becomes this host's by one rename, in place of its own of that VM: ERR_NOT_FOUND without.
 */
char *intent_load_of(
	const struct store *store, const char *host, const char *vm, struct error *err);
int intent_list_of(const struct store *store, const char *host, struct register_entry **entries,
	size_t *count, struct error *err);
int intent_find(const struct store *store, const char *vm, struct register_entry **entries,
	size_t *count, struct error *err);
int intent_take(
	const struct store *store, const char *vm, const char *from_host, struct error *err);
/* 1 when a VM has an intent or a temporary file that a failed write left; 0 when not. */
int register_has_rest(const struct store *store, const char *vm, struct error *err);
/* Removes the temporary files of a VM; nobody may be writing its entry or intent. */
int register_sweep(const struct store *store, const char *vm, struct error *err);
/* UUIDs of VMs with an intent; the caller frees *vms. */
int intent_list(
	const struct store *store, char (**vms)[UUID_TEXT_SIZE], size_t *count, struct error *err);

#endif
