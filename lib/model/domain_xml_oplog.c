/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operation log in the metadata of a domain: one element per kind (spec: domain-xml.md, oplog).
 */
#include "base/str.h"
#include "model/domain_xml_parts.h"

#include <inttypes.h>

void domain_xml_oplog_uri(enum oplog_op op, char uri[static 40])
{
	snprintf(uri, 40, "%s%s", NS_OPLOG_START, oplog_op_name(op));
}

static void add_time(xmlNode *parent, const char *name, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, ms);
	xml_add(parent, name, text);
}

static void fill_entry(xmlNode *node, enum oplog_op op, const struct oplog_entry *entry)
{
	const char *message = entry->message ? entry->message : "";

	xml_add(node, "op", oplog_op_name(op));
	add_time(node, "ts", entry->start_ms);
	add_time(node, "te", entry->end_ms);
	xml_add(node, "status", oplog_status_name(entry->status));
	/* Words of other programs; a log entry without them is better than none. */
	xml_add(node, "msg", xml_can_hold(message) ? message : "(message is not text)");
}

/* Without the namespace: libvirt puts it in. */
char *domain_xml_oplog_element(enum oplog_op op, const struct oplog_entry *entry)
{
	cleanup_xml xmlDoc *doc = xml_new("data-op");

	fill_entry(xmlDocGetRootElement(doc), op, entry);
	return xml_print(xmlDocGetRootElement(doc));
}

void domain_xml_add_oplog(xmlNode *metadata, const struct oplog_entry *oplog)
{
	for (int op = 0; op < OPLOG_COUNT; op++) {
		char uri[40];

		if (!oplog[op].present)
			continue;
		domain_xml_oplog_uri((enum oplog_op)op, uri);
		fill_entry(
			xml_add_ns(metadata, "data-op", uri, NULL), (enum oplog_op)op, &oplog[op]);
	}
}

static bool read_time(xmlNode *node, const char *name, int64_t *ms)
{
	cleanup_free char *text = xml_text(xml_child(node, name), true);

	return str_parse_int(text, 0, INT64_MAX, ms);
}

void domain_xml_read_oplog(xmlNode *metadata, struct oplog_entry *oplog)
{
	for (int op = 0; op < OPLOG_COUNT; op++) {
		struct oplog_entry entry = {.present = true};
		char uri[40];

		domain_xml_oplog_uri((enum oplog_op)op, uri);
		xmlNode *node = xml_child_ns(metadata, uri);
		cleanup_free char *status = xml_text(xml_child(node, "status"), true);

		/* An entry that cannot be understood is left out, the others count. */
		if (!node || !read_time(node, "ts", &entry.start_ms) ||
			!read_time(node, "te", &entry.end_ms) ||
			!oplog_status_parse(status, &entry.status))
			continue;
		entry.message = xml_text(xml_child(node, "msg"), false);
		oplog[op] = entry;
	}
}
