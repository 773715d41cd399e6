/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the claims share: claims_table.c holds and shows them, claims.c judges. All of
 * it is called with the lock held. */
#ifndef CLUSTER_CLAIMS_PRIVATE_H
#define CLUSTER_CLAIMS_PRIVATE_H

#include "cluster/claims.h"

#include <json-c/linkhash.h>
#include <pthread.h>

/* When something was said. */
struct moment {
	struct wire_stamp stamp;
	int64_t ts_ms;
};

/* One host says that it has one VM; or that it has it no more. */
struct claim {
	struct claims_vm *vm;
	struct claims_host *host;
	struct claim *vm_next, *host_next;
	struct vm_row row;
	uint64_t hash;
	struct moment moment;
	int64_t gone_until; /* 0: it has it */
	bool listed;        /* by the pull that is worked on */
};

struct claims_vm {
	char uuid[UUID_TEXT_SIZE];
	struct claim *claims, *shown;
	int64_t contested_since; /* 0: one active host at most has it */
	bool conflict;
};

struct claims_host {
	char uuid[UUID_TEXT_SIZE];
	enum cstate cstate;
	bool drained;
	bool heard;             /* an HI; otherwise it is only to be pulled from */
	struct host host;       /* as the HI had it */
	struct moment moment;   /* of the HI */
	struct moment latest;   /* of all that was heard */
	struct moment complete; /* when all of it was known: what it lacked then was not there */
	struct claim *claims;
	struct digest held, promised;
	int64_t pull_at; /* 0: not wanted */
	bool pulling;
	int64_t retry_ms;
};

struct claims {
	pthread_mutex_t lock; /* of everything below */
	struct inventory *inventory;
	struct lh_table *vms, *hosts; /* by UUID */
	struct claims_host *own;
	size_t n_claims;
	int64_t look_at; /* when the next deletion is forgotten or conflict found; 0: none waits */
};

/* Below 0, 0, above 0: a was said before, with, after b. */
int moment_compare(const struct moment *a, const struct moment *b);

/* NULL when there is none, or with make when there are too many. */
struct claims_host *claims_find_host(struct claims *claims, const char *uuid, bool make);
struct claim *claims_find(struct claims *claims, const struct claims_host *host, const char *uuid);
/* Replaces what the host says of a VM; false when there are too many. */
bool claims_put(struct claims *claims, struct claims_host *host, const struct vm_row *row,
	const struct moment *moment, int64_t now_ms);
/* The host has the VM no more; remembered for a while. */
void claims_bury(
	struct claims *claims, struct claim *claim, const struct moment *moment, int64_t now_ms);
/* Forgets deletions that are long ago, of one VM; it may go itself. */
void claims_forget(struct claims *claims, struct claims_vm *vm, int64_t now_ms);
/* The two active hosts of ours that have it, of one in conflict. */
void claims_name_rivals(const struct claims_vm *vm, char hosts[static 2][UUID_TEXT_SIZE]);
/* That something is due then: claims_tick() need not look at all VMs before. */
void claims_look_at(struct claims *claims, int64_t due_ms);
/* Shows the claim that counts, after anything that may change which one that is. */
void claims_show(struct claims *claims, struct claims_vm *vm, int64_t now_ms);

#endif
