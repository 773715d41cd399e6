/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UUID text, on libuuid. */
#include "base/uuid.h"

#include <string.h>
#include <uuid/uuid.h>

void uuid_make(char text[static UUID_TEXT_SIZE])
{
	uuid_t raw;

	uuid_generate_random(raw);
	uuid_unparse_lower(raw, text);
}

static bool parse(const char *text, uuid_t raw)
{
	return strlen(text) == UUID_TEXT_SIZE - 1 && uuid_parse(text, raw) == 0;
}

bool uuid_is_valid(const char *text)
{
	uuid_t raw;

	return parse(text, raw);
}

bool uuid_canonical(const char *text, char out[static UUID_TEXT_SIZE])
{
	uuid_t raw;

	out[0] = '\0';
	if (!parse(text, raw))
		return false;
	uuid_unparse_lower(raw, out);
	return true;
}
