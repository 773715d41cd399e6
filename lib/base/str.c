/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small string helpers. */
#include "base/str.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

bool str_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
	size_t len = strlen(text), want = strlen(suffix);

	return len >= want && strcmp(text + len - want, suffix) == 0;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size) {
		if (size)
			dst[0] = '\0';
		return false;
	}
	memcpy(dst, src, len + 1);
	return true;
}

/* Length of the well-formed sequence at c, 0 when there is none (RFC 3629). */
static size_t utf8_sequence(const unsigned char *c)
{
	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	size_t len = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
	unsigned char low = 0x80, high = 0xbf;

	if (c[0] == 0xe0)
		low = 0xa0;
	else if (c[0] == 0xed)
		high = 0x9f;
	else if (c[0] == 0xf0)
		low = 0x90;
	else if (c[0] == 0xf4)
		high = 0x8f;
	if (c[1] < low || c[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool str_is_utf8(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	while (*c) {
		size_t len = utf8_sequence(c);

		if (!len)
			return false;
		c += len;
	}
	return true;
}

bool str_has_control(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			return true;
	return false;
}

bool str_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
	const char *digits = *text == '-' ? text + 1 : text;
	char *end;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (errno || *end || number < min || number > max)
		return false;
	*value = number;
	return true;
}

bool str_parse_bool(const char *text, bool *value)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int truth = 0; truth < 2; truth++) {
			if (str_equal(text, words[i][truth])) {
				*value = truth;
				return true;
			}
		}
	}
	return false;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned low = a < b ? a : b;

	return low < c ? low : c;
}

/* Levenshtein distance, one row at a time. */
unsigned str_edit_distance(const char *a, const char *b)
{
	unsigned row[65];
	size_t len = strlen(b);

	if (strlen(a) > 64 || len > 64)
		return 255;
	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

void str_nearest_try(struct str_nearest *nearest, const char *candidate)
{
	size_t len = strlen(nearest->word);
	unsigned distance = str_edit_distance(nearest->word, candidate);

	if (len > 1 && str_starts_with(candidate, nearest->word))
		distance = 1;
	if (distance * 2 > len || (nearest->best && distance >= nearest->distance))
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}

void str_md5_hex(const void *data, size_t len, char hex[static 33])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	unsigned size = 0;

	/* MD5 is the wire format here, never a protection. */
	if (!EVP_Digest(data, len, digest, &size, EVP_md5(), NULL) || size != 16) {
		fputs("virtx: OpenSSL has no MD5 (FIPS mode?), but lease names are made of it\n",
			stderr);
		abort();
	}
	for (unsigned i = 0; i < 16; i++)
		snprintf(hex + i * 2, 3, "%02x", digest[i]);
}
