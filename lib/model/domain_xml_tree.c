/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little of libxml2 that domain XML needs. Manual:
 * https://gnome.pages.gitlab.gnome.org/libxml2/ */
#include "model/domain_xml_tree.h"

#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <limits.h>

/* Nothing that we read has a document type; stopping at one means that no entity is ever declared.
 */
static void refuse_doctype(
	void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system_id)
{
	xmlParserCtxt *parser = context;

	(void)name;
	(void)external;
	(void)system_id;
	parser->wellFormed = 0; /* stopping alone would give back what was read so far */
	xmlStopParser(parser);
}

static void set_parse_error(const xmlParserCtxt *context, struct error *err)
{
	const char *message = context->lastError.message;

	/* It quotes the document, so it may be anything. */
	if (message && str_is_utf8(message)) {
		cleanup_free char *line = xstrdup(message);

		for (char *at = line; (at = strchr(at, '\n'));)
			*at = at[1] ? ' ' : '\0';
		error_set(err, ERR_STORED_DATA, "line %d: %s", context->lastError.line, line);
	} else {
		error_set(err, ERR_STORED_DATA, "it has a document type or is damaged");
	}
	error_prefix(err, "not readable as XML");
}

xmlDoc *xml_parse(const char *text, size_t len, struct error *err)
{
	if (len == 0 || len > INT_MAX || memchr(text, '\0', len)) {
		error_set(err, ERR_STORED_DATA, "not readable as XML: empty, too long or binary");
		return NULL;
	}
	xmlParserCtxt *context = mem_check(xmlNewParserCtxt());

	context->sax->internalSubset = refuse_doctype;
	xmlDoc *doc = xmlCtxtReadMemory(context, text, (int)len, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
			XML_PARSE_NOBLANKS);

	if (!doc)
		set_parse_error(context, err);
	xmlFreeParserCtxt(context);
	return doc;
}

bool xml_can_hold(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	int left = (int)strnlen(text, INT_MAX);

	while (left > 0) {
		int len = left > 4 ? 4 : left;
		int c = xmlGetUTF8Char(at, &len);

		if (c < 0 || !xmlIsCharQ((unsigned)c))
			return false;
		at += len;
		left -= len;
	}
	return str_is_utf8(text);
}

bool xml_is(const xmlNode *node, const char *name)
{
	return node && node->type == XML_ELEMENT_NODE &&
	       (!name || str_equal((const char *)node->name, name));
}

static xmlNode *first_match(xmlNode *node, const char *name)
{
	while (node && !xml_is(node, name))
		node = node->next;
	return node;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
	return parent ? first_match(parent->children, name) : NULL;
}

xmlNode *xml_next(const xmlNode *node, const char *name)
{
	return node ? first_match(node->next, name) : NULL;
}

xmlNode *xml_child_ns(const xmlNode *parent, const char *uri)
{
	xmlNode *node = xml_child(parent, NULL);

	while (node &&
		!(node->ns && node->ns->href && str_equal((const char *)node->ns->href, uri)))
		node = xml_next(node, NULL);
	return node;
}

const char *xml_attr(const xmlNode *node, const char *name)
{
	const xmlAttr *attr = node ? node->properties : NULL;

	while (attr && !str_equal((const char *)attr->name, name))
		attr = attr->next;
	if (!attr)
		return NULL;
	/* Without entities a value is one text node, or none when it is empty. */
	if (!attr->children || !attr->children->content)
		return "";
	return (const char *)attr->children->content;
}

bool xml_attr_is(const xmlNode *node, const char *name, const char *value)
{
	const char *found = xml_attr(node, name);

	return found && str_equal(found, value);
}

int64_t xml_attr_int(const xmlNode *node, const char *name, int64_t max, int64_t fallback)
{
	const char *text = xml_attr(node, name);
	int64_t value;

	return text && str_parse_int(text, 0, max, &value) ? value : fallback;
}

char *xml_text(const xmlNode *node, bool trim)
{
	if (!node)
		return xstrdup("");
	xmlChar *content = mem_check(xmlNodeGetContent(node));
	const char *start = (const char *)content;
	size_t len = strlen(start);

	while (trim && len && isspace((unsigned char)*start)) {
		start++;
		len--;
	}
	while (trim && len && isspace((unsigned char)start[len - 1]))
		len--;
	char *text = xstrndup(start, len);

	xmlFree(content);
	return text;
}

xmlDoc *xml_new(const char *root)
{
	xmlDoc *doc = mem_check(xmlNewDoc(BAD_CAST "1.0"));

	xmlDocSetRootElement(doc, mem_check(xmlNewDocNode(doc, NULL, BAD_CAST root, NULL)));
	return doc;
}

xmlNode *xml_add(xmlNode *parent, const char *name, const char *text)
{
	return mem_check(xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST text));
}

xmlNode *xml_add_ns(xmlNode *parent, const char *name, const char *uri, const char *text)
{
	xmlNode *node = xml_add(parent, name, text);

	xmlSetNs(node, mem_check(xmlNewNs(node, BAD_CAST uri, NULL)));
	return node;
}

void xml_set(xmlNode *node, const char *name, const char *value)
{
	mem_check(xmlSetProp(node, BAD_CAST name, BAD_CAST value));
}

void xml_set_int(xmlNode *node, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, value);
	xml_set(node, name, text);
}

void xml_remove(xmlNode *node)
{
	if (!node)
		return;
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

xmlNode *xml_copy(const xmlNode *node, xmlDoc *doc)
{
	/* libxml2 takes no const here but only reads. */
	return mem_check(xmlDocCopyNode((xmlNode *)(uintptr_t)node, doc, 1));
}

char *xml_print(xmlNode *node)
{
	xmlBuffer *buffer = mem_check(xmlBufferCreate());

	xmlNodeDump(buffer, node->doc, node, 0, 1);
	char *text = xstrdup((const char *)xmlBufferContent(buffer));

	xmlBufferFree(buffer);
	return text;
}
