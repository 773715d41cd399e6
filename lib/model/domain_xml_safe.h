/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether domain XML that was found on shared storage may be given to libvirt. Anyone who can write
 * there could otherwise run commands as QEMU's user or read every file of the host.
 */
#ifndef MODEL_DOMAIN_XML_SAFE_H
#define MODEL_DOMAIN_XML_SAFE_H

#include "base/error.h"

#include <stddef.h>

/*
 * 0 when the XML holds nothing but elements that are known to be harmless, and reaches no file,
 * device or program of the host beyond QEMU, the console log (NULL: none) and the disks of the
 * definition, which vmdef_validate() judges. Otherwise ERR_REGISTER with the element that is
 * refused.
 */
int domain_xml_check_safe(const char *xml, size_t len, const char *vms_dir, const char *console_log,
	struct error *err);

#endif
