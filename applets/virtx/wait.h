/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for what the server does, and telling how far it is. */
#ifndef VIRTX_WAIT_H
#define VIRTX_WAIT_H

#include "client.h"
#include "model/enums.h"

/* Rows for the options of commands that can wait. */
#define WAIT_OPTIONS(until)                                                              \
	{'w', "wait", NULL, "wait until " until, 0},                                     \
	{                                                                                \
		't', "timeout", "TIME", "... at most that long (90s, 5m; default 5m)", 0 \
	}

/* A deadline and the line that tells about progress: rewritten on a terminal, otherwise a new one
 * when the phase changes. */
struct wait {
	struct client *client;
	int64_t deadline_ms; /* monotonic; 0: none */
	unsigned polls;
	bool terminal;
	bool shown;
	char phase[256];
};

/* Starts with what --timeout says. */
void wait_begin(struct wait *wait, struct client *client);
/* Tells what is going on; percent is -1 where nobody knows. */
void wait_show(struct wait *wait, const char *phase, int percent);
/* Pauses until it is time to ask again: soon at first, every second at last. ERR_TIMEOUT after the
 * deadline. */
int wait_pause(struct wait *wait, const char *until, struct error *err);
/* What is left until the deadline, at least a second: for a request made while waiting. */
unsigned wait_left_ms(const struct wait *wait);
/* Takes the line away. */
void wait_end(struct wait *wait);
#define cleanup_wait CLEANUP(wait_end)

/* Waits until a VM is in a state. ERR_TIMEOUT says in which it is instead. */
int wait_runstate(struct client *client, const char *id, enum runstate runstate, struct error *err);

/* 0 when the operation of that record is done, 1 while it runs, -1 with its error. */
int wait_result(struct json_object *operation, struct error *err);

/* Failures to look that may be over soon: of a daemon that restarts, and of the way there. */
bool wait_is_passing(const struct error *err);

/*
 * Follows an operation ("/operations/ID") to its end; limited: as long as --timeout says,
 * also while its daemon restarts.
 * *operation (NULL at first; the caller puts it): its last record. -1 with the operation's error
 * when it failed, ERR_TIMEOUT.
 */
int wait_operation(struct client *client, const char *location, bool limited,
	struct json_object **operation, struct error *err);

/*
 * Sends a change that may take long as an operation (Prefer: respond-async), and follows it to its
 * end. Other servers answer when they are done. id NULL: the target is in the exchange; if_match:
 * the ETag that must still be true, or NULL. *operation (the caller puts it): its record, NULL when
 * there was none. -1 with the operation's error when it failed.
 */
int wait_change(struct client *client, const char *id, const char *if_match,
	struct http_exchange *exchange, struct json_object *body, struct json_object **operation,
	struct error *err);

#endif
