/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that the operations on VMs share: reading a VM as it is now, beginning and ending,
 * answers. */
#ifndef VIRTXD_VM_OPS_H
#define VIRTXD_VM_OPS_H

#include "model/domain_xml.h"
#include "routes.h"

/* A VM as libvirt has it at this moment, not as the inventory remembers it. */
struct vm_now {
	enum runstate runstate;
	char *xml; /* inactive */
	struct domain_reading reading;
};

/* ERR_NOT_FOUND when libvirt does not know it, ERR_STORED_DATA when it cannot be understood. On -1
 * *now is empty. */
int vm_now_read(struct daemon *daemon, const char *uuid, struct vm_now *now, struct error *err);
void vm_now_free(struct vm_now *now);
#define cleanup_vm_now CLEANUP(vm_now_free)

/* 0 when it is poweroff or crashed and VirtX's own; ERR_STATE names what was to be done
 * ("updated"). */
int vm_now_check_off(const struct vm_now *now, const char *what, struct error *err);

/* Takes the call's VM (call->vm) for an operation and lets the client know, when it asked for that.
 * NULL: ERR_BUSY ... */
struct operation *vm_ops_begin(struct call *call, const char *kind, struct error *err);
/* The same for an operation that cannot be cancelled. */
struct operation *vm_ops_begin_short(struct call *call, const char *kind, struct error *err);
/* Publishes the VM as it is now, then ends the operation with err (empty: success; otherwise what
 * it may have left is looked after). */
void vm_ops_end(struct daemon *daemon, struct operation *operation, const char *uuid,
	const struct error *err);

/* 0 when a `host` of a request, name or UUID, means this one ("" and NULL do); otherwise
 * ERR_UNAVAILABLE, ERR_AMBIGUOUS. */
int vm_ops_check_host(struct call *call, const char *host, struct error *err);

/* Whether {id} is the UUID of a VM that is gone but for what its delete left; then call->vm is
 * that. */
bool vm_ops_find_left(struct call *call);

/* A VM that another host has too, as the register or the hosts themselves say (claims.h), is
 * neither started nor changed nor deleted: ERR_REGISTER. */
int vm_ops_check_claims(struct daemon *daemon, const char *uuid, struct error *err);

/* How this host writes domains; *console_log is what options->console_log points to, the caller
 * frees it. */
void vm_ops_xml_options(struct daemon *daemon, const char *uuid, struct domain_xml_options *options,
	char **console_log);

/* The query ?dry_run=true or false, of a route that takes no other. */
int vm_ops_read_dry_run(const struct call *call, bool *dry_run, struct error *err);

/* What a definition is judged against here; existing as in struct vmdef_rules. */
struct vmdef_rules vm_ops_rules(struct daemon *daemon, const struct vmdef *existing);

/* What a client is told when an operation did its work but left something behind. */
#define VM_OPS_LEFT "some resources could not be deleted"

/* 204, or 200 with the warning that some resources could not be deleted. */
int vm_ops_answer_removed(struct call *call, bool complete);

#endif
