/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits from hashes: one for three bytes of a name, two for a whole text. */
#include "model/sieve.h"

#include "base/str.h"

#include <ctype.h>

/* Multiplied, the upper bits depend on all others. */
static uint64_t mix(uint64_t hash)
{
	return hash * 0x9e3779b97f4a7c15u;
}

static uint64_t one_bit(uint64_t hash)
{
	return UINT64_C(1) << (mix(hash) >> 58);
}

static uint64_t two_bits(uint64_t hash)
{
	return one_bit(hash) | one_bit(mix(hash) >> 32);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = mix(hash ^ (unsigned char)*text) >> 7;
	return hash;
}

static uint64_t of_name(const char *name)
{
	const unsigned char *c = (const unsigned char *)name;
	uint64_t sieve = 0;

	if (str_is_empty(name))
		return 0;
	for (; c[1] && c[2]; c++)
		sieve |= one_bit((uint64_t)c[0] << 16 | (uint64_t)c[1] << 8 | c[2]);
	return sieve;
}

static uint64_t of_custom(const char *name, const char *value)
{
	return two_bits(hash_text(hash_text(1, name) + 1, value ? value : ""));
}

/* Case does not count in UUIDs. */
static uint64_t of_host(const char *uuid)
{
	uint64_t hash = 2;

	for (; *uuid; uuid++)
		hash = mix(hash ^ (uint64_t)tolower((unsigned char)*uuid)) >> 7;
	return two_bits(hash);
}

uint64_t sieve_of_row(const struct vm_row *row)
{
	uint64_t sieve = of_name(row->name) | of_host(row->host_uuid);

	/* One that two hosts have is found on both. */
	for (size_t i = 0; row->conflict && i < 2; i++)
		sieve |= of_host(row->conflict[i]);
	for (size_t i = 0; i < row->n_custom; i++)
		sieve |= of_custom(row->custom[i].name, row->custom[i].value);
	return sieve;
}

uint64_t sieve_of_filter(const struct vm_filter *filter)
{
	uint64_t sieve = of_name(filter->name);

	if (!str_is_empty(filter->host_uuid))
		sieve |= of_host(filter->host_uuid);
	if (!str_is_empty(filter->custom_name))
		sieve |= of_custom(filter->custom_name, filter->custom_value);
	return sieve;
}
