/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the client: its command line, its server, and how requests are made. */
#ifndef VIRTX_CLIENT_H
#define VIRTX_CLIENT_H

#include "base/option.h"
#include "http/client.h"
#include "model/json.h"

#define CLIENT_SERVER   "localhost:8080"
#define CLIENT_FILE_MAX (1024 * 1024 - 1) /* bytes of a file that becomes a request */

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME };

struct client {
	const struct command *command;
	struct options options; /* its operands are those of the command */
	enum output_format format;
	bool headers; /* of tables */
	bool debug;
	int64_t timeout_s;  /* of waiting */
	const char *server; /* --api-server, NULL when it was not given */
	FILE *out, *log;    /* results; errors, warnings and progress */
	struct http_client *http;
	/* Once they were needed: the answer of GET /hosts, and UUID to name made of it. */
	struct json_object *hosts, *host_names;
	int exit_status; /* of the first operand that failed */
};

/* The whole client; returns its exit status. argv[0] is skipped. */
int client_run(int argc, char **argv, FILE *out, FILE *log);

/* What the process returns for an error: 1 refused, 2 usage, 3 not found, 4 no server, 5 timed out.
 */
int client_exit_status(const struct error *err);
/* Prints an error, with the operand that it is about (NULL: none), and its hint. */
void client_report(struct client *client, const char *id, const struct error *err);
/* Prints a line "virtx: warning: ...". */
void client_warn(struct client *client, const char *text);

/*
 * One request: method, target, headers and timeouts are set in the exchange, body (NULL: none;
 * borrowed) is sent as JSON. Warnings of the server are printed. -1 with the server's own words for
 * a status of 400 and above, ERR_CONNECT when nobody gave an answer, ERR_TIMEOUT when it took too
 * long (a minute for GET). The caller clears the exchange.
 */
int client_exchange(struct client *client, struct http_exchange *exchange, struct json_object *body,
	struct error *err);
/* GET; the caller puts *answer, which is NULL for a `null`. */
int client_get(struct client *client, const char *target, struct json_object *body,
	struct json_object **answer, struct error *err);
/* As client_get, for a list: its items go to take() (see json_parse_list), the rest is *answer. */
int client_get_items(struct client *client, const char *target, struct json_object *body,
	json_take *take, void *context, struct json_object **answer, struct error *err);
/* The operations of all hosts. */
#define OPERATIONS_TARGET "/operations?all=true"
/* Warns of each host that such an answer lacks. */
void client_warn_unanswered(struct client *client, struct json_object *answer);
/* The JSON of an answer. ERR_CONNECT when it is none. */
int client_answer(
	const struct http_exchange *exchange, struct json_object **answer, struct error *err);

#define cleanup_exchange CLEANUP(http_exchange_clear)

/* What an ID can be of. */
enum thing { THING_VM, THING_HOST, THING_OPERATION };

/*
 * As client_exchange, for "/vms/ID SUFFIX": the ID goes to the server as it is; when it finds
 * nothing and it may be a name or the prefix of a UUID, it is looked up in the list and asked
 * again. The target is set here. ERR_AMBIGUOUS with the candidates.
 */
int client_exchange_id(struct client *client, enum thing thing, const char *id, const char *suffix,
	struct http_exchange *exchange, struct json_object *body, struct error *err);
/* The UUID of a host by UUID, name or prefix; the caller frees it. NULL or "" gives "". NULL: err.
 */
char *client_find_host(struct client *client, const char *id, struct error *err);
/* A host's name for people; its UUID where it is unknown. Borrowed. */
const char *client_host_name(struct client *client, const char *uuid);

/* A file, or standard input for "-", of at most CLIENT_FILE_MAX bytes; the caller frees it. */
char *client_read_file(const char *path, size_t *len, struct error *err);
/* The same as JSON, with the file's name in errors. */
int client_read_json(const char *path, struct json_object **json, struct error *err);

#endif
