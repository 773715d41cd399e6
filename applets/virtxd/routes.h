/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The API: one table of routes, and the dispatcher that does for every handler what it must not
 * forget: Host and Origin, method, Content-Type, JSON, finding {id}, forwarding, the VM's state and
 * If-Match.
 */
#ifndef VIRTXD_ROUTES_H
#define VIRTXD_ROUTES_H

#include "daemon.h"
#include "operations.h"

enum route_flags {
	ROUTE_FAST = 1 << 0,       /* answered from memory */
	ROUTE_VM = 1 << 1,         /* {id} is a VM: found, 404 */
	ROUTE_HOST = 1 << 2,       /* {id} is a host */
	ROUTE_OWNER = 1 << 3,      /* runs on the host that owns it */
	ROUTE_BODY = 1 << 4,       /* needs a JSON body, 400 without */
	ROUTE_CHANGE = 1 << 5,     /* changes something: Content-Type and Origin are checked */
	ROUTE_OFF = 1 << 6,        /* the VM must be poweroff or crashed, else 422 */
	ROUTE_OWN = 1 << 7,        /* refused for a foreign domain, 422, and one not understood */
	ROUTE_LIBVIRT = 1 << 8,    /* 503 while libvirt is away */
	ROUTE_LONG = 1 << 9,       /* may take minutes; Prefer: respond-async */
	ROUTE_ARGUMENTS = 1 << 10, /* takes a JSON body, but works without one */
	ROUTE_LEFT = 1 << 11,      /* also for a VM of which a delete left something, by its UUID */
	ROUTE_STORAGE = 1 << 12,   /* 503 while the storage is away, rather than waiting for it */
	ROUTE_TARGET = 1 << 13,    /* runs on the host that the body names as `host` */
	ROUTE_OPERATION = 1 << 14, /* {id} is an operation; runs where that does */
	ROUTE_ALL = 1 << 15,       /* with ?all=true other hosts are asked as well */
};

struct call {
	struct daemon *daemon;
	const struct route *route;
	const struct http_request *request;
	struct http_response *response;
	char id[256];                   /* {id} as given, decoded */
	struct vm_place vm;             /* with ROUTE_VM */
	bool left;                      /* with ROUTE_LEFT: the VM is gone, what it left is not */
	char host[UUID_TEXT_SIZE];      /* with ROUTE_HOST */
	char elsewhere[UUID_TEXT_SIZE]; /* the host that it is for, "": this one */
	char peer[UUID_TEXT_SIZE]; /* the host that sent it, which has proven that; "": a client */
	char failed[256];          /* name of another host that failed; "": none */
	struct json_object *body;  /* NULL: none or null */
	struct background
		*background; /* the thread of a call that need not be waited for; NULL: none */
};

struct route {
	const char *method;
	const char *path; /* "/vms/{id}/runstate" */
	unsigned flags;
	/* 0 with the response filled, or -1 with err, which becomes a problem. */
	int (*handle)(struct call *call, struct error *err);
	const char *summary;
};

/* Ends with method NULL. */
extern const struct route routes[];

/* For struct http_server_config. */
enum http_class routes_classify(void *daemon, const struct http_request *request);
void routes_handle(
	void *daemon, const struct http_request *request, struct http_response *response);

/* Reads the query, in which only this one parameter may stand: "true", "no" ...; false without it.
 * A misspelt one must not do what was only to be looked at. */
int call_read_switch(const struct call *call, const char *name, bool *value, struct error *err);
/* Answers with a body made of JSON, which it puts. */
int call_answer_json(struct call *call, int status, struct json_object *json);
/* Answers without a body. */
int call_answer(struct call *call, int status);
/*
 * Every ROUTE_LONG handler calls it right after operations_begin: all that is checked beforehand
 * has passed. A client that asked with "Prefer: respond-async" gets its 202 now; what the handler
 * answers later nobody reads. Does nothing otherwise.
 */
void call_started(struct call *call, const char *operation_id);

/* For what is asked by another host about this one: ERR_FORBIDDEN for anybody else. */
int call_check_peer(struct call *call, struct error *err);

/* The handlers, each in the api_*.c that its name says. */
int api_vms_list(struct call *call, struct error *err);
int api_vms_create(struct call *call, struct error *err);
int api_vms_get(struct call *call, struct error *err);
int api_vms_update(struct call *call, struct error *err);
int api_vms_delete(struct call *call, struct error *err);
int api_vms_xml(struct call *call, struct error *err);
int api_console_get(struct call *call, struct error *err);
int api_runstate_get(struct call *call, struct error *err);
int api_boot(struct call *call, struct error *err);
int api_shutdown(struct call *call, struct error *err);
int api_reboot(struct call *call, struct error *err);
int api_pause(struct call *call, struct error *err);
int api_resume(struct call *call, struct error *err);
int api_migrate_start(struct call *call, struct error *err);
int api_migrate_get(struct call *call, struct error *err);
int api_migrate_abort(struct call *call, struct error *err);
int api_register(struct call *call, struct error *err);
int api_hosts_list(struct call *call, struct error *err);
int api_hosts_get(struct call *call, struct error *err);
int api_hosts_inventory(struct call *call, struct error *err);
int api_hosts_admission(struct call *call, struct error *err);
int api_hosts_register(struct call *call, struct error *err);
int api_drain_start(struct call *call, struct error *err);
int api_drain_lift(struct call *call, struct error *err);
int api_operations_list(struct call *call, struct error *err);
int api_operations_get(struct call *call, struct error *err);
int api_operations_cancel(struct call *call, struct error *err);
int api_healthz(struct call *call, struct error *err);
int api_readyz(struct call *call, struct error *err);
int api_version(struct call *call, struct error *err);
int api_openapi(struct call *call, struct error *err);

#endif
