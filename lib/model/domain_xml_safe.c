/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML from shared storage, judged by lists of what is harmless: see domain_xml_safe.h. */
#include "model/domain_xml_safe.h"

#include "base/str.h"
#include "model/domain_xml_parts.h"

/* Children of <domain>. Not among them: sysinfo (fw_cfg files), launchSecurity, resource.
 */
static const char *const domain_parts[] = {"name", "uuid", "title", "description", "genid",
	"metadata", "memory", "currentMemory", "memoryBacking", "vcpu", "vcpus", "iothreads",
	"iothreadids", "cputune", "memtune", "resource", "seclabel", "numatune", "os", "features",
	"cpu", "clock", "on_poweroff", "on_reboot", "on_crash", "pm", "devices", NULL};
/* Children of <os>. Not among them: kernel, initrd, dtb, init. */
static const char *const os_parts[] = {
	"type", "boot", "bootmenu", "bios", "firmware", "smbios", "loader", "nvram", NULL};
/* Children of <devices>. Not among them: hostdev, filesystem, shmem, tpm, smartcard, redirdev. */
static const char *const device_parts[] = {"emulator", "disk", "controller", "lease", "interface",
	"serial", "console", "channel", "input", "graphics", "audio", "sound", "video",
	"memballoon", "rng", "watchdog", "panic", NULL};
static const char *const character_types[] = {"pty", "spicevmc", "null", NULL};
static const char *const channel_types[] = {"spicevmc", "qemu-vdagent", "unix", NULL};
static const char *const input_types[] = {"tablet", "mouse", "keyboard", NULL};
static const char *const interface_types[] = {"network", "bridge", NULL};
static const char *const disk_types[] = {"file", "block", NULL};
static const char *const audio_types[] = {"none", "spice", NULL};
static const char *const graphics_types[] = {"vnc", "spice", NULL};
static const char *const random_sources[] = {"/dev/urandom", "/dev/random", NULL};
static const char *const emulator_folders[] = {
	"/usr/bin/qemu-system-", "/usr/libexec/qemu-", "/usr/bin/kvm", NULL};
static const char *const firmware_folders[] = {"/usr/share/", "/usr/lib/", NULL};

static bool is_among(const char *text, const char *const *words)
{
	while (text && *words && !str_equal(text, *words))
		words++;
	return text && *words;
}

static bool starts_as(const char *text, const char *const *prefixes)
{
	if (strstr(text, "/../"))
		return false;
	while (*prefixes && !str_starts_with(text, *prefixes))
		prefixes++;
	return *prefixes;
}

static int refuse(struct error *err, const xmlNode *node, const char *why)
{
	return error_set(
		err, ERR_REGISTER, "<%.64s> is refused: %s", (const char *)node->name, why);
}

/* Every child is on the list. */
static int check_children(xmlNode *parent, const char *const *known, struct error *err)
{
	for (xmlNode *node = xml_child(parent, NULL); node; node = xml_next(node, NULL))
		if (!is_among((const char *)node->name, known))
			return refuse(err, node, "VirtX does not make VMs with it");
	return 0;
}

/* Elements of other vocabularies, QEMU command lines above all, belong into the metadata and
 * nowhere else. */
static int check_namespaces(xmlNode *parent, unsigned depth, struct error *err)
{
	for (xmlNode *node = xml_child(parent, NULL); node; node = xml_next(node, NULL)) {
		if (node->ns)
			return refuse(err, node, "it is not an element of libvirt's");
		if (depth == 0 && xml_is(node, "metadata"))
			continue;
		if (check_namespaces(node, depth + 1, err))
			return -1;
	}
	return 0;
}

static int check_text(xmlNode *node, const char *const *prefixes, struct error *err)
{
	cleanup_free char *text = xml_text(node, true);

	return !node || !*text || starts_as(text, prefixes)
		       ? 0
		       : refuse(err, node, "it names a file out of place");
}

/* Sources of disks are the definition's matter; what else could reach a file is looked at here. */
static int check_disk(xmlNode *disk, const char *vms_dir, struct error *err)
{
	cleanup_free char *datastore = xasprintf("%s/ds/", vms_dir);
	const char *path = domain_xml_disk_path(disk);

	if (!is_among(xml_attr(disk, "type"), disk_types))
		return refuse(err, disk, "its type is not one of VirtX");
	if (path && (strstr(path, "/../") ||
			    !(str_starts_with(path, datastore) || str_starts_with(path, "/dev/"))))
		return refuse(err, disk, "its source is outside the datastore");
	if (!domain_xml_disk_is_described(disk, vms_dir) && !domain_xml_disk_is_seed(disk, vms_dir))
		return refuse(err, disk, "VirtX does not make disks of that kind");
	if (xml_child(xml_child(disk, "source"), "dataStore"))
		return refuse(err, disk, "it has a data file");
	for (xmlNode *node = xml_child(disk, NULL); node; node = xml_next(node, NULL))
		if (xml_is(node, "backingStore") ? xml_child(node, "source") != NULL
						 : xml_is(node, "mirror"))
			return refuse(err, node, "only qcow2 itself says what lies below an image");
	return 0;
}

static int check_character(xmlNode *device, const char *console_log, struct error *err)
{
	const char *log = xml_attr(xml_child(device, "log"), "file");
	bool channel = xml_is(device, "channel");

	const char *type = xml_attr(device, "type");

	/* Without one it is a pty. */
	if (type && !is_among(type, channel ? channel_types : character_types))
		return refuse(err, device, "its type is not one of VirtX");
	if (log && (!console_log || !str_equal(log, console_log)))
		return refuse(err, device, "it is logged to a file out of place");
	/* libvirt chooses the socket of an agent by itself. */
	if (channel && xml_attr(xml_child(device, "source"), "path"))
		return refuse(err, device, "it names a socket");
	return 0;
}

static int check_lease(xmlNode *lease, const char *vms_dir, struct error *err)
{
	cleanup_free char *locks = xasprintf("%s/lock/", vms_dir);
	const char *path = xml_attr(xml_child(lease, "target"), "path");

	if (!path || !str_starts_with(path, locks) || strstr(path, "/../"))
		return refuse(err, lease, "it is not among the cluster's leases");
	return 0;
}

static int check_device(
	xmlNode *device, const char *vms_dir, const char *console_log, struct error *err)
{
	if (xml_is(device, "emulator"))
		return check_text(device, emulator_folders, err);
	if (xml_is(device, "disk"))
		return check_disk(device, vms_dir, err);
	if (xml_is(device, "serial") || xml_is(device, "console") || xml_is(device, "channel"))
		return check_character(device, console_log, err);
	if (xml_is(device, "lease"))
		return check_lease(device, vms_dir, err);
	if (xml_is(device, "graphics") &&
		(!is_among(xml_attr(device, "type"), graphics_types) || xml_attr(device, "socket")))
		return refuse(err, device, "its kind is not one of VirtX");
	if (xml_is(device, "interface") &&
		(!is_among(xml_attr(device, "type"), interface_types) ||
			xml_child(device, "script") || xml_child(device, "backend")))
		return refuse(err, device, "its kind is not one of VirtX");
	if (xml_is(device, "input") && !is_among(xml_attr(device, "type"), input_types))
		return refuse(err, device, "it takes a device of the host");
	if (xml_is(device, "audio") && !is_among(xml_attr(device, "type"), audio_types))
		return refuse(err, device, "it takes a device of the host");
	if (xml_is(device, "rng")) {
		xmlNode *backend = xml_child(device, "backend");
		cleanup_free char *source = xml_text(backend, true);

		if (!xml_attr_is(backend, "model", "random") || !is_among(source, random_sources))
			return refuse(err, device, "its source is not one of VirtX");
	}
	return 0;
}

static int check_devices(
	xmlNode *devices, const char *vms_dir, const char *console_log, struct error *err)
{
	if (check_children(devices, device_parts, err))
		return -1;
	for (xmlNode *device = xml_child(devices, NULL); device; device = xml_next(device, NULL))
		if (check_device(device, vms_dir, console_log, err))
			return -1;
	return 0;
}

static int check_memory(xmlNode *backing, struct error *err)
{
	xmlNode *source = xml_child(backing, "source");

	return source && !xml_attr_is(source, "type", "anonymous")
		       ? refuse(err, source, "guest memory in a file")
		       : 0;
}

/* libvirt's folder for them depends on its root, its name does not. */
static int check_nvram(xmlNode *nvram, struct error *err)
{
	cleanup_free char *path = xml_text(nvram, true);
	const char *template = xml_attr(nvram, "template");

	if (xml_child(nvram, "source") || (template && !starts_as(template, firmware_folders)))
		return refuse(err, nvram, "it names a file out of place");
	if (*path && (!strstr(path, "/qemu/nvram/") || strstr(path, "/../") ||
			     !(str_ends_with(path, ".fd") || str_ends_with(path, ".qcow2"))))
		return refuse(err, nvram, "it names a file out of place");
	return 0;
}

/* What libvirt labels by itself is fine; a label that was chosen could take a guest's confinement
 * away. */
static int check_seclabels(xmlNode *domain, struct error *err)
{
	for (xmlNode *node = xml_child(domain, "seclabel"); node; node = xml_next(node, "seclabel"))
		if (!xml_attr_is(node, "type", "dynamic") || xml_child(node, "baselabel"))
			return refuse(err, node, "libvirt chooses labels");
	return 0;
}

int domain_xml_check_safe(const char *xml, size_t len, const char *vms_dir, const char *console_log,
	struct error *err)
{
	if (len > DOMAIN_XML_MAX)
		return error_set(err, ERR_REGISTER, "it is longer than %d bytes", DOMAIN_XML_MAX);
	cleanup_xml xmlDoc *doc = xml_parse(xml, len, err);

	if (!doc) {
		err->code = ERR_REGISTER;
		return -1;
	}
	xmlNode *domain = xmlDocGetRootElement(doc);

	if (xml_is(domain, "domstatus"))
		return refuse(err, domain, "it is libvirt's own state file");
	if (!xml_is(domain, "domain") || domain->ns)
		return refuse(err, domain, "it is not a domain");
	if (check_namespaces(domain, 0, err) || check_children(domain, domain_parts, err))
		return -1;
	xmlNode *os = xml_child(domain, "os");

	if (check_children(os, os_parts, err) ||
		check_text(xml_child(os, "loader"), firmware_folders, err) ||
		check_nvram(xml_child(os, "nvram"), err) || check_seclabels(domain, err) ||
		check_memory(xml_child(domain, "memoryBacking"), err))
		return -1;
	return check_devices(xml_child(domain, "devices"), vms_dir, console_log, err);
}
