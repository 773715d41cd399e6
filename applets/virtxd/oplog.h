/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operation log of a VM: what was last done to it, one entry per kind, kept in the metadata of
 * its domain (spec: rest-api.md, Operation messages; domain-xml.md, oplog). It informs: when it
 * cannot be written that is logged and the operation itself goes on.
 */
#ifndef VIRTXD_OPLOG_H
#define VIRTXD_OPLOG_H

#include "daemon.h"
#include "model/vm.h"

/* An entry that was started; message is the text known at the start, "" for none. */
struct oplog_note {
	enum oplog_op op;
	int64_t start_ms;
	char message[128];
};

/* Writes the entry as started. */
void oplog_start(struct daemon *daemon, const char *uuid, enum oplog_op op, const char *message,
	struct oplog_note *note);
/*
 * Writes how it ended: failed with the error's words behind the message when err is set, completed
 * otherwise, with `how` behind the message ("forced shutdown"; "" for none).
 */
void oplog_finish(struct daemon *daemon, const char *uuid, const struct oplog_note *note,
	const char *how, const struct error *err);

/* Writes how a move to another host has ended well, there: connect_uri is its libvirt. -1 with the
 * reason. */
int oplog_finish_at(const char *connect_uri, const char *uuid, const struct oplog_note *note,
	const char *how, struct error *err);

/*
 * Whether an entry is still open of what has happened since: a shutdown of a VM that is off, a
 * migration to this host of one that is here. Then oplog_catch_up() ends it; a shutdown as failed
 * when the guest was asked and crashed. It says whether the VM has come from another host; vm is
 * what was read of it just now.
 */
bool oplog_is_behind(
	const struct daemon *daemon, const struct oplog_entry *oplog, enum runstate runstate);
bool oplog_catch_up(struct daemon *daemon, const char *uuid, const struct vm *vm);

#endif
