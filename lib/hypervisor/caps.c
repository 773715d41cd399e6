/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests can have on this host. */
#include "hypervisor/internal.h"

#include "base/str.h"
#include "hypervisor/xml.h"

/*
 * The first QEMU that migrates a guest with a qemu-vdagent channel: 10.1.0 brought the device's
 * state and took the blocker away ("ui/vdagent: add migration support"), for machine types of 10.1
 * and later.
 */
#define QEMU_VDAGENT_MIGRATES 10001000UL

/*
 * Whether <os firmware="NAME"> finds a firmware for this machine; also, when
 * kvm is not NULL, whether libvirt's first choice for it is KVM.
 */
static int ask_machine(virConnectPtr connection, const char *machine, const char *firmware,
	bool *found, bool *kvm, struct error *err)
{
	cleanup_free char *xml =
		libvirt.virConnectGetDomainCapabilities(connection, NULL, NULL, machine, NULL, 0);
	cleanup_xpath xmlXPathContextPtr caps = NULL;
	cleanup_free char *domain = NULL;
	cleanup_free char *expression = NULL;

	*found = false;
	if (!xml && libvirt.virGetLastError()->code == VIR_ERR_NO_SUPPORT)
		return 0; /* not QEMU */
	if (!xml)
		return libvirt_error(err, "reading what guests can have");
	caps = xpath_open(xml, "domain capabilities", err);
	if (!caps)
		return -1;
	domain = xpath_text(caps, "/domainCapabilities/domain");
	expression = xasprintf(
		"boolean(/domainCapabilities/os/enum[@name='firmware'][value='%s'])", firmware);
	*found = xpath_is_true(caps, expression);
	if (kvm)
		*kvm = str_equal(domain, "kvm");
	return 0;
}

static bool is_x86(virConnectPtr connection)
{
	virNodeInfo info;

	return libvirt.virNodeGetInfo(connection, &info) == 0 && str_equal(info.model, "x86_64");
}

static int read_caps(struct hypervisor *hypervisor, virConnectPtr connection,
	struct hypervisor_caps *caps, struct error *err)
{
	const char *uefi_machine = is_x86(connection) ? "q35" : "virt";

	*caps = (struct hypervisor_caps){.networks = !hypervisor_is_embedded(hypervisor)};
	if (libvirt.virConnectGetLibVersion(connection, &caps->version) < 0)
		return libvirt_error(err, "asking libvirt for its version");
	/* A QEMU that is not there yet is a capability that is missing, not a failure. */
	if (libvirt.virConnectGetVersion(connection, &caps->qemu_version) < 0)
		caps->qemu_version = 0;
	caps->vdagent_migrates = caps->qemu_version >= QEMU_VDAGENT_MIGRATES;
	/* libvirt runs the program; its capabilities do not tell. */
	caps->numad = !access("/usr/bin/numad", X_OK) || !access("/usr/sbin/numad", X_OK);
	if (ask_machine(connection, uefi_machine, "efi", &caps->uefi, &caps->kvm, err))
		return -1;
	if (is_x86(connection) &&
		ask_machine(connection, "pc", "bios", &caps->bios_descriptor, NULL, err))
		return -1;
	return 0;
}

int hypervisor_get_caps(
	struct hypervisor *hypervisor, struct hypervisor_caps *caps, struct error *err)
{
	cleanup_connect virConnectPtr connection = hypervisor_connection(hypervisor, err);
	unsigned generation;
	bool known;

	if (!connection)
		return -1;
	pthread_mutex_lock(&hypervisor->lock);
	known = hypervisor->caps_known;
	generation = hypervisor->generation;
	*caps = hypervisor->caps;
	pthread_mutex_unlock(&hypervisor->lock);
	if (known)
		return 0;
	if (read_caps(hypervisor, connection, caps, err))
		return -1;
	pthread_mutex_lock(&hypervisor->lock);
	/* Only if it is still the connection that answered. */
	if (hypervisor->generation == generation) {
		hypervisor->caps = *caps;
		hypervisor->caps_known = true;
	}
	pthread_mutex_unlock(&hypervisor->lock);
	return 0;
}

int hypervisor_look(const char *uri, unsigned long *version, struct error *err)
{
	if (libvirt_load(err))
		return -1;
	cleanup_connect virConnectPtr connection = libvirt.virConnectOpen(uri);
	if (!connection)
		return libvirt_error(err, "connecting to %s", uri);
	if (libvirt.virConnectGetLibVersion(connection, version) < 0)
		return libvirt_error(err, "asking libvirt for its version");
	return 0;
}

int hypervisor_check_network(struct hypervisor *hypervisor, const char *name, struct error *err)
{
	cleanup_connect virConnectPtr connection = NULL;
	cleanup_network virNetworkPtr network = NULL;

	if (hypervisor_is_embedded(hypervisor)) {
		error_set(err, ERR_UNSUPPORTED,
			"libvirt network \"%s\": standalone mode has no libvirt networks", name);
		return error_hint(err, "use a bridge (nettype 1)");
	}
	connection = hypervisor_connection(hypervisor, err);
	if (!connection)
		return -1;
	network = libvirt.virNetworkLookupByName(connection, name);
	if (!network) {
		libvirt_error(err, "libvirt network \"%s\"", name);
		if (err->code != ERR_UNAVAILABLE)
			err->code = ERR_UNSUPPORTED;
		return -1;
	}
	if (libvirt.virNetworkIsActive(network) != 1) {
		error_set(err, ERR_UNSUPPORTED, "libvirt network \"%s\" is not active", name);
		return error_hint(err, "start it with: virsh net-start %s", name);
	}
	return 0;
}
