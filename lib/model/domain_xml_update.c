/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new definition put into domain XML that is there (spec: domain-xml.md, new). The XML of the new
 * definition is made as for a new domain, then the parts that changed are moved over; the devices
 * are in domain_xml_update_devices.c.
 */
#include "model/domain_xml_update.h"
#include "base/str.h"

/* Puts the fresh domain's element of that name in the place of the stale one's, or takes it away.
 */
static void graft(xmlNode *domain, xmlNode *fresh, const char *name)
{
	xmlNode *stale = xml_child(domain, name), *found = xml_child(fresh, name);
	xmlNode *devices = xml_child(domain, "devices");

	if (found) {
		xmlNode *copy = xml_copy(found, domain->doc);

		if (stale || devices)
			xmlAddPrevSibling(stale ? stale : devices, copy);
		else
			xmlAddChild(domain, copy);
	}
	xml_remove(stale);
}

/* Takes one of our elements, or all but the log's, away: each namespace has one. */
static void remove_namespace(xmlNode *metadata, const char *uri)
{
	xmlNode *node;

	while ((node = xml_child_ns(metadata, uri)))
		xml_remove(node);
}

/* What the fresh metadata holds comes in front, in its order; the log and what is foreign stay
 * behind it. */
static void graft_metadata(xmlNode *domain, xmlNode *fresh)
{
	xmlNode *metadata = xml_child(domain, "metadata");
	xmlNode *last = NULL;

	if (!metadata) {
		graft(domain, fresh, "metadata");
		return;
	}
	remove_namespace(metadata, NS_DEFINITION);
	for (xmlNode *node = xml_child(xml_child(fresh, "metadata"), NULL); node;
		node = xml_next(node, NULL)) {
		remove_namespace(metadata, (const char *)node->ns->href);
		xmlNode *copy = xml_copy(node, domain->doc);

		if (last)
			xmlAddNextSibling(last, copy);
		else if (metadata->children)
			xmlAddPrevSibling(metadata->children, copy);
		else
			xmlAddChild(metadata, copy);
		last = copy;
	}
}

static bool same_topology(const struct cpudef *a, const struct cpudef *b)
{
	return a->sockets == b->sockets && a->cores == b->cores && a->threads == b->threads;
}

/* A part whose definition stays the same stays as it is, with all that others put into it. */
static void graft_resources(
	xmlNode *domain, xmlNode *fresh, const struct vmdef *old, const struct vmdef *def)
{
	if (old->memory_mib != def->memory_mib) {
		graft(domain, fresh, "memory");
		xml_remove(xml_child(domain, "currentMemory"));
	}
	if (old->hugepages != def->hugepages ||
		(def->hugepages && !same_topology(&old->cpu, &def->cpu)))
		graft(domain, fresh, "memoryBacking");
	/* libvirt takes the placement of vcpus for that of memory where numatune is missing. */
	if (!same_topology(&old->cpu, &def->cpu) || old->numa_placement != def->numa_placement) {
		graft(domain, fresh, "vcpu");
		xml_remove(xml_child(domain, "vcpus"));
	}
	graft(domain, fresh, "iothreads");
	xml_remove(xml_child(domain, "iothreadids"));
	if (old->numa_placement != def->numa_placement)
		graft(domain, fresh, "numatune");
}

static void graft_machine(xmlNode *domain, xmlNode *fresh, const struct vmdef *old,
	const struct vmdef *def, enum virt_type virt_type)
{
	bool same_type = xml_attr_is(domain, "type", xml_attr(fresh, "type"));
	bool same_firmware = old->firmware == def->firmware;

	if (!same_firmware)
		graft(domain, fresh, "os");
	/* Features depend on both: TCG has fewer, and libvirt adds what secure boot needs. */
	if (!same_type || !same_firmware)
		graft(domain, fresh, "features");
	if (!same_type) {
		xml_set(domain, "type", xml_attr(fresh, "type"));
		graft(domain, fresh, "clock");
	}
	/* Go peers refuse a CPU without a topology. */
	if (!same_type || !xml_child(xml_child(domain, "cpu"), "topology") ||
		!same_topology(&old->cpu, &def->cpu) || old->memory_mib != def->memory_mib ||
		!str_equal(old->cpu.model, domain_cpu_model(def, virt_type)))
		graft(domain, fresh, "cpu");
}

/* The identity that a guest has keeps: MACs and genid that the new definition leaves open. */
static void keep_identity(struct vmdef *def, const struct vmdef *old)
{
	if (str_equal(def->genid, "auto") && *old->genid) {
		free(def->genid);
		def->genid = xstrdup(old->genid);
	}
	for (size_t i = 0; i < def->n_nets && i < old->n_nets; i++) {
		struct net *net = &def->nets[i];

		if (str_is_empty(net->mac) && str_equal(net->name, old->nets[i].name)) {
			free(net->mac);
			net->mac = xstrdup(old->nets[i].mac);
		}
	}
}

char *domain_xml_update(const char *xml, size_t len, const struct vmdef *def,
	const struct domain_xml_options *options, struct error *err)
{
	cleanup_reading struct domain_reading old = {0};
	cleanup_vmdef struct vmdef full = {0};

	if (len > DOMAIN_XML_MAX) {
		error_set(err, ERR_STORED_DATA, "the domain XML is longer than %d bytes",
			DOMAIN_XML_MAX);
		return NULL;
	}
	cleanup_xml xmlDoc *doc = xml_parse(xml, len, err);

	if (!doc ||
		domain_xml_read_tree(xmlDocGetRootElement(doc), options->vms_dir, &old, err) < 0)
		return NULL;
	vmdef_copy(&full, def);
	keep_identity(&full, &old.def);
	cleanup_xml xmlDoc *fresh_doc = domain_xml_build(&full, options, err);

	if (!fresh_doc)
		return NULL;
	xmlNode *domain = xmlDocGetRootElement(doc), *fresh = xmlDocGetRootElement(fresh_doc);

	graft(domain, fresh, "title");
	graft(domain, fresh, "description");
	graft(domain, fresh, "genid");
	graft_metadata(domain, fresh);
	graft_resources(domain, fresh, &old.def, &full);
	graft_machine(domain, fresh, &old.def, &full, options->virt_type);
	domain_xml_update_devices(
		domain, fresh, options->vms_dir, old.def.firmware == full.firmware);
	return xml_print(domain);
}
