/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XPath on libvirt's answers, with libxml2 told to load nothing and to print nothing. */
#include "hypervisor/xml.h"

#include <libxml/parser.h>
#include <string.h>

#define XML_MAX (16 * 1024 * 1024) /* capabilities of a large NUMA machine are below 1 MiB */

xmlXPathContextPtr xpath_open(const char *text, const char *what, struct error *err)
{
	size_t len = strlen(text);
	xmlXPathContextPtr context = NULL;
	xmlDocPtr document = NULL;

	if (len <= XML_MAX)
		document = xmlReadMemory(text, (int)len, NULL, NULL,
			XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (document)
		context = xmlXPathNewContext(document);
	if (!context) {
		xmlFreeDoc(document);
		error_set(err, ERR_HYPERVISOR, "%s of libvirt cannot be read as XML", what);
	}
	return context;
}

void xpath_close(xmlXPathContextPtr *context)
{
	if (!*context)
		return;
	xmlFreeDoc((*context)->doc);
	xmlXPathFreeContext(*context);
	*context = NULL;
}

char *xpath_text(xmlXPathContextPtr context, const char *expression)
{
	xmlXPathObjectPtr object = xmlXPathEvalExpression((const xmlChar *)expression, context);
	xmlChar *value = object ? xmlXPathCastToString(object) : NULL;
	char *text = xstrdup(value ? (const char *)value : "");

	xmlFree(value);
	xmlXPathFreeObject(object);
	return text;
}

bool xpath_is_true(xmlXPathContextPtr context, const char *expression)
{
	xmlXPathObjectPtr object = xmlXPathEvalExpression((const xmlChar *)expression, context);
	bool value = object && xmlXPathCastToBoolean(object);

	xmlXPathFreeObject(object);
	return value;
}
