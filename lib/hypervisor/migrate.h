/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving a domain to another host's libvirt, peer-to-peer: the two libvirtds do it between
 * themselves, so it goes on when the daemon that asked for it ends. For threads, errors and
 * deadlines hypervisor.h holds.
 */
#ifndef HYPERVISOR_MIGRATE_H
#define HYPERVISOR_MIGRATE_H

#include "hypervisor/hypervisor.h"

/* All strings are borrowed. */
struct hypervisor_migration {
	const char *uuid;
	const char *target_uri; /* the other libvirtd, as the one here reaches it */
	const char *data_uri;   /* where the guest's memory goes, "tcp://virt2"; NULL: they agree */
	bool live;              /* one that runs or is paused; false: one that is off */
	bool unsafe;            /* although libvirt doubts that both hosts see the same disks */
	unsigned bandwidth_mib; /* MiB/s; 0: no limit */
	unsigned connections;   /* for the memory; 0 and 1: one */
};

/*
 * Moves it and waits as long as that takes: call it in a thread of its own. 0: it is defined there,
 * in the state that it had, and gone here. -1 with libvirt's own words: it failed or was aborted,
 * and the domain is here as it was; or, with ERR_UNAVAILABLE, the libvirtd here has gone and nobody
 * can tell yet. ERR_UNSUPPORTED with the embedded driver.
 */
int hypervisor_migrate(struct hypervisor *hypervisor, const struct hypervisor_migration *migration,
	struct error *err);

enum hypervisor_job_kind {
	HYPERVISOR_JOB_NONE,
	HYPERVISOR_JOB_OUTGOING, /* a migration to another host */
	HYPERVISOR_JOB_INCOMING, /* one from another host; without figures */
	HYPERVISOR_JOB_OTHER,    /* a dump, a snapshot, somebody else's doing */
};

struct hypervisor_job {
	enum hypervisor_job_kind kind; /* what goes on now */
	/* Of the outgoing migration. Bytes and bytes/s; 0: not known (yet). */
	uint64_t total, transferred, remaining, rate;
	uint64_t downtime_ms; /* expected */
	uint64_t elapsed_ms;
};
/* What is being done to the domain. ERR_NOT_FOUND when it is not here (any more); at most 5 s. */
int hypervisor_get_job(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_job *job,
	struct error *err);
/* The figures of the last migration, in or out, that ended well with a domain that is here now;
 * kind is NONE when libvirt remembers none. downtime_ms is what was measured. */
int hypervisor_get_ended_job(struct hypervisor *hypervisor, const char *uuid,
	struct hypervisor_job *job, struct error *err);

/* Asks for the end of the job; hypervisor_migrate() returns then. ERR_STATE: there is none. */
int hypervisor_abort_job(struct hypervisor *hypervisor, const char *uuid, struct error *err);

/* What another host would be sent: the live XML of one that runs, the stored one otherwise. The
 * caller frees it. */
char *hypervisor_get_migratable_xml(
	struct hypervisor *hypervisor, const char *uuid, struct error *err);

/*
 * 0 when the CPU of that domain XML can be had here; kvm: it works on this host. ERR_UNSUPPORTED
 * says what is missing: KVM itself; of the model's features under KVM; under TCG, which emulates
 * them all, the model, where QEMU does not know it.
 */
int hypervisor_check_cpu(
	struct hypervisor *hypervisor, const char *domain_xml, bool kvm, struct error *err);

#endif
