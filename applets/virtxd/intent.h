/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operation is about to do to a VM's storage and definition, on disk before it begins and
 * gone when it has ended: the next start reads from it how to put an interrupted one right
 * (recovery.c).
 *
 * create: always back. delete: always forward. update: forward once `forward` is set, which is when
 * all that it makes is made and only definitions and removals are left; back before. boot (with a
 * seed): forward when the guest runs, back otherwise. migrate: what libvirt and the leases say
 * (migration_settle.c). register (of a dead host's VM): forward when its entry is here, back
 * before.
 *
 * An intent lies on shared storage: nothing in it goes to libvirt unchecked.
 */
#ifndef VIRTXD_INTENT_H
#define VIRTXD_INTENT_H

#include "base/uuid.h"
#include "model/vmdef.h"
#include "storage/store.h"

enum intent_op {
	INTENT_CREATE,
	INTENT_UPDATE,
	INTENT_DELETE,
	INTENT_BOOT,
	INTENT_MIGRATE,
	INTENT_REGISTER
};

/* An image that was made: rolling back removes that inode and no other. */
struct intent_made {
	char *path;
	uint64_t inode;
};

struct intent {
	enum intent_op op;
	char vm[UUID_TEXT_SIZE];
	struct vmdef def; /* the VM's; update: the new one */
	struct vmdef old; /* update: the one in force */
	bool remove;      /* images that go are removed too */
	bool forward;
	bool defined; /* create: there may be a domain; always once it is read back */
	struct intent_made *made;
	size_t n_made;
	char from[UUID_TEXT_SIZE]; /* migrate: the host that wrote it; register: the dead one */
	char to[UUID_TEXT_SIZE];   /* migrate: this and what follows */
	char to_name[256];
	bool live;
	bool running;    /* it ran, and was not paused */
	int64_t note_ms; /* start of its entry in the operation log */
};

/* "create", "update", "delete", "boot", "migrate" or "register". */
const char *intent_op_name(enum intent_op op);

/* Notes an image; not durable before intent_write(). */
void intent_add_made(struct intent *intent, const char *path, uint64_t inode);
/* 0 when none was noted for that path. */
uint64_t intent_made_inode(const struct intent *intent, const char *path);

/* Durable when it returns. */
int intent_write(const struct store *store, const struct intent *intent, struct error *err);
/* The intent of a VM; ERR_NOT_FOUND without one, ERR_STORED_DATA when it cannot be understood. On
 * -1 it is empty. */
int intent_read(
	const struct store *store, const char *vm, struct intent *intent, struct error *err);
/* The same of another host. */
int intent_read_of(const struct store *store, const char *host, const char *vm,
	struct intent *intent, struct error *err);

void intent_free(struct intent *intent);
#define cleanup_intent CLEANUP(intent_free)

#endif
