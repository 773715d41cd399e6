/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shutdown, reboot, pause and resume (spec: rest-api.md). Boot is in api_boot.c. */
#include "model/json.h"
#include "oplog.h"
#include "vm_ops.h"

/* `force` of a body that may be missing, from 0 to max. */
static int read_force(struct call *call, int16_t max, int16_t *force, struct error *err)
{
	if (json_get_i16(call->body, "force", "", force, err))
		return -1;
	if (*force < 0 || *force > max)
		return error_set(err, ERR_INVALID, "force: 0 to %d, not %d", max, *force);
	return 0;
}

/* 0 asks the guest by ACPI, 1 ends QEMU with SIGTERM, 2 with SIGKILL. */
static int shut_down(struct call *call, int16_t force, struct error *err)
{
	struct hypervisor *hypervisor = call->daemon->hypervisor;
	bool off = call->vm.runstate == RUNSTATE_POWEROFF || call->vm.runstate == RUNSTATE_CRASHED;

	if (force == 0)
		return hypervisor_shutdown(hypervisor, call->vm.uuid, err);
	if (hypervisor_destroy(hypervisor, call->vm.uuid, force == 1, err) == 0)
		return 0;
	return force == 1 && !off ? error_hint(err, "force 2 does not ask QEMU") : -1;
}

int api_shutdown(struct call *call, struct error *err)
{
	struct daemon *daemon = call->daemon;
	const char *uuid = call->vm.uuid;
	struct operation *operation;
	struct oplog_note note;
	char message[32];
	int16_t force = 0;

	if (read_force(call, 2, &force, err))
		return -1;
	operation = vm_ops_begin_short(call, "shutdown", err);
	if (!operation)
		return -1;
	snprintf(message, sizeof(message), "shutdown force=%d.", force);
	oplog_start(daemon, uuid, OPLOG_SHUTDOWN, message, &note);
	/* With force 0 it stays open until the guest has stopped: oplog_catch_up(). */
	if (shut_down(call, force, err) || force > 0)
		oplog_finish(daemon, uuid, &note, "forced shutdown", err);
	vm_ops_end(daemon, operation, uuid, err);
	return error_is_set(err) ? -1 : call_answer(call, force == 0 ? 202 : 204);
}

int api_reboot(struct call *call, struct error *err)
{
	struct operation *operation;
	int16_t force = 0;

	if (read_force(call, 1, &force, err))
		return -1;
	operation = vm_ops_begin_short(call, "reboot", err);
	if (!operation)
		return -1;
	hypervisor_reboot(call->daemon->hypervisor, call->vm.uuid, force == 1, err);
	vm_ops_end(call->daemon, operation, call->vm.uuid, err);
	return error_is_set(err) ? -1 : call_answer(call, force == 0 ? 202 : 204);
}

/* Pause and resume: one step and its entry in the log. */
static int change_cpus(struct call *call, const char *kind, enum oplog_op op,
	int (*change)(struct hypervisor *hypervisor, const char *uuid, struct error *err),
	struct error *err)
{
	struct operation *operation = vm_ops_begin_short(call, kind, err);
	struct oplog_note note;

	if (!operation)
		return -1;
	oplog_start(call->daemon, call->vm.uuid, op, "", &note);
	change(call->daemon->hypervisor, call->vm.uuid, err);
	oplog_finish(call->daemon, call->vm.uuid, &note, "", err);
	vm_ops_end(call->daemon, operation, call->vm.uuid, err);
	return error_is_set(err) ? -1 : call_answer(call, 204);
}

int api_pause(struct call *call, struct error *err)
{
	return change_cpus(call, "pause", OPLOG_PAUSE, hypervisor_suspend, err);
}

int api_resume(struct call *call, struct error *err)
{
	return change_cpus(call, "resume", OPLOG_RESUME, hypervisor_resume, err);
}
