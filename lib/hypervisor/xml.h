/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the XML that libvirt answers with: a document and XPath questions to it. */
#ifndef HYPERVISOR_XML_H
#define HYPERVISOR_XML_H

#include "base/error.h"
#include "base/mem.h"

#include <libxml/xpath.h>

/* NULL with ERR_HYPERVISOR when it is not XML; what names it in the message. The caller frees it
 * (cleanup_xpath). */
xmlXPathContextPtr xpath_open(const char *text, const char *what, struct error *err);
void xpath_close(xmlXPathContextPtr *context);
#define cleanup_xpath CLEANUP(xpath_close)

/* The string value of an expression, "" when nothing matches; the caller frees it. */
char *xpath_text(xmlXPathContextPtr context, const char *expression);
/* Whether an expression is true. */
bool xpath_is_true(xmlXPathContextPtr context, const char *expression);

#endif
