/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A storage that fails when it is told to: a FUSE file system in memory. Usage:
 *
 *     teststore MOUNTPOINT CONTROL
 *
 * CONTROL is a UNIX socket; each connection sends one line and gets one back:
 *
 *     nofallocate         fallocate() is not supported from now on
 *     delay USEC          each write takes that long
 *     arm N once ERROR    the n-th state-changing call fails (ERROR: its number)
 *     arm N on ERROR      so do all that follow
 *     arm N hang          from the n-th state-changing call on nothing is answered
 *     arm 0               only counts
 *     status              "CALLS HIT NAME": the calls since `arm`; 1 and what was hit, or 0
 *     release             works again; what hung is done now
 *     cut                 the power goes: what was not synced is gone, what hung and what comes
 *                         fails until `release`
 *
 * State-changing calls are those that make, change, rename, remove or sync. One thread: what hangs
 * is put aside, so that any number of calls may.
 */
#include "tests/tools/teststore.h"
#include "tests/tools/teststore_tree.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_ONCE, FAULT_ON, FAULT_HANG };

static struct {
	struct fuse_session *session;
	long delay_us; /* of each write */
	enum fault fault;
	int error; /* of FAULT_ONCE and FAULT_ON */
	unsigned long at, calls;
	char hit[300]; /* what the fault hit first */
	bool hangs, off;
	struct fuse_buf *held; /* requests that hang, in their order */
	size_t n_held;
} store;

static const struct {
	unsigned opcode;
	const char *name;
	int text; /* where behind the header the name begins; -1: it has none */
} changes[] = {
	{FUSE_CREATE, "create", sizeof(struct fuse_create_in)},
	{FUSE_MKNOD, "mknod", sizeof(struct fuse_mknod_in)},
	{FUSE_MKDIR, "mkdir", sizeof(struct fuse_mkdir_in)},
	{FUSE_SYMLINK, "symlink", 0},
	{FUSE_LINK, "link", sizeof(struct fuse_link_in)},
	{FUSE_UNLINK, "unlink", 0},
	{FUSE_RMDIR, "rmdir", 0},
	{FUSE_RENAME, "rename", sizeof(struct fuse_rename_in)},
	{FUSE_RENAME2, "rename", sizeof(struct fuse_rename2_in)},
	{FUSE_SETATTR, "setattr", -1},
	{FUSE_WRITE, "write", -1},
	{FUSE_FALLOCATE, "fallocate", -1},
	{FUSE_FSYNC, "fsync", -1},
	{FUSE_FSYNCDIR, "fsyncdir", -1},
};

/* What a request would change, in words; false when it changes nothing. */
static bool describe_change(const struct fuse_buf *request, char *text, size_t size)
{
	const struct fuse_in_header *header = request->mem;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *name = (const char *)(header + 1) + changes[i].text;
		bool named = changes[i].text >= 0;

		if (header->opcode != changes[i].opcode)
			continue;
		snprintf(text, size, "%s%s%.255s", changes[i].name, named ? " " : "",
			named ? name : "");
		return true;
	}
	return false;
}

/* The kernel's own bookkeeping goes on whatever is wrong with the storage. */
static bool is_bookkeeping(unsigned opcode)
{
	return opcode == FUSE_INIT || opcode == FUSE_DESTROY || opcode == FUSE_FORGET ||
	       opcode == FUSE_BATCH_FORGET;
}

static void answer_error(const struct fuse_buf *request, int error)
{
	const struct fuse_in_header *header = request->mem;
	struct fuse_out_header answer = {
		.len = sizeof(answer), .error = -error, .unique = header->unique};

	/* Fails when the one who waited is gone. */
	if (write(fuse_session_fd(store.session), &answer, sizeof(answer)) < 0 && errno != ENOENT)
		perror("teststore: answer");
}

static void hold(struct fuse_buf *request)
{
	store.held = xreallocarray(store.held, store.n_held + 1, sizeof(*store.held));
	store.held[store.n_held++] = *request;
	request->mem = NULL; /* the next one gets a buffer of its own */
}

static void perform(const struct fuse_buf *request)
{
	const struct fuse_in_header *header = request->mem;

	if (header->opcode == FUSE_WRITE && store.delay_us)
		nanosleep(&(struct timespec){.tv_sec = store.delay_us / 1000000,
				  .tv_nsec = store.delay_us % 1000000 * 1000},
			NULL);
	fuse_session_process_buf(store.session, request);
}

/* Counts a change; true when the fault is due: `error` is its answer, or it hangs. */
static bool is_hit(const struct fuse_buf *request, int *error)
{
	char text[sizeof(store.hit)];

	if (!describe_change(request, text, sizeof(text)))
		return false;
	store.calls++;
	if (store.fault == FAULT_NONE || store.calls < store.at ||
		(store.fault == FAULT_ONCE && store.calls > store.at))
		return false;
	if (!*store.hit)
		memcpy(store.hit, text, sizeof(store.hit));
	store.hangs = store.fault == FAULT_HANG;
	*error = store.error;
	return true;
}

static void take_request(struct fuse_buf *request)
{
	const struct fuse_in_header *header = request->mem;
	int error = EIO;

	if (header->opcode == FUSE_INTERRUPT)
		return; /* a storage that hangs does not listen either */
	if (is_bookkeeping(header->opcode))
		perform(request);
	else if (store.off)
		answer_error(request, EIO);
	else if (!store.hangs && !is_hit(request, &error))
		perform(request);
	else if (store.hangs)
		hold(request);
	else
		answer_error(request, error);
}

/* Ends what hangs, one way or the other. */
static void release_held(void)
{
	for (size_t i = 0; i < store.n_held; i++) {
		take_request(&store.held[i]);
		free(store.held[i].mem);
	}
	free(store.held);
	store.held = NULL;
	store.n_held = 0;
}

static void release(void)
{
	store.fault = FAULT_NONE;
	store.hangs = store.off = false;
	release_held();
}

static void cut(void)
{
	store.fault = FAULT_NONE;
	store.hangs = false;
	store.off = true;
	release_held();
	tree_cut();
}

static bool arm(char *arguments)
{
	static const char *const names[] = {"once", "on", "hang"};
	char *rest = NULL;
	int64_t at = 0, error = 0;
	char *word = strtok_r(arguments, " ", &rest);

	if (!word || !str_parse_int(word, 0, INT32_MAX, &at))
		return false;
	release();
	tree_sweep();
	store.calls = 0;
	store.hit[0] = '\0';
	store.at = (unsigned long)at;
	word = strtok_r(NULL, " ", &rest);
	for (size_t i = 0; word && i < sizeof(names) / sizeof(names[0]); i++)
		if (str_equal(word, names[i]))
			store.fault = (enum fault)(FAULT_ONCE + i);
	word = strtok_r(NULL, " ", &rest);
	if (word && !str_parse_int(word, 1, 4095, &error))
		return false;
	store.error = (int)error;
	return (store.fault != FAULT_NONE) == (at > 0) &&
	       (error > 0) == (store.fault == FAULT_ONCE || store.fault == FAULT_ON);
}

static bool obey(char *line)
{
	int64_t number;

	if (str_starts_with(line, "arm "))
		return arm(line + strlen("arm "));
	if (str_starts_with(line, "delay ")) {
		bool valid = str_parse_int(line + strlen("delay "), 0, INT32_MAX, &number);
		store.delay_us = valid ? (long)number : store.delay_us;
		return valid;
	}
	if (str_equal(line, "nofallocate"))
		teststore_no_fallocate = true;
	else if (str_equal(line, "release"))
		release();
	else if (str_equal(line, "cut"))
		cut();
	else
		return str_equal(line, "status");
	return true;
}

static void take_command(int control)
{
	char line[256], answer[512];
	cleanup_close int client = accept(control, NULL, NULL);
	ssize_t got = client < 0 ? -1 : read(client, line, sizeof(line) - 1);

	if (got <= 0)
		return;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (obey(line))
		snprintf(answer, sizeof(answer), "%lu %d %s\n", store.calls, *store.hit != '\0',
			store.hit);
	else
		snprintf(answer, sizeof(answer), "not understood\n");
	if (file_write_all(client, answer, strlen(answer)) < 0)
		perror("teststore: control");
}

static int listen_control(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!str_copy(address.sun_path, sizeof(address.sun_path), path) ||
		bind(control, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(control, 16) < 0) {
		perror(path);
		return -1;
	}
	return control;
}

static void serve(int control)
{
	struct fuse_buf request = {.mem = NULL};
	struct pollfd both[] = {
		{.fd = fuse_session_fd(store.session), .events = POLLIN},
		{.fd = control, .events = POLLIN},
	};

	while (!fuse_session_exited(store.session)) {
		if (poll(both, 2, -1) < 0)
			continue; /* a signal: asked above */
		if (both[0].revents) {
			int got = fuse_session_receive_buf(store.session, &request);
			if (got > 0)
				take_request(&request);
			else if (got != -EINTR && got != -EAGAIN)
				break; /* unmounted */
		}
		if (both[1].revents)
			take_command(control);
	}
	free(request.mem);
}

int main(int argc, char **argv)
{
	char flag[] = "-o", options[] = "default_permissions,allow_other,fsname=teststore";
	char *arguments[] = {argv[0], flag, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, arguments);

	if (argc != 3) {
		fprintf(stderr, "usage: teststore MOUNTPOINT CONTROL\n");
		return 2;
	}
	int control = listen_control(argv[2]);
	store.session = fuse_session_new(&args, &teststore_ops, sizeof(teststore_ops), NULL);
	if (control < 0 || !store.session || fuse_set_signal_handlers(store.session) ||
		fuse_session_mount(store.session, argv[1]))
		return 1;
	tree_init();
	serve(control);
	fuse_session_unmount(store.session);
	fuse_session_destroy(store.session);
	fuse_opt_free_args(&args);
	return 0;
}
