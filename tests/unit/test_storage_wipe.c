/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clearing LUNs: nothing of before is left, whatever the device says, and what is stopped half way.
 */
#include "lun_fixture.h"

#include "base/clock.h"
#include "storage/lun.h"

#include <signal.h>

struct told {
	unsigned calls;
	uint64_t clear, stop_at;
};

static int on_piece(void *context, uint64_t clear, struct error *err)
{
	struct told *told = context;

	told->calls++;
	told->clear = clear;
	return told->stop_at && clear >= told->stop_at ? error_set(err, ERR_CANCELLED, "enough")
						       : 0;
}

static int make_full_file(const struct fixture *fixture, uint64_t bytes)
{
	cleanup_free char *path = xasprintf("%s/full", fixture->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fill(fd, bytes);
	return fd;
}

static int wipe(int fd, uint64_t bytes, bool keep_space, struct told *told, struct error *err)
{
	const struct lun_wipe job = {.fd = fd,
		.path = "the LUN",
		.bytes = bytes,
		.keep_space = keep_space,
		.on_piece = on_piece,
		.context = told};

	return lun_wipe(&job, err);
}

static void test_clears_whatever_the_device_does(void **state)
{
	static const struct {
		const char *behaviour;
		bool keep_space, given_back;
	} rows[] = {{"", false, true}, {"", true, false}, {"no-hole", false, false},
		{"refuse", false, false}, {"refuse", true, false}, {"lie", false, false},
		{"head", false, false}, {"tail", true, false}};
	struct fixture *fixture = *state;
	const uint64_t bytes = 2 * PIECE + 3 * MIB + 512;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_close int fd = make_full_file(fixture, bytes);
		struct told told = {0};
		struct error err = {0};
		struct stat info;

		setenv(BEHAVIOUR, rows[i].behaviour, 1);
		if (wipe(fd, bytes, rows[i].keep_space, &told, &err) < 0)
			fail_msg("%s: %s", rows[i].behaviour, err.message);
		assert_int_equal(told.calls, 3);
		assert_true(told.clear == 2 * PIECE);
		if (count_left(fd, bytes))
			fail_msg("%s: data is left", rows[i].behaviour);
		assert_int_equal(fstat(fd, &info), 0);
		assert_int_equal(info.st_size, bytes);
		if (rows[i].given_back)
			assert_true(info.st_blocks * 512 < MIB);
		else
			assert_true(info.st_blocks * 512 >= (blkcnt_t)(2 * PIECE));
	}
}

static void test_clears_small_ones(void **state)
{
	static const uint64_t sizes[] = {512, 4096, SAMPLE, SAMPLE + 512, MIB - 512};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cleanup_close int fd = make_full_file(fixture, sizes[i]);
		struct told told = {0};
		struct error err = {0};

		assert_int_equal(wipe(fd, sizes[i], false, &told, &err), 0);
		assert_int_equal(count_left(fd, sizes[i]), 0);
	}
}

static void test_says_what_it_could_not_clear(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int fd = make_full_file(fixture, PIECE + MIB);
	struct told told = {0};
	struct error err = {0};

	setenv(BEHAVIOUR, "lie lost", 1);
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, "the LUN still holds data"));
	error_clear(&err);
	setenv(BEHAVIOUR, "refuse EIO", 1);
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_non_null(strstr(err.message, "cannot clear the LUN: Input/output error"));
	error_clear(&err);
	setenv(BEHAVIOUR, "", 1);
	told.stop_at = PIECE;
	assert_int_equal(wipe(fd, PIECE + MIB, false, &told, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(count_left(fd, PIECE + MIB), MIB);
}

static void test_is_cleared_and_given_back(void **state)
{
	static const enum disk_prov provs[] = {DISK_PROV_THIN, DISK_PROV_THICK};
	struct fixture *fixture = *state;
	const off_t bytes = 65 * MIB + 512;

	for (size_t i = 0; i < 2; i++) {
		struct error err = {0};
		cleanup_loop struct loop loop;
		cleanup_disk struct disk disk = make_lun("wwn-0x6001", provs[i]);

		set_up_loop(fixture, &loop, "lun", bytes, false);
		make_name("wwn-0x6001", &loop);
		fill(loop.fd, (uint64_t)bytes);
		assert_int_equal(disk_check(fixture->store, VM, &disk, &err), 0);
		assert_int_equal(disk.size_mib, 0);
		if (disk_provision(fixture->store, VM, &disk, NULL, &err) < 0)
			fail_msg("%s", err.message);
		assert_int_equal(disk.size_mib, 66);
		assert_int_equal(disk.prov, provs[i]);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), 0);
		assert_true(is_owner(fixture, "36001", VM));
		/* Without its storage it goes as it is; with it, empty. */
		fill(loop.fd, (uint64_t)bytes);
		assert_int_equal(disk_release(fixture->store, VM, &disk, false, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), bytes);
		assert_false(is_owner(fixture, "36001", VM));
		disk.prov = DISK_PROV_NONE;
		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
		assert_int_equal(disk.prov, DISK_PROV_THIN);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), bytes);
		assert_int_equal(disk_rollback(fixture->store, VM, &disk, 0, &err), 0);
		disk.prov = provs[i];
		assert_int_equal(disk_provision(fixture->store, VM, &disk, NULL, &err), 0);
		fill(loop.fd, (uint64_t)bytes);
		assert_int_equal(disk_check_release(fixture->store, &disk, &err), 0);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
		assert_int_equal(count_left(loop.fd, (uint64_t)bytes), 0);
		/* Cut after the lease had gone: the repetition has nothing to do. One with data
		 * and without a lease is nobody's. */
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), 0);
		fill(loop.fd, MIB);
		assert_int_equal(disk_release(fixture->store, VM, &disk, true, NULL, &err), -1);
		assert_int_equal(err.code, ERR_LEASE);
		assert_int_equal(count_left(loop.fd, MIB), MIB);
		cleanup_free char *all = list_all(fixture);
		assert_null(strstr(all, "/lock/"));
	}
}

/* Work that is stopped. */

struct heard {
	unsigned percent, times;
	int signal; /* for lease-run, once half is done */
	atomic_bool *cancel;
};

static pid_t only_child(void)
{
	struct error err = {0};
	cleanup_free char *path = xasprintf("/proc/self/task/%d/children", getpid());
	cleanup_free char *text = file_read(path, 100, NULL, &err);
	int64_t pid;

	text[strcspn(text, " ")] = '\0';
	assert_true(str_parse_int(text, 1, INT32_MAX, &pid));
	return (pid_t)pid;
}

static void hear_progress(void *context, unsigned percent)
{
	struct heard *heard = context;

	assert_true(percent > heard->percent);
	heard->percent = percent;
	heard->times++;
	if (heard->percent < 40)
		return;
	if (heard->signal)
		kill(only_child(), heard->signal);
	if (heard->cancel)
		atomic_store(heard->cancel, true);
}

static void test_stopped_half_way(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t bytes = 6 * (uint64_t)PIECE;
	static const struct {
		int signal;
		bool cancel;
		enum error_code code;
	} rows[] = {{0, true, ERR_CANCELLED}, {SIGTERM, false, ERR_UNAVAILABLE},
		{SIGKILL, false, ERR_STORAGE}};
	cleanup_loop struct loop loop;
	cleanup_disk struct disk disk = make_lun("wwn-0x6001", DISK_PROV_THIN);

	set_up_loop(fixture, &loop, "lun", (off_t)bytes, false);
	make_name("wwn-0x6001", &loop);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool release = i % 2;
		struct error err = {0};
		atomic_bool cancel = false;
		struct heard heard = {.signal = rows[i / 2].signal,
			.cancel = rows[i / 2].cancel ? &cancel : NULL};
		const struct disk_work work = {
			.on_progress = hear_progress, .context = &heard, .cancel = &cancel};

		fill(loop.fd, MIB);
		assert_int_equal(syscall(SYS_pwrite64, loop.fd, "x", 1, (off_t)bytes - 512), 1);
		assert_int_equal(fsync(loop.fd), 0);
		setenv(BEHAVIOUR, "slow", 1);
		if (release)
			assert_int_equal(lease_create(fixture->store, "36001", VM, &err), 0);
		int64_t start = clock_ms();
		int done = release ? disk_release(fixture->store, VM, &disk, true, &work, &err)
				   : disk_provision(fixture->store, VM, &disk, &work, &err);
		assert_int_equal(done, -1);
		assert_true(clock_ms() - start < 5000);
		assert_string_equal(error_code_word(err.code), error_code_word(rows[i / 2].code));
		assert_in_range(heard.percent, 40, 80);
		/* As far as it came; a cut create gives the lease back, a cut release keeps it. */
		assert_int_equal(count_left(loop.fd, MIB), 0);
		assert_int_equal(is_owner(fixture, "36001", VM), release);
		error_clear(&err);
		setenv(BEHAVIOUR, "", 1);
		done = disk_release(fixture->store, VM, &disk, true, NULL, &err);
		assert_int_equal(done, release ? 0 : -1);
		assert_int_equal(err.code, release ? ERR_NONE : ERR_LEASE);
		assert_int_equal(count_left(loop.fd, bytes), release ? 0 : 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, tear_down)
		OPEN(test_clears_whatever_the_device_does),
		OPEN(test_clears_small_ones),
		OPEN(test_says_what_it_could_not_clear),
		OPEN(test_is_cleared_and_given_back),
		OPEN(test_stopped_half_way),
	};

	if (argc > 1 && str_equal(argv[1], "lease-run"))
		return lease_run_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, make_dev, NULL);
}
