/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register: hosts, entries, intents, and what lies beside them. */
#include "facts.h"

#include "applets/virtxd/intent.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/drain_mark.h"
#include "storage/lockid.h"
#include "storage/register.h"

#include <errno.h>
#include <fcntl.h>

#define UUID_LEN         (UUID_TEXT_SIZE - 1)
#define LOCKID           "lockid"
#define LOCKID_MAX_BYTES 64

/* The UUID that a name starts with, and what is behind it; NULL when it starts with none. */
static const char *split_name(const char *name, char uuid[static UUID_TEXT_SIZE])
{
	char canonical[UUID_TEXT_SIZE];

	if (strlen(name) < UUID_LEN)
		return NULL;
	memcpy(uuid, name, UUID_LEN);
	uuid[UUID_LEN] = '\0';
	return uuid_canonical(uuid, canonical) && str_equal(uuid, canonical) ? name + UUID_LEN
									     : NULL;
}

/* One host's directory being read. */
struct visit {
	struct facts *facts;
	struct fact_host host;
};

static void read_lockid(struct visit *visit, int dir)
{
	struct error err = {0};
	size_t len = 0;
	cleanup_close int fd = beneath_open_file(dir, LOCKID, O_RDONLY, &err);
	cleanup_free char *text =
		fd < 0 ? NULL : file_read_fd(fd, LOCKID, LOCKID_MAX_BYTES, &len, &err);

	if (!text || lockid_parse(text, len, &visit->host.lockid, &err) < 0)
		visit->host.bad_lockid = xstrdup(err.message);
}

static void read_entry(struct visit *visit, const char *uuid)
{
	struct facts *facts = visit->facts;
	struct fact_vm *entry = facts_add(&facts->entries);
	struct error err = {0};
	cleanup_free char *xml = register_load(facts->store, visit->host.uuid, uuid, &err);

	memcpy(entry->uuid, uuid, sizeof(entry->uuid));
	memcpy(entry->host, visit->host.uuid, sizeof(entry->host));
	entry->name = xstrdup("");
	if (xml)
		facts_read_xml(facts, entry, xml);
	else
		entry->bad = xstrdup(err.message);
}

static struct fact_item *add_item(
	struct visit *visit, enum fact_kind kind, int dir, const char *name, const char *path)
{
	struct fact_item *item = facts_add_item(visit->facts, kind, path);
	struct stat info;

	memcpy(item->host, visit->host.uuid, sizeof(item->host));
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		item->changed = info.st_mtime;
	return item;
}

static int visit_name(void *context, int dir, const char *name)
{
	struct visit *visit = context;
	char uuid[UUID_TEXT_SIZE];
	const char *rest = split_name(name, uuid);
	cleanup_free char *path = xasprintf(STORE_REGISTER "/%s/%s", visit->host.uuid, name);

	if (facts_are_full(visit->facts))
		return 1;
	if (rest && str_equal(rest, ".xml")) {
		read_entry(visit, uuid);
		facts_check_mode(visit->facts, dir, name, path, STORE_MODE_FILE, false);
	} else if (str_equal(name, LOCKID)) {
		read_lockid(visit, dir);
		facts_check_mode(visit->facts, dir, name, path, STORE_MODE_FILE, false);
	} else if (str_equal(name, DRAIN_MARK_FILE)) {
		facts_check_mode(visit->facts, dir, name, path, STORE_MODE_FILE, false);
	} else if ((rest && str_starts_with(rest, ".tmp-")) ||
		   str_starts_with(name, LOCKID ".tmp-") ||
		   str_starts_with(name, DRAIN_MARK_FILE ".tmp-")) {
		struct fact_item *item = add_item(visit, FACT_REGISTER_TEMPORARY, dir, name, path);
		if (rest)
			memcpy(item->vm, uuid, sizeof(uuid));
	} else if (str_ends_with(name, ".bad")) {
		add_item(visit, FACT_SET_ASIDE, dir, name, path);
	}
	return 0;
}

/* Every host's directory, by name. */
static void each_host(struct facts *facts, int (*visit)(void *context, int dir, const char *name),
	const char *what)
{
	struct error err = {0};
	cleanup_close int xml = beneath_open_dir(store_root(facts->store), STORE_REGISTER, &err);

	if (xml >= 0)
		beneath_each(xml, visit, facts, &err);
	if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
		facts_note_unseen(facts, "%s: %s", what, err.message);
}

static int visit_host(void *context, int xml, const char *name)
{
	struct visit visit = {.facts = context};
	const char *rest = split_name(name, visit.host.uuid);
	struct error err = {0};
	cleanup_free char *path = xasprintf(STORE_REGISTER "/%s", name);

	if (!rest || *rest)
		return 0;
	facts_check_mode(visit.facts, xml, name, path, STORE_MODE_DIR, false);
	cleanup_close int dir = beneath_open_dir(xml, name, &err);
	visit.host.served = facts_is_served(visit.facts, name);
	if (dir >= 0)
		beneath_each(dir, visit_name, &visit, &err);
	if (error_is_set(&err) && err.code != ERR_NOT_FOUND)
		facts_note_unseen(visit.facts, "the register of host %s: %s", name, err.message);
	if (visit.host.served)
		visit.facts->served = true;
	*(struct fact_host *)facts_add(&visit.facts->hosts) = visit.host;
	return 0;
}

/* What lies beside the folders. */
static int visit_root(void *context, int root, const char *name)
{
	struct facts *facts = context;
	bool lock = str_starts_with(name, STORE_LOCKS "-tmp");
	struct stat info;

	if (!lock && !str_starts_with(name, ".virtx-cluster.new-") &&
		!str_starts_with(name, ".virtx-key.new-"))
		return 0;
	struct fact_item *item =
		facts_add_item(facts, lock ? FACT_LEASE_TEMPORARY : FACT_REGISTER_TEMPORARY, name);
	if (fstatat(root, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		item->changed = info.st_mtime;
	return 0;
}

void facts_read_register(struct facts *facts)
{
	static const char *const folders[] = {STORE_DATASTORE, STORE_REGISTER};
	int root = store_root(facts->store);
	struct error err = {0};

	if (beneath_each(root, visit_root, facts, &err) < 0)
		facts_note_unseen(facts, "the storage: %s", err.message);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct stat info;

		if (fstatat(root, folders[i], &info, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(info.st_mode))
			facts_add_item(facts, FACT_MISSING, folders[i]);
		else if (info.st_mode & S_IWOTH)
			facts_check_mode(
				facts, root, folders[i], folders[i], STORE_MODE_DIR, false);
	}
	each_host(facts, visit_host, "the register");
}

/* Notes an intent, unless it is known already. */
static void add_intent(
	struct facts *facts, const char *host, const char *vm, int dir, const char *name)
{
	const struct store_config config = {
		.vms_dir = store_vms_dir(facts->store), .host_uuid = host};
	struct error err = {0}, ignored = {0};
	struct intent intent;
	struct stat info = {0};

	for (size_t i = 0; i < facts->intents.n; i++)
		if (str_equal(facts->intents.list[i].vm, vm) &&
			str_equal(facts->intents.list[i].host, host))
			return;
	/* As its own host reads it. */
	struct store *store = store_look(&config, &ignored, &err);
	int read = store ? intent_read(store, vm, &intent, &err) : -1;
	store_close(store);
	if (read < 0 && err.code == ERR_NOT_FOUND)
		return; /* gone by now */
	struct fact_intent *fact = facts_add(&facts->intents);
	memcpy(fact->host, host, sizeof(fact->host));
	memcpy(fact->vm, vm, sizeof(fact->vm));
	fact->op = read < 0 ? "" : intent_op_name(intent.op);
	fact->bad = read < 0 ? xstrdup(err.message) : NULL;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		fact->since = info.st_mtime;
	fact->served = facts_is_served(facts, host);
	if (read == 0)
		intent_free(&intent);
}

struct intents_of {
	struct facts *facts;
	char host[UUID_TEXT_SIZE];
};

static int visit_intent(void *context, int dir, const char *name)
{
	struct intents_of *of = context;
	char vm[UUID_TEXT_SIZE];
	const char *rest = split_name(name, vm);

	if (rest && str_equal(rest, ".intent"))
		add_intent(of->facts, of->host, vm, dir, name);
	return 0;
}

static int visit_host_intents(void *context, int xml, const char *name)
{
	struct intents_of of = {.facts = context};
	const char *rest = split_name(name, of.host);
	struct error ignored = {0}; /* read_register says it */

	if (!rest || *rest)
		return 0;
	cleanup_close int dir = beneath_open_dir(xml, name, &ignored);
	if (dir >= 0)
		beneath_each(dir, visit_intent, &of, &ignored);
	return 0;
}

void facts_read_intents(struct facts *facts)
{
	each_host(facts, visit_host_intents, "interrupted operations");
}
