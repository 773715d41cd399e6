/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repairs: each checks again what it relies on, as time has passed since the facts were gathered.
 * No image is ever removed.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "rules.h"
#include "storage/beneath.h"
#include "storage/disk.h"
#include "storage/register.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define OLD_S 600

/* What has begun since then is none of ours. */
static int check_still(const struct facts *facts, const struct finding *finding, struct error *err)
{
	for (size_t i = 0; *finding->vm && i < facts->hosts.n; i++) {
		cleanup_free char *path = xasprintf(
			STORE_REGISTER "/%s/%s.intent", facts->hosts.list[i].uuid, finding->vm);
		cleanup_close int fd = beneath_open_raw(store_root(facts->store), path, O_PATH);

		if (fd >= 0)
			return error_set(err, ERR_BUSY, "an operation works on the VM now");
	}
	return 0;
}

static int check_when(const struct facts *facts, const struct finding *finding, struct error *err)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);

	switch (finding->rule->when) {
	case REPAIR_ANY_TIME:
		return 0;
	case REPAIR_OLD:
		if (!facts->served || now - finding->changed >= OLD_S)
			return 0;
		error_set(err, ERR_BUSY, "a virtxd runs and could be using it");
		return error_hint(err, "try again in %d minutes", OLD_S / 60);
	case REPAIR_STOPPED:
		if (!*finding->host || !facts_is_served(facts, finding->host))
			return 0;
		error_set(err, ERR_BUSY, "a virtxd runs for host %s", finding->host);
		return error_hint(err, "%s; or stop it first", finding->rule->todo);
	}
	return 0;
}

int finding_repair(const struct facts *facts, const struct finding *finding, struct error *err)
{
	if (check_when(facts, finding, err) < 0 || check_still(facts, finding, err) < 0)
		return -1;
	return finding->rule->repair(facts, finding, err);
}

/* Opens what a finding is about, and the directory it is in. */
static int open_subject(
	const struct facts *facts, const char *path, const char **name, struct error *err)
{
	return beneath_open_parent(store_root(facts->store), path, name, err);
}

int repair_mode(const struct facts *facts, const struct finding *finding, struct error *err)
{
	const struct fact_item *item = NULL;

	for (size_t i = 0; i < facts->items.n && !item; i++)
		if ((facts->items.list[i].kind == FACT_MODE ||
			    facts->items.list[i].kind == FACT_SECRET_MODE) &&
			str_equal(facts->items.list[i].path, finding->subject))
			item = &facts->items.list[i];
	cleanup_close int fd =
		beneath_open_raw(store_root(facts->store), finding->subject, O_RDONLY | O_NONBLOCK);
	if (!item || fd < 0)
		return beneath_fail(err, "open", finding->subject);
	if ((item->group && fchown(fd, (uid_t)-1, facts->group) < 0) ||
		fchmod(fd, item->wanted) < 0)
		return beneath_fail(err, "change", finding->subject);
	return 0;
}

/* Only of a VM that libvirt has here and that is no other host's. */
int repair_entry(const struct facts *facts, const struct finding *finding, struct error *err)
{
	const struct fact_vm *domain = facts_find_domain(facts, finding->vm);
	const struct fact_vm *entry = facts_find_entry(facts, finding->vm);
	const struct fact_vm *end = facts->entries.list + facts->entries.n;

	if (!domain || domain->bad || !str_equal(finding->host, facts->host))
		return error_set(err, ERR_STATE, "libvirt has no definition of it here");
	for (; entry && entry < end && str_equal(entry->uuid, finding->vm); entry++)
		if (!str_equal(entry->host, facts->host))
			return error_set(err, ERR_STATE, "it is in the register of host %s too",
				entry->host);
	return register_save(facts->store, facts->host, finding->vm, domain->xml, err);
}

static int remove_file(const struct facts *facts, const char *path, struct error *err)
{
	const char *name;
	cleanup_close int dir = open_subject(facts, path, &name, err);

	if (dir < 0)
		return -1;
	if ((unlinkat(dir, name, 0) < 0 && errno != ENOENT) || fsync(dir) < 0)
		return beneath_fail(err, "remove", path);
	return 0;
}

int repair_lockid(const struct facts *facts, const struct finding *finding, struct error *err)
{
	return remove_file(facts, finding->subject, err);
}

/* What is removed because nobody knows it: then everybody must have been asked. */
static int check_complete(const struct facts *facts, struct error *err)
{
	if (facts->unseen.n == 0)
		return 0;
	return error_set(
		err, ERR_STATE, "not everything could be looked at: %s", facts->unseen.list[0]);
}

/* That nobody has registered the owner since. */
static int check_gone(const struct facts *facts, const char *vm, struct error *err)
{
	cleanup_free struct register_entry *entries = NULL;
	size_t count = 0;

	if (register_find(facts->store, vm, &entries, &count, err) < 0)
		return -1;
	return count == 0 ? 0 : error_set(err, ERR_BUSY, "VM %s exists now", vm);
}

int repair_lease(const struct facts *facts, const struct finding *finding, struct error *err)
{
	if (check_complete(facts, err) < 0 ||
		(!facts_has_vm(facts, finding->vm) && check_gone(facts, finding->vm, err) < 0))
		return -1;
	return lease_remove(facts->store, finding->key, finding->vm, err);
}

/* For a disk that one VM alone has. */
int repair_make_lease(const struct facts *facts, const struct finding *finding, struct error *err)
{
	for (size_t i = 0; i < facts->claims.n; i++) {
		const struct fact_claim *claim = &facts->claims.list[i];

		if (claim->disk->managed && str_equal(claim->disk->lease, finding->key) &&
			!str_equal(claim->vm->uuid, finding->vm))
			return error_set(
				err, ERR_STATE, "VM %s has this disk too", claim->vm->uuid);
	}
	if (check_complete(facts, err) < 0)
		return -1;
	return lease_create(facts->store, finding->key, finding->vm, err);
}

/* A file, or the folder in which a seed was built. */
int repair_temporary(const struct facts *facts, const struct finding *finding, struct error *err)
{
	const char *name;
	struct stat info;
	cleanup_close int dir = open_subject(facts, finding->subject, &name, err);

	if (dir < 0)
		return -1;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode))
		return beneath_remove_tree(dir, name, err);
	return remove_file(facts, finding->subject, err);
}

int repair_lease_temporary(
	const struct facts *facts, const struct finding *finding, struct error *err)
{
	const char *name;
	cleanup_close int dir = open_subject(facts, finding->subject, &name, err);

	return dir < 0 ? -1 : beneath_remove_tree(dir, name, err);
}

int repair_seed(const struct facts *facts, const struct finding *finding, struct error *err)
{
	if (check_complete(facts, err) < 0 || check_gone(facts, finding->vm, err) < 0 ||
		lease_check_vm_free(facts->store, finding->vm, err) < 0)
		return -1;
	return seed_remove(facts->store, finding->vm, err);
}
