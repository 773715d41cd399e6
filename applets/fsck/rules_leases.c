/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules about leases: who owns what. */
#include "base/mem.h"
#include "base/str.h"
#include "model/vmdef.h"
#include "rules.h"

void check_lockspace(const struct facts *facts, struct findings *findings)
{
	if (facts->bad_lockspace)
		finding_add(findings, STORE_LOCKS "/" LEASE_LOCKSPACE, NULL, "%s",
			facts->bad_lockspace);
}

static struct finding *add_lease(
	struct findings *findings, const struct fact_lease *lease, const char *text)
{
	cleanup_free char *path = xasprintf(STORE_LOCKS "/%s", lease->name);
	struct finding *finding = finding_add(findings, path, lease->owner, "%s", text);

	finding->key = xstrdup(lease->name);
	return finding;
}

void check_bad_lease(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->leases.n; i++)
		if (facts->leases.list[i].bad)
			add_lease(findings, &facts->leases.list[i], facts->leases.list[i].bad);
}

/* The claims of one lease: the first, NULL for none; *end is behind the last. */
static const struct fact_claim *find_claims(
	const struct facts *facts, const char *lease, const struct fact_claim **end)
{
	const struct fact_claim *list = facts->claims.list, *stop = list + facts->claims.n;
	size_t low = 0, high = facts->claims.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(list[middle].disk->lease, lease) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	const struct fact_claim *first = list + low;
	*end = first;
	while (*end < stop && str_equal((*end)->disk->lease, lease))
		++*end;
	return *end > first ? first : NULL;
}

/* Whether any VM has it for itself or a managed disk; one that is not its owner is a case of
 * wrong-owner. */
static bool is_claimed(const struct facts *facts, const struct fact_lease *lease)
{
	const struct fact_claim *end, *claim = find_claims(facts, lease->name, &end);

	for (; claim && claim < end; claim++)
		if (claim->disk->managed)
			return true;
	return str_starts_with(lease->name, "vm-") &&
	       facts_has_vm(facts, lease->name + strlen("vm-"));
}

static bool is_orphan(const struct facts *facts, const struct fact_lease *lease)
{
	return !lease->bad && !facts_has_vm(facts, lease->owner) && !is_claimed(facts, lease);
}

void check_orphan_lease(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->leases.n; i++) {
		const struct fact_lease *lease = &facts->leases.list[i];

		if (!is_orphan(facts, lease) || lease->image)
			continue;
		cleanup_free char *text =
			xasprintf("it belongs to VM %s, which does not exist", lease->owner);
		add_lease(findings, lease, text);
	}
}

void check_orphan_image(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->leases.n; i++) {
		const struct fact_lease *lease = &facts->leases.list[i];

		if (!is_orphan(facts, lease) || !lease->image)
			continue;
		struct finding *finding = finding_add(findings, lease->image, lease->owner,
			"its lease belongs to VM %s, which does not exist", lease->owner);
		finding->key = xstrdup(lease->name);
	}
}

/* Whether all that is said of a VM could be read; it may be said nowhere. */
static bool is_known(const struct facts *facts, const char *uuid)
{
	const struct fact_vm *entry = facts_find_entry(facts, uuid);
	const struct fact_vm *domain = facts_find_domain(facts, uuid);
	const struct fact_vm *stop = facts->entries.list + facts->entries.n;

	for (; entry && entry < stop && str_equal(entry->uuid, uuid); entry++)
		if (entry->bad || !str_equal(entry->holds, uuid))
			return false;
	return !domain || !domain->bad;
}

static bool is_own_lease(const struct fact_lease *lease)
{
	char name[256];

	vm_lease_name(lease->owner, name);
	return str_equal(lease->name, name);
}

static bool is_seed_lease(const struct fact_lease *lease)
{
	cleanup_free char *below = xasprintf("ci/%s/seed.iso", lease->owner);
	char name[33];

	str_md5_hex(below, strlen(below), name);
	return str_equal(lease->name, name);
}

/* A lease of a VM that there is, for which that has no use. */
static bool is_idle(const struct facts *facts, const struct fact_lease *lease)
{
	return !lease->bad && facts_has_vm(facts, lease->owner) && is_known(facts, lease->owner) &&
	       !is_claimed(facts, lease);
}

void check_unused_lease(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->leases.n; i++) {
		const struct fact_lease *lease = &facts->leases.list[i];

		if (!is_idle(facts, lease) || is_seed_lease(lease))
			continue;
		cleanup_free char *name = facts_name_vm(facts, lease->owner);
		cleanup_free char *text = xasprintf(
			"it belongs to %s, which has no managed disk of that name%s%s", name,
			lease->image ? "; its image is " : "", lease->image ? lease->image : "");
		add_lease(findings, lease, text);
	}
}

void check_seed_lease(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->leases.n; i++) {
		const struct fact_lease *lease = &facts->leases.list[i];
		const struct fact_vm *domain = facts_find_domain(facts, lease->owner);
		const struct fact_host *host = facts_find_host(facts, facts->host);

		/* Whether others' run is not seen here; a virtxd that runs removes it. */
		if (!domain || domain->running || (host && host->served) ||
			!is_idle(facts, lease) || !is_seed_lease(lease))
			continue;
		cleanup_free char *name = facts_name_vm(facts, lease->owner);
		cleanup_free char *text =
			xasprintf("it is that of the seed of %s, which is off", name);
		struct finding *finding = add_lease(findings, lease, text);
		memcpy(finding->host, facts->host, sizeof(finding->host));
	}
}

/* Managed disks, one for each VM and lease, whatever number of sources name them. */
static const struct fact_claim *next_claim(const struct facts *facts, size_t *i)
{
	const struct fact_claim *list = facts->claims.list;

	for (; *i < facts->claims.n; ++*i) {
		const struct fact_claim *claim = &list[*i];
		bool again = *i > 0 && str_equal(claim[-1].vm->uuid, claim->vm->uuid) &&
			     str_equal(claim[-1].disk->lease, claim->disk->lease);

		if (claim->disk->managed && !again) {
			++*i;
			return claim;
		}
	}
	return NULL;
}

static struct finding *add_disk(const struct facts *facts, struct findings *findings,
	const struct fact_claim *claim, const char *text)
{
	cleanup_free char *name = facts_name_vm(facts, claim->vm->uuid);
	struct finding *finding = finding_add(
		findings, claim->disk->path, claim->vm->uuid, "managed disk of %s: %s", name, text);

	finding->key = xstrdup(claim->disk->lease);
	memcpy(finding->host, claim->vm->host, sizeof(finding->host));
	return finding;
}

void check_no_lease(const struct facts *facts, struct findings *findings)
{
	const struct fact_claim *claim;

	for (size_t i = 0; (claim = next_claim(facts, &i));)
		if (!facts_find_lease(facts, claim->disk->lease))
			add_disk(facts, findings, claim, "it has no lease");
}

void check_wrong_owner(const struct facts *facts, struct findings *findings)
{
	const struct fact_claim *claim;

	for (size_t i = 0; (claim = next_claim(facts, &i));) {
		const struct fact_lease *lease = facts_find_lease(facts, claim->disk->lease);

		if (!lease || lease->bad || str_equal(lease->owner, claim->vm->uuid))
			continue;
		cleanup_free char *owner = facts_name_vm(facts, lease->owner);
		cleanup_free char *text = xasprintf("its lease belongs to %s", owner);
		add_disk(facts, findings, claim, text);
	}
	for (size_t i = 0; i < facts->leases.n; i++) {
		const struct fact_lease *lease = &facts->leases.list[i];

		if (lease->bad || !str_starts_with(lease->name, "vm-") || is_own_lease(lease) ||
			!facts_has_vm(facts, lease->name + strlen("vm-")))
			continue;
		cleanup_free char *owner = facts_name_vm(facts, lease->owner);
		cleanup_free char *text =
			xasprintf("this lease of a VM itself belongs to %s", owner);
		add_lease(findings, lease, text);
	}
}

void check_shared_disk(const struct facts *facts, struct findings *findings)
{
	const struct fact_claim *claim, *last = NULL;

	for (size_t i = 0; (claim = next_claim(facts, &i)); last = claim) {
		if (!last || !str_equal(last->disk->lease, claim->disk->lease))
			continue;
		cleanup_free char *other = facts_name_vm(facts, last->vm->uuid);
		cleanup_free char *text = xasprintf("%s has it too", other);
		add_disk(facts, findings, claim, text);
	}
}

void check_no_vm_lease(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->entries.n; i++) {
		const struct fact_vm *entry = &facts->entries.list[i];
		char lease[256];

		vm_lease_name(entry->uuid, lease);
		if (entry->bad || facts_find_lease(facts, lease))
			continue;
		cleanup_free char *name = facts_name_vm(facts, entry->uuid);
		finding_add(findings, name, entry->uuid, "it has no lease %s", lease);
	}
}

void check_lease_temporary(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind == FACT_LEASE_TEMPORARY)
			finding_add(findings, item->path, item->vm, "it is left")->changed =
				item->changed;
	}
}
