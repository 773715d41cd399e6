/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a definition to domain XML (spec: domain-xml.md): everything but the devices. */
#include "base/str.h"
#include "model/domain_xml_parts.h"
#include "model/json.h"

#define PHYSADDR_BITS_MIN 36

void domain_xml_options_init(struct domain_xml_options *options, const char *uuid)
{
	*options = (struct domain_xml_options){
		.uuid = uuid,
		.arch = "x86_64",
		.virt_type = VIRT_TYPE_KVM,
		.vms_dir = "/vms",
		.full_firmware = true,
		.vdagent = true,
		.leases = true,
	};
}

static bool is_x86(const struct domain_xml_options *options)
{
	return str_equal(options->arch, "x86_64") || str_equal(options->arch, "i686");
}

bool domain_cpu_is_mode(const char *model)
{
	return str_equal(model, "host-passthrough") || str_equal(model, "host-model") ||
	       str_equal(model, "maximum");
}

const char *domain_cpu_model(const struct vmdef *def, enum virt_type virt_type)
{
	if (virt_type == VIRT_TYPE_QEMU && domain_cpu_is_mode(def->cpu.model))
		return "maximum";
	return def->cpu.model;
}

static int check_text(const char *text, const char *what, struct error *err)
{
	if (text && !xml_can_hold(text))
		return error_set(err, ERR_INVALID, "%s: has characters that XML cannot hold", what);
	return 0;
}

/* Everything that comes from a user or the configuration. */
static int check_texts(
	const struct vmdef *def, const struct domain_xml_options *options, struct error *err)
{
	if (check_text(def->name, "name", err) < 0 ||
		check_text(def->cpu.model, "cpudef.model", err) < 0 ||
		check_text(def->genid, "genid", err) < 0 ||
		check_text(options->vms_dir, "vms_dir", err) < 0 ||
		check_text(options->console_log, "console log", err) < 0)
		return -1;
	for (size_t i = 0; i < def->n_disks; i++)
		if (check_text(def->disks[i].path, "disk path", err) < 0)
			return -1;
	for (size_t i = 0; i < def->n_nets; i++)
		if (check_text(def->nets[i].name, "nets name", err) < 0 ||
			check_text(def->nets[i].mac, "nets mac", err) < 0)
			return -1;
	for (size_t i = 0; i < def->n_custom; i++)
		if (check_text(def->custom[i].name, "custom name", err) < 0 ||
			check_text(def->custom[i].value, "custom value", err) < 0)
			return -1;
	return 0;
}

static void add_identity(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options)
{
	xml_add(domain, "name", options->uuid);
	xml_add(domain, "uuid", options->uuid);
	/* An empty one makes libvirt choose. */
	if (!str_is_empty(def->genid))
		xml_add(domain, "genid", str_equal(def->genid, "auto") ? NULL : def->genid);
	xml_add(domain, "title", def->name);
	xml_add(domain, "description", def->name);
}

static void add_metadata(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options)
{
	xmlNode *metadata = xml_add(domain, "metadata", NULL);
	/* First of all: Go peers read the first child alone. The second declaration is theirs too.
	 */
	xmlNode *data = xml_add_ns(metadata, "data-vm", NS_DATA_VM, NULL);

	xmlNewNs(data, BAD_CAST NS_DATA_VM, BAD_CAST NS_DATA_VM);
	for (size_t i = 0; i < def->n_custom; i++)
		if (!str_is_empty(def->custom[i].name))
			xml_set(xml_add(data, "field", def->custom[i].value), "name",
				def->custom[i].name);
	if (options->store_definition) {
		cleanup_json struct json_object *json = vmdef_to_json(def);
		cleanup_free char *text = json_text(json);

		xml_add_ns(metadata, "definition", NS_DEFINITION, text);
	}
	if (options->oplog)
		domain_xml_add_oplog(metadata, options->oplog);
}

static int count_iothreads(const struct vmdef *def)
{
	int count = (int)def->n_nets;

	for (size_t i = 0; i < def->n_disks; i++)
		count += def->disks[i].bus == DISK_BUS_VIRTIO_BLK ||
			 def->disks[i].bus == DISK_BUS_VIRTIO_SCSI;
	return count;
}

static void add_number(xmlNode *parent, const char *name, int64_t value)
{
	cleanup_free char *text = xasprintf("%lld", (long long)value);

	xml_add(parent, name, text);
}

static void add_resources(xmlNode *domain, const struct vmdef *def)
{
	add_number(domain, "memory", def->memory_mib);
	xml_set(domain->last, "unit", "MiB");
	if (def->hugepages) {
		xmlNode *backing = xml_add(domain, "memoryBacking", NULL);

		xml_add(backing, "hugepages", NULL);
		xmlNode *allocation = xml_add(backing, "allocation", NULL);

		xml_set(allocation, "mode", "immediate");
		xml_set_int(allocation, "threads", vmdef_vcpus(def));
	}
	add_number(domain, "vcpu", vmdef_vcpus(def));
	if (count_iothreads(def) > 0)
		add_number(domain, "iothreads", count_iothreads(def));
	if (def->numa_placement)
		xml_set(xml_add(xml_add(domain, "numatune", NULL), "memory", NULL), "placement",
			"auto");
}

static void add_os(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options)
{
	xmlNode *os = xml_add(domain, "os", NULL);
	xmlNode *type = xml_add(os, "type", "hvm");
	bool bios = def->firmware == FIRMWARE_BIOS;

	if (!bios)
		xml_set(os, "firmware", "efi");
	else if (options->full_firmware)
		xml_set(os, "firmware", "bios");
	if (str_equal(options->arch, "aarch64"))
		xml_set(type, "machine", "virt");
	else
		xml_set(type, "machine", bios ? "pc" : "q35");
	if (bios) {
		/* Also what BIOS is recognised by, once libvirt has dropped the attribute. */
		xmlNode *settings = xml_add(os, "bios", NULL);

		xml_set(settings, "useserial", "no");
		xml_set(settings, "rebootTimeout", "-1");
	}
}

static void add_features(xmlNode *domain, const struct domain_xml_options *options)
{
	xmlNode *features = xml_add(domain, "features", NULL);

	xml_add(features, "acpi", NULL);
	if (!is_x86(options))
		return;
	xmlNode *apic = xml_add(features, "apic", NULL);

	if (options->virt_type == VIRT_TYPE_KVM)
		xml_set(apic, "eoi", "on");
	xml_set(xml_add(features, "vmport", NULL), "state", "off");
	xml_add(features, "ioapic", NULL);
}

/* Physical address bits that are enough for the guest's memory and no more, so that it can migrate.
 */
static int physaddr_limit(int32_t memory_mib)
{
	int bits = 20;

	for (int32_t left = memory_mib; left > 0; left >>= 1)
		bits++;
	return bits > PHYSADDR_BITS_MIN ? bits : PHYSADDR_BITS_MIN;
}

static void add_cpu(
	xmlNode *domain, const struct vmdef *def, const struct domain_xml_options *options)
{
	const char *model = domain_cpu_model(def, options->virt_type);
	xmlNode *cpu = xml_add(domain, "cpu", NULL);

	if (domain_cpu_is_mode(model))
		xml_set(cpu, "mode", model);
	xml_set(cpu, "check", "none");
	/* Of other architectures libvirt takes neither this nor maxphysaddr. */
	if (is_x86(options) && domain_cpu_is_mode(model) && !str_equal(model, "host-model"))
		xml_set(cpu, "migratable", "on");
	if (!domain_cpu_is_mode(model))
		xml_add(cpu, "model", model);
	xmlNode *topology = xml_add(cpu, "topology", NULL);

	xml_set_int(topology, "sockets", def->cpu.sockets);
	xml_set_int(topology, "cores", def->cpu.cores);
	xml_set_int(topology, "threads", def->cpu.threads);
	/* Passthrough of the address width is KVM's alone. */
	if (is_x86(options) && options->virt_type == VIRT_TYPE_KVM) {
		xmlNode *address = xml_add(cpu, "maxphysaddr", NULL);

		xml_set(address, "mode", "passthrough");
		xml_set_int(address, "limit", physaddr_limit(def->memory_mib));
	}
}

static void add_clock(xmlNode *domain, const struct domain_xml_options *options)
{
	if (!is_x86(options) || options->virt_type != VIRT_TYPE_KVM)
		return;
	xmlNode *timer = xml_add(xml_add(domain, "clock", NULL), "timer", NULL);

	xml_set(timer, "name", "kvmclock");
	xml_set(timer, "present", "yes");
}

static void add_power_management(xmlNode *domain, const struct domain_xml_options *options)
{
	/* Only PC chipsets can be told; the others have no such states. */
	if (!is_x86(options))
		return;
	xmlNode *pm = xml_add(domain, "pm", NULL);

	xml_set(xml_add(pm, "suspend-to-mem", NULL), "enabled", "no");
	xml_set(xml_add(pm, "suspend-to-disk", NULL), "enabled", "no");
}

xmlDoc *domain_xml_build(
	const struct vmdef *def, const struct domain_xml_options *options, struct error *err)
{
	if (check_texts(def, options, err) < 0)
		return NULL;
	xmlDoc *doc = xml_new("domain");
	xmlNode *domain = xmlDocGetRootElement(doc);

	xml_set(domain, "type", options->virt_type == VIRT_TYPE_QEMU ? "qemu" : "kvm");
	add_identity(domain, def, options);
	add_metadata(domain, def, options);
	add_resources(domain, def);
	add_os(domain, def, options);
	add_features(domain, options);
	add_cpu(domain, def, options);
	add_clock(domain, options);
	add_power_management(domain, options);
	domain_xml_add_devices(domain, def, options);
	return doc;
}

char *domain_xml_write(
	const struct vmdef *def, const struct domain_xml_options *options, struct error *err)
{
	cleanup_xml xmlDoc *doc = domain_xml_build(def, options, err);

	return doc ? xml_print(xmlDocGetRootElement(doc)) : NULL;
}
