/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables aligned by what a terminal shows, whatever names are made of. */
#include "base/buf.h"
#include "base/str.h"
#include "output.h"

#include <limits.h>
#include <wchar.h>

#define PIECE 65536 /* bytes written at once; a terminal would be given each line on its own */

/* Where a cell ends in the table's text, and the columns of a terminal that it takes. */
struct table_cell {
	size_t end;
	size_t width;
};

/* Invisible characters that turn the order of text around, or hide in it. */
static bool is_deceptive(wchar_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* Appends the character that text begins with, or an escape for it; its length in text. */
static size_t append_character(struct printbuf *out, const char *text, size_t *width)
{
	mbstate_t state = {0};
	wchar_t c = 0;
	size_t len = mbrtowc(&c, text, strnlen(text, MB_LEN_MAX), &state);
	int columns = wcwidth(c), before = out->bpos;

	if (len == (size_t)-1 || len == (size_t)-2) {
		buf_format(out, "\\x%02x", (unsigned char)*text);
		len = 1;
	} else if (c == '\n' || c == '\t' || c == '\r') {
		buf_format(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	} else if (columns < 0 || is_deceptive(c)) {
		buf_format(out, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
	} else {
		buf_append(out, text, len);
		*width += (size_t)columns;
		return len;
	}
	*width += (size_t)(out->bpos - before);
	return len;
}

/* Appends text as text_escape() has it; the columns of a terminal that it takes. */
static size_t append_escaped(struct printbuf *out, const char *text)
{
	size_t width = 0;

	while (*text) {
		const char *start = text;

		/* Nearly all is ASCII, for which the C library takes ten times as long. */
		while (*text >= ' ' && *text <= '~')
			text++;
		buf_append(out, start, (size_t)(text - start));
		width += (size_t)(text - start);
		if (*text)
			text += append_character(out, text, &width);
	}
	return width;
}

char *text_escape(const char *text)
{
	struct printbuf *out = buf_new();

	append_escaped(out, text);
	return buf_steal(out);
}

void table_add(struct table *table, const char *text)
{
	/* Grown by powers of two: a list has tens of thousands of cells. */
	if ((table->n_cells & (table->n_cells - 1)) == 0)
		table->cells = xreallocarray(table->cells, table->n_cells ? table->n_cells * 2 : 1,
			sizeof(*table->cells));
	if (!table->text)
		table->text = buf_new();
	struct table_cell *cell = &table->cells[table->n_cells++];

	cell->width = append_escaped(table->text, text);
	cell->end = (size_t)table->text->bpos;
}

static void append_blanks(struct printbuf *out, size_t count)
{
	if (printbuf_memset(out, -1, ' ', (int)count) < 0)
		mem_check(NULL);
}

static void write_out(struct printbuf *text, FILE *out)
{
	fwrite(text->buf, 1, (size_t)text->bpos, out);
	printbuf_reset(text);
}

void table_print(const struct table *table, FILE *out)
{
	cleanup_free size_t *widths = xcalloc(table->columns, sizeof(*widths));
	cleanup_buf struct printbuf *text = buf_new();
	size_t at = 0;

	for (size_t i = 0; i < table->n_cells; i++)
		if (table->cells[i].width > widths[i % table->columns])
			widths[i % table->columns] = table->cells[i].width;
	for (size_t i = 0; i < table->n_cells; i++) {
		const struct table_cell *cell = &table->cells[i];
		size_t column = i % table->columns;

		buf_append(text, table->text->buf + at, cell->end - at);
		at = cell->end;
		if (column == table->columns - 1)
			buf_text(text, "\n");
		else
			append_blanks(text, widths[column] - cell->width + 2);
		if (text->bpos >= PIECE)
			write_out(text, out);
	}
	write_out(text, out);
}

void table_clear(struct table *table)
{
	buf_free(table->text);
	free(table->cells);
}
