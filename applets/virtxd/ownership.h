/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose a VM is that libvirt has here and the register has under another host: what a migration
 * leaves whose source was gone before it could move the entry, or a host that was dead while its
 * VMs were taken over. Looked at every few seconds: a VM that runs here under a lease of this host
 * is this host's, and its entry is moved; a copy that is off, while the host that the register
 * names has the VM, is a left-over, and goes. Everything else is for people (virtx fsck).
 */
#ifndef VIRTXD_OWNERSHIP_H
#define VIRTXD_OWNERSHIP_H

#include "daemon.h"

#define OWNERSHIP_WAITS_MS 5000  /* a source that lives moves the entry itself */
#define OWNERSHIP_LASTS_MS 40000 /* longer than what other hosts say may be old */

struct ownership;

/* Needs all that a handler needs. Also keeps daemon->admissions. */
struct ownership *ownership_start(struct daemon *daemon, struct error *err);
/* Ends and frees it. A thread that hangs in the storage is left behind: then false, and the daemon
 * must live on. NULL is fine. */
bool ownership_stop(struct ownership *ownership);

enum ownership_holder { HOLDER_UNKNOWN, HOLDER_NOBODY, HOLDER_HERE, HOLDER_ELSEWHERE };
enum ownership_word { WORD_UNKNOWN, WORD_NO, WORD_YES };

/* What can be seen of a VM that libvirt has here. */
struct ownership_facts {
	bool managed; /* VirtX made it, and it is not on its way here */
	bool busy;    /* an operation of this host works on it, or has left an intent */
	enum runstate runstate;
	bool registered_here;
	size_t registered_elsewhere;  /* so many hosts */
	bool begun_elsewhere;         /* another host has an intent of it */
	enum ownership_holder holder; /* of its lease */
	enum ownership_word other;    /* the host that the register names says that it has it */
	int64_t lasts_ms;             /* the register has named another host for so long */
};

enum ownership_verdict { OWNERSHIP_LEAVE, OWNERSHIP_ADOPT, OWNERSHIP_UNDEFINE };

/* The decision alone. */
enum ownership_verdict ownership_judge(const struct ownership_facts *facts);

#endif
