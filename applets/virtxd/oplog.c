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

void oplog_on_stop(struct daemon *daemon, const char *uuid, const struct vm *vm)
{
	const struct oplog_entry *entry = &vm->oplog[OPLOG_SHUTDOWN];
	struct oplog_note note = {.op = OPLOG_SHUTDOWN, .start_ms = entry->start_ms};
	const char *message = entry->message ? entry->message : "";

	if (!entry->present || entry->status != OPLOG_STARTED)
		return;
	if (!str_copy(note.message, sizeof(note.message), message))
		return; /* not one that a daemon writes */
	/* Force 0 asks the guest; with any other one libvirt took the VM away. */
	bool asked = str_starts_with(message, "shutdown force=0");
	struct error how = {0};

	if (asked && vm->runstate == RUNSTATE_CRASHED)
		error_set(&how, ERR_STATE, "crashed");
	oplog_finish(daemon, uuid, &note, asked ? "graceful shutdown" : "forced shutdown", &how);
}
