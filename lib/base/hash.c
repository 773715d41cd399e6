/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 and HMAC: see hash.h. */
#include "base/hash.h"

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <string.h>

#define DIGEST_SIZE 32

/* OpenSSL takes as long to set up an HMAC as to make it: the copy of one that is set up is faster.
 */
struct hash_key {
	EVP_MAC *mac;
	EVP_MAC_CTX *ready;
};

void hash_to_hex(const unsigned char *data, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*hex++ = digits[data[i] >> 4];
		*hex++ = digits[data[i] & 15];
	}
	*hex = '\0';
}

/* OpenSSL has what is needed here in every mode; what may fail is memory. */
static void must(int result)
{
	if (result != 1)
		mem_check(NULL);
}

void hash_sha256_hex(const void *data, size_t len, char hex[static HASH_HEX_SIZE])
{
	unsigned char digest[DIGEST_SIZE];

	mem_check(SHA256(data, len, digest));
	hash_to_hex(digest, sizeof(digest), hex);
}

struct hash_key *hash_key_new(const void *key, size_t len)
{
	struct hash_key *made = xcalloc(1, sizeof(*made));
	const OSSL_PARAM digest[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	made->mac = mem_check(EVP_MAC_fetch(NULL, "HMAC", NULL));
	made->ready = mem_check(EVP_MAC_CTX_new(made->mac));
	must(EVP_MAC_init(made->ready, key, len, digest));
	return made;
}

void hash_key_free(struct hash_key *key)
{
	if (!key)
		return;
	EVP_MAC_CTX_free(key->ready);
	EVP_MAC_free(key->mac);
	free(key);
}

void hash_hmac_hex(
	const struct hash_key *key, const void *data, size_t len, char hex[static HASH_HEX_SIZE])
{
	EVP_MAC_CTX *context = mem_check(EVP_MAC_CTX_dup(key->ready));
	unsigned char digest[DIGEST_SIZE];
	size_t made;

	must(EVP_MAC_update(context, data, len));
	must(EVP_MAC_final(context, digest, &made, sizeof(digest)));
	EVP_MAC_CTX_free(context);
	hash_to_hex(digest, sizeof(digest), hex);
}

bool hash_equal(const char *a, const char *b)
{
	size_t len = strlen(a);

	return strlen(b) == len && CRYPTO_memcmp(a, b, len) == 0;
}
