/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small string helpers that libc lacks. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool str_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* NULL counts as "". */
static inline bool str_is_empty(const char *text)
{
	return !text || !*text;
}

bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);

/* Copies src with its NUL; false, and dst is "", when it does not fit in size bytes. */
bool str_copy(char *dst, size_t size, const char *src);

/* True for well-formed UTF-8 (no overlong forms, no surrogates). */
bool str_is_utf8(const char *text);
/* True when it holds a byte below 0x20 or 0x7f. */
bool str_has_control(const char *text);

/* A whole decimal number within [min, max] and nothing else; false otherwise. */
bool str_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);
/* "yes", "no", "true", "false", "on", "off", "1", "0"; false otherwise. */
bool str_parse_bool(const char *text, bool *value);

/* Number of single-character edits between two words, at most 255: for "did you mean". */
unsigned str_edit_distance(const char *a, const char *b);

/* Looks for the word that was meant: starts with only word set; best is NULL while nothing is near.
 */
struct str_nearest {
	const char *word;
	const char *best; /* one of the candidates, borrowed */
	unsigned distance;
};
/* Looks at one candidate: near is one that starts with the word or differs in at most half of it.
 */
void str_nearest_try(struct str_nearest *nearest, const char *candidate);

/* Lower-case hex MD5 of len bytes (names of leases and host ids come from it; not for secrets). */
void str_md5_hex(const void *data, size_t len, char hex[static 33]);

#endif
