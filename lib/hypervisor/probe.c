/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether KVM really works: /dev/kvm may exist and be offered, and still abort
 * QEMU (nested machines, sandboxes). Only a guest that runs proves it.
 */
#include "hypervisor/internal.h"

#include "base/clock.h"
#include "base/deadline.h"
#include "base/str.h"

#include <libxml/tree.h>

#define PROBE_TIMEOUT_MS 15000
#define RUN_MS           500 /* an instruction that KVM cannot run shows up within that */
#define POLL_MS          50

struct probe {
	struct hypervisor *hypervisor;
	virConnectPtr connection;
	bool works;
	struct error err;
};

static void probe_free(void *argument)
{
	struct probe *probe = argument;

	libvirt.virConnectClose(probe->connection);
	hypervisor_unref(probe->hypervisor);
	free(probe);
}

/* A guest of 16 MiB with nothing but a firmware that finds nothing to start. The caller frees it.
 */
static char *guest_xml(void)
{
	xmlDocPtr document = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr domain = xmlNewNode(NULL, BAD_CAST "domain");
	char name[sizeof(PROBE_NAME_PREFIX) + UUID_TEXT_SIZE] = PROBE_NAME_PREFIX;
	char uuid[UUID_TEXT_SIZE];
	xmlNodePtr child;
	xmlChar *text;
	char *xml;

	uuid_make(uuid);
	memcpy(name + strlen(PROBE_NAME_PREFIX), uuid, sizeof(uuid));
	xmlDocSetRootElement(document, domain);
	xmlNewProp(domain, BAD_CAST "type", BAD_CAST "kvm");
	xmlNewTextChild(domain, NULL, BAD_CAST "name", BAD_CAST name);
	xmlNewTextChild(domain, NULL, BAD_CAST "uuid", BAD_CAST uuid);
	child = xmlNewTextChild(domain, NULL, BAD_CAST "memory", BAD_CAST "16");
	xmlNewProp(child, BAD_CAST "unit", BAD_CAST "MiB");
	child = xmlNewChild(domain, NULL, BAD_CAST "os", NULL);
	xmlNewTextChild(child, NULL, BAD_CAST "type", BAD_CAST "hvm");
	child = xmlNewChild(domain, NULL, BAD_CAST "cpu", NULL);
	xmlNewProp(child, BAD_CAST "mode", BAD_CAST "host-passthrough");
	xmlDocDumpMemory(document, &text, NULL);
	xml = xstrdup((char *)text);
	xmlFree(text);
	xmlFreeDoc(document);
	return xml;
}

/* Watches it run for a while: still running at the end is the proof. */
static bool keeps_running(virDomainPtr domain, struct error *err)
{
	int64_t until = clock_ms() + RUN_MS;
	int state, reason;

	do {
		if (libvirt.virDomainGetState(domain, &state, &reason, 0) < 0) {
			libvirt_error(err, "the guest ended");
			return false;
		}
		if (state != VIR_DOMAIN_RUNNING) {
			error_set(err, ERR_HYPERVISOR, "the guest stopped (state %d, reason %d)",
				state, reason);
			return false;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0,
			&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	} while (clock_ms() < until);
	return true;
}

/* Guests of a process that was killed while it tried them; nobody else uses an embedded driver's
 * root. */
static void remove_leftovers(virConnectPtr connection)
{
	virDomainPtr *domains = NULL;
	int n = libvirt.virConnectListAllDomains(
		connection, &domains, VIR_CONNECT_LIST_DOMAINS_TRANSIENT);

	for (int i = 0; i < n; i++) {
		if (str_starts_with(libvirt.virDomainGetName(domains[i]), PROBE_NAME_PREFIX))
			libvirt.virDomainDestroyFlags(domains[i], 0);
		libvirt.virDomainFree(domains[i]);
	}
	free(domains);
}

static void probe_run(void *argument)
{
	struct probe *probe = argument;
	cleanup_free char *xml = guest_xml();
	bool embedded = hypervisor_is_embedded(probe->hypervisor);
	/* Auto-destroy: it goes even if this process is killed. The embedded driver has no such
	 * thing. */
	unsigned flags = embedded ? 0 : VIR_DOMAIN_START_AUTODESTROY;
	cleanup_domain virDomainPtr domain = NULL;

	if (embedded)
		remove_leftovers(probe->connection);
	domain = libvirt.virDomainCreateXML(probe->connection, xml, flags);
	if (!domain) {
		libvirt_error(&probe->err, "a guest with KVM does not start");
		return;
	}
	probe->works = keeps_running(domain, &probe->err);
	libvirt.virDomainDestroyFlags(domain, 0);
}

/* Called with probe_lock held. False: it could not be tried now, ask again later. */
static bool try_guest(struct hypervisor *hypervisor, struct error *err)
{
	struct hypervisor_caps caps;
	struct probe *probe;
	virConnectPtr connection;

	if (hypervisor_get_caps(hypervisor, &caps, err))
		return false;
	if (!caps.kvm) {
		error_set(err, ERR_UNSUPPORTED, "libvirt does not offer KVM (no usable /dev/kvm)");
		return true;
	}
	connection = hypervisor_connection(hypervisor, err);
	if (!connection)
		return false;
	probe = xcalloc(1, sizeof(*probe));
	probe->hypervisor = hypervisor_ref(hypervisor);
	probe->connection = connection;
	if (!deadline_run(probe_run, probe_free, probe, PROBE_TIMEOUT_MS)) {
		error_set(err, ERR_TIMEOUT, "a guest with KVM did not start within %d s",
			PROBE_TIMEOUT_MS / 1000);
		return true;
	}
	hypervisor->kvm_works = probe->works;
	if (!probe->works)
		*err = probe->err;
	probe_free(probe);
	return err->code != ERR_UNAVAILABLE;
}

bool hypervisor_probe_kvm(struct hypervisor *hypervisor, char *why, size_t size)
{
	struct error err = {0};
	bool works;

	pthread_mutex_lock(&hypervisor->probe_lock);
	if (!hypervisor->probe_done) {
		hypervisor->probe_done = try_guest(hypervisor, &err);
		snprintf(hypervisor->kvm_why, sizeof(hypervisor->kvm_why), "%s", err.message);
	}
	works = hypervisor->kvm_works;
	if (why && size)
		snprintf(why, size, "%s", hypervisor->kvm_why);
	pthread_mutex_unlock(&hypervisor->probe_lock);
	return works;
}
