/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only libvirt knows of the host (spec: statistics.md). */
#include "hypervisor/internal.h"

#include "base/str.h"
#include "hypervisor/xml.h"

static int16_t small(unsigned long value)
{
	return value > INT16_MAX ? INT16_MAX : (int16_t)value;
}

/*
 * Without SMBIOS libvirt makes a random UUID up. libvirtd's lasts as long as it runs; in this
 * process it would be another one at each start, which is worse than none.
 */
static bool uuid_lasts(const struct hypervisor *hypervisor)
{
	return !hypervisor_is_embedded(hypervisor) ||
	       access("/sys/class/dmi/id/product_uuid", R_OK) == 0;
}

static int read_capabilities(struct hypervisor *hypervisor, virConnectPtr connection,
	struct hypervisor_host *host, struct error *err)
{
	cleanup_free char *xml = libvirt.virConnectGetCapabilities(connection);
	cleanup_xpath xmlXPathContextPtr caps = NULL;
	cleanup_free char *uuid = NULL;
	cleanup_free char *tsc = NULL;

	if (!xml)
		return libvirt_error(err, "reading the host's capabilities");
	caps = xpath_open(xml, "capabilities", err);
	if (!caps)
		return -1;
	uuid = uuid_lasts(hypervisor) ? xpath_text(caps, "/capabilities/host/uuid") : xstrdup("");
	if (!uuid_canonical(uuid, host->uuid) && *uuid)
		return error_set(err, ERR_HYPERVISOR, "libvirt gives the host a UUID that is none");
	host->arch = xpath_text(caps, "/capabilities/host/cpu/arch");
	host->vendor = xpath_text(caps, "/capabilities/host/cpu/vendor");
	host->model = xpath_text(caps, "/capabilities/host/cpu/model");
	tsc = xpath_text(caps, "/capabilities/host/cpu/counter[@name='tsc']/@frequency");
	if (!str_parse_int(tsc, 0, INT64_MAX, &host->tsc_hz))
		host->tsc_hz = 0;
	return 0;
}

/* A machine without SMBIOS (many virtual and Arm ones) has no answer; that is none of an error. */
static void read_firmware(virConnectPtr connection, struct hypervisor_host *host)
{
	struct error ignored = {0};
	cleanup_free char *xml = libvirt.virConnectGetSysinfo(connection, 0);
	cleanup_xpath xmlXPathContextPtr sysinfo =
		xml ? xpath_open(xml, "sysinfo", &ignored) : NULL;

	host->firmware_version =
		sysinfo ? xpath_text(
				  sysinfo, "normalize-space(/sysinfo/bios/entry[@name='version'])")
			: xstrdup("");
	host->firmware_date =
		sysinfo ? xpath_text(sysinfo, "normalize-space(/sysinfo/bios/entry[@name='date'])")
			: xstrdup("");
}

int hypervisor_get_host(
	struct hypervisor *hypervisor, struct hypervisor_host *host, struct error *err)
{
	cleanup_connect virConnectPtr connection = NULL;
	virNodeInfo info;

	*host = (struct hypervisor_host){0};
	connection = hypervisor_connection(hypervisor, err);
	if (!connection)
		return -1;
	if (libvirt.virNodeGetInfo(connection, &info) < 0)
		return libvirt_error(err, "reading the host's size");
	if (read_capabilities(hypervisor, connection, host, err)) {
		hypervisor_host_clear(host);
		return -1;
	}
	read_firmware(connection, host);
	host->nodes = small(info.nodes);
	host->sockets = small(info.sockets);
	host->cores = small(info.cores);
	host->threads = small(info.threads);
	host->mhz = info.mhz > INT32_MAX ? INT32_MAX : (int32_t)info.mhz;
	host->memory_kib = (int64_t)info.memory;
	return 0;
}

void hypervisor_host_clear(struct hypervisor_host *host)
{
	free(host->arch);
	free(host->vendor);
	free(host->model);
	free(host->firmware_version);
	free(host->firmware_date);
	*host = (struct hypervisor_host){0};
}

static void read_cpu_stats(const virNodeCPUStats *stats, int count, struct hypervisor_load *load)
{
	const struct {
		const char *name;
		uint64_t *value;
	} fields[] = {
		{VIR_NODE_CPU_STATS_KERNEL, &load->kernel_ns},
		{VIR_NODE_CPU_STATS_USER, &load->user_ns},
		{VIR_NODE_CPU_STATS_IOWAIT, &load->iowait_ns},
		{VIR_NODE_CPU_STATS_IDLE, &load->idle_ns},
	};

	for (int i = 0; i < count; i++) {
		for (size_t j = 0; j < sizeof(fields) / sizeof(fields[0]); j++) {
			if (str_equal(stats[i].field, fields[j].name))
				*fields[j].value = stats[i].value;
		}
	}
}

int hypervisor_get_load(
	struct hypervisor *hypervisor, struct hypervisor_load *load, struct error *err)
{
	cleanup_connect virConnectPtr connection = hypervisor_connection(hypervisor, err);
	virNodeCPUStats stats[16];
	int count = 0; /* asks how many there are; anything else must be that number */
	unsigned long long free_bytes;

	*load = (struct hypervisor_load){0};
	if (!connection)
		return -1;

	if (libvirt.virNodeGetCPUStats(connection, VIR_NODE_CPU_STATS_ALL_CPUS, NULL, &count, 0) <
		0)
		return libvirt_error(err, "reading the host's CPU time");
	if (count > (int)(sizeof(stats) / sizeof(stats[0])))
		return error_set(err, ERR_HYPERVISOR, "libvirt has %d kinds of CPU time", count);
	if (libvirt.virNodeGetCPUStats(connection, VIR_NODE_CPU_STATS_ALL_CPUS, stats, &count, 0) <
		0)
		return libvirt_error(err, "reading the host's CPU time");
	read_cpu_stats(stats, count, load);
	free_bytes = libvirt.virNodeGetFreeMemory(connection);
	if (free_bytes == 0)
		return libvirt_error(err, "reading the host's free memory");
	load->free_kib = (int64_t)(free_bytes / 1024);
	return 0;
}
