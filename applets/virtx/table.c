/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables aligned by what a terminal shows, whatever names are made of. */
#include "base/buf.h"
#include "base/str.h"
#include "output.h"

#include <wchar.h>

/* Reads one character of UTF-8; its length, 0 when it is malformed. */
static size_t decode(const char *text, wchar_t *character)
{
	mbstate_t state = {0};
	size_t len = mbrtowc(character, text, strlen(text), &state);

	return len == (size_t)-1 || len == (size_t)-2 ? 0 : len;
}

/* Invisible characters that turn the order of text around, or hide in it. */
static bool is_deceptive(wchar_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

char *text_escape(const char *text)
{
	struct printbuf *out = buf_new();

	while (*text) {
		wchar_t c = 0;
		size_t len = decode(text, &c);

		if (!len) {
			buf_format(out, "\\x%02x", (unsigned char)*text++);
			continue;
		}
		if (c == '\n' || c == '\t' || c == '\r')
			buf_format(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else if (wcwidth(c) < 0 || is_deceptive(c))
			buf_format(out, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
		else
			buf_append(out, text, len);
		text += len;
	}
	return buf_steal(out);
}

size_t text_width(const char *text)
{
	size_t width = 0;

	while (*text) {
		wchar_t c = 0;
		size_t len = decode(text, &c);
		int columns = len ? wcwidth(c) : 1;

		width += columns > 0 ? (size_t)columns : 0;
		text += len ? len : 1;
	}
	return width;
}

void table_add(struct table *table, char *text)
{
	/* Grown by powers of two: a list has tens of thousands of cells. */
	if ((table->n_cells & (table->n_cells - 1)) == 0)
		table->cells = xreallocarray(table->cells, table->n_cells ? table->n_cells * 2 : 1,
			sizeof(*table->cells));
	table->cells[table->n_cells++] = text;
}

void table_print(struct table *table, FILE *out)
{
	cleanup_free size_t *widths = xcalloc(table->columns, sizeof(*widths));

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = text_width(table->cells[i]);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->columns;

		fputs(table->cells[i], out);
		if (column == table->columns - 1)
			putc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[column] - text_width(table->cells[i]) + 2),
				"");
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct table){.columns = table->columns};
}
