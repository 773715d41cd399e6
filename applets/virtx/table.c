/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables aligned by what a terminal shows, whatever names are made of. */
#include "base/buf.h"
#include "base/str.h"
#include "output.h"

#include <wchar.h>

static bool is_ascii(char c)
{
	return ((unsigned char)c & 0x80) == 0;
}

/* Reads one character of UTF-8; its length, 0 when it is malformed. Nearly all are ASCII, for which
 * the C library takes ten times as long. */
static size_t decode(const char *text, wchar_t *character)
{
	mbstate_t state = {0};

	if (is_ascii(*text)) {
		*character = *text;
		return 1;
	}
	size_t len = mbrtowc(character, text, strlen(text), &state);
	return len == (size_t)-1 || len == (size_t)-2 ? 0 : len;
}

/* Columns of a terminal; negative for what cannot be shown. */
static int columns_of(wchar_t c)
{
	return c >= ' ' && c <= '~' ? 1 : wcwidth(c);
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
		else if (columns_of(c) < 0 || is_deceptive(c))
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
		int columns = len ? columns_of(c) : 1;

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

static void append_blanks(struct printbuf *out, size_t count)
{
	if (printbuf_memset(out, -1, ' ', (int)count) < 0)
		mem_check(NULL);
}

/* Written at once: a terminal would be given each line on its own. */
void table_print(struct table *table, FILE *out)
{
	cleanup_free size_t *widths = xcalloc(table->columns, sizeof(*widths));
	cleanup_buf struct printbuf *text = buf_new();

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = text_width(table->cells[i]);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->columns;

		buf_text(text, table->cells[i]);
		if (column == table->columns - 1)
			buf_text(text, "\n");
		else
			append_blanks(text, widths[column] - text_width(table->cells[i]) + 2);
		free(table->cells[i]);
	}
	fwrite(text->buf, 1, (size_t)text->bpos, out);
	free(table->cells);
	*table = (struct table){.columns = table->columns};
}
