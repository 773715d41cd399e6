/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A storage of its own for each test: a temporary directory, opened, and removed with all that is
 * in it. */
#ifndef TESTS_STORAGE_FIXTURE_H
#define TESTS_STORAGE_FIXTURE_H

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"
#include "storage/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST  "11111111-1111-4111-8111-111111111111"
#define HOST2 "22222222-2222-4222-8222-222222222222"
#define VM    "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define VM2   "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

struct fixture {
	char *folder, *vms;
	struct store *store;
	unsigned fds; /* open at the start */
};

static inline unsigned fixture_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static inline int fixture_remove_one(
	const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void fixture_remove_tree(const char *path)
{
	nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Only the temporary directory, nothing in it. */
static inline int fixture_empty(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	fixture->folder = folder_make();
	fixture->vms = xasprintf("%s/vms", fixture->folder);
	fixture->fds = fixture_count_fds();
	*state = fixture;
	return 0;
}

static inline struct store *fixture_open(
	const struct fixture *fixture, const char *host, struct error *err)
{
	const struct store_config config = {.vms_dir = fixture->vms, .host_uuid = host};

	return store_open(&config, err);
}

/* A made and opened storage. */
static inline int fixture_set_up(void **state)
{
	struct error err = {0};
	char cluster[UUID_TEXT_SIZE];

	if (fixture_empty(state) < 0)
		return -1;
	struct fixture *fixture = *state;
	if (store_init(fixture->vms, cluster, &err) == 0)
		fixture->store = fixture_open(fixture, HOST, &err);
	if (!fixture->store)
		fprintf(stderr, "# %s\n", err.message);
	return fixture->store ? 0 : -1;
}

static inline int fixture_tear_down(void **state)
{
	struct fixture *fixture = *state;

	store_close(fixture->store);
	fixture_remove_tree(fixture->folder);
	int leaked = (int)fixture_count_fds() - (int)fixture->fds;
	if (leaked)
		fprintf(stderr, "# %d descriptors were left open\n", leaked);
	free(fixture->folder);
	free(fixture->vms);
	free(fixture);
	return leaked ? -1 : 0;
}

/* VMS/PATH; the caller frees it. */
static inline char *in_vms(const struct fixture *fixture, const char *path)
{
	return xasprintf("%s/%s", fixture->vms, path);
}

static inline void make_file(const struct fixture *fixture, const char *path, const char *text)
{
	struct error err = {0};
	cleanup_free char *full = in_vms(fixture, path);
	cleanup_free char *parent = xstrndup(full, (size_t)(strrchr(full, '/') - full));

	assert_int_equal(file_make_dirs(parent, 0755, &err), 0);
	assert_int_equal(file_write_atomic(full, text, strlen(text), 0644, &err), 0);
}

static inline bool is_there(const struct fixture *fixture, const char *path)
{
	cleanup_free char *full = in_vms(fixture, path);

	return file_exists(full);
}

static inline unsigned mode_of(const struct fixture *fixture, const char *path)
{
	cleanup_free char *full = in_vms(fixture, path);
	struct stat info;

	assert_int_equal(lstat(full, &info), 0);
	return info.st_mode & 07777;
}

static struct printbuf *fixture_listing;

static inline int fixture_list_one(
	const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)kind;
	(void)ftw;
	buf_format(fixture_listing, "%s %o %lu %ld", path, info->st_mode,
		(unsigned long)info->st_ino, S_ISDIR(info->st_mode) ? 0 : (long)info->st_size);
	if (S_ISREG(info->st_mode) && info->st_size < 100000) {
		struct error err = {0};
		char hash[33];
		size_t len;
		cleanup_free char *text = file_read(path, 100000, &len, &err);

		if (text) {
			str_md5_hex(text, len, hash);
			buf_format(fixture_listing, " %s", hash);
		}
	}
	buf_text(fixture_listing, "\n");
	return 0;
}

static inline int fixture_compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that lies in the storage: name, mode, inode, size and contents of each file, sorted. The
 * caller frees it. */
static inline char *list_all(const struct fixture *fixture)
{
	struct printbuf *sorted = buf_new();
	char *lines[1000];
	size_t count = 0;

	fixture_listing = buf_new();
	assert_int_equal(nftw(fixture->vms, fixture_list_one, 16, FTW_PHYS), 0);
	for (char *rest = fixture_listing->buf; rest && *rest && count < 1000;)
		lines[count++] = strsep(&rest, "\n");
	qsort(lines, count, sizeof(*lines), fixture_compare_lines);
	for (size_t i = 0; i < count; i++)
		buf_format(sorted, "%s\n", lines[i]);
	buf_free(fixture_listing);
	return buf_steal(sorted);
}

/* Runs a program that tests need; it must succeed. */
#define run_program(...) fixture_run((const char *const[]){__VA_ARGS__, NULL})

static inline void fixture_run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#endif
