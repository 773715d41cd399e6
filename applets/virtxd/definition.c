/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libvirt's XML of a VM says: see definition.h. */
#include "definition.h"

#include "base/log.h"
#include "base/mem.h"

int definition_read(struct daemon *daemon, const struct domain_stats *stats,
	struct local_definition *definition, struct error *err)
{
	cleanup_free char *xml = hypervisor_get_xml(daemon->hypervisor, stats->uuid, false, err);
	struct error why = {0};

	*definition = (struct local_definition){0};
	if (!xml)
		return -1;
	if (domain_xml_read(
		    xml, strlen(xml), daemon->settings.vms_dir, &definition->reading, &why) < 0) {
		log_warning("definition of VM not understood", "vm", stats->uuid, "reason",
			why.message);
		definition->why = xstrdup(why.message);
		return 0;
	}
	definition->n_cdroms =
		domain_xml_cdroms(xml, strlen(xml), definition->cdroms, DOMAIN_DISKS_MAX);
	if (stats->runstate == RUNSTATE_POWEROFF)
		return 0;
	/* Only the live form knows where the display listens. */
	cleanup_free char *live = hypervisor_get_xml(daemon->hypervisor, stats->uuid, true, &why);
	cleanup_reading struct domain_reading running = {0};
	if (live && domain_xml_read(live, strlen(live), daemon->settings.vms_dir, &running, &why) ==
			    0) {
		free(definition->reading.vnc);
		definition->reading.vnc = steal(&running.vnc);
	}
	return 0;
}

void definition_free(struct local_definition *definition)
{
	domain_reading_free(&definition->reading);
	free(definition->why);
}
