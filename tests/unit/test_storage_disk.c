/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/disk.h: making images and giving them back, with the real qemu-img. What is left when
 * anyone is killed meanwhile is in test_storage_cut.c.
 */
#include "storage_disk_fixture.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What disk_provision told. */
struct heard {
	char path[256];
	uint64_t inode;
	unsigned percent;
	unsigned times;
	bool named_already;
	int answer;
};

static int hear_made(void *context, const char *path, uint64_t inode, struct error *err)
{
	struct heard *heard = context;

	str_copy(heard->path, sizeof(heard->path), path);
	heard->inode = inode;
	heard->times++;
	heard->named_already = file_exists(path);
	return heard->answer < 0 ? error_set(err, ERR_REGISTER, "cannot note it") : 0;
}

static void hear_progress(void *context, unsigned percent)
{
	struct heard *heard = context;

	heard->percent = percent;
}

static void test_makes_images(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *path;
		enum disk_prov prov;
		const char *format;
	} rows[] = {
		{"a/b/thin.qcow2", DISK_PROV_THIN, "qcow2"},
		{"a/b/thick.qcow2", DISK_PROV_THICK, "qcow2"},
		{"thin.raw", DISK_PROV_THIN, "raw"},
		{"a/thick.raw", DISK_PROV_THICK, "raw"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};
		struct heard heard = {0};
		struct stat info;
		char name[256], owner[UUID_TEXT_SIZE];
		const struct disk_work work = {
			.on_made = hear_made, .on_progress = hear_progress, .context = &heard};
		cleanup_disk struct disk disk = make_disk(fixture, rows[i].path, rows[i].prov, 8);

		assert_int_equal(disk_check(fixture->store, VM, &disk, &err), 0);
		if (disk_provision(fixture->store, VM, &disk, &work, &err) < 0)
			fail_msg("%s: %s", rows[i].path, err.message);
		assert_string_equal(heard.path, disk.path);
		assert_int_equal(heard.times, 1);
		assert_int_equal(heard.percent, 100);
		assert_false(heard.named_already);
		assert_int_equal(stat(disk.path, &info), 0);
		assert_int_equal(info.st_ino, heard.inode);
		assert_int_equal(info.st_mode & 07777, 0660);
		if (rows[i].prov == DISK_PROV_THICK)
			assert_true(info.st_blocks * 512 >= 8 << 20);
		else
			assert_true(info.st_blocks * 512 < 1 << 20);
		assert_int_equal(disk.prov, rows[i].prov);
		assert_int_equal(disk.size_mib, 8);
		run_program("qemu-img", "compare", "-f", rows[i].format, "-F", rows[i].format,
			disk.path, disk.path);
		disk_lease_name(&disk, fixture->vms, name);
		assert_int_equal(lease_owner(fixture->store, name, owner, &err), 0);
		assert_string_equal(owner, VM);
	}
	assert_int_equal(mode_of(fixture, "ds/a"), 0750);
	assert_int_equal(mode_of(fixture, "ds/a/b"), 0750);
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, ".tmp"));
}

/* Neither check nor provision of it works, and nothing in the storage changes. */
static void check_refused(
	struct fixture *fixture, const char *path, enum error_code code, const char *words)
{
	cleanup_disk struct disk disk = make_disk(fixture, path, DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	for (int round = 0; round < 2; round++) {
		struct error err = {0};
		int done = round ? disk_provision(fixture->store, VM, &disk, NULL, &err)
				 : disk_check(fixture->store, VM, &disk, &err);

		assert_int_equal(done, -1);
		assert_string_equal(error_code_word(err.code), error_code_word(code));
		if (!strstr(err.message, words))
			fail_msg("%s", err.message);
	}
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_never_overwrites(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *link = in_vms(fixture, "ds/link.raw");
	cleanup_free char *fifo = in_vms(fixture, "ds/fifo.raw");
	cleanup_free char *folder = in_vms(fixture, "ds/folder.raw");

	make_file(fixture, "ds/old.raw", "precious");
	assert_int_equal(symlink("no-such-target", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkdir(folder, 0750), 0);
	check_refused(fixture, "old.raw", ERR_EXISTS, "exists already");
	check_refused(fixture, "link.raw", ERR_EXISTS, "exists already");
	check_refused(fixture, "fifo.raw", ERR_EXISTS, "exists already");
	check_refused(fixture, "folder.raw", ERR_EXISTS, "exists already");
}

static void test_leaves_the_datastore_by_no_way(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *outside = xasprintf("%s/outside", fixture->folder);
	cleanup_free char *link = in_vms(fixture, "ds/way");
	cleanup_free char *inner = in_vms(fixture, "ds/inner");

	assert_int_equal(mkdir(outside, 0755), 0);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(symlink(".", inner), 0);
	check_refused(fixture, "way/x.raw", ERR_STORAGE, "symbolic link");
	check_refused(fixture, "inner/x.raw", ERR_STORAGE, "symbolic link");
	check_refused(fixture, "../../outside/x.raw", ERR_STORAGE, "leads out");
	assert_int_equal(rmdir(outside), 0);
}

/* Swaps the parent for a link when the image is made and only its name is missing: the descriptor
 * counts. */
static int swap_parent(void *context, const char *path, uint64_t inode, struct error *err)
{
	const struct fixture *fixture = context;
	cleanup_free char *parent = in_vms(fixture, "ds/a");
	cleanup_free char *aside = in_vms(fixture, "ds/aside");
	cleanup_free char *outside = xasprintf("%s/outside", fixture->folder);

	(void)path;
	(void)inode;
	(void)err;
	assert_int_equal(mkdir(outside, 0755), 0);
	assert_int_equal(rename(parent, aside), 0);
	assert_int_equal(symlink(outside, parent), 0);
	return 0;
}

static void test_swapped_parent(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	const struct disk_work work = {.on_made = swap_parent, .context = fixture};
	cleanup_disk struct disk disk = make_disk(fixture, "a/x.raw", DISK_PROV_THIN, 8);
	cleanup_free char *outside = xasprintf("%s/outside", fixture->folder);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, &work, &err), 0);
	assert_true(is_there(fixture, "ds/aside/x.raw"));
	/* Nothing went there: it can be removed. */
	assert_int_equal(rmdir(outside), 0);
}

static void test_refuses_what_cannot_be_made(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	/* Of what others have made: here a managed device is a lun. */
	const struct disk device = {.path = (char[]){"/dev/null"},
		.device = DISK_DEVICE_DISK,
		.man = DISK_MANAGED,
		.prov = DISK_PROV_THIN,
		.size_mib = 8};
	char name[256];

	check_refused(fixture, "x.iso", ERR_STORAGE, "can be provisioned");
	struct disk copy = device;
	assert_int_equal(disk_provision(fixture->store, VM, &copy, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	disk_lease_name(&device, fixture->vms, name);
	assert_int_equal(lease_create(fixture->store, name, VM, &err), 0);
	assert_int_equal(disk_check_release(fixture->store, &device, &err), -1);
	assert_non_null(strstr(err.message, "neither an image nor a lun"));
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &device, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &device, false, NULL, &err), 0);
	cleanup_disk struct disk cdrom = make_disk(fixture, "x.raw", DISK_PROV_THICK, 8);
	cdrom.device = DISK_DEVICE_CDROM;
	assert_int_equal(disk_check(fixture->store, VM, &cdrom, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	error_clear(&err);
	cdrom.device = DISK_DEVICE_DISK;
	cdrom.size_mib = 0;
	assert_int_equal(disk_check(fixture->store, VM, &cdrom, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	error_clear(&err);
	cdrom.size_mib = 8;
	assert_int_equal(disk_provision(fixture->store, "../x", &cdrom, NULL, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_another_vms_lease(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char name[256];
	cleanup_disk struct disk disk = make_disk(fixture, "sub/x.raw", DISK_PROV_THIN, 8);

	disk_lease_name(&disk, fixture->vms, name);
	assert_int_equal(lease_create(fixture->store, name, VM2, &err), 0);
	check_refused(fixture, "sub/x.raw", ERR_LEASE, VM2);
	/* Nor is the image that the other makes touched by any of ours. */
	make_file(fixture, "ds/sub/x.raw", "the other's");
	cleanup_free char *before = list_all(fixture);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &disk, false, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	error_clear(&err);
	assert_int_equal(disk_rollback(fixture->store, VM, &disk, inode_of(disk.path), &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

static void test_release(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "x.qcow2", DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, false, NULL, &err), 0);
	assert_true(is_there(fixture, "ds/x.qcow2"));
	/* Without a lease it is nobody's. */
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LEASE);
	assert_true(is_there(fixture, "ds/x.qcow2"));
	error_clear(&err);
	disk.man = DISK_UNMANAGED;
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	assert_true(is_there(fixture, "ds/x.qcow2"));
	disk.man = DISK_MANAGED;
	disk.prov = DISK_PROV_NONE;
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	assert_int_equal(disk.size_mib, 8);
	/* Cut between image and lease. */
	assert_int_equal(unlink(disk.path), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
	cleanup_free char *last = list_all(fixture);
	assert_string_equal(before, last);
}

/* Directories go with what was in them, but only such as are made here. */
static void test_release_takes_empty_directories(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk one = make_disk(fixture, "a/b/one.raw", DISK_PROV_THIN, 1);
	cleanup_disk struct disk two = make_disk(fixture, "a/two.raw", DISK_PROV_THIN, 1);
	cleanup_disk struct disk other = make_disk(fixture, "shared/c/x.raw", DISK_PROV_THIN, 1);
	cleanup_free char *shared = in_vms(fixture, "ds/shared");
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(disk_provision(fixture->store, VM, &one, NULL, &err), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &two, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &one, true, NULL, &err), 0);
	assert_false(is_there(fixture, "ds/a/b"));
	assert_true(is_there(fixture, "ds/a/two.raw"));
	assert_int_equal(disk_release(fixture->store, VM, &two, true, NULL, &err), 0);
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	/* Cut before they were removed: the repetition does it. */
	assert_int_equal(disk_provision(fixture->store, VM, &one, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &one, false, NULL, &err), 0);
	assert_int_equal(unlink(one.path), 0);
	assert_int_equal(disk_release(fixture->store, VM, &one, true, NULL, &err), 0);
	assert_false(is_there(fixture, "ds/a"));

	assert_int_equal(mkdir(shared, 0755), 0);
	assert_int_equal(chmod(shared, 0755), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &other, NULL, &err), 0);
	assert_int_equal(disk_release(fixture->store, VM, &other, true, NULL, &err), 0);
	assert_false(is_there(fixture, "ds/shared/c"));
	assert_true(is_there(fixture, "ds/shared"));
}

static void test_release_of_what_is_no_image_any_more(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THIN, 8);
	cleanup_free char *victim = in_vms(fixture, "victim");

	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	make_file(fixture, "victim", "x");
	assert_int_equal(unlink(disk.path), 0);
	assert_int_equal(symlink(victim, disk.path), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_true(is_there(fixture, "victim"));
	error_clear(&err);
	assert_int_equal(unlink(disk.path), 0);
	assert_int_equal(mkfifo(disk.path, 0600), 0);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_true(file_exists(disk.path));
}

static void test_lease_is_held_by_another_operation(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	char name[256], vm_lease[256];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THIN, 8);

	vm_lease_name(VM, vm_lease);
	assert_int_equal(lease_create(fixture->store, vm_lease, VM, &err), 0);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
	disk_lease_name(&disk, fixture->vms, name);
	const char *const names[] = {name, vm_lease};
	for (size_t i = 0; i < 2; i++) {
		cleanup_free char *path =
			xasprintf("%s/lock/%s/%s", fixture->vms, names[i], names[i]);
		int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
		error_clear(&err);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
		assert_int_equal(err.code, ERR_BUSY);
		assert_non_null(strstr(err.message, names[i]));
		assert_true(file_exists(disk.path));
		close(fd);
	}
	error_clear(&err);
	assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
}

static void test_failed_note_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct heard heard = {.answer = -1};
	const struct disk_work work = {.on_made = hear_made, .context = &heard};
	cleanup_disk struct disk disk = make_disk(fixture, "a/b/x.raw", DISK_PROV_THIN, 8);
	cleanup_free char *before = list_all(fixture);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, &work, &err), -1);
	assert_int_equal(err.code, ERR_REGISTER);
	assert_non_null(strstr(err.message, "cannot note it"));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
}

/* The name is taken after the check: by then only the last step can notice. */
static int take_name(void *context, const char *path, uint64_t inode, struct error *err)
{
	(void)context;
	(void)inode;
	assert_int_equal(file_write_atomic(path, "faster", 6, 0644, err), 0);
	return 0;
}

static void test_faster_neighbour_keeps_its_image(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	const struct disk_work work = {.on_made = take_name};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THIN, 8);

	assert_int_equal(disk_provision(fixture->store, VM, &disk, &work, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	error_clear(&err);
	cleanup_free char *text = file_read(disk.path, 100, NULL, &err);
	assert_string_equal(text, "faster");
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, ".tmp"));
}

/* Makes the kernel refuse a system call from here on, in what is started from here too. */
static int refuse_calls(struct sock_filter *rules, unsigned short count)
{
	const struct sock_fprog program = {count, rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* As on NFS 4.0 and 4.1. */
static int refuse_fallocate(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return refuse_calls(rules, sizeof(rules) / sizeof(rules[0]));
}

static void test_without_fallocate(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"x.raw", "x.qcow2"};

	for (size_t i = 0; i < 2; i++) {
		struct stat info;
		int status;
		cleanup_disk struct disk disk = make_disk(fixture, names[i], DISK_PROV_THICK, 16);
		pid_t pid = fork();

		if (pid == 0) {
			struct error err = {0};

			if (refuse_fallocate() < 0)
				_exit(1);
			_exit(disk_provision(fixture->store, VM, &disk, NULL, &err) < 0 ? 2 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(stat(disk.path, &info), 0);
		assert_true(info.st_blocks * 512 >= 16 << 20);
	}
}

/* File systems without RENAME_NOREPLACE (NFS): the kernel is made to refuse it. */
static int refuse_rename_flags(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return refuse_calls(rules, sizeof(rules) / sizeof(rules[0]));
}

static void test_without_rename_noreplace(void **state)
{
	struct fixture *fixture = *state;
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THIN, 8);
	cleanup_disk struct disk taken = make_disk(fixture, "y.raw", DISK_PROV_THIN, 8);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err = {0};
		const struct disk_work work = {.on_made = take_name};

		if (refuse_rename_flags() < 0)
			_exit(1);
		if (disk_provision(fixture->store, VM, &disk, NULL, &err) < 0)
			_exit(2);
		if (disk_provision(fixture->store, VM, &taken, &work, &err) == 0)
			_exit(3);
		_exit(err.code == ERR_EXISTS ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(file_exists(disk.path));
	cleanup_free char *all = list_all(fixture);
	assert_null(strstr(all, ".tmp"));
}

static void test_qemu_img_fails(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	cleanup_disk struct disk disk = make_disk(fixture, "a/x.raw", DISK_PROV_THICK, 8);
	cleanup_free char *before = list_all(fixture);

	fake_qemu_img(fixture, "echo 'No space left on device' >&2; exit 1");
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, "No space left on device"));
	assert_non_null(strstr(err.message, "a/x.raw"));
	cleanup_free char *after = list_all(fixture);
	assert_string_equal(before, after);
	setenv("PATH", "/nowhere", 1);
	error_clear(&err);
	assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), -1);
	assert_non_null(strstr(err.message, "qemu-img is not installed"));
	assert_true(err.hint[0]);
}

static void test_progress_of_slow_work(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct heard heard = {0};
	const struct disk_work work = {.on_progress = hear_progress, .context = &heard};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THICK, 4);

	/* Half of it, then nothing until that has been told; argument 7 is the image. */
	fake_qemu_img(fixture, "head -c 2097152 /dev/zero > $7; sleep 1; exit 1");
	assert_int_equal(disk_provision(fixture->store, VM, &disk, &work, &err), -1);
	assert_in_range(heard.percent, 50, 60);
}

/* On a store that does not count blocks. */
static void test_progress_by_size(void **state)
{
	struct fixture *fixture = *state;
	struct error err = {0};
	struct heard heard = {0};
	const struct disk_work work = {.on_progress = hear_progress, .context = &heard};
	cleanup_disk struct disk disk = make_disk(fixture, "x.raw", DISK_PROV_THICK, 4);

	fake_qemu_img(fixture, "truncate -s 3145728 $7; sleep 1; exit 1");
	assert_int_equal(disk_provision(fixture->store, VM, &disk, &work, &err), -1);
	assert_int_equal(heard.percent, 75);
}

static void test_lease_run_refuses_odd_command_lines(void **state)
{
	(void)state;
	const char *none[] = {"lease-run", NULL};
	const char *odd[] = {"lease-run", "make", "local", "1", "2", "-1", VM, "x", "../x", "thin",
		"8", "0", NULL};
	FILE *kept = stderr;

	stderr = fopen("/dev/null", "w");
	assert_int_equal(lease_run_main(1, (char **)none), 2);
	assert_int_equal(lease_run_main(12, (char **)odd), 2);
	odd[1] = "format";
	assert_int_equal(lease_run_main(12, (char **)odd), 2);
	fclose(stderr);
	stderr = kept;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, tear_down_disks)
		OPEN(test_makes_images),
		OPEN(test_never_overwrites),
		OPEN(test_leaves_the_datastore_by_no_way),
		OPEN(test_swapped_parent),
		OPEN(test_refuses_what_cannot_be_made),
		OPEN(test_another_vms_lease),
		OPEN(test_release),
		OPEN(test_release_takes_empty_directories),
		OPEN(test_release_of_what_is_no_image_any_more),
		OPEN(test_lease_is_held_by_another_operation),
		OPEN(test_failed_note_leaves_nothing),
		OPEN(test_faster_neighbour_keeps_its_image),
		OPEN(test_without_rename_noreplace),
		OPEN(test_qemu_img_fails),
		OPEN(test_progress_of_slow_work),
		OPEN(test_progress_by_size),
		OPEN(test_without_fallocate),
		cmocka_unit_test(test_lease_run_refuses_odd_command_lines),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
