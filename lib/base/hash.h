/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 and what is made of it (FIPS 180-4, RFC 2104), by OpenSSL. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_HEX_SIZE 65 /* of 32 bytes, with its NUL */

/* Lower-case hex of the SHA-256 of len bytes. */
void hash_sha256_hex(const void *data, size_t len, char hex[static HASH_HEX_SIZE]);

/* A key of HMAC-SHA-256, made ready once for many texts; any thread may use it. */
struct hash_key;

/* Copies the key. */
struct hash_key *hash_key_new(const void *key, size_t len);
/* Clears it. NULL is fine. */
void hash_key_free(struct hash_key *key);
/* Lower-case hex of the HMAC-SHA-256 of len bytes. */
void hash_hmac_hex(
	const struct hash_key *key, const void *data, size_t len, char hex[static HASH_HEX_SIZE]);

/* len bytes as 2 * len lower-case hex digits and a NUL. */
void hash_to_hex(const unsigned char *data, size_t len, char *hex);

/* True when both texts have the same bytes; takes as long wherever they differ. */
bool hash_equal(const char *a, const char *b);

#endif
