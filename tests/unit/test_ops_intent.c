/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intents: what is written comes back; what is not one is refused. And what an update may change of
 * its disks. */
#include "storage_fixture.h"

#include "applets/virtxd/intent.h"
#include "applets/virtxd/vm_disks.h"
#include "model/json.h"
#include "storage/register.h"

/* A definition with disks at these paths, sizes and kinds; the caller frees it. */
static void make_def(struct vmdef *def, const char *paths)
{
	cleanup_free char *text = xasprintf(
		"{\"name\":\"web\",\"memory\":{\"total\":64},\"cpudef\":{\"model\":"
		"\"maximum\",\"sockets\":1,\"cores\":1,\"threads\":1},\"osdisk\":{\"path\":"
		"\"/vms/ds/os.raw\",\"man\":1,\"prov\":1,\"size\":10},\"disks\":[%s]}",
		paths);
	cleanup_json struct json_object *json = NULL;
	struct error err = {0};

	if (json_parse(text, strlen(text), &json, &err) || vmdef_from_json(json, def, &err))
		fail_msg("%s", err.message);
}

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	cleanup_intent struct intent intent = {
		.op = INTENT_UPDATE, .vm = VM, .remove = true, .forward = true};
	cleanup_intent struct intent back = {0};
	struct error err = {0};

	make_def(&intent.def, "{\"path\":\"/vms/ds/new.qcow2\"}");
	make_def(&intent.old, "{\"path\":\"/vms/ds/old.qcow2\"}");
	intent_add_made(&intent, "/vms/ds/new.qcow2", 7);
	intent_add_made(&intent, "/vms/ds/big.qcow2", UINT64_MAX);
	assert_int_equal(intent_write(fixture->store, &intent, &err), 0);
	assert_int_equal(intent_read(fixture->store, VM, &back, &err), 0);
	assert_int_equal(back.op, INTENT_UPDATE);
	assert_true(back.remove && back.forward);
	assert_string_equal(back.vm, VM);
	assert_true(back.defined);
	assert_true(vmdef_equal(&back.def, &intent.def));
	assert_true(vmdef_equal(&back.old, &intent.old));
	assert_int_equal(intent_made_inode(&back, "/vms/ds/new.qcow2"), 7);
	assert_true(intent_made_inode(&back, "/vms/ds/big.qcow2") == UINT64_MAX);
	assert_int_equal(intent_made_inode(&back, "/vms/ds/old.qcow2"), 0);
}

static void test_migration(void **state)
{
	struct fixture *fixture = *state;
	cleanup_intent struct intent intent = {.op = INTENT_MIGRATE,
		.vm = VM,
		.from = HOST,
		.to = VM2,
		.live = true,
		.running = true,
		.note_ms = INT64_C(1790000000123)};
	cleanup_intent struct intent back = {0};
	struct error err = {0};

	make_def(&intent.def, "");
	assert_int_equal(intent_write(fixture->store, &intent, &err), 0);
	assert_int_equal(intent_read(fixture->store, VM, &back, &err), 0);
	assert_int_equal(back.op, INTENT_MIGRATE);
	assert_string_equal(back.from, HOST);
	assert_string_equal(back.to, VM2);
	assert_true(back.live && back.running && back.note_ms == intent.note_ms);
}

static void test_what_is_none(void **state)
{
	static const char *const bad[] = {"", "null", "[]", "{}", "{\"op\":\"create\"}",
		"{\"op\":\"dance\",\"vm\":\"" VM "\",\"def\":{}}",
		"{\"op\":\"create\",\"vm\":\"" VM2 "\",\"def\":{}}",
		"{\"op\":\"update\",\"vm\":\"" VM "\",\"def\":{}}",
		"{\"op\":\"migrate\",\"vm\":\"" VM "\",\"def\":{},\"to\":\"elsewhere\"}",
		"{\"op\":\"create\",\"vm\":\"" VM "\",\"def\":{},\"made\":[7]}"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct intent intent;
		struct error err = {0};

		assert_int_equal(intent_save(fixture->store, VM, bad[i], &err), 0);
		if (intent_read(fixture->store, VM, &intent, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.code, ERR_STORED_DATA);
		assert_null(intent.def.disks);
	}
}

/* What an update from one list of disks to another says; 0 or the error's code. */
static int keep(const char *old_disks, const char *new_disks, struct vmdef *def)
{
	cleanup_vmdef struct vmdef old = {0};
	struct error err = {0};

	make_def(&old, old_disks);
	make_def(def, new_disks);
	return vm_disks_keep("/vms", &old, def, &err) == 0 ? 0 : (int)err.code;
}

static void test_disks_that_stay(void **state)
{
	static const char there[] = "{\"path\":\"/vms/ds/a.raw\",\"man\":1,\"prov\":2,\"size\":5}";
	static const struct {
		const char *disks;
		int code;
	} cases[] = {
		{"{\"path\":\"/vms/ds/a.raw\",\"man\":1,\"prov\":2,\"size\":5}", 0},
		{"{\"path\":\"/vms/ds/a.raw\",\"man\":1}", 0},
		{"{\"path\":\"/vms/ds/a.raw\",\"man\":0,\"bus\":1}", 0},
		{"{\"path\":\"/vms/ds/a.raw\",\"man\":1,\"prov\":2,\"size\":6}", ERR_STATE},
		{"{\"path\":\"/vms/ds/a.raw\",\"man\":1,\"prov\":1,\"size\":5}", ERR_STATE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_vmdef struct vmdef def = {0};

		assert_int_equal(keep(there, cases[i].disks, &def), cases[i].code);
		if (cases[i].code)
			continue;
		assert_int_equal(def.disks[1].size_mib, 5);
		assert_int_equal(def.disks[1].prov, DISK_PROV_THICK);
	}
	/* A lun has a lease by its own name, a disk by the hash of it. */
	cleanup_vmdef struct vmdef lun = {0}, given_up = {0};

	assert_int_equal(keep("{\"path\":\"/dev/sda\",\"device\":2,\"man\":1}",
				 "{\"path\":\"/dev/sda\",\"device\":0,\"man\":1}", &lun),
		ERR_STATE);
	assert_int_equal(keep("{\"path\":\"/dev/sda\",\"device\":2,\"man\":1}",
				 "{\"path\":\"/dev/sda\",\"device\":0,\"man\":0}", &given_up),
		0);
	cleanup_vmdef struct vmdef other = {0};

	assert_int_equal(
		keep(there, "{\"path\":\"/vms/ds/b.raw\",\"prov\":1,\"size\":9}", &other), 0);
	assert_int_equal(other.disks[1].size_mib, 9);
}

/* A daemon that has nothing but storage and operations. */
static struct daemon make_daemon(struct fixture *fixture, const char *state_dir)
{
	struct error err = {0};
	struct daemon daemon = {.store = fixture->store};

	daemon.operations = operations_open(state_dir, &err);
	assert_non_null(daemon.operations);
	return daemon;
}

static bool has_lease(const struct fixture *fixture, const struct disk *disk)
{
	char name[256], owner[UUID_TEXT_SIZE];
	struct error err = {0};

	disk_lease_name(disk, fixture->vms, name);
	return lease_owner(fixture->store, name, owner, &err) == 0 && str_equal(owner, VM);
}

/* An intent of an update from one definition to another, below the fixture's datastore. */
static void make_update(
	struct fixture *fixture, struct intent *intent, const char *name, int man, int old_man)
{
	cleanup_free char *new_disk =
		xasprintf("{\"path\":\"%s/ds/%s\",\"man\":%d}", fixture->vms, name, man);
	cleanup_free char *old_disk =
		xasprintf("{\"path\":\"%s/ds/%s\",\"man\":%d}", fixture->vms, name, old_man);

	*intent = (struct intent){.op = INTENT_UPDATE, .vm = VM, .remove = true};
	make_def(&intent->def, new_disk);
	make_def(&intent->old, old_disk);
}

static void test_management_that_changes(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *state_dir = xasprintf("%s/state", fixture->folder);
	cleanup_free char *image = xasprintf("%s/ds/kept.raw", fixture->vms);
	struct daemon daemon = make_daemon(fixture, state_dir);
	struct error err = {0};
	bool retry;
	struct operation *operation =
		operations_begin(daemon.operations, "update", VM, "web", NULL, &err);

	assert_int_equal(file_write_atomic(image, "1234", 4, 0660, &err), 0);
	assert_int_equal(truncate(image, 1024 * 1024), 0);

	/* Managed from now on: a lease, and the image is the same. */
	cleanup_intent struct intent claim = {0};

	make_update(fixture, &claim, "kept.raw", DISK_MANAGED, DISK_UNMANAGED);
	assert_int_equal(vm_disks_check(&daemon, &claim, &err), 0);
	assert_false(has_lease(fixture, &claim.def.disks[1]));
	if (vm_disks_make(&daemon, operation, &claim, &err))
		fail_msg("%s", err.message);
	assert_true(has_lease(fixture, &claim.def.disks[1]));
	assert_int_equal(claim.def.disks[1].size_mib, 1);

	/* Taking that back gives the lease up and leaves the image. */
	assert_int_equal(vm_disks_unmake(&daemon, &claim, &err), 0);
	assert_false(has_lease(fixture, &claim.def.disks[1]));
	assert_true(file_exists(image));

	/* No more managed: the lease goes, the image stays although storage is to be deleted. */
	cleanup_intent struct intent give = {0};

	assert_int_equal(vm_disks_make(&daemon, operation, &claim, &err), 0);
	make_update(fixture, &give, "kept.raw", DISK_UNMANAGED, DISK_MANAGED);
	assert_int_equal(vm_disks_release(&daemon, operation, &give, &retry), 0);
	assert_false(has_lease(fixture, &claim.def.disks[1]));
	assert_true(file_exists(image));
	operation_end(operation, NULL);
	operations_close(daemon.operations);
}

static void test_cancelled_before_it_begins(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *state_dir = xasprintf("%s/state", fixture->folder);
	cleanup_free char *image = xasprintf("%s/ds/kept.raw", fixture->vms);
	struct daemon daemon = make_daemon(fixture, state_dir);
	cleanup_intent struct intent claim = {0};
	struct error err = {0};
	struct operation *operation =
		operations_begin(daemon.operations, "update", VM, "web", NULL, &err);

	assert_int_equal(file_write_atomic(image, "1234", 4, 0660, &err), 0);
	make_update(fixture, &claim, "kept.raw", DISK_MANAGED, DISK_UNMANAGED);
	assert_int_equal(operations_cancel(daemon.operations, operation_id(operation), &err), 0);
	assert_int_equal(vm_disks_make(&daemon, operation, &claim, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_false(has_lease(fixture, &claim.def.disks[1]));
	operation_end(operation, &err);
	operations_close(daemon.operations);
}

static void test_one_lun_by_two_names(void **state)
{
	struct fixture *fixture = *state;
	struct daemon daemon = {.store = fixture->store};
	cleanup_intent struct intent intent = {.op = INTENT_CREATE, .vm = VM};
	struct error err = {0};

	make_def(&intent.def,
		"{\"path\":\"/dev/disk/by-id/wwn-0x600\",\"device\":2,\"bus\":1,\"man\":1},"
		"{\"path\":\"/dev/disk/by-id/scsi-3600\",\"device\":2,\"bus\":1,\"man\":1}");
	/* Not the osdisk's matter here. */
	intent.def.disks[0].man = DISK_UNMANAGED;
	free(intent.def.disks[0].path);
	intent.def.disks[0].path = xasprintf("%s/ds/os.raw", fixture->vms);
	assert_int_equal(file_write_atomic(intent.def.disks[0].path, "x", 1, 0660, &err), 0);
	assert_int_equal(vm_disks_check(&daemon, &intent, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.message, "the same storage"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_migration),
		TEST(test_what_is_none),
		cmocka_unit_test(test_disks_that_stay),
		TEST(test_management_that_changes),
		TEST(test_cancelled_before_it_begins),
		TEST(test_one_lun_by_two_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
