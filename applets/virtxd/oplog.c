/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operation log of a VM: see oplog.h. */
#include "oplog.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/domain_xml.h"

#define OPLOG_KEY "data-op"

static void write_entry(
	struct daemon *daemon, const char *uuid, enum oplog_op op, const struct oplog_entry *entry)
{
	struct error err = {0};
	char uri[40];
	cleanup_free char *xml = domain_xml_oplog_element(op, entry);

	domain_xml_oplog_uri(op, uri);
	if (hypervisor_set_metadata(daemon->hypervisor, uuid, OPLOG_KEY, uri, xml, &err))
		log_warning("operation log cannot be written", "vm", uuid, "op", oplog_op_name(op),
			"error", err.message);
}

void oplog_start(struct daemon *daemon, const char *uuid, enum oplog_op op, const char *message,
	struct oplog_note *note)
{
	*note = (struct oplog_note){.op = op, .start_ms = clock_wall_ms()};
	(void)str_copy(note->message, sizeof(note->message), message);
	write_entry(daemon, uuid, op,
		&(struct oplog_entry){.present = true,
			.start_ms = note->start_ms,
			.status = OPLOG_STARTED,
			.message = note->message});
}

/* The text known at the start, and how it ended; the caller frees it. */
static char *whole_message(const struct oplog_note *note, const char *end)
{
	return xasprintf("%s%s%s", note->message, *note->message && *end ? " " : "", end);
}

int oplog_finish_at(const char *connect_uri, const char *uuid, const struct oplog_note *note,
	const char *how, struct error *err)
{
	cleanup_free char *message = whole_message(note, how);
	cleanup_free char *xml =
		domain_xml_oplog_element(note->op, &(struct oplog_entry){.present = true,
							   .start_ms = note->start_ms,
							   .end_ms = clock_wall_ms(),
							   .status = OPLOG_COMPLETED,
							   .message = message});
	char uri[40];

	domain_xml_oplog_uri(note->op, uri);
	return hypervisor_set_metadata_at(connect_uri, uuid, OPLOG_KEY, uri, xml, err);
}

void oplog_finish(struct daemon *daemon, const char *uuid, const struct oplog_note *note,
	const char *how, const struct error *err)
{
	cleanup_free char *message = whole_message(note, error_is_set(err) ? err->message : how);

	write_entry(daemon, uuid, note->op,
		&(struct oplog_entry){.present = true,
			.start_ms = note->start_ms,
			.end_ms = clock_wall_ms(),
			.status = error_is_set(err) ? OPLOG_FAILED : OPLOG_COMPLETED,
			.message = message});
}

/* Force 0 asks the guest; with any other one libvirt took the VM away. */
static void finish_shutdown(struct daemon *daemon, const char *uuid, const struct oplog_note *note,
	enum runstate runstate)
{
	bool asked = str_starts_with(note->message, "shutdown force=0");
	struct error how = {0};

	if (asked && runstate == RUNSTATE_CRASHED)
		error_set(&how, ERR_STATE, "crashed");
	oplog_finish(daemon, uuid, note, asked ? "graceful shutdown" : "forced shutdown", &how);
}

static bool is_open(const struct oplog_entry *entry)
{
	return entry->present && entry->status == OPLOG_STARTED;
}

/* The VM came from another host, and the entry with it. */
static bool has_arrived(
	const struct daemon *daemon, const struct oplog_entry *entry, enum runstate runstate)
{
	cleanup_free char *arrival = xasprintf(" to %s.", daemon->host_uuid);

	return is_open(entry) && entry->message && str_ends_with(entry->message, arrival) &&
	       runstate != RUNSTATE_MIGRATING && runstate != RUNSTATE_STARTUP;
}

bool oplog_is_behind(
	const struct daemon *daemon, const struct oplog_entry *oplog, enum runstate runstate)
{
	/* A QEMU that was killed, or went while nobody watched it, is "crashed" to libvirt. */
	bool off = runstate == RUNSTATE_POWEROFF || runstate == RUNSTATE_CRASHED;

	return (off && is_open(&oplog[OPLOG_SHUTDOWN])) ||
	       has_arrived(daemon, &oplog[OPLOG_MIGRATE], runstate);
}

bool oplog_catch_up(struct daemon *daemon, const char *uuid, const struct vm *vm)
{
	bool off = vm->runstate == RUNSTATE_POWEROFF || vm->runstate == RUNSTATE_CRASHED;
	static const struct error none = {0};
	bool arrived = false;

	for (size_t i = 0; i < OPLOG_COUNT; i++) {
		const struct oplog_entry *entry = &vm->oplog[i];
		struct oplog_note note = {.op = (enum oplog_op)i, .start_ms = entry->start_ms};

		/* One that is too long is not one that a daemon writes. */
		if (!is_open(entry) || !str_copy(note.message, sizeof(note.message),
					       entry->message ? entry->message : ""))
			continue;
		if (i == OPLOG_SHUTDOWN && off)
			finish_shutdown(daemon, uuid, &note, vm->runstate);
		if (i == OPLOG_MIGRATE && has_arrived(daemon, entry, vm->runstate)) {
			oplog_finish(daemon, uuid, &note, "Migrated.", &none);
			arrived = true;
		}
	}
	return arrived;
}
