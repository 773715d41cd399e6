/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console vm: what the guest wrote to its serial console. */
#include "base/str.h"
#include "command.h"
#include "wait.h"

#include <inttypes.h>
#include <unistd.h>

/* The length of a sequence that sets colours ("\033[1;32m"); 0 when the text starts with none. */
static size_t colour_length(const char *text)
{
	if (!str_starts_with(text, "\033["))
		return 0;
	size_t len = 2 + strspn(text + 2, "0123456789;");

	return text[len] == 'm' ? len + 1 : 0;
}

/* A guest could write what makes a terminal do things: only text and colours get there as they
 * are. */
static void print_on_terminal(const char *text, size_t len, FILE *out)
{
	const char *end = text + len;

	while (text < end) {
		size_t plain = strcspn(text, "\n\r\t\b\033"), colour = colour_length(text + plain);
		cleanup_free char *piece = xstrndup(text, plain);
		cleanup_free char *safe = text_escape(piece);

		text += plain;
		fputs(safe, out);
		if (colour)
			fwrite(text, 1, colour, out);
		else if (*text == '\033')
			fputs("\\x1b", out);
		else if (*text)
			putc(*text, out);
		text += colour ? colour : 1;
	}
}

/* Prints what there is behind *offset and moves it on; *more says whether there was anything. */
static int print_piece(
	struct client *client, const char *id, int64_t *offset, bool *more, struct error *err)
{
	cleanup_exchange struct http_exchange exchange = {.method = "GET"};
	cleanup_free char *suffix = xasprintf("/console?offset=%" PRId64, *offset);
	const char *next;
	int64_t before = *offset;

	if (client_exchange_id(client, THING_VM, id, suffix, &exchange, NULL, err) < 0)
		return -1;
	next = http_exchange_header(&exchange, "X-VirtX-Offset");
	*more = exchange.response_len > 0;
	if (!next || !str_parse_int(next, 0, INT64_MAX, offset) || (*more && *offset == before))
		return error_set(
			err, ERR_FORWARD, "the server does not say how its console goes on");
	if (isatty(fileno(client->out)) == 1)
		print_on_terminal(exchange.response, exchange.response_len, client->out);
	else
		fwrite(exchange.response, 1, exchange.response_len, client->out);
	if (ferror(client->out) || fflush(client->out) != 0)
		return error_set(err, ERR_STORAGE, "cannot write the output: %m");
	return 0;
}

static int run(struct client *client, struct error *err)
{
	const char *id = client->options.operands[0];
	bool follow = option_count(&client->options, "follow") > 0;
	struct wait wait = {.client = client};
	int64_t offset = 0;

	for (;;) {
		bool more = false;

		if (print_piece(client, id, &offset, &more, err) < 0)
			return -1;
		if (more)
			wait.polls = 0;
		else if (!follow)
			return 0;
		else
			wait_pause(&wait, id, err);
	}
}

static const struct option_row options[] = {
	{'f', "follow", NULL, "go on with what the guest writes, until interrupted", 0},
	{0, NULL, NULL, NULL, 0},
};

const struct command console_vm_command = {
	.name = "console vm",
	.operands = "ID",
	.summary = "Print what a guest wrote to its serial console",
	.details = "The text is kept over restarts of the VM. It is for reading only: for typing "
		   "there is VNC,\n"
		   "whose address virtx get vm ID -o yaml tells. On a terminal control characters "
		   "are shown as\n"
		   "text, but for colours.",
	.example = "virtx console vm web\n"
		   "virtx console vm web --follow",
	.options = options,
	.completes = {COMPLETE_VM, COMPLETE_NOTHING},
	.run = run,
};
