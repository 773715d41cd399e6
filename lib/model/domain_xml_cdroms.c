/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the targets of cdroms, and nothing else, from domain XML. */
#include "model/domain_xml_cdroms.h"

#include "base/str.h"
#include "model/domain_xml_tree.h"

size_t domain_xml_cdroms(
	const char *xml, size_t len, char (*targets)[DOMAIN_TARGET_SIZE], size_t max)
{
	struct error err = {0};
	cleanup_xml xmlDoc *doc = xml_parse(xml, len, &err);
	size_t count = 0;

	if (!doc)
		return 0;
	const xmlNode *devices = xml_child(xmlDocGetRootElement(doc), "devices");
	for (const xmlNode *disk = xml_child(devices, "disk"); disk && count < max;
		disk = xml_next(disk, "disk")) {
		const char *target = xml_attr(xml_child(disk, "target"), "dev");

		if (xml_attr_is(disk, "device", "cdrom") && target &&
			str_copy(targets[count], DOMAIN_TARGET_SIZE, target))
			count++;
	}
	return count;
}
