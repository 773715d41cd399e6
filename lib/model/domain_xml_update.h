/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices' part of domain_xml_update(). Internal to domain_xml_*.c. */
#ifndef MODEL_DOMAIN_XML_UPDATE_H
#define MODEL_DOMAIN_XML_UPDATE_H

#include "model/domain_xml_parts.h"

/*
 * Replaces the disks, SCSI controllers, leases and interfaces that definitions describe by those of
 * the fresh domain. All other devices stay. Without same_machine the chipset changed, and what
 * libvirt laid out for the old one (buses, addresses) goes, to be chosen anew.
 */
void domain_xml_update_devices(
	xmlNode *domain, xmlNode *fresh, const char *vms_dir, bool same_machine);

#endif
