/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML: the golden files, the options of the writer, and reading what was written. */
#include "model/domain_xml_parts.h"
#include "model/json.h"

/* cmocka wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#define VM_UUID "11111111-2222-4333-8444-555555555555"
#define GOLDEN  "tests/golden/vmdef/"

static char *read_golden(const char *name, const char *suffix)
{
	cleanup_free char *path = xasprintf("%s%s%s", GOLDEN, name, suffix);
	cleanup_fclose FILE *file = fopen(path, "r");
	char *text = xmalloc(DOMAIN_XML_MAX);

	if (!file)
		fail_msg("cannot open %s", path);
	text[fread(text, 1, DOMAIN_XML_MAX - 1, file)] = '\0';
	return text;
}

static void load_definition(const char *name, struct vmdef *def)
{
	cleanup_free char *text = read_golden(name, ".json");
	cleanup_json struct json_object *json = NULL;
	struct error err = {0};

	if (json_parse(text, strlen(text), &json, &err) < 0 ||
		vmdef_from_json(json, def, &err) < 0 ||
		vmdef_validate(def, &(struct vmdef_rules){.vms_dir = "/vms"}, &err) < 0)
		fail_msg("%s: %s", name, err.message);
}

static char *write_or_fail(const struct vmdef *def, const struct domain_xml_options *options)
{
	struct error err = {0};
	char *xml = domain_xml_write(def, options, &err);

	if (!xml)
		fail_msg("%s", err.message);
	return xml;
}

static bool same_namespace(const xmlNode *a, const xmlNode *b)
{
	return xmlStrEqual(a->ns ? a->ns->href : NULL, b->ns ? b->ns->href : NULL);
}

static void assert_attributes(const xmlNode *a, const xmlNode *b, const char *path)
{
	for (const xmlAttr *attr = a->properties; attr; attr = attr->next) {
		const char *name = (const char *)attr->name;

		if (!xml_attr_is(b, name, xml_attr(a, name)))
			fail_msg("%s: attribute %s: %s and %s", path, name, xml_attr(a, name),
				xml_attr(b, name) ? xml_attr(b, name) : "missing");
	}
}

/* Elements in order, attributes as a set, text without the blanks around it. */
static void assert_tree(const xmlNode *a, const xmlNode *b, const char *above)
{
	if (!a || !b)
		fail_msg("below %s: %s has no match", above,
			a ? (const char *)a->name : (const char *)b->name);
	cleanup_free char *path = xasprintf("%s/%s", above, (const char *)a->name);

	if (!xml_is(b, (const char *)a->name) || !same_namespace(a, b))
		fail_msg("%s: found %s", path, (const char *)b->name);
	assert_attributes(a, b, path);
	assert_attributes(b, a, path);

	const xmlNode *child_a = xml_child(a, NULL), *child_b = xml_child(b, NULL);

	if (!child_a && !child_b) {
		cleanup_free char *text_a = xml_text(a, true);
		cleanup_free char *text_b = xml_text(b, true);

		assert_string_equal(text_a, text_b);
	}
	while (child_a || child_b) {
		assert_tree(child_a, child_b, path);
		child_a = xml_next(child_a, NULL);
		child_b = xml_next(child_b, NULL);
	}
}

static void assert_same_xml(const char *a, const char *b)
{
	struct error err = {0};
	cleanup_xml xmlDoc *doc_a = xml_parse(a, strlen(a), &err);
	cleanup_xml xmlDoc *doc_b = xml_parse(b, strlen(b), &err);

	if (!doc_a || !doc_b)
		fail_msg("%s", err.message);
	assert_tree(xmlDocGetRootElement(doc_a), xmlDocGetRootElement(doc_b), "");
}

/* Calls check with the name of every golden file that has XML. */
static void for_each_golden(void (*check)(const char *name))
{
	glob_t found;

	assert_int_equal(glob(GOLDEN "*.xml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 7);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *file = strrchr(found.gl_pathv[i], '/') + 1;
		cleanup_free char *name = xstrndup(file, strlen(file) - strlen(".xml"));

		check(name);
	}
	globfree(&found);
}

static void check_golden_written(const char *name)
{
	cleanup_free char *golden = read_golden(name, ".xml");
	cleanup_vmdef struct vmdef def = {0};
	struct domain_xml_options options;

	load_definition(name, &def);
	domain_xml_options_init(&options, VM_UUID);
	cleanup_free char *xml = write_or_fail(&def, &options);

	print_message("# %s\n", name);
	assert_same_xml(golden, xml);
}

static void test_golden_written(void **state)
{
	(void)state;
	for_each_golden(check_golden_written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
