/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of domain XML share: golden definitions and comparing trees. */
#ifndef TESTS_DOMAIN_XML_FIXTURE_H
#define TESTS_DOMAIN_XML_FIXTURE_H

#include "base/str.h"
#include "model/domain_xml_parts.h"
#include "model/json.h"

/* cmocka wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define VM_UUID "11111111-2222-4333-8444-555555555555"
#define GOLDEN  "tests/golden/vmdef/"
#define CORPUS  "tests/fuzz/corpus/domain_xml/"

/* The caller frees it. */
static inline char *read_text(const char *folder, const char *name, const char *suffix)
{
	cleanup_free char *path = xasprintf("%s%s%s", folder, name, suffix);
	cleanup_fclose FILE *file = fopen(path, "r");
	char *text = xmalloc(DOMAIN_XML_MAX);

	if (!file)
		fail_msg("cannot open %s", path);
	text[fread(text, 1, DOMAIN_XML_MAX - 1, file)] = '\0';
	return text;
}

static inline void load_golden(const char *name, struct vmdef *def)
{
	cleanup_free char *text = read_text(GOLDEN, name, ".json");
	cleanup_json struct json_object *json = NULL;
	struct error err = {0};

	if (json_parse(text, strlen(text), &json, &err) < 0 ||
		vmdef_from_json(json, def, &err) < 0 ||
		vmdef_validate(def, &(struct vmdef_rules){.vms_dir = "/vms"}, &err) < 0)
		fail_msg("%s: %s", name, err.message);
}

/* The caller frees it. */
static inline char *write_or_fail(const struct vmdef *def, const struct domain_xml_options *options)
{
	struct error err = {0};
	char *xml = domain_xml_write(def, options, &err);

	if (!xml)
		fail_msg("%s", err.message);
	return xml;
}

static inline void read_or_fail(const char *xml, struct domain_reading *reading)
{
	struct error err = {0};

	if (domain_xml_read(xml, strlen(xml), "/vms", reading, &err) < 0)
		fail_msg("%s", err.message);
}

/* The caller frees it with xmlFreeDoc. */
static inline xmlDoc *parse_or_fail(const char *xml)
{
	struct error err = {0};
	xmlDoc *doc = xml_parse(xml, strlen(xml), &err);

	if (!doc)
		fail_msg("%s", err.message);
	return doc;
}

/* The text with the first from replaced by to, which must be there; the caller frees it. */
static inline char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	if (!at)
		fail_msg("no %s in %s", from, text);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static inline size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("%s in %s", part, text);
}

#endif
