/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of the API and their names. */
#include "model/enums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void every_value_has_its_name(void **state)
{
	static const struct {
		const struct enum_names *names;
		int last;
		const char *last_name;
	} rows[] = {
		{&disk_device_names, DISK_DEVICE_LUN, "lun"},
		{&disk_bus_names, DISK_BUS_SCSI, "scsi"},
		{&disk_man_names, DISK_MANAGED, "managed"},
		{&disk_prov_names, DISK_PROV_THICK, "thick"},
		{&firmware_names, FIRMWARE_UEFI, "uefi"},
		{&nettype_names, NETTYPE_BRIDGE, "bridge"},
		{&netmodel_names, NETMODEL_E1000, "e1000"},
		{&migration_type_names, MIGRATION_LIVE, "live"},
		{&migration_state_names, MIGRATION_STATE_FAILED, "failed"},
		{&runstate_names, RUNSTATE_CRASHED, "crashed"},
		{&cstate_names, CSTATE_FAILED, "failed"},
		{&virt_type_names, VIRT_TYPE_QEMU, "qemu"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct enum_names *names = rows[i].names;

		assert_int_equal(names->count, rows[i].last + 1);
		assert_string_equal(enum_name(names, rows[i].last), rows[i].last_name);
		assert_string_equal(enum_name(names, rows[i].last + 1), "unknown");
		assert_string_equal(enum_name(names, -1), "unknown");
		for (int value = 0; value < names->count; value++) {
			int16_t parsed = -1;

			assert_true(enum_parse(names, enum_name(names, value), &parsed));
			assert_int_equal(parsed, value);
		}
	}
}

static void parses_names_and_numbers(void **state)
{
	static const char *const refused[] = {"", "10", "-1", "run", "running ", "4.0", "0x4"};
	int16_t value = -1;
	(void)state;

	assert_true(enum_parse(&runstate_names, "4", &value));
	assert_int_equal(value, RUNSTATE_RUNNING);
	assert_true(enum_parse(&runstate_names, "Paused", &value));
	assert_int_equal(value, RUNSTATE_PAUSED);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(enum_parse(&runstate_names, refused[i], &value));
	assert_int_equal(value, RUNSTATE_PAUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_name),
		cmocka_unit_test(parses_names_and_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
