/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From domain XML to a definition: disks and interfaces (spec: domain-xml.md, Reading). */
#include "base/str.h"
#include "model/domain_xml_parts.h"

/* More of a kind than any guest can have; what is beyond is not looked at. */
#define DEVICES_MAX 256

#define ALIAS_START "ua-"

const char *domain_xml_disk_path(xmlNode *disk)
{
	xmlNode *source = xml_child(disk, "source");
	const char *path = xml_attr(source, "file");

	if (str_is_empty(path))
		path = xml_attr(source, "dev");
	return str_is_empty(path) ? NULL : path;
}

bool domain_xml_disk_is_seed(xmlNode *disk, const char *vms_dir)
{
	cleanup_free char *folder = xasprintf("%s/ds/ci/", vms_dir);
	const char *path = domain_xml_disk_path(disk);

	return path && str_starts_with(path, folder) &&
	       xml_attr_is(xml_child(disk, "target"), "bus", "scsi") &&
	       xml_attr_int(xml_child(disk, "address"), "controller", INT32_MAX, 0) == 0;
}

/* Index of a word in a list, -1 when it is missing or not in it. */
static int find_word(const char *word, const char *const *list, int count)
{
	for (int i = 0; word && i < count; i++)
		if (str_equal(word, list[i]))
			return i;
	return -1;
}

/* An enum disk_device, -1 for other kinds (floppy). */
static int disk_device(xmlNode *disk)
{
	const char *device = xml_attr(disk, "device");

	return find_word(device ? device : "disk", domain_disk_devices, DISK_DEVICE_LUN + 1);
}

/* "ua-M_t_..." of ours, NULL for what others or libvirt chose. Borrowed. */
static const char *our_alias(xmlNode *disk)
{
	const char *alias = xml_attr(xml_child(disk, "alias"), "name");

	if (!alias || !str_starts_with(alias, ALIAS_START))
		return NULL;
	alias += strlen(ALIAS_START);
	bool good = (alias[0] == 'M' || alias[0] == 'U') && alias[1] == '_' && alias[2] &&
		    strchr(ALIAS_PROV, alias[2]) && alias[3] == '_';

	return good ? alias : NULL;
}

bool domain_xml_has_our_alias(xmlNode *devices)
{
	for (xmlNode *disk = xml_child(devices, "disk"); disk; disk = xml_next(disk, "disk"))
		if (our_alias(disk))
			return true;
	return false;
}

/* The model of the SCSI controller that a disk sits on, NULL when unknown. Borrowed. */
static const char *controller_model(xmlNode *disk)
{
	int64_t index = xml_attr_int(xml_child(disk, "address"), "controller", INT32_MAX, 0);
	xmlNode *controller = xml_child(disk->parent, "controller");

	while (controller && !(xml_attr_is(controller, "type", "scsi") &&
				     xml_attr_int(controller, "index", INT32_MAX, -1) == index))
		controller = xml_next(controller, "controller");
	return xml_attr(controller, "model");
}

/* An enum disk_bus, -1 for buses that a definition has no word for. */
static int disk_bus(xmlNode *disk)
{
	const char *bus = xml_attr(xml_child(disk, "target"), "bus");

	if (!bus)
		return -1;
	if (str_equal(bus, "virtio"))
		return DISK_BUS_VIRTIO_BLK;
	if (str_equal(bus, "sata"))
		return DISK_BUS_SATA;
	if (!str_equal(bus, "scsi"))
		return -1;
	const char *model = controller_model(disk);

	if (model)
		return str_starts_with(model, "virtio-") ? DISK_BUS_VIRTIO_SCSI : DISK_BUS_SCSI;
	const char *alias = our_alias(disk);

	return alias && strstr(alias, "_lsilogic_") ? DISK_BUS_SCSI : DISK_BUS_VIRTIO_SCSI;
}

bool domain_xml_disk_is_described(xmlNode *disk, const char *vms_dir)
{
	return (xml_attr_is(disk, "type", "file") || xml_attr_is(disk, "type", "block")) &&
	       domain_xml_disk_path(disk) && disk_device(disk) >= 0 && disk_bus(disk) >= 0 &&
	       !domain_xml_disk_is_seed(disk, vms_dir);
}

static struct disk read_disk(xmlNode *element)
{
	const char *alias = our_alias(element);
	int bus = disk_bus(element);
	struct disk disk = {
		.path = xstrdup(domain_xml_disk_path(element)),
		.device = (enum disk_device)disk_device(element),
		/* IDE and USB in foreign domains: SATA is the nearest. */
		.bus = bus >= 0 ? (enum disk_bus)bus : DISK_BUS_SATA,
	};

	if (alias) {
		disk.man = alias[0] == 'M' ? DISK_MANAGED : DISK_UNMANAGED;
		disk.prov = (enum disk_prov)(strchr(ALIAS_PROV, alias[2]) - ALIAS_PROV);
	}
	return disk;
}

static void swap_to_front(struct disk *disks, size_t index)
{
	struct disk first = disks[index];

	memmove(disks + 1, disks, index * sizeof *disks);
	disks[0] = first;
}

/* The disk to boot from: boot order 1, otherwise the first that is no cdrom, otherwise the first.
 */
static size_t find_osdisk(const struct vmdef *def, size_t boot_first)
{
	if (boot_first < def->n_disks)
		return boot_first;
	for (size_t i = 0; i < def->n_disks; i++)
		if (def->disks[i].device != DISK_DEVICE_CDROM)
			return i;
	return 0;
}

void domain_xml_read_disks(xmlNode *devices, const char *vms_dir, bool foreign, struct vmdef *def)
{
	size_t boot_first = SIZE_MAX;

	for (xmlNode *node = xml_child(devices, "disk"); node && def->n_disks < DEVICES_MAX;
		node = xml_next(node, "disk")) {
		bool nearest = foreign && domain_xml_disk_path(node) && disk_device(node) >= 0;

		if (!nearest && !domain_xml_disk_is_described(node, vms_dir))
			continue;
		if (xml_attr_is(xml_child(node, "boot"), "order", "1"))
			boot_first = def->n_disks;
		def->disks = xreallocarray(def->disks, def->n_disks + 1, sizeof *def->disks);
		def->disks[def->n_disks++] = read_disk(node);
	}
	if (def->n_disks == 0) {
		/* There is always an osdisk, if only an empty one. */
		def->disks = xcalloc(1, sizeof *def->disks);
		def->disks[def->n_disks++].path = xstrdup("");
	}
	swap_to_front(def->disks, find_osdisk(def, boot_first));
}

/* The network or bridge that an interface is on, borrowed; NULL for other types. */
static const char *net_source(xmlNode *interface)
{
	const char *type = xml_attr(interface, "type");

	/* A live one on a network names its bridge, too: the type decides. */
	if (!type || !(str_equal(type, "network") || str_equal(type, "bridge")))
		return NULL;
	return xml_attr(xml_child(interface, "source"), type);
}

/* An enum netmodel, -1 for models that a definition has no word for. */
static int net_model(xmlNode *interface)
{
	return find_word(xml_attr(xml_child(interface, "model"), "type"), domain_net_models,
		NETMODEL_E1000 + 1);
}

bool domain_xml_net_is_described(xmlNode *interface)
{
	return net_source(interface) && net_model(interface) >= 0;
}

void domain_xml_read_nets(xmlNode *devices, bool foreign, struct vmdef *def)
{
	for (xmlNode *node = xml_child(devices, "interface"); node && def->n_nets < DEVICES_MAX;
		node = xml_next(node, "interface")) {
		const char *mac = xml_attr(xml_child(node, "mac"), "address");
		int model = net_model(node);

		if (!net_source(node) || (model < 0 && !foreign))
			continue;
		if (def->n_nets == 0)
			def->vlanid = (int16_t)xml_attr_int(
				xml_child(xml_child(node, "vlan"), "tag"), "id", 4095, 0);
		def->nets = xreallocarray(def->nets, def->n_nets + 1, sizeof *def->nets);
		def->nets[def->n_nets++] = (struct net){
			.name = xstrdup(net_source(node)),
			.type = xml_attr_is(node, "type", "bridge") ? NETTYPE_BRIDGE
								    : NETTYPE_NETWORK,
			/* Other emulated cards in foreign domains: e1000 is the nearest. */
			.model = model >= 0 ? (enum netmodel)model : NETMODEL_E1000,
			.mac = xstrdup(mac ? mac : ""),
		};
	}
}
