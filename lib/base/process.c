/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running outside programs: see process.h. */
#include "base/process.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STDERR_TAIL 400
#define TICK_MS     200

extern char **environ;

/* A running program and what has come from it. */
struct run {
	const struct process *process;
	pid_t pid;
	int pidfd;
	int out;
	int errors;
	char *output;
	size_t output_len;
	size_t output_room;
	char tail[2 * STDERR_TAIL];
	size_t tail_len;
};

static void run_cleanup(struct run *run)
{
	mem_cleanup_close(&run->pidfd);
	mem_cleanup_close(&run->out);
	mem_cleanup_close(&run->errors);
	free(run->output);
}

/* The file to execute; NULL when PATH has none. Done before fork: a child of threads may not
 * allocate. */
static char *find_program(const struct process *process)
{
	const char *name = process->program ? process->program : process->argv[0];
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return xstrdup(name);
	if (str_is_empty(path))
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");
		cleanup_free char *file = xasprintf("%.*s/%s", (int)len, path, name);

		if (len > 0 && access(file, X_OK) == 0)
			return steal(&file);
		path += len + (path[len] == ':');
	}
	return NULL;
}

/* Our environment with LC_ALL=C; the caller frees the array, not what it points to. */
static char **make_environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t count = 0;
	size_t kept = 0;

	while (environ[count])
		count++;
	char **copy = xreallocarray(NULL, count + 2, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		if (!str_starts_with(environ[i], "LC_ALL="))
			copy[kept++] = environ[i];
	}
	copy[kept++] = locale;
	copy[kept] = NULL;
	return copy;
}

/* Standard input as a file in memory: no pipe that could fill up or break. */
static int open_input(const char *input, struct error *err)
{
	if (!input) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null < 0)
			error_set_errno(err, ERR_STORAGE, errno, "cannot open /dev/null");
		return null;
	}
	cleanup_close int fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || file_write_all(fd, input, strlen(input)) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		error_set_errno(err, ERR_STORAGE, errno, "cannot prepare standard input");
		return -1;
	}
	return steal_fd(&fd);
}

/* What the new process needs, all made before fork. */
struct start {
	const char *program;
	char **environment;
	pid_t parent;
	int input;
	int out;
	int errors;
	int status;
};

/* In the new process: only calls that are safe after fork in a program with threads. */
static _Noreturn void child_exec(const struct process *process, const struct start *start)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != start->parent)
		_exit(127);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(start->input, 0) >= 0 && dup2(start->out, 1) >= 0 && dup2(start->errors, 2) >= 0 &&
		close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
		for (size_t i = 0; i < process->fd_count; i++)
			fcntl(process->fds[i], F_SETFD, 0);
		execve(start->program, (char *const *)process->argv, start->environment);
	}
	int cause = errno;
	ssize_t written = write(start->status, &cause, sizeof(cause));
	_exit(written == (ssize_t)sizeof(cause) ? 127 : 126);
}

static void close_pair(int (*pair)[2])
{
	mem_cleanup_close(&(*pair)[0]);
	mem_cleanup_close(&(*pair)[1]);
}

/*
 * Opens a pipe whose ends are above 2, so that dup2 onto 0 to 2 in the new process overwrites none
 * of them, also when we ourselves run without a standard output.
 */
static int open_pipe(int pair[2])
{
	int low[2];

	if (pipe2(low, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		pair[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 3);
		close(low[i]);
	}
	return pair[0] < 0 || pair[1] < 0 ? -1 : 0;
}

static int fail_missing(const struct process *process, struct error *err)
{
	const char *name = process->program ? process->program : process->argv[0];

	error_set(err, ERR_STORAGE, "the program %s is not installed", name);
	return error_hint(err, "install the package that brings %s, or correct PATH", name);
}

/* Forks and executes; 0 when the program runs. */
static int run_start(struct run *run, struct error *err)
{
	const struct process *process = run->process;
	cleanup_free char *program = find_program(process);
	cleanup_free char **environment = make_environment();
	CLEANUP(close_pair) int out[2] = {-1, -1};
	CLEANUP(close_pair) int errors[2] = {-1, -1};
	CLEANUP(close_pair) int status[2] = {-1, -1};
	int cause = 0;

	if (!program)
		return fail_missing(process, err);
	cleanup_close int low_input = open_input(process->input, err);
	if (low_input < 0)
		return -1;
	cleanup_close int input = fcntl(low_input, F_DUPFD_CLOEXEC, 3);
	if (input < 0 || open_pipe(out) < 0 || open_pipe(errors) < 0 || open_pipe(status) < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "cannot open pipes");
	struct start start = {program, environment, getpid(), input, out[1], errors[1], status[1]};
	run->pid = fork();
	if (run->pid < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "cannot start %s", program);
	if (run->pid == 0)
		child_exec(process, &start);
	mem_cleanup_close(&status[1]);
	status[1] = -1;
	/* The pipe closes by itself when the program is executed. */
	ssize_t got;
	while ((got = read(status[0], &cause, sizeof(cause))) < 0 && errno == EINTR)
		;
	if (got != 0) {
		waitpid(run->pid, NULL, 0);
		if (got != (ssize_t)sizeof(cause))
			cause = EIO;
		if (cause == ENOENT)
			return fail_missing(process, err);
		return error_set_errno(err, ERR_STORAGE, cause, "cannot execute %s", program);
	}
	run->pidfd = pidfd_open(run->pid, 0);
	if (run->pidfd < 0) {
		error_set_errno(err, ERR_STORAGE, errno, "cannot watch %s", program);
		kill(-run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
		return -1;
	}
	run->out = steal_fd(&out[0]);
	run->errors = steal_fd(&errors[0]);
	return 0;
}

/* Keeps the end of standard error. */
static void keep_tail(struct run *run, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (run->tail_len == sizeof(run->tail)) {
			memmove(run->tail, run->tail + STDERR_TAIL, STDERR_TAIL);
			run->tail_len = STDERR_TAIL;
		}
		run->tail[run->tail_len++] = text[i];
	}
}

static int keep_output(struct run *run, const char *text, size_t len, struct error *err)
{
	const struct process *process = run->process;

	if (process->on_output)
		process->on_output(process->context, text, len);
	if (process->max_output == 0)
		return 0;
	if (len > process->max_output - run->output_len)
		return error_set(err, ERR_STORAGE, "%s wrote more than %zu bytes", process->argv[0],
			process->max_output);
	if (run->output_len + len > run->output_room) {
		run->output_room = 2 * (run->output_len + len);
		run->output = xrealloc(run->output, run->output_room + 1);
	}
	memcpy(run->output + run->output_len, text, len);
	run->output_len += len;
	return 0;
}

/* Reads one piece from a pipe and closes it at its end. 1: something came, 0: nothing. */
static int take(struct run *run, int *fd, struct error *err)
{
	char piece[4096];
	ssize_t got = read(*fd, piece, sizeof(piece));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (got <= 0) {
		close(steal_fd(fd));
		return 0;
	}
	if (fd == &run->errors)
		keep_tail(run, piece, (size_t)got);
	else if (keep_output(run, piece, (size_t)got, err) < 0)
		return -1;
	return 1;
}

/* What is still in the pipes when the program has ended; something it left behind may hold them
 * open. */
static int drain(struct run *run, struct error *err)
{
	int *const fds[] = {&run->out, &run->errors};

	for (size_t i = 0; i < 2; i++) {
		int got = *fds[i] >= 0;

		if (got)
			fcntl(*fds[i], F_SETFL, O_NONBLOCK);
		while (got > 0)
			got = take(run, fds[i], err);
		if (got < 0)
			return -1;
	}
	return 0;
}

/* Reads until the program has ended; -1 when it must be killed. */
static int run_follow(struct run *run, struct error *err)
{
	const struct process *process = run->process;
	int64_t deadline = clock_ms() + (int64_t)process->timeout_s * 1000;
	bool wake = process->timeout_s || process->cancel || process->on_tick;
	int64_t next_tick = clock_ms() + TICK_MS;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = run->pidfd, .events = POLLIN},
			{.fd = run->out, .events = POLLIN},
			{.fd = run->errors, .events = POLLIN},
		};
		if (poll(fds, 3, wake ? TICK_MS : -1) < 0 && errno != EINTR)
			return error_set_errno(err, ERR_INTERNAL, errno, "poll");
		if (fds[1].revents && take(run, &run->out, err) < 0)
			return -1;
		if (fds[2].revents && take(run, &run->errors, err) < 0)
			return -1;
		if (fds[0].revents)
			return drain(run, err);
		if (process->cancel && atomic_load(process->cancel))
			return error_set(err, ERR_CANCELLED, "%s was cancelled", process->argv[0]);
		if (process->timeout_s && clock_ms() >= deadline)
			return error_set(err, ERR_TIMEOUT, "%s took more than %u seconds",
				process->argv[0], process->timeout_s);
		if (process->on_tick && clock_ms() >= next_tick) {
			process->on_tick(process->context);
			next_tick = clock_ms() + TICK_MS;
		}
	}
}

/* The program's last words as one line of text. */
static const char *tail_text(struct run *run)
{
	size_t len = run->tail_len;
	char *text = run->tail;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (len > STDERR_TAIL) {
		text += len - STDERR_TAIL;
		len = STDERR_TAIL;
	}
	if (text + len == run->tail + sizeof(run->tail))
		len--;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	}
	while ((*text & 0xc0) == 0x80)
		text++;
	/* Errors are UTF-8; what a program writes need not be. */
	bool plain = !str_is_utf8(text);
	for (char *c = text; plain && *c; c++) {
		if (*c & 0x80)
			*c = '?';
	}
	return text;
}

static int judge(struct run *run, int status, struct error *err)
{
	const char *name = run->process->argv[0];
	const char *words = tail_text(run);
	const char *colon = *words ? ": " : "";

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return error_set(err, ERR_STORAGE, "%s failed with exit status %d%s%s", name,
			WEXITSTATUS(status), colon, words);
	return error_set(err, ERR_STORAGE, "%s was ended by signal %d (%s)%s%s", name,
		WTERMSIG(status), sigabbrev_np(WTERMSIG(status)), colon, words);
}

int process_run(const struct process *process, char **output, struct error *err)
{
	CLEANUP(run_cleanup)
	struct run run = {.process = process, .pidfd = -1, .out = -1, .errors = -1};
	int status = 0;

	if (output)
		*output = NULL;
	if (run_start(&run, err) < 0)
		return -1;
	int followed = run_follow(&run, err);
	/* Before it is waited for: until then the number of the group cannot be anyone else's. */
	kill(-run.pid, SIGKILL);
	while (waitpid(run.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (followed < 0 || judge(&run, status, err) < 0)
		return -1;
	if (output) {
		if (!run.output)
			run.output = xmalloc(1);
		run.output[run.output_len] = '\0';
		*output = steal(&run.output);
	}
	return 0;
}

void process_open_standard(void)
{
	int fd;

	/* The lowest number that is free is taken. Without /dev/null there is nothing to be done.
	 */
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0)
		close(fd);
}
