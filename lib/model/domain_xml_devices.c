/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a definition to domain XML: the devices (spec: domain-xml.md, storage-and-locks.md). */
#include "base/str.h"
#include "model/domain_xml_parts.h"

/*
 * sanlock gives a process 8 resources, but libvirt's plugin refuses a disk behind the eighth, which
 * has no lease of its own there: 7. One of them stays free for the cloud-init seed.
 */
#define LEASES_WITHOUT_SEED 6

const struct bus_words domain_bus_words[] = {
	[DISK_BUS_VIRTIO_BLK] = {"virtio", ""},
	[DISK_BUS_VIRTIO_SCSI] = {"scsi", "virtio-scsi"},
	[DISK_BUS_SATA] = {"sata", ""},
	[DISK_BUS_SCSI] = {"scsi", "lsilogic"},
};
const char *const domain_net_models[] = {
	[NETMODEL_VIRTIO] = "virtio",
	[NETMODEL_E1000E] = "e1000e",
	[NETMODEL_E1000] = "e1000",
};
const char *const domain_disk_devices[] = {
	[DISK_DEVICE_DISK] = "disk",
	[DISK_DEVICE_CDROM] = "cdrom",
	[DISK_DEVICE_LUN] = "lun",
};

/* What has been handed out while the devices are written in order. */
struct counters {
	int virtio, scsi, sata; /* disks so far; a SCSI disk's number is its controller */
	int iothread;
	int boot;
};

static bool is_scsi(const struct disk *disk)
{
	return disk->bus == DISK_BUS_VIRTIO_SCSI || disk->bus == DISK_BUS_SCSI;
}

static void add_driver(xmlNode *element, const struct disk *disk, int iothread)
{
	xmlNode *driver = xml_add(element, "driver", NULL);
	bool qcow2 = disk->device != DISK_DEVICE_LUN && str_ends_with(disk->path, ".qcow2");

	xml_set(driver, "name", "qemu");
	xml_set(driver, "type", qcow2 ? "qcow2" : "raw");
	xml_set(driver, "cache", disk->device == DISK_DEVICE_LUN ? "directsync" : "none");
	if (iothread > 0)
		xml_set_int(driver, "iothread", iothread);
}

static void add_source(xmlNode *element, const struct disk *disk)
{
	xmlNode *source = xml_add(element, "source", NULL);

	/* QEMU opens a device as a file no more, so what is below /dev is one for every kind of
	 * disk. */
	xml_set(source, str_starts_with(disk->path, "/dev/") ? "dev" : "file", disk->path);
	if (disk->device == DISK_DEVICE_LUN)
		xml_set(xml_add(source, "reservations", NULL), "managed", "yes");
}

/* The names sda and so on are shared by SCSI and SATA; sda itself is the seed's. */
static void add_target(xmlNode *element, const struct disk *disk, const struct counters *so_far)
{
	xmlNode *target = xml_add(element, "target", NULL);
	bool virtio = disk->bus == DISK_BUS_VIRTIO_BLK;
	int letter = virtio ? so_far->virtio : 1 + so_far->scsi + so_far->sata;
	char name[] = {virtio ? 'v' : 's', 'd', (char)('a' + letter), '\0'};

	xml_set(target, "dev", name);
	xml_set(target, "bus", domain_bus_words[disk->bus].bus);
}

static void add_alias(xmlNode *element, const struct disk *disk, int index)
{
	const struct bus_words *words = &domain_bus_words[disk->bus];
	cleanup_free char *alias =
		xasprintf("ua-%c_%c_%s_%s_%d", disk->man == DISK_MANAGED ? 'M' : 'U',
			ALIAS_PROV[disk->prov], words->bus, words->controller, index);

	xml_set(xml_add(element, "alias", NULL), "name", alias);
}

/* Its number on its bus, for the alias; counts it. */
static int take_index(const struct disk *disk, struct counters *counters)
{
	if (is_scsi(disk))
		return ++counters->scsi;
	return disk->bus == DISK_BUS_SATA ? counters->sata++ : counters->virtio++;
}

static void add_disk(
	xmlNode *devices, const struct disk *disk, bool is_osdisk, struct counters *counters)
{
	xmlNode *element = xml_add(devices, "disk", NULL);
	int iothread = 0;

	if (disk->bus == DISK_BUS_VIRTIO_BLK)
		iothread = ++counters->iothread;
	else if (disk->bus == DISK_BUS_VIRTIO_SCSI)
		counters->iothread++; /* its controller's */
	xml_set(element, "type", str_starts_with(disk->path, "/dev/") ? "block" : "file");
	xml_set(element, "device", domain_disk_devices[disk->device]);
	if (disk->device == DISK_DEVICE_LUN)
		xml_set(element, "rawio", "yes");
	add_driver(element, disk, iothread);
	add_source(element, disk);
	add_target(element, disk, counters);
	if (disk->device == DISK_DEVICE_CDROM)
		xml_add(element, "readonly", NULL);
	if (is_osdisk || disk->device == DISK_DEVICE_CDROM)
		xml_set_int(
			xml_add(element, "boot", NULL), "order", is_osdisk ? 1 : ++counters->boot);
	int index = take_index(disk, counters);

	add_alias(element, disk, index);
	if (is_scsi(disk)) {
		xmlNode *address = xml_add(element, "address", NULL);

		xml_set(address, "type", "drive");
		xml_set_int(address, "controller", index);
	}
}

static xmlNode *add_controller(xmlNode *devices, int index, const char *model)
{
	xmlNode *controller = xml_add(devices, "controller", NULL);

	xml_set(controller, "type", "scsi");
	xml_set_int(controller, "index", index);
	xml_set(controller, "model", model);
	return controller;
}

/* Controller 0 waits for the seed; each SCSI disk has one of its own, so that it has an iothread.
 */
static void add_controllers(xmlNode *devices, const struct vmdef *def)
{
	int index = 0, iothread = 0;

	add_controller(devices, index++, "virtio-scsi");
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct disk *disk = &def->disks[i];

		iothread += disk->bus == DISK_BUS_VIRTIO_BLK || disk->bus == DISK_BUS_VIRTIO_SCSI;
		if (!is_scsi(disk))
			continue;
		xmlNode *controller =
			add_controller(devices, index++, domain_bus_words[disk->bus].controller);

		if (disk->bus == DISK_BUS_VIRTIO_SCSI)
			xml_set_int(xml_add(controller, "driver", NULL), "iothread", iothread);
	}
}

static xmlNode *add_lease(xmlNode *parent, const char *vms_dir, const char *name)
{
	xmlNode *lease = xml_add(parent, "lease", NULL);
	cleanup_free char *path = xasprintf("%s/lock/%s/%s", vms_dir, name, name);

	xml_add(lease, "lockspace", LOCKSPACE);
	xml_add(lease, "key", name);
	xml_set(xml_add(lease, "target", NULL), "path", path);
	return lease;
}

static void add_leases(
	xmlNode *devices, const struct vmdef *def, const struct domain_xml_options *options)
{
	int count = 0;
	char name[256];

	if (!options->leases)
		return;
	if (options->vm_lease) {
		vm_lease_name(options->uuid, name);
		add_lease(devices, options->vms_dir, name);
		count++;
	}
	for (size_t i = 0; i < def->n_disks; i++) {
		/* Those that do not fit are guarded by the VM's lease. */
		if (def->disks[i].man != DISK_MANAGED ||
			(options->vm_lease && count == LEASES_WITHOUT_SEED))
			continue;
		disk_lease_name(&def->disks[i], options->vms_dir, name);
		add_lease(devices, options->vms_dir, name);
		count++;
	}
}

static void add_interface(xmlNode *devices, const struct net *net, int16_t vlanid)
{
	const char *type = net->type == NETTYPE_BRIDGE ? "bridge" : "network";
	xmlNode *interface = xml_add(devices, "interface", NULL);

	xml_set(interface, "type", type);
	if (!str_is_empty(net->mac))
		xml_set(xml_add(interface, "mac", NULL), "address", net->mac);
	xml_set(xml_add(interface, "source", NULL), type, net->name);
	if (vlanid > 0)
		xml_set_int(xml_add(xml_add(interface, "vlan", NULL), "tag", NULL), "id", vlanid);
	xml_set(xml_add(interface, "model", NULL), "type", domain_net_models[net->model]);
	xml_set(xml_add(interface, "driver", NULL), "txmode", "iothread");
}

static void add_consoles(xmlNode *devices, const char *log_file)
{
	xmlNode *serial = xml_add(devices, "console", NULL);

	if (log_file) {
		xmlNode *log = xml_add(serial, "log", NULL);

		xml_set(log, "file", log_file);
		/* What the guest said before a restart stays readable. */
		xml_set(log, "append", "on");
	}
	xml_set(xml_add(serial, "target", NULL), "type", "serial");
	xml_set(xml_add(xml_add(devices, "console", NULL), "target", NULL), "type", "virtio");
}

static void add_vdagent(xmlNode *devices)
{
	xmlNode *channel = xml_add(devices, "channel", NULL);
	xmlNode *source, *target;

	xml_set(channel, "type", "qemu-vdagent");
	source = xml_add(channel, "source", NULL);
	xml_set(xml_add(source, "mouse", NULL), "mode", "client");
	xml_set(xml_add(source, "clipboard", NULL), "copypaste", "yes");
	target = xml_add(channel, "target", NULL);
	xml_set(target, "type", "virtio");
	xml_set(target, "name", "com.redhat.spice.0");
}

static void add_fixed_devices(xmlNode *devices)
{
	xmlNode *graphics = xml_add(devices, "graphics", NULL);
	xmlNode *audio, *rng;

	xml_set(graphics, "type", "vnc");
	xml_set(graphics, "autoport", "yes");
	audio = xml_add(devices, "audio", NULL);
	xml_set(audio, "id", "1");
	xml_set(audio, "type", "none");
	xml_set(xml_add(xml_add(devices, "video", NULL), "model", NULL), "type", "virtio");
	xml_set(xml_add(devices, "memballoon", NULL), "model", "none");
	rng = xml_add(devices, "rng", NULL);
	xml_set(rng, "model", "virtio");
	xml_set(xml_add(rng, "backend", "/dev/urandom"), "model", "random");
}

void domain_xml_add_devices(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options)
{
	xmlNode *devices = xml_add(domain, "devices", NULL);
	struct counters counters = {.boot = 1};

	for (size_t i = 0; i < def->n_disks; i++)
		add_disk(devices, &def->disks[i], i == 0, &counters);
	add_controllers(devices, def);
	add_leases(devices, def, options);
	for (size_t i = 0; i < def->n_nets; i++)
		add_interface(devices, &def->nets[i], def->vlanid);
	add_consoles(devices, options->console_log);
	if (options->vdagent)
		add_vdagent(devices);
	add_fixed_devices(devices);
}

char *domain_xml_seed_disk(const char *seed_path)
{
	const struct disk seed = {
		.path = (char *)(uintptr_t)seed_path,
		.device = DISK_DEVICE_CDROM,
		.bus = DISK_BUS_VIRTIO_SCSI,
		.man = DISK_MANAGED,
		.prov = DISK_PROV_THIN,
	};
	cleanup_xml xmlDoc *doc = xml_new("disk");
	xmlNode *element = xmlDocGetRootElement(doc);
	xmlNode *address;

	xml_set(element, "type", "file");
	xml_set(element, "device", "cdrom");
	add_driver(element, &seed, 0);
	add_source(element, &seed);
	add_target(element, &seed, &(struct counters){.scsi = -1});
	xml_add(element, "readonly", NULL);
	add_alias(element, &seed, 0);
	address = xml_add(element, "address", NULL);
	xml_set(address, "type", "drive");
	xml_set_int(address, "controller", 0);
	return xml_print(element);
}

char *domain_xml_seed_lease(const char *vms_dir, const char *lease_name)
{
	cleanup_xml xmlDoc *doc = xml_new("devices");

	return xml_print(add_lease(xmlDocGetRootElement(doc), vms_dir, lease_name));
}
