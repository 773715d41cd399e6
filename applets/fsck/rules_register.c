/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules about the register and what libvirt has of it. */
#include "base/mem.h"
#include "base/str.h"
#include "rules.h"

/* An entry of the register as a subject: its path; it is the VM's. */
static struct finding *add_entry(
	struct findings *findings, const struct fact_vm *entry, const char *text)
{
	cleanup_free char *path = xasprintf(STORE_REGISTER "/%s/%s.xml", entry->host, entry->uuid);
	struct finding *finding = finding_add(findings, path, entry->uuid, "%s", text);

	memcpy(finding->host, entry->host, sizeof(finding->host));
	return finding;
}

/* A domain of this host as a subject. */
static struct finding *add_domain(const struct facts *facts, struct findings *findings,
	const struct fact_vm *domain, const char *text)
{
	cleanup_free char *name = facts_name_vm(facts, domain->uuid);
	struct finding *finding = finding_add(findings, name, domain->uuid, "%s", text);

	memcpy(finding->host, domain->host, sizeof(finding->host));
	return finding;
}

void check_marker(const struct facts *facts, struct findings *findings)
{
	if (facts->bad_marker)
		finding_add(findings, ".virtx-cluster", NULL, "%s", facts->bad_marker);
}

void check_key(const struct facts *facts, struct findings *findings)
{
	if (facts->bad_key)
		finding_add(findings, ".virtx-key", NULL, "%s", facts->bad_key);
}

void check_bad_entry(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->entries.n; i++)
		if (facts->entries.list[i].bad)
			add_entry(findings, &facts->entries.list[i], facts->entries.list[i].bad);
}

void check_entry_uuid(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->entries.n; i++) {
		const struct fact_vm *entry = &facts->entries.list[i];

		if (entry->bad || str_equal(entry->holds, entry->uuid))
			continue;
		cleanup_free char *text = xasprintf("it holds VM %s", entry->holds);
		add_entry(findings, entry, text);
	}
}

void check_conflict(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 1; i < facts->entries.n; i++) {
		const struct fact_vm *one = &facts->entries.list[i - 1], *other = one + 1;

		if (!str_equal(one->uuid, other->uuid))
			continue;
		cleanup_free char *name = facts_name_vm(facts, one->uuid);
		finding_add(findings, name, one->uuid, "it is in the registers of hosts %s and %s",
			one->host, other->host);
	}
}

void check_not_defined(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; facts->domains_seen && i < facts->entries.n; i++) {
		const struct fact_vm *entry = &facts->entries.list[i];

		if (str_equal(entry->host, facts->host) && !facts_find_domain(facts, entry->uuid))
			add_entry(findings, entry, "libvirt does not know this VM");
	}
}

/* Domains that VirtX made and that have no entry of this host: elsewhere or nowhere. */
static void check_domains(
	const struct facts *facts, struct findings *findings, bool elsewhere, const char *text)
{
	for (size_t i = 0; i < facts->domains.n; i++) {
		const struct fact_vm *domain = &facts->domains.list[i], *entry, *end;
		bool own = false;

		if (domain->bad || domain->foreign)
			continue;
		entry = facts_find_entry(facts, domain->uuid);
		end = facts->entries.list + facts->entries.n;
		for (const struct fact_vm *e = entry;
			e && e < end && str_equal(e->uuid, domain->uuid); e++)
			own = own || str_equal(e->host, facts->host);
		if (!own && elsewhere == (entry != NULL))
			add_domain(facts, findings, domain, text);
	}
}

void check_not_registered(const struct facts *facts, struct findings *findings)
{
	check_domains(facts, findings, false, "it is defined and in no register");
}

void check_registered_elsewhere(const struct facts *facts, struct findings *findings)
{
	check_domains(
		facts, findings, true, "it is defined here and in the register of another host");
}

void check_bad_domain(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->domains.n; i++)
		if (facts->domains.list[i].bad && *facts->domains.list[i].uuid)
			add_domain(facts, findings, &facts->domains.list[i],
				facts->domains.list[i].bad);
}

static const struct fact_disk *find_disk(const struct fact_vm *vm, const char *path)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		if (str_equal(vm->disks[i].path, path))
			return &vm->disks[i];
	return NULL;
}

/* A disk of one that the other has not, or has otherwise; NULL when there is none. */
static const struct fact_disk *find_difference(
	const struct fact_vm *one, const struct fact_vm *other)
{
	for (size_t i = 0; i < one->n_disks; i++) {
		const struct fact_disk *disk = find_disk(other, one->disks[i].path);

		if (!disk || disk->managed != one->disks[i].managed)
			return &one->disks[i];
	}
	return NULL;
}

void check_entry_differs(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->entries.n; i++) {
		const struct fact_vm *entry = &facts->entries.list[i];
		const struct fact_vm *domain = facts_find_domain(facts, entry->uuid);

		if (!domain || domain->bad || entry->bad || !str_equal(entry->holds, entry->uuid) ||
			!str_equal(entry->host, facts->host))
			continue;
		const struct fact_disk *disk = find_difference(domain, entry);
		if (!disk)
			disk = find_difference(entry, domain);
		if (!disk)
			continue;
		cleanup_free char *text =
			xasprintf("libvirt has the disk %s otherwise", disk->path);
		add_entry(findings, entry, text);
	}
}

void check_bad_lockid(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->hosts.n; i++) {
		const struct fact_host *host = &facts->hosts.list[i];

		if (!host->bad_lockid)
			continue;
		cleanup_free char *path = xasprintf(STORE_REGISTER "/%s/lockid", host->uuid);
		struct finding *finding = finding_add(findings, path, NULL, "%s", host->bad_lockid);
		memcpy(finding->host, host->uuid, sizeof(finding->host));
	}
}

void check_same_lockid(const struct facts *facts, struct findings *findings)
{
	const struct fact_host *hosts = facts->hosts.list;

	for (size_t i = 0; i < facts->hosts.n; i++)
		for (size_t j = 0; j < i && hosts[i].lockid; j++) {
			if (hosts[i].lockid != hosts[j].lockid)
				continue;
			cleanup_free char *path =
				xasprintf(STORE_REGISTER "/%s/lockid", hosts[i].uuid);
			finding_add(findings, path, NULL, "host %s has the number %u too",
				hosts[j].uuid, hosts[j].lockid);
		}
}

void check_no_lockid(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->hosts.n; i++) {
		const struct fact_host *host = &facts->hosts.list[i];

		if (host->lockid || host->bad_lockid ||
			facts->settings->lock_manager != LOCK_MANAGER_SANLOCK)
			continue;
		cleanup_free char *path = xasprintf(STORE_REGISTER "/%s", host->uuid);
		finding_add(findings, path, NULL, "it has no lockid");
	}
}

static void check_intents(const struct facts *facts, struct findings *findings, bool served)
{
	for (size_t i = 0; i < facts->intents.n; i++) {
		const struct fact_intent *intent = &facts->intents.list[i];
		char since[32];
		struct tm when;

		if (intent->bad || intent->served != served)
			continue;
		if (!localtime_r(&intent->since, &when) ||
			strftime(since, sizeof(since), "%F %T", &when) == 0)
			since[0] = '\0';
		cleanup_free char *name = facts_name_vm(facts, intent->vm);
		finding_add(findings, name, intent->vm, "%s of it on host %s %s %s (intent)",
			intent->op, intent->host,
			served ? "in progress since" : "was interrupted at", since);
	}
}

void check_in_progress(const struct facts *facts, struct findings *findings)
{
	check_intents(facts, findings, true);
}

void check_interrupted(const struct facts *facts, struct findings *findings)
{
	check_intents(facts, findings, false);
}

void check_bad_intent(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->intents.n; i++) {
		const struct fact_intent *intent = &facts->intents.list[i];

		if (!intent->bad)
			continue;
		cleanup_free char *path =
			xasprintf(STORE_REGISTER "/%s/%s.intent", intent->host, intent->vm);
		finding_add(findings, path, intent->vm, "%s", intent->bad);
	}
}

/* Every item of a kind. */
static void check_items(
	const struct facts *facts, struct findings *findings, enum fact_kind kind, const char *text)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind != kind)
			continue;
		struct finding *finding = finding_add(findings, item->path, item->vm, "%s", text);
		finding->changed = item->changed;
		memcpy(finding->host, item->host, sizeof(finding->host));
	}
}

void check_missing_folder(const struct facts *facts, struct findings *findings)
{
	check_items(facts, findings, FACT_MISSING, "there is no such folder");
}

void check_set_aside(const struct facts *facts, struct findings *findings)
{
	check_items(facts, findings, FACT_SET_ASIDE, "it was put aside");
}

void check_register_temporary(const struct facts *facts, struct findings *findings)
{
	check_items(facts, findings, FACT_REGISTER_TEMPORARY, "it is left");
}

/* Hosts that share the storage with this one. */
static size_t count_others(const struct facts *facts)
{
	return facts->hosts.n - (facts_find_host(facts, facts->host) != NULL);
}

/* Whether anything of a VM that is in no register lies on the storage. */
static bool has_remains(const struct facts *facts, const char *vm)
{
	bool found = false;

	for (size_t i = 0; i < facts->leases.n && !found; i++)
		found = str_equal(facts->leases.list[i].owner, vm);
	for (size_t i = 0; i < facts->items.n && !found; i++)
		found = str_equal(facts->items.list[i].vm, vm);
	return found;
}

/* While this host was dead another one may have taken the VM over and deleted it. Then nothing is
 * left of it; of one that was lost something mostly is. */
static bool may_be_deleted_elsewhere(const struct facts *facts, const char *vm)
{
	return count_others(facts) > 0 && !has_remains(facts, vm);
}

/* VMs that a record speaks of and that are, or are not, there. */
static void check_records(
	const struct facts *facts, struct findings *findings, bool deleted, const char *text)
{
	for (size_t i = 0; i < facts->records.n; i++) {
		const struct fact_record *record = &facts->records.list[i];
		bool newest = true;

		for (size_t j = 0; j < i && newest; j++)
			newest = !str_equal(facts->records.list[j].vm, record->vm);
		if (!newest || !record->kind || record->deleted != deleted ||
			facts_has_vm(facts, record->vm) != deleted ||
			(!deleted && may_be_deleted_elsewhere(facts, record->vm)))
			continue;
		cleanup_free char *name = facts_name_vm(facts, record->vm);
		finding_add(findings, name, record->vm, "its %s was reported as done, %s",
			record->kind, text);
	}
}

void check_lost_vm(const struct facts *facts, struct findings *findings)
{
	if (facts->domains_seen)
		check_records(facts, findings, false, "and it is nowhere");
}

void check_undeleted_vm(const struct facts *facts, struct findings *findings)
{
	check_records(facts, findings, true, "and it is there");
}

void check_other_hosts(const struct facts *facts, struct findings *findings)
{
	size_t others = count_others(facts);

	if (others > 0)
		finding_add(findings, STORE_REGISTER, NULL,
			"%zu other hosts: what libvirt has there is seen there only", others);
}
