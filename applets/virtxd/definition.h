/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the definition of a VM from libvirt, for the collector. */
#ifndef VIRTXD_DEFINITION_H
#define VIRTXD_DEFINITION_H

#include "daemon.h"
#include "local_vms.h"

/*
 * Reads and understands a VM's XML, the live one too where it runs. -1 when libvirt does not give
 * it (as hypervisor_get_xml); 0 with definition->why, which is logged, when it cannot be
 * understood. definition_free() in each case.
 */
int definition_read(struct daemon *daemon, const struct domain_stats *stats,
	struct local_definition *definition, struct error *err);
void definition_free(struct local_definition *definition);

#endif
