/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little of libxml2 that domain XML needs: parsing what may be hostile,
 * walking it without allocating, and building trees. Internal to domain_xml_*.c.
 * Elements are matched by local name; a NULL node is an element without anything in it, so
 * that lookups chain: xml_attr(xml_child(xml_child(domain, "os"), "type"), "machine").
 */
#ifndef MODEL_DOMAIN_XML_TREE_H
#define MODEL_DOMAIN_XML_TREE_H

#include "base/error.h"
#include "base/mem.h"

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

#define cleanup_xml CLEANUP(xml_cleanup)

static inline void xml_cleanup(xmlDoc **doc)
{
	xmlFreeDoc(*doc);
}

/*
 * Parses one document of len bytes: UTF-8, no document type (so no entities),
 * no network, libxml2's bounds on depth and size. The caller frees it with
 * xmlFreeDoc; NULL with ERR_STORED_DATA and the parser's words.
 */
xmlDoc *xml_parse(const char *text, size_t len, struct error *err);

/* True when XML can hold the text: UTF-8 without control characters but tab and line ends. */
bool xml_can_hold(const char *text);

/* The first child element of that name, or any when name is NULL. NULL when there is none. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
/* The next sibling element of that name, or any when name is NULL. */
xmlNode *xml_next(const xmlNode *node, const char *name);
/* The first child element in a namespace. */
xmlNode *xml_child_ns(const xmlNode *parent, const char *uri);
bool xml_is(const xmlNode *node, const char *name);

/* An attribute's value, borrowed; NULL when it is missing. */
const char *xml_attr(const xmlNode *node, const char *name);
/* True when the attribute is there with that value. */
bool xml_attr_is(const xmlNode *node, const char *name, const char *value);
/* A decimal attribute within [0, max], otherwise fallback. */
int64_t xml_attr_int(const xmlNode *node, const char *name, int64_t max, int64_t fallback);
/* The text in an element, without the blanks around it when trim; the caller frees it, never NULL.
 */
char *xml_text(const xmlNode *node, bool trim);

/* A document with an empty root element. The caller frees it. */
xmlDoc *xml_new(const char *root);
/* Adds an element behind the parent's children; its text (NULL: none) is escaped. Borrowed. */
xmlNode *xml_add(xmlNode *parent, const char *name, const char *text);
/* The same with a default namespace of its own. */
xmlNode *xml_add_ns(xmlNode *parent, const char *name, const char *uri, const char *text);
void xml_set(xmlNode *node, const char *name, const char *value);
void xml_set_int(xmlNode *node, const char *name, int64_t value);

/* Takes a node out of its tree and frees it. */
void xml_remove(xmlNode *node);
/* A deep copy of node for another document; the caller links or frees it. */
xmlNode *xml_copy(const xmlNode *node, xmlDoc *doc);

/* The text of a node with all below it, indented; the caller frees it. */
char *xml_print(xmlNode *node);

#endif
