/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/process.h: outside programs, their ends and ours. */
#include "base/process.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define SHELL(script)                    \
	(const char *const[])            \
	{                                \
		"sh", "-c", script, NULL \
	}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Waits until a process is gone. */
static bool is_gone_soon(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		cleanup_free char *path = xasprintf("/proc/%d/stat", pid);
		struct error err = {0};
		cleanup_free char *stat = file_read(path, 4096, NULL, &err);

		/* A zombie of someone who does not wait has ended too. */
		if (!stat || strstr(stat, ") Z "))
			return true;
		pause_ms(20);
	}
	return false;
}

static int run_shell(const char *script, char **output, struct error *err)
{
	const struct process process = {.argv = SHELL(script), .max_output = 1000};

	return process_run(&process, output, err);
}

static void test_gives_output(void **state)
{
	(void)state;
	struct error err = {0};
	char *output = NULL;

	assert_int_equal(run_shell("echo one; echo two >&2; echo three", &output, &err), 0);
	assert_string_equal(output, "one\nthree\n");
	free(output);
	assert_int_equal(run_shell(":", &output, &err), 0);
	assert_string_equal(output, "");
	free(output);
}

static void test_gives_input(void **state)
{
	(void)state;
	struct error err = {0};
	char *output = NULL;
	cleanup_free char *input = xmalloc(300001);

	/* More than any pipe holds, to a program that reads late or never. */
	memset(input, 'x', 300000);
	input[300000] = '\0';
	struct process process = {.argv = SHELL("wc -c"), .input = input, .max_output = 100};
	assert_int_equal(process_run(&process, &output, &err), 0);
	assert_int_equal(strtol(output, NULL, 10), 300000);
	free(output);
	process.argv = SHELL("exit 0");
	assert_int_equal(process_run(&process, NULL, &err), 0);
	process.argv = SHELL("cat");
	process.input = NULL;
	assert_int_equal(process_run(&process, &output, &err), 0);
	assert_string_equal(output, "");
	free(output);
}

static void test_tells_status_and_last_words(void **state)
{
	(void)state;
	struct error err = {0};

	assert_int_equal(run_shell("echo the cause >&2; exit 3", NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_string_equal(err.message, "sh failed with exit status 3: the cause");
	error_clear(&err);
	assert_int_equal(run_shell("kill -TERM $$", NULL, &err), -1);
	assert_string_equal(err.message, "sh was ended by signal 15 (TERM)");
	error_clear(&err);
	assert_int_equal(run_shell("printf 'b\\303\\266se \\033[1m' >&2; exit 1", NULL, &err), -1);
	assert_string_equal(err.message, "sh failed with exit status 1: b\303\266se  [1m");
	error_clear(&err);
	assert_int_equal(run_shell("printf 'b\\303se' >&2; exit 1", NULL, &err), -1);
	assert_string_equal(err.message, "sh failed with exit status 1: b?se");
}

static void test_keeps_only_the_last_words(void **state)
{
	(void)state;
	struct error err = {0};

	assert_int_equal(
		run_shell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done >&2;"
			  "printf 'last\\nline\\n' >&2; exit 1",
			NULL, &err),
		-1);
	assert_true(str_ends_with(err.message, "line 1999 last line"));
	assert_true(strlen(err.message) < 450);
	assert_null(strchr(err.message, '\n'));
}

static void test_names_a_missing_program(void **state)
{
	(void)state;
	struct error err = {0};
	const struct process process = {.argv = (const char *const[]){"no-such-program-x", NULL}};

	assert_int_equal(process_run(&process, NULL, &err), -1);
	assert_int_equal(err.code, ERR_STORAGE);
	assert_non_null(strstr(err.message, "no-such-program-x is not installed"));
	assert_true(err.hint[0]);
	error_clear(&err);
	const struct process absolute = {.argv = (const char *const[]){"/no/such", NULL}};
	assert_int_equal(process_run(&absolute, NULL, &err), -1);
	assert_non_null(strstr(err.message, "/no/such is not installed"));
	error_clear(&err);
	const struct process data = {.argv = (const char *const[]){"/etc/passwd", NULL}};
	assert_int_equal(process_run(&data, NULL, &err), -1);
	assert_non_null(strstr(err.message, "Permission denied"));
}

static void test_limits_output(void **state)
{
	(void)state;
	struct error err = {0};
	char *output = NULL;

	assert_int_equal(run_shell("yes", &output, &err), -1);
	assert_null(output);
	assert_string_equal(err.message, "sh wrote more than 1000 bytes");
	error_clear(&err);
	assert_int_equal(run_shell("head -c 1000 /dev/zero", &output, &err), 0);
	free(output);
}

/* Starts a background process in the group, whose number comes with the output. */
struct found {
	char text[64];
	size_t len;
	unsigned ticks;
};

static void take_number(void *context, const char *text, size_t len)
{
	struct found *found = context;

	for (size_t i = 0; i < len && found->len + 1 < sizeof(found->text); i++)
		found->text[found->len++] = text[i];
}

static void count_tick(void *context)
{
	struct found *found = context;

	found->ticks++;
}

static void test_timeout_kills_the_group(void **state)
{
	(void)state;
	struct error err = {0};
	struct found found = {0};
	const struct process process = {
		.argv = SHELL("sleep 1000 & echo $!; wait"),
		.timeout_s = 1,
		.on_output = take_number,
		.on_tick = count_tick,
		.context = &found,
	};

	assert_int_equal(process_run(&process, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(found.ticks >= 2);
	assert_true(is_gone_soon((pid_t)strtol(found.text, NULL, 10)));
}

static void test_what_it_leaves_running_ends_too(void **state)
{
	(void)state;
	struct error err = {0};
	struct found found = {0};
	const struct process process = {
		.argv = SHELL("sleep 1000 & echo $!"),
		.timeout_s = 60,
		.on_output = take_number,
		.context = &found,
	};

	/* It holds our pipes open; that must not keep us. */
	assert_int_equal(process_run(&process, NULL, &err), 0);
	assert_true(is_gone_soon((pid_t)strtol(found.text, NULL, 10)));
}

static atomic_bool cancel;

static void *cancel_when_it_runs(void *pipe_end)
{
	char byte;

	if (read(*(int *)pipe_end, &byte, 1) == 1)
		atomic_store(&cancel, true);
	return NULL;
}

static void test_cancel(void **state)
{
	(void)state;
	struct error err = {0};
	int ends[2];
	pthread_t thread;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	atomic_store(&cancel, false);
	assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_runs, &ends[0]), 0);
	cleanup_free char *script = xasprintf("echo >&%d; exec sleep 1000", ends[1]);
	const struct process process = {
		.argv = SHELL(script),
		.cancel = &cancel,
		.fds = &ends[1],
		.fd_count = 1,
	};
	assert_int_equal(process_run(&process, NULL, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
}

static void test_surroundings(void **state)
{
	(void)state;
	struct error err = {0};
	char *output = NULL;
	cleanup_close int extra = open("/dev/null", O_RDONLY);

	assert_true(extra >= 0);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	assert_int_equal(
		run_shell("echo $LC_ALL; ls /proc/self/fd | tr '\\n' ' '", &output, &err), 0);
	/* 3 is ls reading the directory. */
	assert_string_equal(output, "C\n0 1 2 3 ");
	free(output);
	/* A signal that we ignore has its meaning in what we start. */
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run_shell("kill -PIPE $$; echo alive", &output, &err), -1);
	assert_non_null(strstr(err.message, "signal 13 (PIPE)"));
	signal(SIGPIPE, SIG_DFL);
	unsetenv("LC_ALL");
}

static void test_dies_with_us(void **state)
{
	(void)state;
	int ends[2];
	char text[32] = "";

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct error err = {0};
		cleanup_free char *script = xasprintf("echo $$ >&%d; exec sleep 1000", ends[1]);
		const struct process process = {
			.argv = SHELL(script), .fds = &ends[1], .fd_count = 1};

		process_run(&process, NULL, &err);
		_exit(1);
	}
	ssize_t got = read(ends[0], text, sizeof(text) - 1);
	assert_true(got > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(is_gone_soon((pid_t)strtol(text, NULL, 10)));
	close(ends[0]);
	close(ends[1]);
}

static void test_opens_standard(void **state)
{
	(void)state;
	pid_t pid = fork();

	if (pid == 0) {
		close(STDIN_FILENO);
		close(STDERR_FILENO);
		process_open_standard();
		int next = open("/", O_PATH | O_CLOEXEC);
		char c;
		bool kept = read(STDIN_FILENO, &c, 1) == 0 && write(STDERR_FILENO, "x", 1) == 1;
		_exit(kept && next > STDERR_FILENO ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_output),
		cmocka_unit_test(test_gives_input),
		cmocka_unit_test(test_tells_status_and_last_words),
		cmocka_unit_test(test_keeps_only_the_last_words),
		cmocka_unit_test(test_names_a_missing_program),
		cmocka_unit_test(test_limits_output),
		cmocka_unit_test(test_timeout_kills_the_group),
		cmocka_unit_test(test_what_it_leaves_running_ends_too),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_dies_with_us),
		cmocka_unit_test(test_opens_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
