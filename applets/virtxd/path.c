/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte for byte, but for {id}. Every request goes through the whole table, so this is kept short.
 */
#include "path.h"

#include "base/str.h"
#include "http/message.h"

/* The path of "http://host/path" too, which HTTP allows as target. */
static const char *skip_authority(const char *target)
{
	const char *authority = *target == '/' ? NULL : strstr(target, "://");

	return authority ? authority + 3 + strcspn(authority + 3, "/?") : target;
}

static bool copy_segment(char id[static PATH_ID_SIZE], const char *segment, size_t len)
{
	if (!len || len >= PATH_ID_SIZE)
		return false;
	memcpy(id, segment, len);
	id[len] = '\0';
	return http_percent_decode(id) && !strchr(id, '/') && str_is_utf8(id);
}

bool path_match(const char *route, const char *target, char id[static PATH_ID_SIZE])
{
	const char *path = skip_authority(target);

	id[0] = '\0';
	while (*route) {
		if (*route == '{') {
			size_t len = strcspn(path, "/?");

			if (!copy_segment(id, path, len))
				return false;
			route += strlen("{id}");
			path += len;
		} else if (*route++ != *path++) {
			return false;
		}
	}
	return !*path || *path == '?';
}
