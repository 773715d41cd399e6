/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 and HMAC: see hash.h. */
#include "base/hash.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#define DIGEST_SIZE 32

static void to_hex(const unsigned char *digest, char hex[static HASH_HEX_SIZE])
{
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void hash_sha256_hex(const void *data, size_t len, char hex[static HASH_HEX_SIZE])
{
	unsigned char digest[DIGEST_SIZE];

	/* OpenSSL has both in every mode; what may fail here is memory. */
	mem_check(SHA256(data, len, digest));
	to_hex(digest, hex);
}

void hash_hmac_hex(const void *key, size_t key_len, const void *data, size_t len,
	char hex[static HASH_HEX_SIZE])
{
	unsigned char digest[DIGEST_SIZE];

	mem_check(HMAC(EVP_sha256(), key, (int)key_len, data, len, digest, NULL));
	to_hex(digest, hex);
}

bool hash_equal(const char *a, const char *b)
{
	size_t len = strlen(a);

	return strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}
