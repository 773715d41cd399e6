/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk_provision cut at every point, by cancellation and kill -9, and what disk_rollback makes of
 * it. */
#include "storage_disk_fixture.h"

#include <pthread.h>
#include <signal.h>

/* Waits for a file of the fixture's folder and reads a process number from it. */
static pid_t wait_for_pid(const struct fixture *fixture, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", fixture->folder, name);

	for (int i = 0; i < 1000; i++) {
		struct error err = {0};
		cleanup_free char *text = file_read(path, 100, NULL, &err);

		if (text && strchr(text, '\n'))
			return (pid_t)strtol(text, NULL, 10);
		poll(NULL, 0, 20);
	}
	fail_msg("%s never came", name);
	return -1;
}

static bool ends_soon(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", pid);

	for (int i = 0; i < 500; i++) {
		struct error err = {0};
		cleanup_free char *stat = file_read(path, 4096, NULL, &err);

		if (!stat || strstr(stat, ") Z "))
			return true;
		poll(NULL, 0, 20);
	}
	return false;
}

#define HANG                                                                                     \
	"echo $PPID > lease-run.tmp; mv lease-run.tmp lease-run.pid; echo $$ > pid; exec sleep " \
	"1000"

struct provisioning {
	const struct fixture *fixture;
	struct disk *disk;
	struct disk_work work;
	struct error err;
	int result;
};

static void *provision_in_thread(void *context)
{
	struct provisioning *p = context;

	p->result = disk_provision(p->fixture->store, VM, p->disk, &p->work, &p->err);
	return NULL;
}

static void hang_and_stop(struct fixture *fixture, bool by_cancel, enum error_code code)
{
	atomic_bool cancel = false;
	pthread_t thread;
	cleanup_disk struct disk disk = make_disk(fixture, "a/x.raw", DISK_PROV_THIN, 8);
	struct provisioning p = {.fixture = fixture, .disk = &disk, .work = {.cancel = &cancel}};
	cleanup_free char *before = list_all(fixture);

	fake_qemu_img(fixture, HANG);
	assert_int_equal(pthread_create(&thread, NULL, provision_in_thread, &p), 0);
	pid_t pid = wait_for_pid(fixture, "pid");
	if (by_cancel)
		atomic_store(&cancel, true);
	else
		kill(wait_for_pid(fixture, "lease-run.pid"), SIGKILL);
	pthread_join(thread, NULL);
	assert_int_equal(p.result, -1);
	assert_string_equal(error_code_word(p.err.code), error_code_word(code));
	assert_true(ends_soon(pid));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_cancelled(void **state)
{
	hang_and_stop(*state, true, ERR_CANCELLED);
}

static void test_lease_run_is_killed(void **state)
{
	hang_and_stop(*state, false, ERR_STORAGE);
}

/* The daemon: provisions in a process of its own, which is then killed. */
static void test_daemon_is_killed_while_it_works(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "a/b/x.raw", DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	fake_qemu_img(fixture, HANG);
	pid_t daemon_pid = fork();
	if (daemon_pid == 0) {
		disk_provision(fixture->store, VM, &disk, NULL, &err);
		_exit(1);
	}
	pid_t qemu_img = wait_for_pid(fixture, "pid");
	pid_t lease_run = wait_for_pid(fixture, "lease-run.pid");
	kill(daemon_pid, SIGKILL);
	assert_int_equal(waitpid(daemon_pid, NULL, 0), daemon_pid);
	assert_true(ends_soon(lease_run));
	assert_true(ends_soon(qemu_img));
	cleanup_free char *cut = list_all(fixture);
	assert_non_null(strstr(cut, ".virtx-" VM "-"));
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, 0, &err), 0);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, 0, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static int die_when_made(void *context, const char *path, uint64_t inode, struct error *err)
{
	(void)path;
	(void)err;
	if (write(*(int *)context, &inode, sizeof(inode)) == sizeof(inode))
		kill(getpid(), SIGKILL);
	return -1;
}

static void test_daemon_is_killed_when_the_image_is_noted(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	uint64_t inode;
	int ends[2];
	cleanup_disk struct disk disk = make_disk(fixture, "a/x.qcow2", DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		const struct disk_work work = {.on_made = die_when_made, .context = &ends[1]};

		disk_provision(fixture->store, VM, &disk, &work, &err);
		_exit(1);
	}
	assert_int_equal(read(ends[0], &inode, sizeof(inode)), sizeof(inode));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	close(ends[0]);
	close(ends[1]);
}

static void test_rollback_of_a_finished_image(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "a/x.qcow2", DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	uint64_t inode = inode_of(disk.path);
	/* Not the image that was noted: it stays, the lease goes. */
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode + 1, &err), 0);
	assert_int_equal(inode_of(disk.path), inode);
	cleanup_free char *gone = list_all(fixture);
	assert_int_equal(unlink(disk.path), 0);
	assert_null(strstr(gone, "/lock/"));
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode_of(disk.path), &err), 0);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_rollback_keeps_foreign_directories(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "shared/x/y.raw", DISK_PROV_THIN, 8);
	cleanup_free char *shared = in_vms(fixture, "ds/shared");

	assert_int_equal(mkdir(shared, 0755), 0);
	assert_int_equal(chmod(shared, 0755), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode_of(disk.path), &err), 0);
	assert_true(is_there(fixture, "ds/shared"));
	assert_false(is_there(fixture, "ds/shared/x"));
}

/* An existing image that is claimed is no one's to remove when the claim fails later. */
static void test_rollback_of_a_claim(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_NONE, 0);
	cleanup_disk struct disk bad = make_disk(fixture, "bad.qcow2", DISK_PROV_NONE, 0);

	make_file(fixture, "ds/x.raw", "precious");
	make_file(fixture, "ds/bad.qcow2", "not an image");
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk.size_mib, 1);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, 0, &err), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &bad, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, tear_down_disks)
		OPEN(test_cancelled),
		OPEN(test_lease_run_is_killed),
		OPEN(test_daemon_is_killed_while_it_works),
		OPEN(test_daemon_is_killed_when_the_image_is_noted),
		OPEN(test_rollback_of_a_finished_image),
		OPEN(test_rollback_keeps_foreign_directories),
		OPEN(test_rollback_of_a_claim),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
