/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices in an update: which stay, which are replaced, and what a replaced one hands on. */
#include "base/str.h"
#include "model/domain_xml_update.h"

/* Kinds of device that definitions describe, in the order in which we write them. */
static const char *const described_kinds[] = {"disk", "controller", "lease", "interface"};

/* Buses that libvirt adds by itself to suit the chipset. */
static const char *const machine_buses[] = {"pci", "usb", "ide", "sata", "fdc"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What tells the definition's devices from others. */
struct scope {
	const char *vms_dir;
	char seed_lease[256]; /* key of an attached seed's lease, "" without one */
};

static void find_seed(xmlNode *devices, struct scope *scope)
{
	xmlNode *disk = xml_child(devices, "disk");

	while (disk && !domain_xml_disk_is_seed(disk, scope->vms_dir))
		disk = xml_next(disk, "disk");
	if (!disk)
		return;
	const struct disk seed = {
		.path = (char *)(uintptr_t)domain_xml_disk_path(disk), /* only read */
		.device = DISK_DEVICE_CDROM,
	};

	disk_lease_name(&seed, scope->vms_dir, scope->seed_lease);
}

/* True for a device that comes from the definition. */
static bool is_described(xmlNode *device, const struct scope *scope)
{
	if (xml_is(device, "disk"))
		return domain_xml_disk_is_described(device, scope->vms_dir);
	if (xml_is(device, "controller"))
		return xml_attr_is(device, "type", "scsi");
	if (xml_is(device, "interface"))
		return domain_xml_net_is_described(device);
	if (!xml_is(device, "lease"))
		return false;
	cleanup_free char *lockspace = xml_text(xml_child(device, "lockspace"), true);
	cleanup_free char *key = xml_text(xml_child(device, "key"), true);

	return str_equal(lockspace, LOCKSPACE) && !str_equal(key, scope->seed_lease);
}

static bool same_attr(xmlNode *a, xmlNode *b, const char *name)
{
	const char *value = xml_attr(a, name);

	return value && xml_attr_is(b, name, value);
}

/* True when both are the same device before and after: a disk by its path, an interface by its MAC.
 */
static bool is_same_device(xmlNode *a, xmlNode *b)
{
	if (xml_is(a, "disk"))
		return str_equal(domain_xml_disk_path(a), domain_xml_disk_path(b)) &&
		       same_attr(a, b, "device") && same_attr(a, b, "type") &&
		       same_attr(xml_child(a, "target"), xml_child(b, "target"), "bus");
	if (xml_is(a, "controller"))
		return same_attr(a, b, "index") && same_attr(a, b, "model");
	if (xml_is(a, "interface"))
		return same_attr(xml_child(a, "mac"), xml_child(b, "mac"), "address") &&
		       same_attr(a, b, "type") &&
		       same_attr(xml_child(a, "model"), xml_child(b, "model"), "type");
	return false;
}

static void keep_attributes(xmlNode *fresh, xmlNode *stale)
{
	for (const xmlAttr *attr = stale->properties; attr; attr = attr->next) {
		const char *name = (const char *)attr->name;

		if (!attr->ns && !xml_attr(fresh, name) && !str_equal(name, "iothread"))
			xml_set(fresh, name, xml_attr(stale, name));
	}
}

/* Of these the definition says whether a device has them. */
static bool is_told_by_definition(xmlNode *device, xmlNode *child)
{
	if (xml_is(device, "disk"))
		return xml_is(child, "boot") || xml_is(child, "readonly");
	return xml_is(device, "interface") && xml_is(child, "vlan");
}

/* Elements that both have and whose further attributes are worth keeping: a driver, the same
 * source. */
static bool has_more_attributes(xmlNode *fresh, xmlNode *stale)
{
	if (xml_is(stale, "source"))
		return same_attr(fresh, stale, "file") || same_attr(fresh, stale, "dev") ||
		       same_attr(fresh, stale, "network") || same_attr(fresh, stale, "bridge");
	return xml_is(stale, "driver");
}

/*
 * What others added to a device that stays (a serial number, limits, a boot
 * order for PXE) and where the guest sees it.
 */
static void keep_extras(xmlNode *fresh, xmlNode *stale, bool same_machine)
{
	keep_attributes(fresh, stale);
	for (xmlNode *child = xml_child(stale, NULL); child; child = xml_next(child, NULL)) {
		xmlNode *known = xml_child(fresh, (const char *)child->name);

		if (is_told_by_definition(stale, child))
			continue;
		/* A drive's address follows from its target. */
		if (xml_is(child, "address") &&
			!(same_machine && xml_attr_is(child, "type", "pci")))
			continue;
		if (!known)
			xmlAddChild(fresh, xml_copy(child, fresh->doc));
		else if (has_more_attributes(known, child))
			keep_attributes(known, child);
	}
}

/* Fresh devices of a kind take over the extras of those that they replace; these are removed. */
static void replace_described(xmlNode *devices, xmlNode *fresh_devices, const char *kind,
	const struct scope *scope, bool same_machine)
{
	xmlNode *next;

	for (xmlNode *stale = xml_child(devices, kind); stale; stale = next) {
		next = xml_next(stale, kind);
		if (!is_described(stale, scope))
			continue;
		xmlNode *fresh = xml_child(fresh_devices, kind);

		while (fresh && !is_same_device(fresh, stale))
			fresh = xml_next(fresh, kind);
		if (fresh)
			keep_extras(fresh, stale, same_machine);
		xml_remove(stale);
	}
}

static void drop_machine_layout(xmlNode *devices)
{
	xmlNode *next;

	for (xmlNode *node = xml_child(devices, NULL); node; node = next) {
		xmlNode *address = xml_child(node, "address");

		next = xml_next(node, NULL);
		if (xml_attr_is(address, "type", "pci"))
			xml_remove(address);
		for (size_t i = 0; i < COUNT(machine_buses); i++)
			if (xml_is(node, "controller") &&
				xml_attr_is(node, "type", machine_buses[i])) {
				xml_remove(node);
				break;
			}
	}
}

/* The disk among devices with that target, other than the one given. */
static xmlNode *find_target(xmlNode *devices, const char *name, const xmlNode *other_than)
{
	xmlNode *disk = xml_child(devices, "disk");

	while (disk && (disk == other_than || !xml_attr_is(xml_child(disk, "target"), "dev", name)))
		disk = xml_next(disk, "disk");
	return disk;
}

/* A disk of others whose target one of ours has now gets the next free letter. */
static void settle_target(xmlNode *devices, xmlNode *disk)
{
	xmlNode *target = xml_child(disk, "target");
	const char *name = xml_attr(target, "dev");

	if (!name || strlen(name) != 3 || !find_target(devices, name, disk))
		return;
	char chosen[] = {name[0], name[1], 'a', '\0'};

	while (chosen[2] < 'z' && find_target(devices, chosen, NULL))
		chosen[2]++;
	xml_set(target, "dev", chosen);
	xmlNode *address = xml_child(disk, "address");

	if (xml_attr_is(address, "type", "drive"))
		xml_remove(address);
}

/* The highest boot order in use. */
static int64_t last_boot_order(xmlNode *devices)
{
	int64_t last = 0;

	for (xmlNode *node = xml_child(devices, NULL); node; node = xml_next(node, NULL)) {
		int64_t order = xml_attr_int(xml_child(node, "boot"), "order", INT16_MAX, 0);

		last = order > last ? order : last;
	}
	return last;
}

/*
 * Orders are unique, and the disks of the definition have the first ones: what others gave to
 * further devices goes behind all where it clashes.
 */
static void settle_boot_orders(xmlNode *devices, const struct scope *scope)
{
	int64_t taken = 0, last = last_boot_order(devices);

	for (xmlNode *disk = xml_child(devices, "disk"); disk; disk = xml_next(disk, "disk"))
		if (is_described(disk, scope) && xml_child(disk, "boot"))
			taken++;
	for (xmlNode *node = xml_child(devices, NULL); node; node = xml_next(node, NULL)) {
		xmlNode *boot = xml_child(node, "boot");
		int64_t order = xml_attr_int(boot, "order", INT16_MAX, 0);

		if (boot && order <= taken && !(xml_is(node, "disk") && is_described(node, scope)))
			xml_set_int(boot, "order", ++last);
	}
}

/* Puts the fresh devices in front of those that stayed. */
static void insert_fresh(xmlNode *devices, xmlNode *fresh_devices)
{
	xmlNode *stayed = xml_child(devices, NULL);

	for (size_t i = 0; i < COUNT(described_kinds); i++)
		for (xmlNode *node = xml_child(fresh_devices, described_kinds[i]); node;
			node = xml_next(node, described_kinds[i])) {
			xmlNode *copy = xml_copy(node, devices->doc);

			if (stayed)
				xmlAddPrevSibling(stayed, copy);
			else
				xmlAddChild(devices, copy);
		}
}

void domain_xml_update_devices(
	xmlNode *domain, xmlNode *fresh, const char *vms_dir, bool same_machine)
{
	xmlNode *fresh_devices = xml_child(fresh, "devices");
	xmlNode *devices = xml_child(domain, "devices");
	struct scope scope = {.vms_dir = vms_dir};

	if (!devices)
		devices = xml_add(domain, "devices", NULL);
	find_seed(devices, &scope);
	for (size_t i = 0; i < COUNT(described_kinds); i++)
		replace_described(devices, fresh_devices, described_kinds[i], &scope, same_machine);
	if (!same_machine)
		drop_machine_layout(devices);
	insert_fresh(devices, fresh_devices);
	for (xmlNode *disk = xml_child(devices, "disk"); disk; disk = xml_next(disk, "disk"))
		if (!is_described(disk, &scope))
			settle_target(devices, disk);
	settle_boot_orders(devices, &scope);
}
