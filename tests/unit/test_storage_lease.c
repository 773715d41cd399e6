/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storage/lease.h and virtx-check-lvb: the files on disk, byte by byte, and who gets them. */
#include "storage_fixture.h"

#include "applets/applets.h"

#define NAME "9d5ff30f84a0e1d858ffa5282e2c95b6"

static void test_on_disk(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char owner[UUID_TEXT_SIZE];
	uint8_t sector[LEASE_SECTOR], zeros[LEASE_SECTOR] = {0};
	cleanup_free char *path = in_vms(fixture, "lock/" NAME "/" NAME);

	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	assert_int_equal(mode_of(fixture, "lock/" NAME), 02771);
	assert_int_equal(mode_of(fixture, "lock/" NAME "/" NAME), 0660);
	cleanup_close int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, sector, sizeof(sector), 1025024), sizeof(sector));
	assert_memory_equal(sector, VM, 36);
	assert_memory_equal(sector + 36, zeros, sizeof(sector) - 36);
	assert_int_equal(lseek(fd, 0, SEEK_END), 1048576);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), 0);
	assert_string_equal(owner, VM);
	assert_int_equal(lease_owner_of_file(path, owner, &err), 0);
	assert_string_equal(owner, VM);
}

static void test_second_owner_loses(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};

	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(lease_create(fixture->store, NAME, VM2, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	assert_non_null(strstr(err.message, VM));
	error_clear(&err);
	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), -1);
	assert_non_null(strstr(err.message, "this VM"));
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, NAME, VM2, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	assert_non_null(strstr(err.message, VM));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_removed_twice(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char owner[UUID_TEXT_SIZE];
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), 0);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(owner, "");
}

static void test_cuts_are_repaired(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *before = list_all(fixture);

	/* Cut while it was made or removed: only this owner's are swept. */
	make_file(fixture, "lock/" NAME "-tmp" VM "-abcdef/" NAME, "half");
	make_file(fixture, "lock/" NAME "-tmp" VM2 "-abcdef/" NAME, "half");
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), 0);
	assert_false(is_there(fixture, "lock/" NAME "-tmp" VM "-abcdef"));
	assert_true(is_there(fixture, "lock/" NAME "-tmp" VM2 "-abcdef"));
	assert_int_equal(lease_remove(fixture->store, NAME, VM2, &err), 0);
	/* Another implementation's cut: a directory without its file. */
	cleanup_free char *empty = in_vms(fixture, "lock/" NAME);
	assert_int_equal(mkdir(empty, 0755), 0);
	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_one_of_eight_wins(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char owner[UUID_TEXT_SIZE], wanted[UUID_TEXT_SIZE];
	pid_t pids[8];
	int go[2];
	unsigned winners = 0, winner = 0;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	for (unsigned i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] > 0)
			continue;
		char byte;
		struct error mine = {0};
		close(go[1]);
		/* All start when the other end closes. */
		if (read(go[0], &byte, 1) != 0)
			_exit(9);
		snprintf(wanted, sizeof(wanted), "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa%u", i);
		if (lease_create(fixture->store, NAME, wanted, &mine) == 0)
			_exit(0);
		_exit(mine.code == ERR_LEASE ? 1 : 2);
	}
	close(go[0]);
	close(go[1]);
	for (unsigned i = 0; i < 8; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		if (WEXITSTATUS(status) == 0) {
			winners++;
			winner = i;
		}
	}
	assert_int_equal(winners, 1);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), 0);
	snprintf(wanted, sizeof(wanted), "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa%u", winner % 10);
	assert_string_equal(owner, wanted);
	cleanup_free char *path = in_vms(fixture, "lock");
	DIR *dir = opendir(path);
	unsigned names = 0;
	while (readdir(dir))
		names++;
	closedir(dir);
	assert_int_equal(names, 3);
}

static void test_held_is_not_removed(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *path = in_vms(fixture, "lock/" NAME "/" NAME);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	close(fd);
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), 0);
}

static void test_hostile_names(void **state)
{
	struct fixture *fixture = *state;
	char longest[202];
	const char *const names[] = {
		"", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\nb", longest};

	memset(longest, 'x', sizeof(longest));
	longest[201] = '\0';
	cleanup_free char *before = list_all(fixture);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct error err = {0};
		char owner[UUID_TEXT_SIZE];

		assert_int_equal(lease_create(fixture->store, names[i], VM, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		error_clear(&err);
		assert_int_equal(lease_remove(fixture->store, names[i], VM, &err), -1);
		error_clear(&err);
		assert_int_equal(lease_owner(fixture->store, names[i], owner, &err), -1);
	}
	struct error err = {0};
	assert_int_equal(lease_create(fixture->store, NAME, "../..", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

/* What else may lie where a resource should; none of it is touched. */
static void test_foreign_things_are_left_alone(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *file = in_vms(fixture, "lock/" NAME "/" NAME);
	cleanup_free char *victim = in_vms(fixture, "victim");
	struct error err = {0};
	char owner[UUID_TEXT_SIZE];

	make_file(fixture, "lock/" NAME "/" NAME, "short");
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), -1);
	assert_int_equal(err.code, ERR_STORED_DATA);
	error_clear(&err);
	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	error_clear(&err);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);

	assert_int_equal(unlink(file), 0);
	make_file(fixture, "victim", "x");
	assert_int_equal(symlink(victim, file), 0);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	assert_int_equal(lease_remove(fixture->store, NAME, VM, &err), -1);
	assert_true(is_there(fixture, "victim"));
	error_clear(&err);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(lease_owner(fixture->store, NAME, owner, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
}

static int check_lvb(const char *path, const char *vm)
{
	const char *argv[] = {"virtx-check-lvb", path, vm, NULL};

	return check_lvb_main(vm ? 3 : path ? 2 : 1, (char **)argv);
}

static void test_check_lvb(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_free char *path = in_vms(fixture, "lock/" NAME "/" NAME);
	cleanup_free char *odd = in_vms(fixture, "odd");
	FILE *kept = stderr;

	/* Its complaints are not the test's. */
	stderr = fopen("/dev/null", "w");
	assert_int_equal(lease_create(fixture->store, NAME, VM, &err), 0);
	assert_int_equal(check_lvb(path, VM), 0);
	assert_int_equal(check_lvb(path, VM2), 1);
	assert_int_equal(check_lvb(path, ""), 1);
	assert_int_equal(check_lvb(path, "aaaaaaaa"), 1);
	assert_int_equal(check_lvb(path, VM "0"), 1);
	assert_int_equal(check_lvb(path, NULL), 1);
	assert_int_equal(check_lvb(NULL, NULL), 1);
	assert_int_equal(check_lvb("/no/such/file", VM), 1);
	assert_int_equal(check_lvb("/tmp", VM), 1);
	assert_int_equal(check_lvb("/dev/zero", VM), 1);
	make_file(fixture, "odd", "");
	assert_int_equal(check_lvb(odd, VM), 1);
	assert_int_equal(unlink(odd), 0);
	assert_int_equal(mkfifo(odd, 0600), 0);
	assert_int_equal(check_lvb(odd, VM), 1);
	/* The UUID with something behind it, and cut in its sector. */
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, LEASE_LVB_OFFSET + LEASE_SECTOR - 1), 1);
	assert_int_equal(check_lvb(path, VM), 1);
	assert_int_equal(pwrite(fd, "", 1, LEASE_LVB_OFFSET + LEASE_SECTOR - 1), 1);
	assert_int_equal(check_lvb(path, VM), 0);
	assert_int_equal(ftruncate(fd, LEASE_LVB_OFFSET + 36), 0);
	assert_int_equal(check_lvb(path, VM), 1);
	close(fd);
	fclose(stderr);
	stderr = kept;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		OPEN(test_on_disk),
		OPEN(test_second_owner_loses),
		OPEN(test_removed_twice),
		OPEN(test_cuts_are_repaired),
		OPEN(test_one_of_eight_wins),
		OPEN(test_held_is_not_removed),
		OPEN(test_hostile_names),
		OPEN(test_foreign_things_are_left_alone),
		OPEN(test_check_lvb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
