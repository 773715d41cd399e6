/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/lockspace.h and leader.h without sanlock: which host id is chosen, what is read of a
 * lockspace, and that nothing half made stays when sanlock is away. */
#include "storage_fixture.h"

#include "storage/leader.h"
#include "storage/lockspace.h"
#include "storage/store_private.h"

#define MAGIC_HOST     "\x10\x20\x21\x12"
#define MAGIC_RESOURCE "\x10\x20\x15\x06"

/* A leader record as sanlock 3.8.5 writes it, as far as we read it. */
static void make_record(uint8_t sector[static LEASE_SECTOR], const char *magic, unsigned id,
	const char *name, uint8_t timestamp)
{
	memset(sector, 0, LEASE_SECTOR);
	memcpy(sector, magic, 4);
	sector[32] = (uint8_t)(id & 0xff);
	sector[33] = (uint8_t)(id >> 8);
	memcpy(sector + 56, LEASE_LOCKSPACE, strlen(LEASE_LOCKSPACE));
	memcpy(sector + 104, name, strlen(name));
	sector[152] = timestamp;
}

static void test_leader(void **state)
{
	static const char long_name[] = "0123456789012345678901234567890123456789abcdefgh";
	uint8_t sector[LEASE_SECTOR];
	struct leader leader;
	struct error err = {0};

	(void)state;
	make_record(sector, MAGIC_HOST, 0x1ff, "virt1", 7);
	sector[159] = 1;
	assert_int_equal(leader_decode(sector, &leader, &err), 0);
	assert_int_equal(leader.kind, LEADER_HOST);
	assert_string_equal(leader.space, LEASE_LOCKSPACE);
	assert_string_equal(leader.name, "virt1");
	assert_int_equal(leader.owner_id, 0x1ff);
	assert_true(leader.timestamp == ((uint64_t)1 << 56) + 7);
	make_record(sector, MAGIC_RESOURCE, 0, long_name, 0);
	assert_int_equal(leader_decode(sector, &leader, &err), 0);
	assert_int_equal(leader.kind, LEADER_RESOURCE);
	assert_string_equal(leader.name, long_name);
	assert_true(leader.timestamp == 0);
	make_record(sector, "\x10\x20\x21\x13", 0, "virt1", 0);
	assert_int_equal(leader_decode(sector, &leader, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
	error_clear(&err);
	make_record(sector, MAGIC_HOST, 0, "virt\n1", 0);
	assert_int_equal(leader_decode(sector, &leader, &err), -1);
	error_clear(&err);
	make_record(sector, MAGIC_HOST, 0, "virt\xff", 0);
	assert_int_equal(leader_decode(sector, &leader, &err), -1);
	error_clear(&err);
	memset(sector, 0, sizeof(sector));
	assert_int_equal(leader_decode(sector, &leader, &err), -1);
}

/* printf UUID | md5sum, the first 8 digits modulo 2000, plus 1. */
static void test_first_id(void **state)
{
	static const struct {
		const char *uuid;
		unsigned id;
	} known[] = {
		{"11111111-1111-4111-8111-111111111111", 1056},
		{"22222222-2222-4222-8222-222222222222", 907},
		{"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", 1208},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(lockspace_first_id(known[i].uuid), known[i].id);
	for (unsigned i = 0; i < 5000; i++) {
		char uuid[UUID_TEXT_SIZE];

		uuid_make(uuid);
		assert_in_range(lockspace_first_id(uuid), LOCKID_MIN, LOCKID_MAX);
	}
}

/* A lockspace with all places free; the caller closes it. */
static int make_lockspace(struct fixture *fixture)
{
	cleanup_free char *folder = in_vms(fixture, "lock");
	cleanup_free char *path = in_vms(fixture, "lock/" LEASE_LOCKSPACE);
	uint8_t sector[LEASE_SECTOR];

	mkdir(folder, 0755); /* the store has made it, or not */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (unsigned id = LOCKID_MIN; id <= LOCKID_MAX; id++) {
		make_record(sector, MAGIC_HOST, id, "", 0);
		assert_int_equal(pwrite(fd, sector, sizeof(sector), (off_t)(id - 1) * 512), 512);
	}
	return fd;
}

static void take(int fd, unsigned id, const char *name)
{
	uint8_t sector[LEASE_SECTOR];

	make_record(sector, MAGIC_HOST, id, name, 1);
	assert_int_equal(pwrite(fd, sector, sizeof(sector), (off_t)(id - 1) * 512), 512);
}

static void test_free_ids(void **state)
{
	struct fixture *fixture = *state;
	uint16_t ids[LOCKID_MAX];
	cleanup_close int fd = make_lockspace(fixture);

	assert_int_equal(lockspace_list_free(fd, 1, ids), LOCKID_MAX);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[LOCKID_MAX - 1], LOCKID_MAX);
	assert_int_equal(lockspace_list_free(fd, LOCKID_MAX, ids), LOCKID_MAX);
	assert_int_equal(ids[0], LOCKID_MAX);
	assert_int_equal(ids[1], 1);
	take(fd, 1999, "a");
	take(fd, 2000, "b");
	take(fd, 2, "c");
	assert_int_equal(lockspace_list_free(fd, 1999, ids), LOCKID_MAX - 3);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 3);
	/* What cannot be understood is nobody's to take; a short file holds nothing. */
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(lockspace_list_free(fd, 1, ids), LOCKID_MAX - 4);
	assert_int_equal(ids[0], 3);
	for (unsigned id = LOCKID_MIN; id <= LOCKID_MAX; id++)
		take(fd, id, "x");
	assert_int_equal(lockspace_list_free(fd, 1, ids), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lockspace_list_free(fd, 1, ids), 0);
}

static void test_host_names(void **state)
{
	struct fixture *fixture = *state;
	char name[LOCKSPACE_HOST_SIZE];
	cleanup_close int fd = make_lockspace(fixture);
	int root = fixture->store->root;

	take(fd, 1, "virt1");
	take(fd, 2000, "11111111-1111-4111-8111-111111111111.node-b");
	lockspace_host_name(root, 1, name);
	assert_string_equal(name, "virt1");
	lockspace_host_name(root, 2000, name);
	assert_string_equal(name, "node-b");
	lockspace_host_name(root, 3, name);
	assert_string_equal(name, "host id 3");
	lockspace_host_name(root, 0, name);
	assert_string_equal(name, "host id 0");
	lockspace_host_name(root, UINT64_MAX, name);
	assert_string_equal(name, "host id 18446744073709551615");
	cleanup_free char *path = in_vms(fixture, "lock/" LEASE_LOCKSPACE);
	assert_int_equal(unlink(path), 0);
	lockspace_host_name(root, 1, name);
	assert_string_equal(name, "host id 1");
}

static void test_local_needs_none(void **state)
{
	struct fixture *fixture = *state;
	atomic_bool stop = false;
	struct error err = {0};
	unsigned id = 7;

	cleanup_free char *before = list_all(fixture);
	assert_int_equal(lockspace_check(fixture->store, &id, &err), 0);
	assert_int_equal(id, 0);
	assert_int_equal(lockspace_join(fixture->store, &stop, &id, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

/* No sanlock answers in the empty folder that set_up names. */
static void test_sanlock_is_away(void **state)
{
	struct fixture *fixture = *state;
	const struct store_config config = {.vms_dir = fixture->vms,
		.host_uuid = HOST2,
		.lock_manager = LOCK_MANAGER_SANLOCK,
		.sanlock_io_timeout = 1};
	atomic_bool stop = false;
	struct error err = {0};
	unsigned id = 7;

	struct store *store = store_open(&config, &err);
	assert_non_null(store);
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(lockspace_check(store, &id, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "sanlock does not answer"));
	assert_int_equal(id, 0);
	error_clear(&err);
	assert_int_equal(lockspace_join(store, &stop, &id, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "sanlock does not answer"));
	error_clear(&err);
	assert_int_equal(lease_create(store, "vm-" VM, VM, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "sanlock does not answer"));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	store_close(store);
}

/* Without sanlock no lease is free, whatever its file says, and none is removed. */
static void test_leases_without_sanlock(void **state)
{
	struct fixture *fixture = *state;
	const struct store_config config = {
		.vms_dir = fixture->vms, .host_uuid = HOST2, .lock_manager = LOCK_MANAGER_SANLOCK};
	uint8_t sector[LEASE_SECTOR];
	struct error err = {0};

	struct store *store = store_open(&config, &err);
	assert_non_null(store);
	assert_int_equal(lease_check_vm_free(store, VM, &err), 0); /* there is none */
	assert_int_equal(lease_create(fixture->store, "vm-" VM, VM, &err), 0);
	cleanup_free char *path = in_vms(fixture, "lock/vm-" VM "/vm-" VM);
	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
	make_record(sector, MAGIC_RESOURCE, 3, "vm-" VM, 0);
	assert_int_equal(pwrite(fd, sector, sizeof(sector), 0), 512);
	assert_int_equal(lease_remove(store, "vm-" VM, VM, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "sanlock does not answer"));
	error_clear(&err);
	assert_int_equal(lease_check_vm_free(store, VM, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	error_clear(&err);
	assert_int_equal(access(path, F_OK), 0);
	store_close(store);
}

static void assert_name(const struct fixture *fixture, const char *wanted)
{
	cleanup_free char *text = store_name_vm(fixture->store, VM);

	assert_string_equal(text, wanted);
}

static void test_owner_in_words(void **state)
{
	struct fixture *fixture = *state;

	assert_name(fixture, "VM " VM);
	make_file(fixture, "xml/" HOST2 "/" VM ".xml",
		"<domain type='kvm'><name>" VM "</name><uuid>" VM
		"</uuid><title>web-01</title><memory>1024</memory><vcpu>1</vcpu>"
		"<os><type arch='x86_64'>hvm</type></os></domain>");
	assert_name(fixture, "VM web-01 (" VM ")");
	make_file(fixture, "xml/" HOST2 "/" VM ".xml", "<domain");
	assert_name(fixture, "VM " VM);
}

static int set_up(void **state)
{
	if (setenv("SANLOCK_RUN_DIR", "/nonexistent", 1) < 0)
		return -1;
	return fixture_set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, set_up, fixture_tear_down)
		cmocka_unit_test(test_leader),
		cmocka_unit_test(test_first_id),
		OPEN(test_free_ids),
		OPEN(test_host_names),
		OPEN(test_local_needs_none),
		OPEN(test_sanlock_is_away),
		OPEN(test_leases_without_sanlock),
		OPEN(test_owner_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
