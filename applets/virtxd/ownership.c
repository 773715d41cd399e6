/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose a VM is: see ownership.h. */
#include "ownership.h"

#include "admission.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/claims.h"
#include "collector.h"
#include "local_vms.h"
#include "operations.h"
#include "peers.h"
#include "pull.h"
#include "readiness.h"
#include "storage/register.h"

#include <pthread.h>

#define ROUND_MS    3000
#define LOOK_MAX_MS 12000 /* between two looks at one that is left */
#define STOP_MS     2000

/* One that the register has under another host only. */
struct stray {
	char vm[UUID_TEXT_SIZE];
	int64_t since_ms;         /* monotonic */
	int64_t next_ms, wait_ms; /* the next look, and how long after that the one after it */
};

struct ownership {
	struct daemon *daemon;
	pthread_mutex_t lock; /* of the next three; not held while anything is looked at */
	pthread_cond_t changed;
	bool stopping, ended;
	/* The thread's own. */
	struct stray *strays;
	size_t n_strays;
};

/* ---- the decision ---- */

enum ownership_verdict ownership_judge(const struct ownership_facts *facts)
{
	bool lasts = facts->lasts_ms >= OWNERSHIP_LASTS_MS && !facts->begun_elsewhere;

	if (!facts->managed || facts->busy || facts->registered_here ||
		facts->registered_elsewhere != 1 || facts->lasts_ms < OWNERSHIP_WAITS_MS)
		return OWNERSHIP_LEAVE;
	switch (facts->runstate) {
	case RUNSTATE_RUNNING:
	case RUNSTATE_PMSUSPENDED:
	case RUNSTATE_TERMINATING:
		return facts->holder == HOLDER_HERE ? OWNERSHIP_ADOPT : OWNERSHIP_LEAVE;
	case RUNSTATE_PAUSED:
		/* libvirt gives the lease of one that is paused back. */
		if (facts->holder == HOLDER_HERE)
			return OWNERSHIP_ADOPT;
		return lasts && facts->holder == HOLDER_NOBODY && facts->other == WORD_NO
			       ? OWNERSHIP_ADOPT
			       : OWNERSHIP_LEAVE;
	case RUNSTATE_POWEROFF:
	case RUNSTATE_CRASHED:
		return lasts && facts->holder != HOLDER_HERE && facts->other == WORD_YES
			       ? OWNERSHIP_UNDEFINE
			       : OWNERSHIP_LEAVE;
	default:
		return OWNERSHIP_LEAVE;
	}
}

/* ---- what is seen ---- */

static enum ownership_holder find_holder(struct daemon *daemon, const char *vm)
{
	uint64_t id = 0;
	struct error err = {0};

	/* Under the lock manager local nobody can tell. */
	if (!daemon->lockspace || lease_find_vm_host(daemon->store, vm, &id, &err))
		return HOLDER_UNKNOWN;
	return id == 0                              ? HOLDER_NOBODY
	       : id == atomic_load(&daemon->lockid) ? HOLDER_HERE
						    : HOLDER_ELSEWHERE;
}

/* From its own mouth, and just now: what was heard may be old. An old peer cannot be asked. */
static enum ownership_word ask_other(struct daemon *daemon, const char *host, const char *vm)
{
	struct error err = {0};
	struct peer peer;

	if (!daemon->claims || !peers_is_believed(daemon->peers, host) ||
		!peers_find(daemon->peers, host, &peer) ||
		(!peer.old && pull_inventory(daemon, host, &err)))
		return WORD_UNKNOWN;
	if (claims_has_vm(daemon->claims, host, vm))
		return WORD_YES;
	return peer.old ? WORD_UNKNOWN : WORD_NO;
}

/* False when something cannot be seen now. *other is the host that the register names, when there
 * is one; since_ms: since when that is so. */
static bool look(struct daemon *daemon, const char *vm, int64_t since_ms,
	struct ownership_facts *facts, char other[static UUID_TEXT_SIZE])
{
	cleanup_free struct register_entry *entries = NULL, *intents = NULL;
	size_t n_entries = 0, n_intents = 0;
	struct domain_stats stats;
	struct error err = {0};

	*facts = (struct ownership_facts){0};
	if (hypervisor_collect_one(daemon->hypervisor, vm, &stats, &err) ||
		register_find(daemon->store, vm, &entries, &n_entries, &err) ||
		intent_find(daemon->store, vm, &intents, &n_intents, &err))
		return false;
	for (size_t i = 0; i < n_intents; i++) {
		bool own = str_equal(intents[i].host, daemon->host_uuid);

		facts->busy |= own;
		facts->begun_elsewhere |= !own;
	}
	for (size_t i = 0; i < n_entries; i++) {
		bool own = str_equal(entries[i].host, daemon->host_uuid);

		facts->registered_here |= own;
		facts->registered_elsewhere += !own;
		if (!own)
			(void)str_copy(other, UUID_TEXT_SIZE, entries[i].host);
	}
	facts->managed = stats.persistent && !collector_is_foreign(daemon->collector, vm);
	facts->runstate = stats.runstate;
	facts->holder = find_holder(daemon, vm);
	facts->lasts_ms = clock_ms() - since_ms;
	if (facts->lasts_ms >= OWNERSHIP_LASTS_MS && facts->registered_elsewhere == 1)
		facts->other = ask_other(daemon, other, vm);
	return true;
}

/* ---- what is done ---- */

static void act(struct daemon *daemon, const struct vm_row *row, enum ownership_verdict verdict,
	const char *other)
{
	bool adopts = verdict == OWNERSHIP_ADOPT;
	struct error err = {0}, ignored = {0};

	if (adopts)
		register_move(daemon->store, row->uuid, other, daemon->host_uuid, &err);
	else
		hypervisor_undefine(daemon->hypervisor, row->uuid, &err);
	collector_refresh(daemon->collector, row->uuid, &ignored);
	if (error_is_set(&err))
		log_error(adopts ? "VM has come here, but its register entry stays another host's"
				 : "copy of another host's VM stays defined here",
			"vm", row->uuid, "name", row->name, "host", other, "error", err.message);
	else
		log_warning(adopts ? "VM has come here: its register entry is this host's now"
				   : "copy of another host's VM, which was off, is no longer "
				     "defined here",
			"vm", row->uuid, "name", row->name, "host", other);
}

/* Judged again once nobody else can begin anything with the VM. */
static void decide(struct daemon *daemon, const struct vm_row *row, int64_t since_ms)
{
	struct ownership_facts facts;
	char other[UUID_TEXT_SIZE] = "", id[UUID_TEXT_SIZE];
	struct error err = {0};

	if (operations_is_busy(daemon->operations, row->uuid, id) ||
		!look(daemon, row->uuid, since_ms, &facts, other))
		return;
	enum ownership_verdict verdict = ownership_judge(&facts);
	if (verdict == OWNERSHIP_LEAVE)
		return;
	struct operation *operation = operations_begin(daemon->operations,
		verdict == OWNERSHIP_ADOPT ? "adopt" : "undefine", row->uuid, row->name, NULL,
		&err);
	if (!operation)
		return;
	operation_commit(operation);
	if (look(daemon, row->uuid, since_ms, &facts, other) && ownership_judge(&facts) == verdict)
		act(daemon, row, verdict, other);
	operation_end(operation, NULL);
}

/* ---- rounds ---- */

static int compare_vm(const void *vm, const void *entry)
{
	return strcmp(vm, ((const struct register_entry *)entry)->vm);
}

/* Notes it for the next rounds, as it was noted before. */
static struct stray *note_stray(
	const struct ownership *ownership, const char *vm, struct stray *strays, size_t *n)
{
	struct stray *stray = &strays[(*n)++];
	int64_t now_ms = clock_ms();

	*stray = (struct stray){
		.since_ms = now_ms, .next_ms = now_ms + OWNERSHIP_WAITS_MS, .wait_ms = ROUND_MS};
	(void)str_copy(stray->vm, sizeof(stray->vm), vm);
	for (size_t i = 0; i < ownership->n_strays; i++)
		if (str_equal(ownership->strays[i].vm, vm))
			*stray = ownership->strays[i];
	return stray;
}

/* Each look goes through the registers of all hosts. */
static void look_at_stray(struct daemon *daemon, const struct vm_row *row, struct stray *stray)
{
	if (clock_ms() < stray->next_ms)
		return;
	decide(daemon, row, stray->since_ms);
	stray->next_ms = clock_ms() + stray->wait_ms;
	stray->wait_ms = stray->wait_ms * 2 < LOOK_MAX_MS ? stray->wait_ms * 2 : LOOK_MAX_MS;
}

static void look_at_all(struct ownership *ownership, const struct vm_row *rows, size_t count,
	const struct register_entry *entries, size_t n_entries)
{
	struct daemon *daemon = ownership->daemon;
	struct stray *strays = xcalloc(count + 1, sizeof(*strays));
	size_t n_strays = 0;

	for (size_t i = 0; i < count; i++) {
		const char *vm = rows[i].uuid;

		if (!collector_is_foreign(daemon->collector, vm) &&
			(n_entries == 0 ||
				!bsearch(vm, entries, n_entries, sizeof(*entries), compare_vm)))
			look_at_stray(
				daemon, &rows[i], note_stray(ownership, vm, strays, &n_strays));
	}
	free(ownership->strays);
	ownership->strays = strays;
	ownership->n_strays = n_strays;
}

static void make_round(struct ownership *ownership)
{
	struct daemon *daemon = ownership->daemon;
	cleanup_free struct register_entry *entries = NULL;
	size_t n_entries = 0;
	struct error err = {0};

	admissions_tick(daemon->admissions);
	if (!hypervisor_is_connected(daemon->hypervisor, NULL, 0) ||
		readiness_check_storage(daemon->readiness, &err) ||
		register_list(daemon->store, daemon->host_uuid, &entries, &n_entries, &err))
		return;
	struct vm_row *rows = NULL;
	size_t count = local_vms_list_rows(collector_vms(daemon->collector), &rows);
	look_at_all(ownership, rows, count, entries, n_entries);
	for (size_t i = 0; i < count; i++)
		vm_row_free(&rows[i]);
	free(rows);
}

/* ---- the thread ---- */

static void *watch(void *context)
{
	struct ownership *ownership = context;

	pthread_mutex_lock(&ownership->lock);
	while (!ownership->stopping) {
		int64_t next = clock_ms() + ROUND_MS;

		pthread_mutex_unlock(&ownership->lock);
		make_round(ownership);
		pthread_mutex_lock(&ownership->lock);
		while (!ownership->stopping && clock_ms() < next)
			clock_wait(&ownership->changed, &ownership->lock, next);
	}
	ownership->ended = true;
	pthread_cond_signal(&ownership->changed);
	pthread_mutex_unlock(&ownership->lock);
	return NULL;
}

static void ownership_free(struct ownership *ownership)
{
	pthread_cond_destroy(&ownership->changed);
	pthread_mutex_destroy(&ownership->lock);
	free(ownership->strays);
	free(ownership);
}

struct ownership *ownership_start(struct daemon *daemon, struct error *err)
{
	struct ownership *ownership = xcalloc(1, sizeof(*ownership));
	pthread_t thread;

	ownership->daemon = daemon;
	pthread_mutex_init(&ownership->lock, NULL);
	pthread_cond_init(&ownership->changed, NULL);
	int failure = pthread_create(&thread, NULL, watch, ownership);
	if (failure) {
		error_set_errno(err, ERR_UNAVAILABLE, failure, "starting a thread");
		ownership_free(ownership);
		return NULL;
	}
	pthread_detach(thread);
	return ownership;
}

bool ownership_stop(struct ownership *ownership)
{
	int64_t end = clock_ms() + STOP_MS;

	if (!ownership)
		return true;
	pthread_mutex_lock(&ownership->lock);
	ownership->stopping = true;
	pthread_cond_signal(&ownership->changed);
	while (!ownership->ended && clock_ms() < end)
		clock_wait(&ownership->changed, &ownership->lock, end);
	bool ended = ownership->ended;
	pthread_mutex_unlock(&ownership->lock);
	if (ended)
		ownership_free(ownership);
	return ended;
}
