/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host that is asked: what keeps a VM from coming here, and what is held for it. */
#include "admission.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "collector.h"
#include "drain_host.h"
#include "guest_check.h"
#include "hypervisor/migrate.h"
#include "lockspace_watch.h"
#include "quarantine.h"
#include "readiness.h"
#include "storage/disk.h"
#include "storage/register.h"
#include "vm_ops.h"

#include <pthread.h>

/* ---- what is held ---- */

struct held {
	struct held *next;
	struct vmdef def;
	struct guest_claim claim; /* borrows def */
	int64_t until_ms;         /* monotonic */
};

struct admissions {
	struct daemon *daemon;
	pthread_mutex_t lock; /* of the list; not held while anything is claimed or given back */
	struct held *list;
};

struct admissions *admissions_new(struct daemon *daemon)
{
	struct admissions *admissions = xcalloc(1, sizeof(*admissions));

	admissions->daemon = daemon;
	pthread_mutex_init(&admissions->lock, NULL);
	return admissions;
}

static void held_free(struct held *held)
{
	if (!held)
		return;
	guest_release(&held->claim);
	vmdef_free(&held->def);
	free(held);
}

void admissions_free(struct admissions *admissions)
{
	if (!admissions)
		return;
	while (admissions->list) {
		struct held *held = admissions->list;

		admissions->list = held->next;
		held_free(held);
	}
	pthread_mutex_destroy(&admissions->lock);
	free(admissions);
}

static void add_held(struct admissions *admissions, struct held *held)
{
	pthread_mutex_lock(&admissions->lock);
	held->next = admissions->list;
	admissions->list = held;
	pthread_mutex_unlock(&admissions->lock);
}

/* Takes the first one out that is of that VM (NULL: of any), or past its time. */
static struct held *take_held(struct admissions *admissions, const char *vm, int64_t now_ms)
{
	struct held *found = NULL;

	pthread_mutex_lock(&admissions->lock);
	for (struct held **at = &admissions->list; *at && !found; at = &(*at)->next) {
		if (vm ? !str_equal((*at)->claim.uuid, vm) : (*at)->until_ms > now_ms)
			continue;
		found = *at;
		*at = found->next;
		break;
	}
	pthread_mutex_unlock(&admissions->lock);
	return found;
}

/* While it is on its way libvirt knows it, and it is no VM of this host yet. */
static bool is_coming(struct daemon *daemon, const char *vm)
{
	struct domain_stats stats;
	struct error err = {0};

	return hypervisor_collect_one(daemon->hypervisor, vm, &stats, &err) == 0 &&
	       !stats.persistent;
}

void admissions_tick(struct admissions *admissions)
{
	int64_t now_ms = clock_ms();
	struct held *held;

	while ((held = take_held(admissions, NULL, now_ms))) {
		if (!is_coming(admissions->daemon, held->claim.uuid)) {
			held_free(held);
			continue;
		}
		held->until_ms = now_ms + ADMISSION_HOLD_MS;
		add_held(admissions, held);
	}
}

/* ---- what is judged ---- */

/* All that the checks look at. */
struct candidate {
	struct daemon *daemon;
	const char *from;
	const struct admission_question *question;
	struct domain_reading reading;
};

static int check_host(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	char why[256];

	if (!hypervisor_is_connected(daemon->hypervisor, why, sizeof(why)))
		return error_set(err, ERR_UNAVAILABLE, "no connection to libvirt: %s", why);
	if (hypervisor_is_embedded(daemon->hypervisor))
		return error_set(err, ERR_UNSUPPORTED,
			"libvirt's embedded driver (standalone mode) cannot migrate");
	if (lockspace_watch_check(daemon->lockspace, err) ||
		readiness_check_storage(daemon->readiness, err))
		return -1;
	return drain_host_check(daemon, err);
}

static int check_definition(const struct candidate *candidate, struct error *err)
{
	const struct admission_question *question = candidate->question;
	const struct domain_reading *reading = &candidate->reading;

	if (!str_equal(reading->uuid, question->vm))
		return error_set(err, ERR_INVALID, "xml: it is that of VM %s", reading->uuid);
	if (reading->foreign)
		return error_set(err, ERR_STATE, "%s was not made by VirtX", reading->def.name);
	return 0;
}

/* Neither here, nor on its way, nor at work on. */
static int check_unknown(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	const char *vm = candidate->question->vm;
	struct domain_stats stats;
	struct error cause = {0};
	char id[UUID_TEXT_SIZE];

	if (operations_is_busy(daemon->operations, vm, id))
		return error_set(err, ERR_BUSY, "VM %s has an operation here: %s",
			candidate->reading.def.name, id);
	if (hypervisor_collect_one(daemon->hypervisor, vm, &stats, &cause) < 0) {
		if (cause.code == ERR_NOT_FOUND)
			return 0;
		*err = cause;
		return -1;
	}
	if (!stats.persistent) {
		error_set(err, ERR_BUSY, "VM %s is on its way here already",
			candidate->reading.def.name);
		return error_hint(err, "a migration that was cut ends there after half a minute");
	}
	error_set(err, ERR_EXISTS, "VM %s is defined here already, and is %s",
		candidate->reading.def.name, enum_name(&runstate_names, (int)stats.runstate));
	return error_hint(err, "a copy that is off goes by itself within a minute; virtx fsck "
			       "shows one that does not");
}

/* The register has it under the host that it comes from, and there only. */
static int check_register(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	const char *vm = candidate->question->vm;
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;
	bool listed = false;

	if (register_find(daemon->store, vm, &entries, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		listed |= str_equal(entries[i].host, candidate->from);
		if (!str_equal(entries[i].host, candidate->from))
			error_set(err, ERR_REGISTER,
				"conflict: VM %s is in the register of host %s too", vm,
				entries[i].host);
	}
	if (!listed && !error_is_set(err)) {
		error_set(err, ERR_REGISTER, "VM %s is not in the register of host %s", vm,
			candidate->from);
		return error_hint(err, "do both hosts have the same vms_dir?");
	}
	return error_is_set(err) ? -1 : 0;
}

/* A guest that was given the source's own CPU finds the same here, or crashes. */
static int check_same_cpu(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	const char *model = candidate->reading.def.cpu.model;
	cleanup_host struct host there = {0}, here = {0};
	struct error unknown = {0};

	if (!candidate->question->live || daemon->virt_type != VIRT_TYPE_KVM ||
		(!str_equal(model, "host-passthrough") && !str_equal(model, "maximum")))
		return 0;
	if (inventory_get_host(daemon->inventory, candidate->from, &there, &unknown) ||
		inventory_get_host(daemon->inventory, daemon->host_uuid, &here, &unknown) ||
		(str_equal(there.vendor, here.vendor) &&
			str_equal(there.cpu.model, here.cpu.model)))
		return 0;
	error_set(err, ERR_UNSUPPORTED,
		"CPU: the guest has that of host %s (%s %s), here is another one (%s %s)",
		there.name, there.vendor, there.cpu.model, here.vendor, here.cpu.model);
	return error_hint(err, "shut it down and migrate it cold, or give it a CPU model that "
			       "both hosts have");
}

static int check_console(const struct candidate *candidate, struct error *err)
{
	const char *log = candidate->reading.console_log;
	const char *name = str_is_empty(log) ? NULL : strrchr(log, '/');

	if (!name)
		return 0;
	cleanup_free char *folder = xstrndup(log, (size_t)(name - log));
	if (file_exists(folder))
		return 0;
	error_set(err, ERR_UNSUPPORTED, "console: its log goes to %s, which is not there here",
		folder);
	return error_hint(err, "all hosts of a cluster need the same state_dir");
}

/* Whether the guest's machine is one that this host can be. */
static int check_guest(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	const struct vmdef *def = &candidate->reading.def;
	const char *xml = candidate->question->xml;

	if (hypervisor_check_cpu(
		    daemon->hypervisor, xml, daemon->virt_type == VIRT_TYPE_KVM, err) ||
		check_same_cpu(candidate, err) || guest_check(daemon, def, err) ||
		check_console(candidate, err))
		return -1;
	if (hypervisor_check_xml(daemon->hypervisor, xml, err) == 0)
		return 0;
	/* libvirt has not failed at anything. */
	if (err->code == ERR_HYPERVISOR)
		err->code = ERR_UNSUPPORTED;
	return -1;
}

/* Also one that no storage of ours holds. */
static int check_disk(struct daemon *daemon, const struct disk *disk, struct error *err)
{
	if (!file_exists(disk->path))
		error_set(err, ERR_STORAGE, "disk %s is not there", disk->path);
	else if (disk_check_use(daemon->store, disk, err))
		error_prefix(err, "disk %s", disk->path);
	return error_is_set(err) ? error_hint(err, "both hosts must have it") : 0;
}

/* Its images and its leases are there for this host too. */
static int check_storage(const struct candidate *candidate, struct error *err)
{
	const struct vmdef *def = &candidate->reading.def;

	for (size_t i = 0; i < def->n_disks; i++)
		if (check_disk(candidate->daemon, &def->disks[i], err))
			return -1;
	return quarantine_check(candidate->daemon, candidate->question->vm, def, err);
}

/* Memory and MACs; they stay held where that was asked for. */
static int check_room(const struct candidate *candidate, struct error *err)
{
	struct daemon *daemon = candidate->daemon;
	const char *vm = candidate->question->vm;
	struct held *held = xcalloc(1, sizeof(*held));
	struct held *before;

	while ((before = take_held(daemon->admissions, vm, 0)))
		held_free(before);
	vmdef_copy(&held->def, &candidate->reading.def);
	int result = guest_claim(&held->claim, daemon, vm, &held->def, NULL, err);
	if (result == 0 && candidate->question->hold) {
		held->until_ms = clock_ms() + ADMISSION_HOLD_MS;
		add_held(daemon->admissions, held);
		return 0;
	}
	held_free(held);
	if (result && err->code == ERR_INVALID) {
		err->code = ERR_EXISTS;
		err->hint[0] = '\0';
		error_hint(err, "give one of the two VMs another MAC");
	}
	return result;
}

/* What the choice between hosts goes by. */
static void fill_figures(const struct candidate *candidate, struct admission_answer *answer)
{
	struct daemon *daemon = candidate->daemon;
	cleanup_free char(*vms)[UUID_TEXT_SIZE] = NULL;
	cleanup_host struct host here = {0};
	struct error unknown = {0};

	answer->memory_mib =
		collector_available_mib(daemon->collector, candidate->reading.def.hugepages);
	answer->vms = (unsigned)inventory_list_host_vms(daemon->inventory, daemon->host_uuid, &vms);
	if (inventory_get_host(daemon->inventory, daemon->host_uuid, &here, &unknown) == 0)
		answer->cpu_mhz = here.processor.available_vms;
}

static int judge(struct candidate *candidate, struct admission_answer *answer, struct error *err)
{
	static int (*const checks[])(const struct candidate *candidate, struct error *err) = {
		check_definition, check_unknown, check_register, check_guest, check_storage,
		check_room};
	const char *xml = candidate->question->xml;

	if (check_host(candidate, err) ||
		domain_xml_read(xml, strlen(xml), store_vms_dir(candidate->daemon->store),
			&candidate->reading, err))
		return -1;
	fill_figures(candidate, answer);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](candidate, err))
			return -1;
	return 0;
}

void admission_judge(struct daemon *daemon, const char *from,
	const struct admission_question *question, struct admission_answer *answer)
{
	struct candidate candidate = {.daemon = daemon, .from = from, .question = question};

	*answer = (struct admission_answer){0};
	judge(&candidate, answer, &answer->refusal);
	if (error_is_set(&answer->refusal))
		log_info("VM of another host may not come", "vm", question->vm, "from", from,
			"reason", answer->refusal.message);
	domain_reading_free(&candidate.reading);
}
