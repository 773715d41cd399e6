/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host can run: see guest_check.h. */
#include "guest_check.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "collector.h"

#include <inttypes.h>
#include <net/if.h>
#include <pthread.h>
#include <strings.h>

/* The first libvirt that puts VLAN tags on the ports of a plain Linux bridge. */
#define LIBVIRT_BRIDGE_VLAN 11000000UL

static int check_network(
	struct daemon *daemon, const struct net *net, size_t index, struct error *err)
{
	if (!daemon->caps.networks) {
		error_set(err, ERR_UNSUPPORTED,
			"nets[%zu]: this host has no libvirt networks, so %s cannot be used", index,
			net->name);
		return error_hint(err, "use a bridge (nettype 1), or libvirtd with virtnetworkd");
	}
	if (hypervisor_check_network(daemon->hypervisor, net->name, err))
		return error_prefix(err, "nets[%zu]", index);
	return 0;
}

/* An Open vSwitch bridge looks like any virtual interface, so only what is surely none is refused.
 */
static int check_bridge(struct daemon *daemon, const struct net *net, size_t index, int16_t vlanid,
	struct error *err)
{
	if (!*net->name || strlen(net->name) >= IF_NAMESIZE || strchr(net->name, '/'))
		return error_set(err, ERR_UNSUPPORTED,
			"nets[%zu]: %s cannot be the name of a bridge", index, net->name);

	cleanup_free char *interface = xasprintf("/sys/class/net/%s", net->name);
	cleanup_free char *bridge = xasprintf("%s/bridge", interface);
	cleanup_free char *device = xasprintf("%s/device", interface);

	if (!file_exists(interface)) {
		error_set(err, ERR_UNSUPPORTED, "nets[%zu]: this host has no bridge %s", index,
			net->name);
		return error_hint(
			err, "make one, for example: ip link add %s type bridge", net->name);
	}
	if (str_equal(net->name, "lo") || file_exists(device))
		return error_set(err, ERR_UNSUPPORTED,
			"nets[%zu]: %s is an interface, not a bridge", index, net->name);
	if (vlanid > 0 && file_exists(bridge) && daemon->caps.version < LIBVIRT_BRIDGE_VLAN) {
		error_set(err, ERR_UNSUPPORTED,
			"vlanid: libvirt %lu.%lu cannot tag VLAN %d on %s, a plain Linux bridge",
			daemon->caps.version / 1000000, daemon->caps.version / 1000 % 1000, vlanid,
			net->name);
		return error_hint(err, "use an Open vSwitch bridge, or a bridge for each VLAN");
	}
	return 0;
}

static int check_nets(struct daemon *daemon, const struct vmdef *def, struct error *err)
{
	for (size_t i = 0; i < def->n_nets; i++) {
		const struct net *net = &def->nets[i];
		int result = net->type == NETTYPE_NETWORK
				     ? check_network(daemon, net, i, err)
				     : check_bridge(daemon, net, i, def->vlanid, err);

		if (result)
			return -1;
	}
	return 0;
}

/* -1 when one of the VM's MACs is among another's. */
static int check_macs_against(
	const struct vmdef *def, const struct vmdef *other, const char *uuid, struct error *err)
{
	for (size_t i = 0; i < def->n_nets; i++)
		for (size_t j = 0; j < other->n_nets; j++) {
			const char *mac = def->nets[i].mac, *taken = other->nets[j].mac;

			if (str_is_empty(mac) || str_is_empty(taken) || strcasecmp(mac, taken) != 0)
				continue;
			error_set(err, ERR_INVALID, "nets[%zu].mac: %s belongs to VM %s (%s)", i,
				mac, other->name, uuid);
			return error_hint(err, "leave it empty and one is chosen");
		}
	return 0;
}

static int check_macs(
	struct daemon *daemon, const char *uuid, const struct vmdef *def, struct error *err)
{
	cleanup_free char(*others)[UUID_TEXT_SIZE] = NULL;
	size_t count = inventory_list_host_vms(daemon->inventory, daemon->host_uuid, &others);

	for (size_t i = 0; i < count && def->n_nets > 0; i++) {
		cleanup_vm struct vm other = {0};
		struct error gone = {0};

		if (str_equal(others[i], uuid) ||
			collector_get_vm(daemon->collector, others[i], &other, &gone))
			continue;
		if (check_macs_against(def, &other.def, other.uuid, err))
			return -1;
	}
	return 0;
}

int guest_check(struct daemon *daemon, const struct vmdef *def, struct error *err)
{
	if (def->firmware == FIRMWARE_UEFI && !daemon->caps.uefi) {
		error_set(err, ERR_UNSUPPORTED,
			"firmware: this host has no UEFI firmware for %s guests", daemon->arch);
		return error_hint(
			err, "install it (Debian: ovmf, openSUSE: qemu-ovmf-x86_64) or use bios");
	}
	if (def->numa_placement && !daemon->caps.numad) {
		error_set(err, ERR_UNSUPPORTED,
			"numa.placement: this host has no numad, which automatic placement needs");
		return error_hint(err, "install numad or set it to false");
	}
	return check_nets(daemon, def, err);
}

static int refuse_memory(struct daemon *daemon, const struct vmdef *def, int32_t mib,
	int64_t available, struct error *err)
{
	error_set(err, ERR_CAPACITY,
		"memory: VM %s needs %" PRId32 " MiB%s%s, host %s has %" PRId64 " MiB available",
		def->name, mib, mib < def->memory_mib ? " more" : "",
		def->hugepages ? " of huge pages" : "", daemon->host_name,
		available > 0 ? available : 0);
	return error_hint(err,
		def->hugepages
			? "reserve more huge pages (vm.nr_hugepages), or set memory.hp to false"
			: "give it less, remove another VM, or set overcommit = yes");
}

int guest_check_memory(struct daemon *daemon, const struct vmdef *def, struct error *err)
{
	int64_t available =
		collector_available_mib(daemon->collector, def->hugepages) + def->memory_mib;

	if (daemon->settings.overcommit || available >= def->memory_mib)
		return 0;
	return refuse_memory(daemon, def, def->memory_mib, available, err);
}

static int claim_memory(struct guest_claim *claim, struct daemon *daemon, const struct vmdef *old,
	struct error *err)
{
	const struct vmdef *def = claim->def;
	int32_t mib = def->memory_mib;
	int64_t available;

	if (old && old->hugepages == def->hugepages)
		mib -= old->memory_mib;
	if (daemon->settings.overcommit || mib <= 0)
		return 0;
	if (!collector_reserve(daemon->collector, claim->uuid, def->hugepages, mib, &available))
		return refuse_memory(daemon, def, mib, available, err);
	claim->daemon = daemon;
	return 0;
}

static struct guest_claim *claims;
static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;

/* Puts it in the list, where those that come later find its MACs, and looks at those before it. */
static int claim_macs(struct guest_claim *claim, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&claims_lock);
	for (const struct guest_claim *other = claims; other && !result; other = other->next)
		result = check_macs_against(claim->def, other->def, other->uuid, err);
	claim->next = claims;
	claims = claim;
	pthread_mutex_unlock(&claims_lock);
	return result;
}

int guest_claim(struct guest_claim *claim, struct daemon *daemon, const char *uuid,
	const struct vmdef *def, const struct vmdef *old, struct error *err)
{
	*claim = (struct guest_claim){.def = def};
	str_copy(claim->uuid, sizeof(claim->uuid), uuid);
	if (claim_macs(claim, err) || check_macs(daemon, uuid, def, err))
		return -1;
	return claim_memory(claim, daemon, old, err);
}

void guest_release(struct guest_claim *claim)
{
	if (!claim->def)
		return;
	if (claim->daemon)
		collector_release(claim->daemon->collector, claim->uuid);
	pthread_mutex_lock(&claims_lock);
	for (struct guest_claim **at = &claims; *at; at = &(*at)->next) {
		if (*at == claim) {
			*at = claim->next;
			break;
		}
	}
	pthread_mutex_unlock(&claims_lock);
	*claim = (struct guest_claim){0};
}
