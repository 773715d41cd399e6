/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on a managed image or LUN under its lease, in a process of its own: `virtx lease-run`.
 *
 * The daemon starts it (work_run) and follows what it says, line by line: "progress PERCENT", "made
 * INODE" (then it waits for one byte on the go pipe), and at a failure "error WORD MESSAGE" and
 * perhaps "hint TEXT". It ends with the thread that started it (see base/process.h), and qemu-img
 * ends with it: what it had made by then has a temporary name, and work_run or the rollback after a
 * restart removes it. A LUN comes as a descriptor: virtxd has looked at what it is.
 */
#ifndef STORAGE_WORK_H
#define STORAGE_WORK_H

#include "base/error.h"
#include "model/enums.h"
#include "storage/disk.h"
#include "storage/lease.h"

#include <stdatomic.h>
#include <stdint.h>

enum work_kind {
	WORK_MAKE,
	WORK_REMOVE,
	WORK_WIPE,
	WORK_DROP, /* the lease itself is taken out of the way (lease_private.h) */
};

struct work {
	enum work_kind kind;
	enum lock_manager manager;
	int root;                 /* VMS, open */
	int go;                   /* read end of the go pipe; only WORK_MAKE reads it */
	int device;               /* WORK_WIPE: the LUN, open for writing; -1 otherwise */
	const char *vm;           /* who must own the leases */
	const char *lease;        /* of the disk; WORK_DROP: any of the VM's */
	const char *path;         /* of the image, below the datastore; of a LUN for messages */
	enum disk_prov prov;      /* WORK_MAKE, WORK_WIPE: thin or thick */
	int32_t size_mib;         /* WORK_MAKE */
	uint64_t inode;           /* WORK_REMOVE: only the image with this inode; 0: any */
	const atomic_bool *ended; /* lease-run: true once sanlock has asked it to end; or NULL */
};

/* What lease-run says; called with one line without its newline. */
struct work_report {
	void (*say)(void *context, const char *line);
	void *context;
};

/*
 * The daemon's side: runs it. disk_work may be NULL. *inode (may be NULL) is that of the image that
 * was made, 0 as long as there is none, also when it fails later. Errors are lease-run's own,
 * ERR_CANCELLED, or what on_made said.
 */
int work_run(const struct store *store, const struct work *work, const struct disk_work *disk_work,
	uint64_t *inode, struct error *err);

/* lease-run's side: reads its command line (without the word lease-run); strings point into argv.
 * ERR_USAGE. */
int work_parse(int argc, char **argv, struct work *work, struct error *err);

/*
 * lease-run's side: takes the VM's lease (where there is one) and the disk's, checks that both are
 * the VM's, does the work, and stops when the leases are lost. They are given back when the process
 * exits. ERR_LEASE, ERR_BUSY, ERR_EXISTS, ERR_STORAGE, ERR_CANCELLED, ERR_UNAVAILABLE.
 */
int work_perform(const struct work *work, const struct work_report *report, struct error *err);

/* The line that says an error, and its hint after a newline if it has one; the caller frees it. */
char *work_error_line(const struct error *err);

/* The prefix of temporary names of a VM's images: ".virtx-UUID-". The caller frees it. */
char *work_temporary_prefix(const char *vm);

#define WORK_TEMPORARY_SUFFIX ".tmp"

#endif
