/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openapi.yaml and the route table name the same methods of the same paths; the embedded copy is
 * the file. */
#include "applets/virtxd/openapi.h"
#include "applets/virtxd/routes.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text in order. The caller frees it. */
static char *sorted(char *text)
{
	struct printbuf *out = buf_new();
	char *lines[256];
	size_t count = 0;

	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (*line && count < 256)
			lines[count++] = line;
	qsort(lines, count, sizeof(lines[0]), compare);
	for (size_t i = 0; i < count; i++)
		buf_format(out, "%s\n", lines[i]);
	return buf_steal(out);
}

/* "GET /vms" for every operation: the document is written with two blanks a level. */
static char *document_operations(char *document)
{
	struct printbuf *found = buf_new();
	const char *path = NULL;

	for (char *rest = document, *line; (line = strsep(&rest, "\n"));) {
		size_t len = strlen(line);

		if (str_equal(line, "components:"))
			break;
		if (str_starts_with(line, "  /") && line[len - 1] == ':') {
			line[len - 1] = '\0';
			path = line + 2;
		} else if (path && str_starts_with(line, "    ") && islower(line[4]) &&
			   line[len - 1] == ':' && !strchr(line, '_')) {
			line[len - 1] = '\0';
			for (char *c = line + 4; *c; c++)
				*c = (char)toupper(*c);
			buf_format(found, "%s %s\n", line + 4, path);
		}
	}
	return buf_steal(found);
}

static void test_document_and_table_agree(void **state)
{
	struct error err = {0};
	cleanup_free char *document = file_read("openapi.yaml", 1 << 20, NULL, &err);
	struct printbuf *table = buf_new();

	(void)state;
	assert_non_null(document);
	for (const struct route *route = routes; route->method; route++)
		buf_format(table, "%s %s\n", route->method, route->path);
	cleanup_free char *in_table = buf_steal(table);
	cleanup_free char *in_document = document_operations(document);
	cleanup_free char *table_sorted = sorted(in_table);
	cleanup_free char *document_sorted = sorted(in_document);
	assert_string_equal(document_sorted, table_sorted);
}

static void test_embedded_copy_is_the_file(void **state)
{
	struct error err = {0};
	size_t len = 0;
	cleanup_free char *document = file_read("openapi.yaml", 1 << 20, &len, &err);

	(void)state;
	assert_non_null(document);
	assert_int_equal(openapi_yaml_len, len);
	assert_memory_equal(openapi_yaml, document, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document_and_table_agree),
		cmocka_unit_test(test_embedded_copy_is_the_file),
	};

	return cmocka_run_group_tests_name("openapi", tests, NULL, NULL);
}
