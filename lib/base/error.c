/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error object and the one table of its codes. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	const char *title;
} codes[ERR_CODE_COUNT] = {
	[ERR_NONE] = {"none", "No error"},
	[ERR_INVALID] = {"invalid", "Invalid request"},
	[ERR_FORBIDDEN] = {"forbidden", "Forbidden"},
	[ERR_NOT_FOUND] = {"not-found", "Not found"},
	[ERR_METHOD] = {"method-not-allowed", "Method not allowed"},
	[ERR_BUSY] = {"busy", "Busy with another operation"},
	[ERR_AMBIGUOUS] = {"ambiguous", "Ambiguous name"},
	[ERR_EXISTS] = {"exists", "Exists already"},
	[ERR_CHANGED] = {"changed", "Changed meanwhile"},
	[ERR_TOO_LARGE] = {"too-large", "Too large"},
	[ERR_MEDIA_TYPE] = {"media-type", "Unsupported media type"},
	[ERR_STATE] = {"wrong-state", "Wrong state"},
	[ERR_CAPACITY] = {"capacity", "Not enough capacity"},
	[ERR_UNSUPPORTED] = {"unsupported", "Not supported by this host"},
	[ERR_HYPERVISOR] = {"hypervisor", "The hypervisor refused"},
	[ERR_REGISTER] = {"register", "Register failure"},
	[ERR_SEED] = {"seed", "Cloud-init seed failure"},
	[ERR_MIGRATION] = {"migration", "No such migration"},
	[ERR_STORED_DATA] = {"stored-data", "Stored data not understood"},
	[ERR_INTERNAL] = {"internal", "Internal error"},
	[ERR_NOT_IMPLEMENTED] = {"not-implemented", "Not implemented"},
	[ERR_FORWARD] = {"forward", "Forwarding failed"},
	[ERR_UNAVAILABLE] = {"unavailable", "Not available now"},
	[ERR_DRAINED] = {"drained", "Host is drained"},
	[ERR_CANCELLED] = {"cancelled", "Cancelled"},
	[ERR_TIMEOUT] = {"timeout", "Timed out"},
	[ERR_STORAGE] = {"storage", "Storage failure"},
	[ERR_LEASE] = {"lease", "Lease not available"},
	[ERR_LOOP] = {"loop", "Forwarding loop"},
	[ERR_CONNECT] = {"connect", "Cannot reach the server"},
	[ERR_USAGE] = {"usage", "Wrong usage"},
};

/* Cuts a string that filled its buffer back to a whole UTF-8 character. */
static void trim_utf8(char *text)
{
	size_t len = strlen(text);
	size_t start = len;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - (start - 1) < need)
		text[start - 1] = '\0';
}

__attribute__((format(printf, 3, 0))) static void format_into(
	char *buffer, size_t size, const char *format, va_list args)
{
	int len = vsnprintf(buffer, size, format, args);

	if (len < 0)
		buffer[0] = '\0';
	else if ((size_t)len >= size)
		trim_utf8(buffer);
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list args;

	if (error_is_set(err))
		return -1;
	err->code = code;
	va_start(args, format);
	format_into(err->message, sizeof(err->message), format, args);
	va_end(args);
	return -1;
}

int error_set_errno(
	struct error *err, enum error_code code, int errno_value, const char *format, ...)
{
	char message[sizeof(err->message)];
	char reason[128];
	va_list args;

	va_start(args, format);
	format_into(message, sizeof(message), format, args);
	va_end(args);
	return error_set(
		err, code, "%s: %s", message, strerror_r(errno_value, reason, sizeof(reason)));
}

int error_prefix(struct error *err, const char *format, ...)
{
	char old[sizeof(err->message)];
	char text[sizeof(err->message)];
	va_list args;

	if (!error_is_set(err))
		return -1;
	memcpy(old, err->message, sizeof(old));
	va_start(args, format);
	format_into(text, sizeof(text), format, args);
	va_end(args);
	if (snprintf(err->message, sizeof(err->message), "%s: %s", text, old) >=
		(int)sizeof(err->message))
		trim_utf8(err->message);
	return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	if (err->hint[0])
		return -1;
	va_start(args, format);
	format_into(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return -1;
}

const char *error_code_word(enum error_code code)
{
	return codes[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL].word;
}

enum error_code error_code_parse(const char *word)
{
	for (unsigned i = 0; i < ERR_CODE_COUNT; i++)
		if (strcmp(codes[i].word, word) == 0)
			return (enum error_code)i;
	return ERR_INTERNAL;
}

const char *error_code_title(enum error_code code)
{
	return codes[(unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL].title;
}
