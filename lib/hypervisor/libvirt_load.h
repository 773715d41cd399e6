/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt, loaded at run time instead of linked.
 *
 * libvirt brings some 50 libraries, which cost 16 ms at every start of the
 * executable; the client needs none of them and has 15 ms in all. So only
 * libvirt's headers are used at build time, and the roles that talk to it call
 * libvirt_load() once. Afterwards call sites read `libvirt.virDomainCreate(domain)`,
 * with the types of the headers checked by the compiler.
 */
#ifndef HYPERVISOR_LIBVIRT_LOAD_H
#define HYPERVISOR_LIBVIRT_LOAD_H

#include "base/error.h"
#include "base/mem.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/* Every function of libvirt that we call, once. */
/* clang-format off */
#define LIBVIRT_FUNCTIONS(X) \
	X(virConnectClose) \
	X(virConnectCompareHypervisorCPU) \
	X(virConnectDomainEventDeregisterAny) \
	X(virConnectDomainEventRegisterAny) \
	X(virConnectDomainXMLToNative) \
	X(virConnectGetAllDomainStats) \
	X(virConnectGetCapabilities) \
	X(virConnectGetDomainCapabilities) \
	X(virConnectGetLibVersion) \
	X(virConnectGetSysinfo) \
	X(virConnectGetVersion) \
	X(virConnectIsAlive) \
	X(virConnectListAllDomains) \
	X(virConnectOpen) \
	X(virConnectRef) \
	X(virConnectRegisterCloseCallback) \
	X(virConnectSetKeepAlive) \
	X(virConnectUnregisterCloseCallback) \
	X(virDomainAbortJob) \
	X(virDomainAttachDeviceFlags) \
	X(virDomainCreateWithFlags) \
	X(virDomainCreateXML) \
	X(virDomainDefineXMLFlags) \
	X(virDomainDestroyFlags) \
	X(virDomainDetachDeviceFlags) \
	X(virDomainFree) \
	X(virDomainGetAutostart) \
	X(virDomainGetConnect) \
	X(virDomainGetID) \
	X(virDomainGetJobStats) \
	X(virDomainGetName) \
	X(virDomainGetState) \
	X(virDomainGetUUIDString) \
	X(virDomainGetXMLDesc) \
	X(virDomainInterfaceAddresses) \
	X(virDomainInterfaceFree) \
	X(virDomainIsPersistent) \
	X(virDomainListGetStats) \
	X(virDomainLookupByUUIDString) \
	X(virDomainMigrateToURI3) \
	X(virDomainReboot) \
	X(virDomainReset) \
	X(virDomainResume) \
	X(virDomainSetAutostart) \
	X(virDomainSetMetadata) \
	X(virDomainShutdownFlags) \
	X(virDomainStatsRecordListFree) \
	X(virDomainSuspend) \
	X(virDomainUndefineFlags) \
	X(virEventAddTimeout) \
	X(virEventRegisterDefaultImpl) \
	X(virEventRemoveTimeout) \
	X(virEventRunDefaultImpl) \
	X(virEventUpdateTimeout) \
	X(virGetLastError) \
	X(virInitialize) \
	X(virNetworkFree) \
	X(virNetworkIsActive) \
	X(virNetworkLookupByName) \
	X(virNodeGetCPUStats) \
	X(virNodeGetFreeMemory) \
	X(virNodeGetInfo) \
	X(virSetErrorFunc) \
	X(virTypedParamsFree)
/* clang-format on */

struct libvirt {
#define LIBVIRT_MEMBER(name) __typeof__(&name) name;
	LIBVIRT_FUNCTIONS(LIBVIRT_MEMBER)
#undef LIBVIRT_MEMBER
};

/* Valid once libvirt_load() has succeeded; never changes afterwards. */
extern struct libvirt libvirt;

/*
 * Loads and initialises libvirt once per process and silences what it would
 * print by itself. Sets an environment variable, so the first call comes before other threads
 * start. 0, or -1: ERR_UNAVAILABLE with the package to install.
 */
int libvirt_load(struct error *err);

/*
 * Fills err from the calling thread's last libvirt error, "WHAT: libvirt's message":
 * ERR_NOT_FOUND for a domain that does not exist, ERR_UNAVAILABLE when the connection is
 * gone, ERR_HYPERVISOR otherwise. Returns -1. Call it before any other call into libvirt, which
 * would reset the error.
 */
int libvirt_error(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define cleanup_connect CLEANUP(libvirt_cleanup_connect)
#define cleanup_domain  CLEANUP(libvirt_cleanup_domain)
#define cleanup_network CLEANUP(libvirt_cleanup_network)

static inline void libvirt_cleanup_connect(virConnectPtr *connection)
{
	if (*connection)
		libvirt.virConnectClose(*connection);
}

static inline void libvirt_cleanup_domain(virDomainPtr *domain)
{
	if (*domain)
		libvirt.virDomainFree(*domain);
}

static inline void libvirt_cleanup_network(virNetworkPtr *network)
{
	if (*network)
		libvirt.virNetworkFree(*network);
}

#endif
