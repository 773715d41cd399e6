/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of lib/hypervisor share. Nobody else includes it. */
#ifndef HYPERVISOR_INTERNAL_H
#define HYPERVISOR_INTERNAL_H

#include "hypervisor/hypervisor.h"
#include "hypervisor/libvirt_load.h"
#include "hypervisor/migrate.h"

#include <pthread.h>
#include <stdatomic.h>

/* Names of throw-away guests begin with it; their events are not passed on. */
#define PROBE_NAME_PREFIX "virtx-probe-"

/*
 * Counted by reference: its handle, its connector thread, libvirt's callbacks and calls left
 * behind each hold it, so none of them outlives it.
 */
struct hypervisor {
	struct hypervisor_config config; /* uri is ours, the rest the caller's; constant */
	atomic_uint references;
	atomic_bool remote; /* through a libvirtd */
	atomic_bool stopping;
	_Atomic int64_t heartbeat_ms;
	atomic_int left_behind; /* collections that have not come back */
	atomic_bool quit;       /* the event loop: after the connector is done with it */
	int timer;
	pthread_t events, connector;

	pthread_mutex_t lock; /* guards what follows; never held across a call into libvirt */
	pthread_cond_t changed;
	virConnectPtr connection; /* made and closed by the connector alone; NULL: none */
	bool ready;               /* it may be used */
	bool hopeless;            /* the embedded driver failed: it starts once per process */
	char why[1024];           /* why not: the last attempt's reason, or how it was lost */
	bool finished;            /* the connector is about to end */
	unsigned generation;      /* counts connections */
	bool caps_known;          /* for this connection */
	struct hypervisor_caps caps;

	pthread_mutex_t probe_lock; /* held while a guest is tried: the second caller waits for the
				       answer */
	bool probe_done, kvm_works;
	char kvm_why[1024];
};

struct hypervisor *hypervisor_ref(struct hypervisor *hypervisor);
/* The last reference frees it; NULL is fine. */
void hypervisor_unref(struct hypervisor *hypervisor);

/* The connection with a reference for the caller (cleanup_connect), or NULL with ERR_UNAVAILABLE.
 */
virConnectPtr hypervisor_connection(struct hypervisor *hypervisor, struct error *err);

/* A domain for the caller (cleanup_domain), or NULL with ERR_NOT_FOUND and so on. */
virDomainPtr hypervisor_domain(struct hypervisor *hypervisor, const char *uuid, struct error *err);

#define DOMAIN_ASK_MS 5000 /* for a call that QEMU is only told, or libvirt asked */

/* A call about one domain in a thread of its own, and all that it works on and with: freed by
 * whoever has it last. */
struct domain_control {
	const char *what; /* "pausing" */
	const char *hint; /* when there is no answer; NULL: what helps against a QEMU that hangs */
	/* -1: libvirt's error is reported, unless control->err says it better. */
	int (*call)(virDomainPtr domain, struct domain_control *control);
	unsigned timeout_ms, flags;
	char *key, *uri, *xml; /* of metadata */
	char *text, **answer;  /* what is asked for; where the caller wants it, or NULL */
	struct hypervisor_job job, *job_answer; /* the same */
	enum error_code silence;                /* when there is no answer; 0: ERR_HYPERVISOR */
	struct hypervisor *hypervisor;
	char uuid[UUID_TEXT_SIZE];
	struct error err;
};
/* Makes the call that `wanted` describes; its strings are taken over. */
int domain_control(struct hypervisor *hypervisor, const char *uuid,
	const struct domain_control *wanted, struct error *err);

/* The flags that name what QEMU has; libvirt's test driver refuses any. */
unsigned hypervisor_qemu_flags(const struct hypervisor *hypervisor, unsigned flags);

/* The runstate of a libvirt state and its reason (spec: statistics.md). */
enum runstate runstate_from_libvirt(int state, int reason);

/* The groups of statistics that stats_from_params() reads. */
#define STATS_GROUPS                                                                      \
	(VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | \
		VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK)

/* Reads what libvirt measured of one domain into stats, which is zeroed but for the UUID. */
void stats_from_params(
	struct domain_stats *stats, bool active, const virTypedParameter *params, int count);

/* A field as a count: 0 when it is missing, negative or no whole number. */
uint64_t params_get_count(const virTypedParameter *params, int count, const char *field);

#endif
