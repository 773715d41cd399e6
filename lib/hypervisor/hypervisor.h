/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt, as the rest of virtx sees it. The only module that includes it; it
 * is loaded at run time (libvirt_load.h says why).
 *
 * One long-lived connection with keepalive brings the events and tells whether libvirt is there;
 * the module reconnects every 5 s. Calls to a libvirtd open a connection of their own (0.8 ms;
 * connection.c says why), calls to an in-process driver share the one.
 *
 * All functions may be called from any thread; while there is no connection they fail at once
 * with ERR_UNAVAILABLE and the reason of the last attempt. A failure that libvirt reports is
 * ERR_HYPERVISOR with libvirt's own message; a domain it does not know is ERR_NOT_FOUND. No lock is
 * held across a call into libvirt, except that callers of hypervisor_probe_kvm() wait for one
 * another. The process must ignore SIGPIPE.
 */
#ifndef HYPERVISOR_HYPERVISOR_H
#define HYPERVISOR_HYPERVISOR_H

#include "base/error.h"
#include "base/uuid.h"
#include "model/enums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hypervisor;

/* What an event tells; details are read again by the collector. */
enum hypervisor_event {
	HYPERVISOR_DEFINED,
	HYPERVISOR_UNDEFINED,
	HYPERVISOR_CHANGED, /* life cycle: started, suspended, stopped ... */
};

struct hypervisor_config {
	const char *uri;       /* qemu:///system, qemu:///embed?root=DIR, test:///FILE */
	unsigned reconnect_ms; /* between attempts; 0: 5000 */
	/*
	 * Called on threads of this module; they must only note and wake, never
	 * block or call back into it. on_connection alternates: true, false, true ...
	 */
	void (*on_event)(void *context, enum hypervisor_event event, const char *uuid);
	void (*on_connection)(void *context, bool connected);
	void *context;
};

/*
 * Starts the module's threads, which connect in the background. Never touches VMs. Call it before
 * other threads run: loading libvirt sets an environment variable. NULL: ERR_UNAVAILABLE when
 * libvirt is not installed. At most one at a time in a process (libvirt's event loop is global).
 */
struct hypervisor *hypervisor_start(const struct hypervisor_config *config, struct error *err);

/*
 * Closes the connection and ends the threads; one that hangs in libvirt is left behind after 3 s.
 * VMs keep running, also with the embedded driver.
 */
void hypervisor_stop(struct hypervisor *hypervisor);

/*
 * Waits until connected: 0, or -1 with the last attempt's reason after timeout_ms; at once when the
 * embedded driver failed, which can start only once in a process.
 */
int hypervisor_wait(struct hypervisor *hypervisor, unsigned timeout_ms, struct error *err);
/* True when connected now; otherwise the reason (copied, cut) when why is not NULL. */
bool hypervisor_is_connected(struct hypervisor *hypervisor, char *why, size_t size);
/* Monotonic ms of the event thread's last turn, for the watchdog. */
int64_t hypervisor_heartbeat(struct hypervisor *hypervisor);

/* True for the in-process driver, which cannot migrate and has no libvirt networks. */
bool hypervisor_is_embedded(const struct hypervisor *hypervisor);

/*
 * For a look before anything runs: opens a connection of its own, asks for libvirt's version and
 * closes it. Waits as long as libvirt does; ERR_UNAVAILABLE or ERR_HYPERVISOR with the reason.
 */
int hypervisor_look(const char *uri, unsigned long *version, struct error *err);

/* The parts of the host that only libvirt knows. Strings are owned: hypervisor_host_clear(). */
struct hypervisor_host {
	char uuid[UUID_TEXT_SIZE]; /* "": libvirt has none that would last; keep one of your own */
	char *arch, *vendor, *model;
	int64_t tsc_hz;                         /* 0: unknown */
	char *firmware_version, *firmware_date; /* "" without SMBIOS */
	int16_t nodes, sockets, cores, threads;
	int32_t mhz;
	int64_t memory_kib; /* of the node */
};
int hypervisor_get_host(
	struct hypervisor *hypervisor, struct hypervisor_host *host, struct error *err);
void hypervisor_host_clear(struct hypervisor_host *host);

/* Cumulative CPU time of the host in ns, and free memory in KiB. */
struct hypervisor_load {
	uint64_t kernel_ns, user_ns, iowait_ns, idle_ns;
	int64_t free_kib;
};
int hypervisor_get_load(
	struct hypervisor *hypervisor, struct hypervisor_load *load, struct error *err);

/* What guests can have here. */
struct hypervisor_caps {
	bool kvm; /* offered in the domain capabilities (which does not prove that it works) */
	bool bios_descriptor;       /* firmware="bios" finds something */
	bool uefi;                  /* firmware="efi" finds something */
	bool numad;                 /* automatic NUMA placement works */
	bool vdagent_migrates;      /* this QEMU migrates a guest with a vdagent channel */
	bool networks;              /* libvirt networks can be used at all */
	unsigned long version;      /* of libvirt: major * 1000000 + minor * 1000 + release */
	unsigned long qemu_version; /* the same way; 0: none found */
};
/* Asked once per connection and remembered (probing QEMU takes seconds). */
int hypervisor_get_caps(
	struct hypervisor *hypervisor, struct hypervisor_caps *caps, struct error *err);

/*
 * Whether KVM really runs a guest here: tried once with a transient throw-away guest of
 * 16 MiB, then remembered for the life of the process. false also when it cannot be tried; why says
 * the reason.
 */
bool hypervisor_probe_kvm(struct hypervisor *hypervisor, char *why, size_t size);

/* 0 when a libvirt network of that name exists and is active; ERR_UNSUPPORTED with the reason. */
int hypervisor_check_network(struct hypervisor *hypervisor, const char *name, struct error *err);

#define DOMAIN_DISKS_MAX 32

/* Bytes. */
struct domain_disk {
	char target[16]; /* "vda": <target dev> of the XML */
	uint64_t capacity, allocation, physical;
};

/* One domain of the bulk call. Counters are cumulative; 0 where libvirt gave none. */
struct domain_stats {
	char uuid[UUID_TEXT_SIZE];
	enum runstate runstate; /* from state and reason, spec statistics.md */
	int state, reason;      /* libvirt's own, for the operation log */
	bool persistent, autostart;
	uint64_t cpu_time_ns;                   /* 0 for a stopped domain, whatever libvirt says */
	int64_t memory_max_kib, memory_rss_kib; /* rss 0 when stopped */
	/* Every disk, cdroms too: libvirt does not say here which are. Those beyond the limit are
	 * left out. */
	struct domain_disk disks[DOMAIN_DISKS_MAX];
	unsigned n_disks;
	uint64_t net_rx_bytes, net_tx_bytes;
	unsigned vcpus;
	bool complete; /* false: only the state could be read, figures stay as they were */
};

/*
 * All persistent domains in one bulk call. When that takes longer than timeout_ms (one stopped QEMU
 * process blocks it), it is left behind in its thread and the states alone are read (complete =
 * false). Later calls pass over the domain that hangs, so only its figures go stale. At most twice
 * timeout_ms; ERR_UNAVAILABLE when libvirt itself does not answer. The caller frees *list.
 */
int hypervisor_collect(struct hypervisor *hypervisor, unsigned timeout_ms,
	struct domain_stats **list, size_t *count, struct error *err);
/* The same for one domain, persistent or not; it takes at most 4 s. */
int hypervisor_collect_one(struct hypervisor *hypervisor, const char *uuid,
	struct domain_stats *stats, struct error *err);

/* Inactive or live XML (security information left out); the caller frees it. */
char *hypervisor_get_xml(
	struct hypervisor *hypervisor, const char *uuid, bool live, struct error *err);
/* The same for somebody who only looks: an answer within a second, or none. */
char *hypervisor_show_xml(
	struct hypervisor *hypervisor, const char *uuid, bool live, struct error *err);

/* Defines or redefines a persistent domain; *stored (may be NULL) is its inactive XML, the caller
 * frees it. */
int hypervisor_define(
	struct hypervisor *hypervisor, const char *xml, char **stored, struct error *err);
/*
 * 0 when libvirt accepts the XML, defining nothing: it is parsed, completed and validated as define
 * does, and this QEMU has the firmware, CPU model and devices. It does not prove that disks,
 * bridges or networks exist. With a driver other than QEMU everything passes.
 */
int hypervisor_check_xml(struct hypervisor *hypervisor, const char *xml, struct error *err);
/* With managed save, snapshots metadata, NVRAM and checkpoints; only a domain that is shut off or
 * crashed (ERR_STATE). */
int hypervisor_undefine(struct hypervisor *hypervisor, const char *uuid, struct error *err);

/*
 * From here to hypervisor_set_metadata: a domain whose QEMU or lock manager hangs does not keep the
 * caller waiting beyond a deadline (seconds; hypervisor_destroy: a minute, hypervisor_boot: two).
 * ERR_HYPERVISOR then, and libvirt may still do it later.
 */
/* start_paused: created with its CPUs stopped. */
int hypervisor_boot(
	struct hypervisor *hypervisor, const char *uuid, bool start_paused, struct error *err);
int hypervisor_shutdown(
	struct hypervisor *hypervisor, const char *uuid, struct error *err); /* ACPI */
/* graceful: SIGTERM, fails when it does not go; else SIGKILL. */
int hypervisor_destroy(
	struct hypervisor *hypervisor, const char *uuid, bool graceful, struct error *err);
int hypervisor_suspend(struct hypervisor *hypervisor, const char *uuid, struct error *err);
int hypervisor_resume(struct hypervisor *hypervisor, const char *uuid, struct error *err);
/* reset: hard; else asks the guest (ACPI). */
int hypervisor_reboot(
	struct hypervisor *hypervisor, const char *uuid, bool reset, struct error *err);
/* Writes one metadata element (see domain_xml_oplog_element) to the persistent configuration; xml
 * NULL removes it. */
int hypervisor_set_metadata(struct hypervisor *hypervisor, const char *uuid, const char *key,
	const char *uri, const char *xml, struct error *err);

/* The same at another host's libvirt, over a connection of its own; xml is not NULL. At most 10 s.
 */
int hypervisor_set_metadata_at(const char *connect_uri, const char *uuid, const char *key,
	const char *uri, const char *xml, struct error *err);

int hypervisor_set_autostart(
	struct hypervisor *hypervisor, const char *uuid, bool autostart, struct error *err);

/* Attaches or detaches a device; live and persistent are independent. */
int hypervisor_attach(struct hypervisor *hypervisor, const char *uuid, const char *device_xml,
	bool live, bool persistent, struct error *err);
int hypervisor_detach(struct hypervisor *hypervisor, const char *uuid, const char *device_xml,
	bool live, bool persistent, struct error *err);

/*
 * Guest addresses from DHCP leases, then the agent, then ARP, whichever answers first, "10.0.0.5"
 * ...; none is a success. The caller frees each and the list.
 */
int hypervisor_get_addresses(struct hypervisor *hypervisor, const char *uuid, char ***list,
	size_t *count, struct error *err);

#endif
