/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The definition stored in the metadata against what the XML says: another
 * implementation, or a person with virsh, may have changed the domain since it was stored.
 */
#include "base/str.h"
#include "model/domain_xml_parts.h"

static bool same_cpu_model(
	const char *stored, const char *from_xml, enum virt_type virt_type, bool live)
{
	if (str_equal(stored, from_xml))
		return true;
	if (virt_type == VIRT_TYPE_QEMU && domain_cpu_is_mode(stored))
		return str_equal(from_xml, "maximum");
	/* In a running domain libvirt says which model it found for it. */
	return live && str_equal(stored, "host-model");
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct disk *)a)->path, ((const struct disk *)b)->path);
}

/* Makes two definitions equal that differ only in what XML cannot carry. */
static void level(struct vmdef *def)
{
	def->cpu.nodes = 0;
	if (def->n_nets == 0)
		def->vlanid = 0;
	for (size_t i = 0; i < def->n_disks; i++)
		def->disks[i].size_mib = 0;
	/* libvirt groups disks by bus; the osdisk is known by its boot order. */
	if (def->n_disks > 2)
		qsort(def->disks + 1, def->n_disks - 1, sizeof *def->disks, compare_paths);
}

static void replace(char **text, const char *other)
{
	free(*text);
	*text = xstrdup(other);
}

/* What was left to libvirt to choose, and what the host made of the CPU model. */
static void take_choices(struct vmdef *def, const struct vmdef *chosen)
{
	if (str_equal(def->genid, "auto") && *chosen->genid)
		replace(&def->genid, chosen->genid);
	for (size_t i = 0; i < def->n_nets && i < chosen->n_nets; i++)
		if (!*def->nets[i].mac)
			replace(&def->nets[i].mac, chosen->nets[i].mac);
}

static bool sizes_are_valid(const struct vmdef *def)
{
	for (size_t i = 0; i < def->n_disks; i++)
		if (def->disks[i].size_mib < 0)
			return false;
	return true;
}

bool domain_xml_settle_stored(
	struct vmdef *stored, const struct vmdef *from_xml, enum virt_type virt_type, bool live)
{
	cleanup_vmdef struct vmdef a, b;

	vmdef_copy(&a, stored);
	vmdef_copy(&b, from_xml);
	take_choices(&a, from_xml);
	level(&a);
	level(&b);
	if (same_cpu_model(a.cpu.model, b.cpu.model, virt_type, live))
		replace(&a.cpu.model, b.cpu.model);
	if (!sizes_are_valid(stored) || !vmdef_equal(&a, &b))
		return false;
	take_choices(stored, from_xml);
	return true;
}
