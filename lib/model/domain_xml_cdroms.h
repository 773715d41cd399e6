/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which disks of a domain are cdroms, for statistics: libvirt's do not say it (spec:
 * statistics.md). */
#ifndef MODEL_DOMAIN_XML_CDROMS_H
#define MODEL_DOMAIN_XML_CDROMS_H

#include <stddef.h>

#define DOMAIN_TARGET_SIZE 16 /* "sda", with its NUL */

/* The targets of the cdroms of domain XML, at most max of them; how many. None when it is not XML.
 */
size_t domain_xml_cdroms(
	const char *xml, size_t len, char (*targets)[DOMAIN_TARGET_SIZE], size_t max);

#endif
