/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DELETE /vms/{id}: {deletestorage} -> 204 (spec: rest-api.md; storage-and-locks.md, What happens
 * to disks). */
#include "base/str.h"
#include "intent.h"
#include "lockspace_watch.h"
#include "model/json.h"
#include "recovery.h"
#include "settle.h"
#include "vm_disks.h"
#include "vm_ops.h"

static int delete_vm(struct daemon *daemon, struct operation *operation, struct intent *intent,
	bool *complete, struct error *err)
{
	cleanup_vm_now struct vm_now now = {0};

	if (recovery_settle(daemon, intent->vm, err) ||
		vm_now_read(daemon, intent->vm, &now, err) ||
		vm_now_check_off(&now, "deleted", err) ||
		vm_ops_check_claims(daemon, intent->vm, err) ||
		lockspace_watch_check(daemon->lockspace, err) ||
		lease_check_vm_free(daemon->store, intent->vm, err))
		return -1;
	vmdef_copy(&intent->def, &now.reading.def);
	if (vm_disks_check_release(daemon, intent, err) || intent_write(daemon->store, intent, err))
		return -1;
	return settle_delete(daemon, operation, intent, complete, err);
}

/* Tries once more what an earlier delete could not remove. */
static int delete_left(struct daemon *daemon, const char *uuid, bool *complete, struct error *err)
{
	cleanup_intent struct intent rest = {0};
	struct error none = {0};

	if (recovery_settle(daemon, uuid, err))
		return -1;
	*complete = intent_read(daemon->store, uuid, &rest, &none) && none.code == ERR_NOT_FOUND;
	return 0;
}

int api_vms_delete(struct call *call, struct error *err)
{
	cleanup_intent struct intent intent = {.op = INTENT_DELETE, .forward = true};
	bool complete = false;

	if (json_get_bool(call->body, "deletestorage", "", &intent.remove, err))
		return -1;
	(void)str_copy(intent.vm, sizeof(intent.vm), call->vm.uuid);

	struct operation *operation = vm_ops_begin_short(call, "delete", err);
	if (!operation)
		return -1;
	int result = call->left ? delete_left(call->daemon, intent.vm, &complete, err)
				: delete_vm(call->daemon, operation, &intent, &complete, err);
	if (result == 0 && !complete)
		operation_warn(operation, VM_OPS_LEFT);
	vm_ops_end(call->daemon, operation, intent.vm, err);
	return error_is_set(err) ? -1 : vm_ops_answer_removed(call, complete);
}
