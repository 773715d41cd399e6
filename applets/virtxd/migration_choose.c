/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a VM can be moved, and where to (migration.h): what its own host can judge, then what the
 * others answer, each for itself (admission.h).
 */
#include "admission.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/str.h"
#include "lockspace_watch.h"
#include "migration.h"
#include "model/json.h"
#include "peers.h"
#include "quarantine.h"

#define ASKERS 16 /* hosts that are asked at the same time */

void migration_hosts_free(struct migration_hosts *hosts)
{
	free(hosts->list);
	*hosts = (struct migration_hosts){0};
}

static bool is_better(const struct migration_host *a, const struct migration_host *b)
{
	if (a->memory_mib != b->memory_mib)
		return a->memory_mib > b->memory_mib;
	if (a->cpu_mhz != b->cpu_mhz)
		return a->cpu_mhz > b->cpu_mhz;
	if (a->vms != b->vms)
		return a->vms < b->vms;
	return strcmp(a->name, b->name) < 0;
}

const struct migration_host *migration_pick(const struct migration_host *list, size_t count)
{
	const struct migration_host *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (!error_is_set(&list[i].why) && (!best || is_better(&list[i], best)))
			best = &list[i];
	return best;
}

int migration_uris(struct daemon *daemon, const char *host_name, char **target_uri, char **data_uri,
	struct error *err)
{
	static const char *const transports[] = {
		[MIGRATE_TCP] = "tcp", [MIGRATE_TLS] = "tls", [MIGRATE_SSH] = "ssh"};
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	*target_uri = *data_uri = NULL;
	if (!*host_name || host_name[strspn(host_name, allowed)])
		return error_set(err, ERR_UNSUPPORTED,
			"the name of host %s cannot be part of an address", host_name);
	*target_uri = xasprintf(
		"qemu+%s://%s/system", transports[daemon->settings.migrate_transport], host_name);
	*data_uri = xasprintf("tcp://%s", host_name);
	return 0;
}

/* ---- what this host judges ---- */

/* 422 for the wrong state. */
static int check_state(const struct vm_now *now, bool live, struct error *err)
{
	bool off = now->runstate == RUNSTATE_POWEROFF || now->runstate == RUNSTATE_CRASHED;
	bool on = now->runstate == RUNSTATE_RUNNING || now->runstate == RUNSTATE_PAUSED;

	if (live ? on : off)
		return 0;
	return error_set(err, ERR_STATE, "VM %s is %s; %s migration needs one that is %s",
		now->reading.def.name, enum_name(&runstate_names, (int)now->runstate),
		live ? "live" : "cold", live ? "running or paused" : "poweroff or crashed");
}

static int check_source(struct daemon *daemon, const struct migration_request *request,
	const struct vm_now *now, struct error *err)
{
	if (now->reading.foreign)
		return error_set(err, ERR_STATE,
			"%s was not made by VirtX, so it cannot be migrated",
			now->reading.def.name);
	if (check_state(now, request->live, err))
		return -1;
	if (!daemon->peers || hypervisor_is_embedded(daemon->hypervisor))
		return error_set(err, ERR_UNSUPPORTED,
			"standalone mode knows no other host, and libvirt's embedded driver "
			"cannot migrate");
	if (!daemon->lockspace) {
		error_set(err, ERR_UNSUPPORTED,
			"with lock_manager = local nothing keeps a VM from running on two hosts");
		return error_hint(err, "migration needs lock_manager = sanlock");
	}
	if (lockspace_watch_check(daemon->lockspace, err) ||
		vm_ops_check_claims(daemon, request->vm, err))
		return -1;
	return quarantine_check(daemon, request->vm, &now->reading.def, err);
}

/* ---- the hosts ---- */

static void name_host(struct daemon *daemon, const struct peer *peer, struct migration_host *host)
{
	cleanup_host struct host row = {0};
	struct error ignored = {0};
	bool found = inventory_get_host(daemon->inventory, peer->uuid, &row, &ignored) == 0;

	str_copy(host->uuid, sizeof(host->uuid), peer->uuid);
	str_copy(host->name, sizeof(host->name),
		found && !str_is_empty(row.name) ? row.name : peer->name);
}

/* What is known of a host without asking it. */
static void judge_host(struct daemon *daemon, const struct peer *peer, struct migration_host *host)
{
	name_host(daemon, peer, host);
	if (peer->cstate != CSTATE_ACTIVE)
		error_set(&host->why, ERR_UNAVAILABLE,
			"host %s is not active: serf says that it %s", host->name,
			peer->cstate == CSTATE_FAILED ? "has failed" : "has left");
	else if (!peers_is_believed(daemon->peers, peer->uuid))
		error_set(&host->why, ERR_UNAVAILABLE,
			"host %s has not proven that it knows the key of this cluster: %s",
			host->name, peer->why[0] ? peer->why : "it was not asked yet");
	else if (peer->drained) {
		error_set(
			&host->why, ERR_DRAINED, "host %s is drained: it takes no VMs", host->name);
		error_hint(&host->why, "virtx undrain host %s", host->name);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct migration_host *)a)->name, ((const struct migration_host *)b)->name);
}

/* The one that was named, or all that are active and proven. */
static int list_hosts(
	struct daemon *daemon, const char *target, struct migration_hosts *hosts, struct error *err)
{
	cleanup_free struct peer *peers = NULL;
	struct peer peer;

	if (*target) {
		if (!peers_find(daemon->peers, target, &peer))
			return error_set(err, ERR_UNAVAILABLE,
				"host %s is not active: no member of the cluster has its UUID",
				target);
		hosts->list = xcalloc(1, sizeof(*hosts->list));
		judge_host(daemon, &peer, &hosts->list[hosts->count++]);
		return 0;
	}
	size_t count = peers_list_proven(daemon->peers, &peers);
	hosts->list = xcalloc(count + 1, sizeof(*hosts->list));
	for (size_t i = 0; i < count; i++)
		judge_host(daemon, &peers[i], &hosts->list[hosts->count++]);
	qsort(hosts->list, hosts->count, sizeof(*hosts->list), by_name);
	if (hosts->count > 0)
		return 0;
	error_set(err, ERR_NOT_IMPLEMENTED, "there is no other host to migrate to");
	return error_hint(err, "no other host of the cluster is active and has its key");
}

static void ask_host(struct daemon *daemon, const struct admission_question *question,
	struct migration_host *host)
{
	struct admission_answer answer = {0};
	struct error cause = {0};

	if (admission_ask(daemon, host->uuid, question, &answer, &cause) == 0) {
		host->memory_mib = answer.memory_mib;
		host->cpu_mhz = answer.cpu_mhz;
		host->vms = answer.vms;
		host->why = answer.refusal;
		if (error_is_set(&host->why))
			error_prefix(&host->why, "host %s", host->name);
		return;
	}
	if (cause.code == ERR_NOT_FOUND) {
		log_warning("host does not know how to judge a VM that is to come; only what can "
			    "be seen from here counts",
			"host", host->name, "vm", question->vm);
		return;
	}
	host->why = cause;
	error_prefix(&host->why, "host %s cannot be asked", host->name);
}

/* One round of questions. */
struct round {
	struct daemon *daemon;
	const struct admission_question *question;
	struct migration_hosts *hosts;
};

static void ask_one(void *context, size_t index)
{
	const struct round *round = context;

	if (!error_is_set(&round->hosts->list[index].why))
		ask_host(round->daemon, round->question, &round->hosts->list[index]);
}

/* Of one host its own reason; of several that there is none that takes it, and one for all. */
static int fail_choice(
	const struct migration_hosts *hosts, const char *name, bool named, struct error *err)
{
	const struct error *first = &hosts->list[0].why;

	if (named) {
		*err = *first;
		return -1;
	}
	error_set(err, first->code, "no host can take VM %s: %s", name, first->message);
	return error_hint(err, "a dry run tells for each host why");
}

/* The host that fits best keeps a place; one that has changed its mind meanwhile is out. */
static int choose_host(struct daemon *daemon, struct admission_question *question,
	const struct migration_request *request, struct migration_hosts *hosts, struct error *err)
{
	struct round round = {.daemon = daemon, .question = question, .hosts = hosts};
	bool named = *request->target;

	question->hold = named && !request->dry_run;
	parallel_each(hosts->count, ASKERS, ask_one, &round);
	while ((hosts->best = migration_pick(hosts->list, hosts->count))) {
		if (request->dry_run || question->hold)
			return 0;
		question->hold = true;
		ask_host(daemon, question, &hosts->list[hosts->best - hosts->list]);
		if (error_is_set(&hosts->best->why))
			question->hold = false;
	}
	return fail_choice(hosts, question->vm, named, err);
}

int migration_choose(struct daemon *daemon, const struct migration_request *request,
	struct vm_now *now, struct migration_hosts *hosts, struct error *err)
{
	*hosts = (struct migration_hosts){0};
	if (vm_now_read(daemon, request->vm, now, err) || check_source(daemon, request, now, err) ||
		list_hosts(daemon, request->target, hosts, err))
		return -1;
	cleanup_free char *xml =
		hypervisor_get_migratable_xml(daemon->hypervisor, request->vm, err);
	if (!xml)
		return -1;
	struct admission_question question = {.vm = request->vm, .live = request->live, .xml = xml};

	return choose_host(daemon, &question, request, hosts, err);
}
