/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to one domain: define, start, change; domain_control.c has the rest. */
#include "hypervisor/internal.h"

#include "base/str.h"

#include <arpa/inet.h>

#define ADDRESSES_MAX 64 /* the guest's agent says what it likes */

virDomainPtr hypervisor_domain(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	cleanup_connect virConnectPtr connection = NULL;
	virDomainPtr domain;

	if (!uuid_is_valid(uuid)) {
		error_set(err, ERR_NOT_FOUND, "%s is not the UUID of a VM", uuid);
		return NULL;
	}
	connection = hypervisor_connection(hypervisor, err);
	if (!connection)
		return NULL;
	domain = libvirt.virDomainLookupByUUIDString(connection, uuid);
	if (!domain)
		libvirt_error(err, "looking for VM %s", uuid);
	return domain;
}

/* What most of this file does: find the domain, make one call, report its failure. */
#define DOMAIN_CALL(what, call)                                                                \
	do {                                                                                   \
		cleanup_domain virDomainPtr domain = hypervisor_domain(hypervisor, uuid, err); \
		if (!domain)                                                                   \
			return -1;                                                             \
		return (call) < 0 ? libvirt_error(err, what " VM %s", uuid) : 0;               \
	} while (0)

int hypervisor_define(
	struct hypervisor *hypervisor, const char *xml, char **stored, struct error *err)
{
	cleanup_connect virConnectPtr connection = hypervisor_connection(hypervisor, err);
	cleanup_domain virDomainPtr domain = NULL;

	if (!connection)
		return -1;
	domain = libvirt.virDomainDefineXMLFlags(connection, xml, 0);
	if (!domain)
		return libvirt_error(err, "defining the VM");
	if (!stored)
		return 0;
	*stored = libvirt.virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
	return *stored ? 0 : libvirt_error(err, "reading the new definition back");
}

/*
 * libvirt has no dry run of define. Converting to a QEMU command line comes closest and changes
 * nothing: it parses, completes and validates the definition as define does, and
 * then finds firmware, CPU model and devices in this QEMU as a start does.
 */
int hypervisor_check_xml(struct hypervisor *hypervisor, const char *xml, struct error *err)
{
	cleanup_connect virConnectPtr connection = hypervisor_connection(hypervisor, err);
	cleanup_free char *native = NULL;
	virErrorPtr error;

	if (!connection)
		return -1;
	native = libvirt.virConnectDomainXMLToNative(connection, "qemu-argv", xml, 0);
	if (native)
		return 0;
	error = libvirt.virGetLastError();
	if (error && error->code == VIR_ERR_NO_SUPPORT)
		return 0; /* not QEMU: nothing here can tell */
	return libvirt_error(err, "checking the definition");
}

unsigned hypervisor_qemu_flags(const struct hypervisor *hypervisor, unsigned flags)
{
	return str_starts_with(hypervisor->config.uri, "test:") ? 0 : flags;
}

int hypervisor_undefine(struct hypervisor *hypervisor, const char *uuid, struct error *err)
{
	cleanup_domain virDomainPtr domain = hypervisor_domain(hypervisor, uuid, err);
	unsigned flags = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
			 VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
	int state;

	if (!domain)
		return -1;
	if (libvirt.virDomainGetState(domain, &state, NULL, 0) < 0)
		return libvirt_error(err, "reading the state of VM %s", uuid);
	if (state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED)
		return error_set(err, ERR_STATE, "VM %s is not off", uuid);
	if (libvirt.virDomainUndefineFlags(domain, hypervisor_qemu_flags(hypervisor, flags)) < 0)
		return libvirt_error(err, "removing the definition of VM %s", uuid);
	return 0;
}

int hypervisor_set_autostart(
	struct hypervisor *hypervisor, const char *uuid, bool autostart, struct error *err)
{
	DOMAIN_CALL("setting autostart of", libvirt.virDomainSetAutostart(domain, autostart));
}

/* Neither is a defect of the caller: 0 would mean "whatever is current" to libvirt. */
static int device_flags(bool live, bool persistent, unsigned *flags, struct error *err)
{
	*flags =
		(live ? VIR_DOMAIN_AFFECT_LIVE : 0U) | (persistent ? VIR_DOMAIN_AFFECT_CONFIG : 0U);
	if (!*flags)
		return error_set(err, ERR_INTERNAL, "a device is to be changed nowhere");
	return 0;
}

int hypervisor_attach(struct hypervisor *hypervisor, const char *uuid, const char *device_xml,
	bool live, bool persistent, struct error *err)
{
	unsigned flags;

	if (device_flags(live, persistent, &flags, err))
		return -1;
	DOMAIN_CALL("attaching a device to",
		libvirt.virDomainAttachDeviceFlags(domain, device_xml, flags));
}

int hypervisor_detach(struct hypervisor *hypervisor, const char *uuid, const char *device_xml,
	bool live, bool persistent, struct error *err)
{
	unsigned flags;

	if (device_flags(live, persistent, &flags, err))
		return -1;
	DOMAIN_CALL("detaching a device from",
		libvirt.virDomainDetachDeviceFlags(domain, device_xml, flags));
}

/* True for an address that others can reach: not loopback, not link-local, not nonsense. */
static bool address_is_useful(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (!text)
		return false;
	if (inet_pton(AF_INET, text, &v4) == 1) {
		uint32_t host = ntohl(v4.s_addr);

		return host != 0 && host >> 24 != 127 && host >> 16 != 0xa9fe;
	}
	return inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&v6) &&
	       !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6);
}

static void take_addresses(const virDomainInterface *interface, char **list, size_t *count)
{
	for (unsigned i = 0; i < interface->naddrs && *count < ADDRESSES_MAX; i++) {
		if (address_is_useful(interface->addrs[i].addr))
			list[(*count)++] = xstrdup(interface->addrs[i].addr);
	}
}

int hypervisor_get_addresses(struct hypervisor *hypervisor, const char *uuid, char ***list,
	size_t *count, struct error *err)
{
	static const unsigned sources[] = {VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
		VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP};
	cleanup_domain virDomainPtr domain = hypervisor_domain(hypervisor, uuid, err);

	*count = 0;
	if (!domain)
		return -1;
	*list = xcalloc(ADDRESSES_MAX, sizeof(**list));
	/* A source that fails has no answer, no more: no agent, no libvirt network ... */
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && *count == 0; i++) {
		virDomainInterfacePtr *interfaces = NULL;
		int n = libvirt.virDomainInterfaceAddresses(domain, &interfaces, sources[i], 0);

		for (int j = 0; j < n; j++) {
			take_addresses(interfaces[j], *list, count);
			libvirt.virDomainInterfaceFree(interfaces[j]);
		}
		free(interfaces);
	}
	return 0;
}
