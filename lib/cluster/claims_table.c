/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The claims in memory: by VM and by host, with each host's digest; and which one is shown. */
#include "cluster/claims_private.h"

#include "base/str.h"

int moment_compare(const struct moment *a, const struct moment *b)
{
	if (a->stamp.extended && b->stamp.extended) {
		if (a->stamp.boot_id != b->stamp.boot_id)
			return a->stamp.boot_id < b->stamp.boot_id ? -1 : 1;
		if (a->stamp.generation != b->stamp.generation)
			return a->stamp.generation < b->stamp.generation ? -1 : 1;
		return 0;
	}
	return a->ts_ms < b->ts_ms ? -1 : a->ts_ms > b->ts_ms;
}

static void *lookup(struct lh_table *table, const char *uuid)
{
	void *value = NULL;

	lh_table_lookup_ex(table, uuid, &value);
	return value;
}

static void insert(struct lh_table *table, const char *uuid, void *value)
{
	if (lh_table_insert(table, uuid, value) < 0)
		mem_check(NULL);
}

struct claims_host *claims_find_host(struct claims *claims, const char *uuid, bool make)
{
	struct claims_host *host = lookup(claims->hosts, uuid);

	if (host || !make || lh_table_length(claims->hosts) >= CLAIMS_MAX_HOSTS)
		return host;
	host = xcalloc(1, sizeof(*host));
	str_copy(host->uuid, sizeof(host->uuid), uuid);
	host->cstate = CSTATE_ACTIVE;
	insert(claims->hosts, host->uuid, host);
	return host;
}

struct claim *claims_find(struct claims *claims, const struct claims_host *host, const char *uuid)
{
	struct claims_vm *vm = lookup(claims->vms, uuid);
	struct claim *claim = vm ? vm->claims : NULL;

	while (claim && claim->host != host)
		claim = claim->vm_next;
	return claim;
}

/* ---- which one is shown ---- */

static bool is_alive(const struct claim *claim)
{
	return claim->gone_until == 0;
}

static bool is_active(const struct claim *claim)
{
	return is_alive(claim) && claim->host->cstate == CSTATE_ACTIVE;
}

/* Of two hosts that have it: an active one; the newer word where an old peer is one of them, as it
 * does it itself; otherwise the one that is shown, as nobody is picked by clock. */
static bool is_better(const struct claim *claim, const struct claim *than)
{
	if (is_active(claim) != is_active(than))
		return is_active(claim);
	if (!claim->moment.stamp.extended || !than->moment.stamp.extended)
		return claim->row.ts_ms > than->row.ts_ms;
	return claim == claim->vm->shown;
}

static struct claim *choose(const struct claims_vm *vm)
{
	struct claim *best = NULL;

	for (struct claim *claim = vm->claims; claim; claim = claim->vm_next)
		if (is_alive(claim) && (!best || is_better(claim, best)))
			best = claim;
	return best;
}

/* Active hosts of ours that have it are rivals: the nth of them, NULL when there are fewer. */
static const struct claim *find_rival(const struct claims_vm *vm, unsigned nth)
{
	const struct claim *claim = vm->claims;

	for (; claim; claim = claim->vm_next)
		if (is_active(claim) && claim->moment.stamp.extended && nth-- == 0)
			break;
	return claim;
}

void claims_name_rivals(const struct claims_vm *vm, char hosts[static 2][UUID_TEXT_SIZE])
{
	for (unsigned i = 0; i < 2; i++) {
		const struct claim *claim = find_rival(vm, i);

		str_copy(hosts[i], UUID_TEXT_SIZE, claim ? claim->host->uuid : "");
	}
}

/* What a list says of a VM besides what its host said. */
static void mark_row(const struct claims_vm *vm, struct vm_row *row)
{
	row->cstate = vm->shown->host->cstate;
	free(row->conflict);
	row->conflict = vm->conflict ? xcalloc(2, sizeof(*row->conflict)) : NULL;
	if (row->conflict)
		claims_name_rivals(vm, row->conflict);
}

void claims_look_at(struct claims *claims, int64_t due_ms)
{
	if (!claims->look_at || due_ms < claims->look_at)
		claims->look_at = due_ms;
}

void claims_show(struct claims *claims, struct claims_vm *vm, int64_t now_ms)
{
	vm->shown = choose(vm);
	if (!find_rival(vm, 1)) {
		vm->contested_since = 0;
		vm->conflict = false;
	} else if (!vm->contested_since) {
		vm->contested_since = now_ms;
		claims_look_at(claims, now_ms + CLAIMS_CONFLICT_MS);
	}
	if (vm->shown) {
		mark_row(vm, &vm->shown->row);
		inventory_put_vm(claims->inventory, &vm->shown->row);
	} else {
		inventory_remove_vm(claims->inventory, vm->uuid);
	}
}

/* ---- change ---- */

static struct claim *claim_new(struct claims *claims, struct claims_host *host, const char *uuid)
{
	struct claims_vm *vm = lookup(claims->vms, uuid);
	struct claim *claim = xcalloc(1, sizeof(*claim));

	if (!vm) {
		vm = xcalloc(1, sizeof(*vm));
		str_copy(vm->uuid, sizeof(vm->uuid), uuid);
		insert(claims->vms, vm->uuid, vm);
	}
	claim->vm = vm;
	claim->host = host;
	claim->vm_next = vm->claims;
	vm->claims = claim;
	claim->host_next = host->claims;
	host->claims = claim;
	claim->gone_until = 1; /* not there yet */
	claims->n_claims++;
	return claim;
}

static void unlink_claim(struct claim *claim)
{
	struct claim **link = &claim->vm->claims;

	while (*link != claim)
		link = &(*link)->vm_next;
	*link = claim->vm_next;
	link = &claim->host->claims;
	while (*link != claim)
		link = &(*link)->host_next;
	*link = claim->host_next;
}

bool claims_put(struct claims *claims, struct claims_host *host, const struct vm_row *row,
	const struct moment *moment, int64_t now_ms)
{
	struct claim *claim = claims_find(claims, host, row->uuid);
	struct vm_row copy;

	if (!claim && claims->n_claims >= CLAIMS_MAX_VMS)
		return false;
	if (!claim)
		claim = claim_new(claims, host, row->uuid);
	vm_row_copy(&copy, row);
	if (is_alive(claim))
		digest_remove(&host->held, claim->hash);
	vm_row_free(&claim->row);
	claim->row = copy;
	claim->moment = *moment;
	claim->gone_until = 0;
	claim->hash = wire_vm_hash(&copy);
	digest_add(&host->held, claim->hash);
	claims_show(claims, claim->vm, now_ms);
	return true;
}

void claims_bury(
	struct claims *claims, struct claim *claim, const struct moment *moment, int64_t now_ms)
{
	if (is_alive(claim))
		digest_remove(&claim->host->held, claim->hash);
	vm_row_free(&claim->row);
	claim->moment = *moment;
	claim->gone_until = now_ms + CLAIMS_GONE_MS;
	claims_look_at(claims, claim->gone_until);
	claims_show(claims, claim->vm, now_ms);
}

void claims_forget(struct claims *claims, struct claims_vm *vm, int64_t now_ms)
{
	struct claim *next;

	for (struct claim *claim = vm->claims; claim; claim = next) {
		next = claim->vm_next;
		if (is_alive(claim))
			continue;
		if (now_ms < claim->gone_until) {
			claims_look_at(claims, claim->gone_until);
			continue;
		}
		unlink_claim(claim);
		claims->n_claims--;
		free(claim);
	}
	if (vm->claims)
		return;
	lh_table_delete(claims->vms, vm->uuid);
	free(vm);
}
