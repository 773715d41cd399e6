/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats read from shared storage: LVB, lockid, qcow2 header. No file is touched. */
#include "storage/lease.h"
#include "storage/lockid.h"
#include "storage/qcow2.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka needs those before it */
#include <cmocka.h>

#define VM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"

static void test_lvb(void **state)
{
	(void)state;
	struct error err = {0};
	uint8_t sector[LEASE_SECTOR];
	char owner[UUID_TEXT_SIZE];

	memset(sector, 0xee, sizeof(sector));
	lease_lvb_encode(VM, sector);
	assert_memory_equal(sector, VM, UUID_TEXT_SIZE);
	assert_int_equal(sector[LEASE_SECTOR - 1], 0);
	assert_int_equal(lease_lvb_decode(sector, owner, &err), 0);
	assert_string_equal(owner, VM);

	static const struct {
		size_t at;
		uint8_t value;
	} damage[] = {
		{0, 0}, {35, 0}, {36, 'a'}, {36, '\n'}, {511, 1}, {8, '_'}, {3, 'A'}, {3, 'g'}};
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		lease_lvb_encode(VM, sector);
		sector[damage[i].at] = damage[i].value;
		error_clear(&err);
		assert_int_equal(lease_lvb_decode(sector, owner, &err), -1);
		assert_int_equal(err.code, ERR_STORED_DATA);
		assert_string_equal(owner, "");
	}
}

static void test_lockid(void **state)
{
	(void)state;
	static const char *const good[] = {"1\n", "9\n", "10\n", "1999\n", "2000\n"};
	static const char *const bad[] = {"", "\n", "1", "0\n", "2001\n", "01\n", "+1\n", "-1\n",
		" 1\n", "1 \n", "1\n\n", "1\r\n", "0x1\n", "99999\n", "1.0\n", "one\n",
		"12345678901\n"};
	struct error err = {0};
	unsigned id = 77;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(lockid_parse(good[i], strlen(good[i]), &id, &err), 0);
		assert_int_equal(id, strtol(good[i], NULL, 10));
	}
	id = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error_clear(&err);
		assert_int_equal(lockid_parse(bad[i], strlen(bad[i]), &id, &err), -1);
		assert_int_equal(err.code, ERR_STORED_DATA);
	}
	error_clear(&err);
	assert_int_equal(lockid_parse("1\0\n", 3, &id, &err), -1);
	assert_int_equal(id, 77);
}

/* A sound version 3 header of a 1 GiB image, which tests then bend. */
static void make_header(uint8_t data[static 512])
{
	memset(data, 0, 512);
	memcpy(data, "QFI\xfb\0\0\0\3", 8);
	data[23] = 9;    /* cluster_bits */
	data[28] = 0x40; /* size 0x40000000 */
	data[103] = 104;
}

static void put_name(uint8_t *data, uint8_t at, const char *name)
{
	data[15] = at;
	data[19] = (uint8_t)strlen(name);
	memcpy(data + at, name, strlen(name));
}

static int parse(const uint8_t *data, size_t len, struct qcow2_header *header, struct error *err)
{
	error_clear(err);
	return qcow2_parse(data, len, header, err);
}

static void test_qcow2_references(void **state)
{
	(void)state;
	struct error err = {0};
	struct qcow2_header header;
	uint8_t data[512];

	make_header(data);
	assert_int_equal(parse(data, 512, &header, &err), 0);
	assert_int_equal(header.size, 1 << 30);
	assert_string_equal(header.backing_file, "");
	assert_false(header.external_data);
	put_name(data, 200, "base.raw");
	assert_int_equal(parse(data, 512, &header, &err), 0);
	assert_string_equal(header.backing_file, "base.raw");
	assert_string_equal(header.backing_format, "");
	memcpy(data + 104, "\xe2\x79\x2a\xca\0\0\0\3raw\0\0\0\0\0", 16);
	data[79] = 4;
	memcpy(data + 120, "DATA\0\0\0\1d\0\0\0\0\0\0\0", 16);
	assert_int_equal(parse(data, 512, &header, &err), 0);
	assert_string_equal(header.backing_format, "raw");
	assert_true(header.external_data);
	assert_string_equal(header.data_file, "d");
	/* Version 2 has none of that. */
	make_header(data);
	data[7] = 2;
	data[79] = 0;
	assert_int_equal(parse(data, 512, &header, &err), 0);
}

static void test_qcow2_damage(void **state)
{
	(void)state;
	struct error err = {0};
	struct qcow2_header header;
	uint8_t data[512];
	static const struct {
		size_t at;
		uint8_t value;
	} damage[] = {{0, 'q'}, {7, 1}, {7, 4}, {23, 8}, {23, 22}, {103, 100}, {102, 2}, {24, 0x80},
		/* backing file: beyond, too long, without length, over the header */
		{14, 2}, {18, 1}, {19, 0}, {15, 50},
		/* an extension longer than the header */
		{108, 1}};

	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		make_header(data);
		put_name(data, 200, "base.raw");
		memcpy(data + 104, "abcd\0\0\0\4wxyz\0\0\0\0", 16);
		assert_int_equal(parse(data, 512, &header, &err), 0);
		data[damage[i].at] = damage[i].value;
		if (parse(data, 512, &header, &err) == 0)
			fail_msg("byte %zu = %u passed", damage[i].at, damage[i].value);
		assert_int_equal(err.code, ERR_STORAGE);
	}
	/* A name that is no text, in the last extension that fits. */
	make_header(data);
	put_name(data, 120, "base.raw");
	memcpy(data + 104, "DATA\0\0\0\3\xff\xfe\xfd\0\0\0\0\0", 16);
	assert_int_equal(parse(data, 512, &header, &err), -1);
	make_header(data);
	for (size_t len = 0; len < 104; len++)
		assert_int_equal(parse(data, len, &header, &err), -1);
	put_name(data, 200, "a\0b");
	data[19] = 3;
	assert_int_equal(parse(data, 512, &header, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lvb),
		cmocka_unit_test(test_lockid),
		cmocka_unit_test(test_qcow2_references),
		cmocka_unit_test(test_qcow2_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
