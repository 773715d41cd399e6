/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From domain XML, libvirt's or ours, live or not, to what it says (spec: domain-xml.md, Reading).
 */
#include "base/str.h"
#include "model/domain_xml_parts.h"
#include "model/json.h"

#include <inttypes.h>
#include <strings.h>

#define MIB 1048576

/* The units of libvirt, in bytes. */
static const struct {
	const char *name;
	int64_t bytes;
} memory_units[] = {
	{"KiB", 1024}, /* the default */
	{"k", 1024},
	{"b", 1},
	{"bytes", 1},
	{"KB", 1000},
	{"M", MIB},
	{"MiB", MIB},
	{"MB", 1000000},
	{"G", 1024LL * MIB},
	{"GiB", 1024LL * MIB},
	{"GB", 1000000000},
	{"T", 1024LL * 1024 * MIB},
	{"TiB", 1024LL * 1024 * MIB},
	{"TB", 1000000000000},
};

/* In MiB; 0 when it cannot be understood, the largest number when it does not fit. */
static int32_t read_memory(xmlNode *memory)
{
	cleanup_free char *text = xml_text(memory, true);
	const char *unit = xml_attr(memory, "unit");
	int64_t value, factor = 0;

	for (size_t i = 0; i < sizeof memory_units / sizeof *memory_units && !factor; i++)
		if (!unit || strcasecmp(unit, memory_units[i].name) == 0)
			factor = memory_units[i].bytes;
	if (!factor || !str_parse_int(text, 0, INT64_MAX, &value))
		return 0;
	if (__builtin_mul_overflow(value, factor, &value) || value / MIB > INT32_MAX)
		return INT32_MAX;
	return (int32_t)(value / MIB);
}

/* The mode is the model, unless the mode is to have a named one. */
static char *read_cpu_model(xmlNode *cpu)
{
	const char *mode = xml_attr(cpu, "mode");

	if (!str_is_empty(mode) && !str_equal(mode, "custom"))
		return xstrdup(mode);
	return xml_text(xml_child(cpu, "model"), true);
}

static void read_cpu(xmlNode *domain, struct cpudef *cpu)
{
	xmlNode *element = xml_child(domain, "cpu");
	xmlNode *topology = xml_child(element, "topology");
	cleanup_free char *vcpus = xml_text(xml_child(domain, "vcpu"), true);
	int64_t count;

	cpu->model = read_cpu_model(element);
	/* Without a topology every vcpu is a socket. */
	if (!str_parse_int(vcpus, 1, INT16_MAX, &count))
		count = 1;
	cpu->sockets = (int16_t)xml_attr_int(topology, "sockets", INT16_MAX, topology ? 1 : count);
	cpu->cores = (int16_t)xml_attr_int(topology, "cores", INT16_MAX, 1);
	cpu->threads = (int16_t)xml_attr_int(topology, "threads", INT16_MAX, 1);
}

static enum firmware read_firmware(xmlNode *os)
{
	if (xml_attr_is(os, "firmware", "bios"))
		return FIRMWARE_BIOS;
	if (xml_attr_is(os, "firmware", "efi"))
		return FIRMWARE_UEFI;
	return xml_child(os, "bios") ? FIRMWARE_BIOS : FIRMWARE_UEFI;
}

static char *read_genid(xmlNode *domain)
{
	xmlNode *genid = xml_child(domain, "genid");
	cleanup_free char *text = xml_text(genid, true);
	char canonical[UUID_TEXT_SIZE];

	/* An empty one is one that libvirt has yet to choose. */
	if (genid && !*text)
		return xstrdup("auto");
	return xstrdup(uuid_canonical(text, canonical) ? canonical : "");
}

static void read_custom(xmlNode *data, struct vmdef *def)
{
	for (xmlNode *field = xml_child(data, "field"); field; field = xml_next(field, "field")) {
		const char *name = xml_attr(field, "name");

		if (str_is_empty(name))
			continue;
		def->custom = xreallocarray(def->custom, def->n_custom + 1, sizeof *def->custom);
		def->custom[def->n_custom++] =
			(struct custom){.name = xstrdup(name), .value = xml_text(field, false)};
	}
}

static char *read_name(xmlNode *domain)
{
	xmlNode *title = xml_child(domain, "title");
	cleanup_free char *text = xml_text(title, false);

	return *text ? steal(&text) : xml_text(xml_child(domain, "name"), false);
}

static void read_definition(xmlNode *domain, const char *vms_dir, bool foreign, struct vmdef *def)
{
	xmlNode *devices = xml_child(domain, "devices");

	def->name = read_name(domain);
	read_cpu(domain, &def->cpu);
	def->memory_mib = read_memory(xml_child(domain, "memory"));
	def->hugepages = xml_child(domain, "memoryBacking");
	def->numa_placement = xml_child(domain, "numatune");
	def->firmware = read_firmware(xml_child(domain, "os"));
	def->genid = read_genid(domain);
	read_custom(xml_child_ns(xml_child(domain, "metadata"), NS_DATA_VM), def);
	domain_xml_read_disks(devices, vms_dir, foreign, def);
	domain_xml_read_nets(devices, foreign, def);
}

/* "address:port" of the VNC display while there is one. */
static char *read_vnc(xmlNode *devices)
{
	xmlNode *graphics = xml_child(devices, "graphics");

	while (graphics && !xml_attr_is(graphics, "type", "vnc"))
		graphics = xml_next(graphics, "graphics");
	int64_t port = xml_attr_int(graphics, "port", UINT16_MAX, 0);
	const char *address = xml_attr(xml_child(graphics, "listen"), "address");

	if (port == 0)
		return xstrdup("");
	if (str_is_empty(address))
		address = xml_attr(graphics, "listen");
	if (str_is_empty(address))
		address = "127.0.0.1";
	return xasprintf(strchr(address, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64, address, port);
}

/* libvirt turns our console into a serial port and shows the console as well. */
static char *read_console_log(xmlNode *devices)
{
	static const char *const kinds[] = {"serial", "console"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (xmlNode *node = xml_child(devices, kinds[i]); node;
			node = xml_next(node, kinds[i])) {
			const char *file = xml_attr(xml_child(node, "log"), "file");

			if (!str_is_empty(file))
				return xstrdup(file);
		}
	return xstrdup("");
}

static bool has_vm_lease(xmlNode *devices, const char *uuid)
{
	char name[256];

	vm_lease_name(uuid, name);
	for (xmlNode *lease = xml_child(devices, "lease"); lease;
		lease = xml_next(lease, "lease")) {
		cleanup_free char *key = xml_text(xml_child(lease, "key"), true);

		if (str_equal(key, name))
			return true;
	}
	return false;
}

int domain_xml_read_tree(
	xmlNode *domain, const char *vms_dir, struct domain_reading *reading, struct error *err)
{
	xmlNode *devices = xml_child(domain, "devices");
	xmlNode *metadata = xml_child(domain, "metadata");
	cleanup_free char *uuid = xml_text(xml_child(domain, "uuid"), true);

	*reading = (struct domain_reading){0};
	if (!xml_is(domain, "domain"))
		return error_set(err, ERR_STORED_DATA, "not the XML of a domain");
	if (!uuid_canonical(uuid, reading->uuid))
		return error_set(err, ERR_STORED_DATA, "the domain has no UUID");
	reading->foreign =
		!xml_child_ns(metadata, NS_DATA_VM) && !domain_xml_has_our_alias(devices);
	read_definition(domain, vms_dir, reading->foreign, &reading->def);
	domain_xml_read_oplog(metadata, reading->oplog);
	reading->vnc = read_vnc(devices);
	reading->console_log = read_console_log(devices);
	reading->vm_lease = has_vm_lease(devices, reading->uuid);
	return 0;
}

/* The definition in our metadata; false when there is none that can be used. */
static bool read_stored(xmlNode *domain, struct vmdef *stored)
{
	xmlNode *element = xml_child_ns(xml_child(domain, "metadata"), NS_DEFINITION);
	cleanup_free char *text = xml_text(element, true);
	cleanup_json struct json_object *json = NULL;
	struct error ignored = {0}; /* the XML is used in its place */

	return element && json_parse(text, strlen(text), &json, &ignored) == 0 &&
	       vmdef_from_json(json, stored, &ignored) == 0;
}

int domain_xml_read(const char *xml, size_t len, const char *vms_dir,
	struct domain_reading *reading, struct error *err)
{
	struct vmdef stored = {0};

	*reading = (struct domain_reading){0};
	if (len > DOMAIN_XML_MAX)
		return error_set(err, ERR_STORED_DATA, "the domain XML is longer than %d bytes",
			DOMAIN_XML_MAX);
	cleanup_xml xmlDoc *doc = xml_parse(xml, len, err);

	if (!doc)
		return -1;
	xmlNode *domain = xmlDocGetRootElement(doc);

	if (domain_xml_read_tree(domain, vms_dir, reading, err) < 0)
		return -1;
	if (!read_stored(domain, &stored))
		return 0;
	if (domain_xml_settle_stored(&stored, &reading->def,
		    xml_attr_is(domain, "type", "qemu") ? VIRT_TYPE_QEMU : VIRT_TYPE_KVM,
		    xml_attr(domain, "id"))) {
		vmdef_free(&reading->def);
		reading->def = stored;
		reading->def_is_stored = true;
	} else {
		vmdef_free(&stored);
	}
	return 0;
}

void domain_reading_free(struct domain_reading *reading)
{
	vmdef_free(&reading->def);
	for (int op = 0; op < OPLOG_COUNT; op++)
		free(reading->oplog[op].message);
	free(reading->vnc);
	free(reading->console_log);
	*reading = (struct domain_reading){0};
}
