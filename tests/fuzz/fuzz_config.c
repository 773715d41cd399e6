/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as a configuration file. What is refused must say where and why; what is
 * accepted must be the same after it was written out and read again.
 */
#include "base/buf.h"
#include "base/config.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
	char *text;
	char **list;
	bool flag;
	int64_t number;
	int level;
};

static const char *const levels[] = {"low", "middle", "high", NULL};

static const struct config_row rows[] = {
	{.key = "text",
		.kind = CONFIG_STRING,
		.offset = offsetof(struct sample, text),
		.fallback = ""},
	{.key = "list",
		.kind = CONFIG_LIST,
		.offset = offsetof(struct sample, list),
		.fallback = "a, b"},
	{.key = "flag",
		.kind = CONFIG_BOOL,
		.offset = offsetof(struct sample, flag),
		.fallback = "no"},
	{.key = "number",
		.kind = CONFIG_INT,
		.offset = offsetof(struct sample, number),
		.fallback = "1",
		.min = -5,
		.max = 1000},
	{.key = "some_level",
		.kind = CONFIG_ENUM,
		.offset = offsetof(struct sample, level),
		.fallback = "low",
		.choices = levels},
	{0},
};

static void must(bool truth)
{
	if (!truth)
		abort();
}

/* Every key as a line, without blanks, behind which "#" would start a comment. The caller frees it.
 */
static char *write_out(const struct sample *sample)
{
	struct printbuf *text = buf_new();

	for (const struct config_row *row = rows; row->key; row++) {
		cleanup_free char *value = config_get(row, sample);

		buf_format(text, "%s=%s\n", row->key, value);
	}
	return buf_steal(text);
}

static void must_survive(const struct sample *sample)
{
	cleanup_free char *text = write_out(sample);
	struct sample again;
	struct error err = {0};

	config_init(rows, &again);
	must(config_read_text(rows, &again, "again", text, strlen(text), &err) == 0);
	cleanup_free char *second = write_out(&again);

	must(str_equal(text, second));
	config_free(rows, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample sample, copy;
	struct error err = {0};

	config_init(rows, &sample);
	if (config_read_text(rows, &sample, "input", (const char *)data, size, &err) == 0) {
		must_survive(&sample);
	} else {
		must(err.code == ERR_INVALID && str_starts_with(err.message, "input:"));
		must(str_is_utf8(err.message) && str_is_utf8(err.hint));
	}
	config_copy(rows, &copy, &sample);
	config_free(rows, &sample);
	config_free(rows, &copy);
	return 0;
}
