/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was said by whom, and whether it counts. */
#include "cluster/claims.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/claims_private.h"

struct claims *claims_new(struct inventory *inventory, const char *own_uuid)
{
	struct claims *claims = xcalloc(1, sizeof(*claims));

	pthread_mutex_init(&claims->lock, NULL);
	claims->inventory = inventory;
	claims->vms = mem_check(lh_kchar_table_new(64, NULL));
	claims->hosts = mem_check(lh_kchar_table_new(16, NULL));
	claims->own = claims_find_host(claims, own_uuid, true);
	return claims;
}

void claims_free(struct claims *claims)
{
	struct lh_entry *entry, *next;

	if (!claims)
		return;
	lh_foreach_safe(claims->vms, entry, next)
	{
		free((void *)lh_entry_v(entry));
	}
	lh_foreach_safe(claims->hosts, entry, next)
	{
		struct claims_host *host = (void *)lh_entry_v(entry);

		while (host->claims) {
			struct claim *claim = host->claims;

			host->claims = claim->host_next;
			vm_row_free(&claim->row);
			free(claim);
		}
		host_free(&host->host);
		free(host);
	}
	lh_table_free(claims->vms);
	lh_table_free(claims->hosts);
	pthread_mutex_destroy(&claims->lock);
	free(claims);
}

/* ---- this host ---- */

/* Ours are always in order: what happens last is said last. */
static const struct moment own_moment = {.stamp = {.extended = true}};

void claims_put_own(struct claims *claims, const struct vm_row *row, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	claims_put(claims, claims->own, row, &own_moment, now_ms);
	pthread_mutex_unlock(&claims->lock);
}

void claims_remove_own(struct claims *claims, const char *uuid, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	struct claim *claim = claims_find(claims, claims->own, uuid);
	if (claim)
		claims_bury(claims, claim, &own_moment, now_ms);
	pthread_mutex_unlock(&claims->lock);
}

void claims_get_own(struct claims *claims, struct digest *digest)
{
	pthread_mutex_lock(&claims->lock);
	*digest = claims->own->held;
	pthread_mutex_unlock(&claims->lock);
}

/* ---- what other hosts say; called with the lock held ---- */

static void show_all(struct claims *claims, struct claims_host *host, int64_t now_ms)
{
	for (struct claim *claim = host->claims; claim; claim = claim->host_next)
		claims_show(claims, claim->vm, now_ms);
}

static void show_host(struct claims *claims, struct claims_host *host)
{
	host->host.cstate = host->cstate;
	host->host.drained = host->drained;
	inventory_put_host(claims->inventory, &host->host);
}

static void change_state(
	struct claims *claims, struct claims_host *host, enum cstate cstate, int64_t now_ms)
{
	bool changes = host->cstate != cstate;

	host->cstate = cstate;
	if (host->heard)
		show_host(claims, host);
	if (changes)
		show_all(claims, host, now_ms);
}

static void note_latest(struct claims_host *host, const struct moment *moment)
{
	if (moment_compare(moment, &host->latest) > 0)
		host->latest = *moment;
}

/* What is held of a VM is what it was then. */
static void confirm_one(struct claims *claims, struct claim *claim, const struct moment *moment)
{
	if (moment_compare(moment, &claim->moment) > 0)
		claim->moment.stamp = moment->stamp;
	if (claim->gone_until || claim->row.ts_ms >= moment->ts_ms)
		return;
	claim->row.ts_ms = moment->ts_ms;
	if (claim->vm->shown == claim)
		inventory_set_runstate(
			claims->inventory, claim->vm->uuid, claim->row.runstate, claim->row.ts_ms);
}

/* All that is held of it is what it was at this HI, and anything older is late. */
static void confirm(struct claims *claims, struct claims_host *host)
{
	if (moment_compare(&host->moment, &host->complete) > 0)
		host->complete = host->moment;
	for (struct claim *claim = host->claims; claim; claim = claim->host_next)
		confirm_one(claims, claim, &host->moment);
}

/* Compares what the host promised with what is held: a difference has some time to go away. */
static void judge(struct claims *claims, struct claims_host *host, int64_t now_ms)
{
	if (digest_equal(&host->held, &host->promised)) {
		host->pull_at = 0;
		host->retry_ms = 0;
		confirm(claims, host);
	} else if (!host->pull_at) {
		host->pull_at = now_ms + CLAIMS_PULL_MS + clock_jitter_ms(CLAIMS_JITTER_MS);
	}
}

static bool is_own(const struct claims *claims, const char *uuid)
{
	return str_equal(uuid, claims->own->uuid);
}

/* NULL when nothing that is said of VMs in its name counts. */
static struct claims_host *find_heard(struct claims *claims, const char *uuid)
{
	struct claims_host *host = claims_find_host(claims, uuid, false);

	return host && host->heard && !is_own(claims, uuid) ? host : NULL;
}

static bool hear_host(struct claims *claims, const struct wire_host *wire, int64_t now_ms)
{
	struct moment moment = {.stamp = wire->stamp, .ts_ms = wire->host.ts_ms};
	struct claims_host *host = claims_find_host(claims, wire->host.uuid, true);

	if (!host || host == claims->own)
		return false;
	int order = host->heard ? moment_compare(&moment, &host->moment) : 1;
	if (order < 0 || (order == 0 && moment.ts_ms < host->moment.ts_ms))
		return false;
	host->heard = true;
	host->moment = moment;
	note_latest(host, &moment);
	host_free(&host->host);
	host_copy(&host->host, &wire->host);
	change_state(claims, host, CSTATE_ACTIVE, now_ms);
	if (!wire->stamp.extended)
		return true;
	host->promised = (struct digest){.vms = wire->vms, .sum = wire->digest};
	/* What was said after this HI is not in its digest. */
	if (moment_compare(&host->latest, &moment) == 0)
		judge(claims, host, now_ms);
	return true;
}

static bool hear_event(struct claims *claims, const struct wire_event *event, int64_t now_ms)
{
	struct moment moment = {.stamp = event->stamp, .ts_ms = event->ts_ms};
	struct claims_host *host = find_heard(claims, event->host_uuid);
	struct claim *claim = host ? claims_find(claims, host, event->uuid) : NULL;

	if (!claim || claim->gone_until || moment_compare(&moment, &claim->moment) < 0)
		return false;
	note_latest(host, &moment);
	if (event->runstate == RUNSTATE_DELETED) {
		claims_bury(claims, claim, &moment, now_ms);
		return true;
	}
	struct vm_row row;
	vm_row_copy(&row, &claim->row);
	row.runstate = event->runstate;
	row.ts_ms = event->ts_ms;
	claims_put(claims, host, &row, &moment, now_ms);
	vm_row_free(&row);
	return true;
}

static bool hear_vm(struct claims *claims, const struct wire_vm *vm, int64_t now_ms)
{
	struct moment moment = {.stamp = vm->stamp, .ts_ms = vm->row.ts_ms};
	struct claims_host *host = find_heard(claims, vm->row.host_uuid);

	if (!host)
		return false;
	const struct claim *claim = claims_find(claims, host, vm->row.uuid);
	int order = claim ? moment_compare(&moment, &claim->moment) : 0;
	if (order < 0 || (order == 0 && claim && claim->gone_until))
		return false;
	/* A later HI or pull did not have it. */
	if (!claim && host->complete.stamp.extended && moment_compare(&moment, &host->complete) < 0)
		return false;
	note_latest(host, &moment);
	return claims_put(claims, host, &vm->row, &moment, now_ms);
}

bool claims_hear_host(struct claims *claims, const struct wire_host *host, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	bool counts = hear_host(claims, host, now_ms);
	pthread_mutex_unlock(&claims->lock);
	return counts;
}

bool claims_hear_event(struct claims *claims, const struct wire_event *event, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	bool counts = hear_event(claims, event, now_ms);
	pthread_mutex_unlock(&claims->lock);
	return counts;
}

bool claims_hear_vm(struct claims *claims, const struct wire_vm *vm, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	bool counts = hear_vm(claims, vm, now_ms);
	pthread_mutex_unlock(&claims->lock);
	return counts;
}

void claims_set_state(
	struct claims *claims, const char *host_uuid, enum cstate cstate, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	struct claims_host *host = claims_find_host(claims, host_uuid, false);
	if (host && host != claims->own && host->cstate != cstate)
		change_state(claims, host, cstate, now_ms);
	pthread_mutex_unlock(&claims->lock);
}

void claims_set_drained(struct claims *claims, const char *host_uuid, bool drained)
{
	pthread_mutex_lock(&claims->lock);
	struct claims_host *host = claims_find_host(claims, host_uuid, false);
	if (host && host != claims->own && host->drained != drained) {
		host->drained = drained;
		if (host->heard)
			show_host(claims, host);
	}
	pthread_mutex_unlock(&claims->lock);
}

/* ---- pulls ---- */

void claims_want_pull(struct claims *claims, const char *host_uuid, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	struct claims_host *host = claims_find_host(claims, host_uuid, true);
	if (host && host != claims->own)
		host->pull_at = now_ms;
	pthread_mutex_unlock(&claims->lock);
}

size_t claims_take_pulls(
	struct claims *claims, int64_t now_ms, char (*hosts)[UUID_TEXT_SIZE], size_t max)
{
	size_t running = 0, taken = 0;
	struct lh_entry *entry;

	pthread_mutex_lock(&claims->lock);
	lh_foreach(claims->hosts, entry)
	{
		running += ((const struct claims_host *)lh_entry_v(entry))->pulling;
	}
	lh_foreach(claims->hosts, entry)
	{
		struct claims_host *host = (void *)lh_entry_v(entry);

		if (running + taken >= CLAIMS_MAX_PULLS || taken == max)
			break;
		if (host->pulling || !host->pull_at || now_ms < host->pull_at ||
			host->cstate != CSTATE_ACTIVE)
			continue;
		host->pulling = true;
		memcpy(hosts[taken++], host->uuid, UUID_TEXT_SIZE);
	}
	pthread_mutex_unlock(&claims->lock);
	return taken;
}

static void back_off(struct claims_host *host, int64_t now_ms)
{
	host->retry_ms = host->retry_ms ? host->retry_ms * 2 : CLAIMS_RETRY_MS;
	if (host->retry_ms > CLAIMS_RETRY_MAX)
		host->retry_ms = CLAIMS_RETRY_MAX;
	host->pull_at = now_ms + host->retry_ms;
}

/* Whether all that a pull says of the VM is known, but for its time. */
static bool is_known(
	const struct claim *claim, const struct moment *moment, const struct vm_row *row)
{
	return claim && !claim->gone_until && claim->hash == wire_vm_hash(row) &&
	       claim->moment.stamp.extended == moment->stamp.extended;
}

/* What a pull says of one VM, unless something newer was heard of it meanwhile. */
static void take_pulled(struct claims *claims, struct claims_host *host,
	const struct moment *moment, const struct vm_row *row, int64_t now_ms)
{
	struct claim *claim = claims_find(claims, host, row->uuid);
	bool is_late = claim && moment_compare(moment, &claim->moment) < 0;

	if (!is_late && is_known(claim, moment, row))
		confirm_one(claims, claim, moment);
	else if (!is_late && claims_put(claims, host, row, moment, now_ms))
		claim = claims_find(claims, host, row->uuid);
	if (claim)
		claim->listed = true;
}

/* Takes what the pull has. */
static void replace(struct claims *claims, struct claims_host *host, const struct moment *moment,
	const struct wire_vm *vms, size_t count, int64_t now_ms)
{
	for (struct claim *claim = host->claims; claim; claim = claim->host_next)
		claim->listed = false;
	for (size_t i = 0; i < count; i++)
		take_pulled(claims, host, moment, &vms[i].row, now_ms);
	for (struct claim *claim = host->claims; claim; claim = claim->host_next)
		if (!claim->listed && !claim->gone_until &&
			moment_compare(moment, &claim->moment) >= 0)
			claims_bury(claims, claim, moment, now_ms);
	if (moment_compare(moment, &host->complete) > 0)
		host->complete = *moment;
}

void claims_finish_pull(struct claims *claims, const struct wire_host *wire,
	const struct wire_vm *vms, size_t count, int64_t now_ms)
{
	struct moment moment = {.stamp = wire->stamp, .ts_ms = wire->host.ts_ms};

	pthread_mutex_lock(&claims->lock);
	struct claims_host *host = claims_find_host(claims, wire->host.uuid, true);
	if (host && host != claims->own) {
		host->pulling = false;
		host->pull_at = 0;
		replace(claims, host, &moment, vms, count, now_ms);
		if (!hear_host(claims, wire, now_ms))
			judge(claims, host, now_ms);
		/* What it brought itself differs from its digest, or is more than may be held:
		 * not again and again. */
		if (host->pull_at && moment_compare(&moment, &host->moment) == 0)
			back_off(host, now_ms);
		else
			host->retry_ms = 0;
	}
	pthread_mutex_unlock(&claims->lock);
}

void claims_fail_pull(struct claims *claims, const char *host_uuid, int64_t now_ms)
{
	pthread_mutex_lock(&claims->lock);
	struct claims_host *host = claims_find_host(claims, host_uuid, false);
	if (host && host->pulling) {
		host->pulling = false;
		back_off(host, now_ms);
	}
	pthread_mutex_unlock(&claims->lock);
}

/* ---- time ---- */

/* A conflict that was found, to be logged when no lock is held. */
struct finding {
	char vm[UUID_TEXT_SIZE], hosts[2][UUID_TEXT_SIZE];
};

struct findings {
	struct finding *list;
	size_t count;
};

static void find_conflict(
	struct claims *claims, struct claims_vm *vm, int64_t now_ms, struct findings *found)
{
	struct finding finding = {0};

	if (vm->conflict || !vm->contested_since)
		return;
	if (now_ms - vm->contested_since < CLAIMS_CONFLICT_MS) {
		claims_look_at(claims, vm->contested_since + CLAIMS_CONFLICT_MS);
		return;
	}
	vm->conflict = true;
	claims_show(claims, vm, now_ms);
	memcpy(finding.vm, vm->uuid, sizeof(finding.vm));
	claims_name_rivals(vm, finding.hosts);
	found->list = xreallocarray(found->list, found->count + 1, sizeof(*found->list));
	found->list[found->count++] = finding;
}

void claims_tick(struct claims *claims, int64_t now_ms)
{
	struct lh_entry *entry, *next;
	struct findings found = {0};

	pthread_mutex_lock(&claims->lock);
	if (claims->look_at && now_ms >= claims->look_at) {
		claims->look_at = 0;
		lh_foreach_safe(claims->vms, entry, next)
		{
			struct claims_vm *vm = (void *)lh_entry_v(entry);

			find_conflict(claims, vm, now_ms, &found);
			claims_forget(claims, vm, now_ms);
		}
	}
	pthread_mutex_unlock(&claims->lock);
	for (size_t i = 0; i < found.count; i++)
		log_warning("two hosts have the same VM", "vm", found.list[i].vm, "host",
			found.list[i].hosts[0], "host2", found.list[i].hosts[1]);
	free(found.list);
}

bool claims_is_conflict(
	struct claims *claims, const char *vm_uuid, char hosts[static 2][UUID_TEXT_SIZE])
{
	void *value = NULL;

	pthread_mutex_lock(&claims->lock);
	lh_table_lookup_ex(claims->vms, vm_uuid, &value);
	const struct claims_vm *vm = value;
	bool conflict = vm && vm->conflict;
	if (conflict)
		claims_name_rivals(vm, hosts);
	pthread_mutex_unlock(&claims->lock);
	return conflict;
}

bool claims_has_vm(struct claims *claims, const char *host_uuid, const char *vm_uuid)
{
	pthread_mutex_lock(&claims->lock);
	const struct claims_host *host = claims_find_host(claims, host_uuid, false);
	const struct claim *claim = host ? claims_find(claims, host, vm_uuid) : NULL;
	bool has = claim && !claim->gone_until;
	pthread_mutex_unlock(&claims->lock);
	return has;
}
