/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console log: offsets that stay true, a bound on its storage, bytes as the guest wrote them.
 */
#include "applets/virtxd/console.h"
#include "applets/virtxd/routes.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "folder_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

/* cmocka wants these first. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VM  "00000000-0000-0000-0000-00000000000a"
#define MIB (1024 * 1024)

struct fixture {
	struct daemon daemon;
	char *log;
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	char *dir = folder_make();
	struct error err = {0};

	fixture->daemon.settings.state_dir = dir;
	fixture->log = console_path(dir, VM);
	*state = fixture;
	return console_prepare(dir, &err);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *dir = xasprintf("%s/console", fixture->daemon.settings.state_dir);

	unlink(fixture->log);
	rmdir(dir);
	rmdir(fixture->daemon.settings.state_dir);
	free(fixture->daemon.settings.state_dir);
	free(fixture->log);
	free(fixture);
	return 0;
}

/* As QEMU does: every write goes to the end of what is there. */
static void append(const struct fixture *fixture, const void *data, size_t len)
{
	cleanup_close int fd = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, data, len), 0);
}

static void append_much(const struct fixture *fixture, char byte, size_t len)
{
	cleanup_free char *data = xmalloc(len);

	memset(data, byte, len);
	append(fixture, data, len);
}

/* One answer; the caller clears it. offset NULL: not given. */
static int read_log(struct fixture *fixture, const char *offset, struct http_response *response,
	struct error *err)
{
	cleanup_free char *query = offset ? xasprintf("offset=%s", offset) : xstrdup("");
	struct http_request request = {.method = "GET", .query = query};
	struct call call = {.daemon = &fixture->daemon, .request = &request, .response = response};

	(void)str_copy(call.vm.uuid, sizeof(call.vm.uuid), VM);
	return api_console_get(&call, err);
}

static void response_clear(struct http_response *response)
{
	http_body_unref(response->body);
	free(response->headers);
}

static void assert_read(
	struct fixture *fixture, const char *offset, const void *data, size_t len, const char *next)
{
	CLEANUP(response_clear) struct http_response response = {.status = 200};
	struct error err = {0};
	cleanup_free char *header = xasprintf("X-VirtX-Offset: %s\r\n", next);

	assert_int_equal(read_log(fixture, offset, &response, &err), 0);
	assert_int_equal(http_body_len(response.body), len);
	assert_memory_equal(http_body_data(response.body), data, len);
	assert_non_null(strstr(response.headers, header));
	assert_non_null(strstr(response.headers, "nosniff"));
}

static void test_offsets(void **state)
{
	struct fixture *fixture = *state;
	static const char raw[12] = "hello\r\n\0\xff<b>";

	append(fixture, raw, sizeof(raw));
	assert_read(fixture, NULL, raw, sizeof(raw), "12");
	assert_read(fixture, "-1", raw, sizeof(raw), "12");
	assert_read(fixture, "7", raw + 7, sizeof(raw) - 7, "12");
	assert_read(fixture, "12", "", 0, "12");
	/* A reader of a log that began anew starts over. */
	assert_read(fixture, "13", raw, sizeof(raw), "12");
	append(fixture, "more", 4);
	assert_read(fixture, "12", "more", 4, "16");
}

static void test_bad_offsets(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "99999999999999999999", "%20"};
	struct fixture *fixture = *state;

	append(fixture, "a", 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CLEANUP(response_clear) struct http_response response = {0};
		struct error err = {0};

		assert_int_equal(read_log(fixture, bad[i], &response, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_answers_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(response_clear) struct http_response all = {0}, tail = {0};
	struct error err = {0};

	append_much(fixture, 'x', MIB);
	assert_int_equal(read_log(fixture, "0", &all, &err), 0);
	assert_int_equal(http_body_len(all.body), 256 * 1024);
	assert_int_equal(read_log(fixture, NULL, &tail, &err), 0);
	assert_int_equal(http_body_len(tail.body), 64 * 1024);
	assert_non_null(strstr(tail.headers, "X-VirtX-Offset: 1048576\r\n"));
}

static void test_trim_keeps_offsets(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(response_clear) struct http_response response = {0};
	struct error err = {0};
	struct stat status;

	append_much(fixture, 'x', 3 * MIB);
	console_trim(&fixture->daemon);
	assert_int_equal(stat(fixture->log, &status), 0);
	assert_true(status.st_blocks * 512 >= 3 * MIB);

	append_much(fixture, 'y', 3 * MIB);
	append(fixture, "end", 3);
	console_trim(&fixture->daemon);
	assert_int_equal(stat(fixture->log, &status), 0);
	assert_true(status.st_blocks * 512 <= 2 * MIB);
	/* What a reader already has stays where it was. */
	assert_read(fixture, "6291456", "end", 3, "6291459");
	/* What is gone is skipped, not answered as zeros. */
	assert_int_equal(read_log(fixture, "0", &response, &err), 0);
	assert_int_equal(http_body_data(response.body)[0], 'y');
	append(fixture, "more", 4);
	assert_read(fixture, "6291459", "more", 4, "6291463");
}

static void test_a_link_is_not_followed(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(response_clear) struct http_response response = {0};
	struct error err = {0};

	assert_int_equal(symlink("/etc/passwd", fixture->log), 0);
	assert_int_equal(read_log(fixture, "0", &response, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_null(response.body);
	unlink(fixture->log);
	assert_int_equal(mkfifo(fixture->log, 0600), 0);
	error_clear(&err);
	assert_int_equal(read_log(fixture, "0", &response, &err), -1);
	console_trim(&fixture->daemon);
}

static void test_remove(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *rolled = xasprintf("%s.0", fixture->log);
	struct error err = {0};

	append(fixture, "a", 1);
	assert_int_equal(file_write_atomic(rolled, "b", 1, 0600, &err), 0);
	assert_int_equal(console_remove(&fixture->daemon, VM, &err), 0);
	assert_false(file_exists(fixture->log));
	assert_false(file_exists(rolled));
	assert_int_equal(console_remove(&fixture->daemon, VM, &err), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_offsets),
		TEST(test_bad_offsets),
		TEST(test_answers_are_bounded),
		TEST(test_trim_keeps_offsets),
		TEST(test_a_link_is_not_followed),
		TEST(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
