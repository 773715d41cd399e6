/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program and kills at the n-th of the calls by which it, or what it starts, changes
 * something beyond its own memory: tests walk every point at which kill -9 can cut an operation.
 *
 *     cut BOARD PROGRAM [ARGUMENT...]
 *
 * BOARD is a file that holds a struct board; the test maps it, and arms it whenever it likes. The
 * kill comes before the call is made, so each boundary between two calls is one of the points.
 *
 * The program keeps this process and its id. The tracer is a child of it, and stays as long as
 * anything that the program started: a seccomp filter is inherited, and without its tracer the
 * calls that it stops would fail. QEMU's guests are let alone: neither counted nor killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>

#define DAEMON 1U /* the program itself */
#define CHILD  2U /* what it started, other than guests */
#define GUEST  4U

#define MAX_PROCESSES 256
#define OPTIONS                                                                                \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
		PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

struct board {
	_Atomic uint32_t victims; /* DAEMON, CHILD or both; 0: not armed, and again after the cut */
	uint32_t at;              /* which call; 0: none, they are only counted */
	_Atomic uint32_t count;   /* with CHILD only calls during which there is one */
	_Atomic uint32_t hit;
	char call[1008]; /* the one that was cut, for people */
};

/* What an argument has to be for the call to change anything. */
enum kind {
	ALWAYS, /* arg: the path, for people */
	FILED,  /* arg: a descriptor of a file or of a UNIX socket */
	OPEN,   /* arg: the flags, behind the path */
	HOW,    /* arg: struct open_how, behind the path */
	SIGNAL, /* arg: the signal */
	DEVICE, /* arg: the request */
};

static const struct call {
	int number;
	const char *name;
	enum kind kind;
	int arg;
} calls[] = {
#define CALL(name, kind, arg)                \
	{                                    \
		SYS_##name, #name, kind, arg \
	}
#ifdef SYS_open
	CALL(open, OPEN, 1),
	CALL(creat, ALWAYS, 0),
	CALL(rename, ALWAYS, 0),
	CALL(link, ALWAYS, 0),
	CALL(symlink, ALWAYS, 1),
	CALL(unlink, ALWAYS, 0),
	CALL(mkdir, ALWAYS, 0),
	CALL(rmdir, ALWAYS, 0),
	CALL(mknod, ALWAYS, 0),
	CALL(chmod, ALWAYS, 0),
	CALL(chown, ALWAYS, 0),
	CALL(lchown, ALWAYS, 0),
#endif
#ifdef SYS_renameat
	CALL(renameat, ALWAYS, 1),
#endif
	CALL(openat, OPEN, 2),
	CALL(openat2, HOW, 2),
	CALL(renameat2, ALWAYS, 1),
	CALL(linkat, ALWAYS, 1),
	CALL(symlinkat, ALWAYS, 2),
	CALL(unlinkat, ALWAYS, 1),
	CALL(mkdirat, ALWAYS, 1),
	CALL(mknodat, ALWAYS, 1),
	CALL(fchmodat, ALWAYS, 1),
	CALL(fchownat, ALWAYS, 1),
	CALL(setxattr, ALWAYS, 0),
	CALL(truncate, ALWAYS, 0),
	CALL(execve, ALWAYS, 0),
	CALL(execveat, ALWAYS, 1),
	CALL(fchmod, FILED, 0),
	CALL(fchown, FILED, 0),
	CALL(fsetxattr, FILED, 0),
	CALL(ftruncate, FILED, 0),
	CALL(fallocate, FILED, 0),
	CALL(fsync, FILED, 0),
	CALL(fdatasync, FILED, 0),
	CALL(sync_file_range, FILED, 0),
	CALL(write, FILED, 0),
	CALL(writev, FILED, 0),
	CALL(pwrite64, FILED, 0),
	CALL(pwritev, FILED, 0),
	CALL(pwritev2, FILED, 0),
	CALL(sendfile, FILED, 0),
	CALL(copy_file_range, FILED, 2),
	CALL(sendto, FILED, 0),
	CALL(sendmsg, FILED, 0),
	CALL(kill, SIGNAL, 1),
	CALL(pidfd_send_signal, SIGNAL, 1),
	CALL(ioctl, DEVICE, 1),
};
#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

static struct board *board;
static pid_t program;
static struct {
	pid_t pid;
	unsigned role;
} processes[MAX_PROCESSES];
static size_t process_count;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "cut: %s: %s\n", what, strerror(errno));
	_exit(125);
}

/* A number of /proc/ID/status; 0 when the process is gone. */
static pid_t status_number(pid_t id, const char *name)
{
	char path[64], line[256];
	int number = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", id);
	FILE *file = fopen(path, "re");
	while (file && number == 0 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			number = atoi(line + strlen(name));
	}
	if (file)
		fclose(file);
	return number;
}

static size_t find(pid_t pid)
{
	size_t i = 0;

	while (i < process_count && processes[i].pid != pid)
		i++;
	return i;
}

/* Notes a process that is new: what a guest starts belongs to the guest. */
static unsigned *role_of(pid_t thread)
{
	pid_t pid = status_number(thread, "Tgid:");
	size_t at = find(pid);

	if (at < process_count)
		return &processes[at].role;
	size_t parent = find(status_number(pid, "PPid:"));
	bool guest = parent < process_count && processes[parent].role == GUEST;
	if (process_count == MAX_PROCESSES) {
		errno = EAGAIN;
		fail("too many processes");
	}
	processes[process_count].pid = pid;
	processes[process_count].role = pid == program ? DAEMON : guest ? GUEST : CHILD;
	return &processes[process_count++].role;
}

static void forget(pid_t pid)
{
	size_t at = find(pid);

	if (at < process_count)
		processes[at] = processes[--process_count];
}

static void note_program(pid_t pid)
{
	char link[64], file[4096] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (readlink(link, file, sizeof(file) - 1) <= 0 || !strstr(file, "/qemu-system-"))
		return;
	*role_of(pid) = GUEST;
	/* Otherwise each of its writes would stop, and there are 10,000 per second. */
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, OPTIONS | PTRACE_O_SUSPEND_SECCOMP) < 0)
		perror("cut: guests will be slow");
}

static bool read_memory(pid_t pid, uint64_t address, void *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)(uintptr_t)address, len};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0;
}

/* The log, pipes and what goes to HTTP clients change nothing that lasts. */
static bool is_filed(pid_t thread, int fd)
{
	struct stat info;
	int domain = 0;
	socklen_t len = sizeof(domain);
	int process = fd > STDERR_FILENO ? pidfd_open(status_number(thread, "Tgid:"), 0) : -1;
	int copy = process >= 0 ? pidfd_getfd(process, fd, 0) : -1;

	if (process >= 0)
		close(process);
	if (copy < 0)
		return false;
	bool filed = fstat(copy, &info) == 0 &&
		     (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode));
	if (S_ISSOCK(info.st_mode))
		filed = getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
			domain == AF_UNIX;
	close(copy);
	return filed;
}

static bool changes(pid_t thread, const struct call *call, const uint64_t *args)
{
	uint64_t arg = args[call->arg];
	struct open_how how = {0};

	switch (call->kind) {
	case ALWAYS:
		return true;
	case FILED:
		return is_filed(thread, (int)arg);
	case HOW:
		if (!read_memory(thread, arg, &how, sizeof(how)))
			return false;
		arg = how.flags;
		/* fallthrough */
	case OPEN:
		return arg & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY));
	case SIGNAL:
		return arg != 0;
	case DEVICE:
		return arg == BLKDISCARD || arg == BLKSECDISCARD || arg == BLKZEROOUT;
	}
	return false;
}

static void describe(pid_t thread, unsigned role, const struct call *call, const uint64_t *args)
{
	char link[64], text[512] = "";
	int path = call->kind == OPEN || call->kind == HOW ? call->arg - 1 : call->arg;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", thread, (int)args[call->arg]);
	if (call->kind == FILED && readlink(link, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	else if (call->kind <= HOW && call->kind != FILED)
		read_memory(thread, args[path], text, sizeof(text) - 1);
	snprintf(board->call, sizeof(board->call), "%s %s %s", role == DAEMON ? "daemon" : "child",
		call->name, text);
}

static bool has_child(void)
{
	for (size_t i = 0; i < process_count; i++)
		if (processes[i].role == CHILD)
			return true;
	return false;
}

static void kill_all(unsigned roles)
{
	for (size_t i = 0; i < process_count; i++)
		if (processes[i].role & roles)
			kill(processes[i].pid, SIGKILL);
}

/* A thread is about to make one of the calls. */
static void on_call(pid_t thread)
{
	struct __ptrace_syscall_info info;
	uint32_t victims = atomic_load(&board->victims);
	unsigned role = *role_of(thread);
	size_t i = 0;

	if (victims == 0 || role == GUEST || ((victims & CHILD) && !has_child()) ||
		ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0)
		return;
	while (i < CALL_COUNT && (uint64_t)calls[i].number != info.seccomp.nr)
		i++;
	if (i == CALL_COUNT || !changes(thread, &calls[i], info.seccomp.args))
		return;
	if (atomic_fetch_add(&board->count, 1) + 1 != board->at)
		return;
	describe(thread, role, &calls[i], info.seccomp.args);
	kill_all(victims);
	atomic_store(&board->victims, 0);
	atomic_store(&board->hit, 1);
}

/* Lets a stopped thread go on. */
static void on_stop(pid_t thread, int status)
{
	int event = status >> 16, number = WSTOPSIG(status);
	bool stopped = event == PTRACE_EVENT_STOP && number != SIGTRAP;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		on_call(thread);
		break;
	case PTRACE_EVENT_EXEC:
		note_program(thread);
		break;
	case PTRACE_EVENT_STOP: /* of a new one, or as somebody stopped it with a signal */
		role_of(thread);
		break;
	}
	/* The thread may have been killed meanwhile: then waitpid says so. */
	ptrace(stopped ? PTRACE_LISTEN : PTRACE_CONT, thread, 0, event ? 0 : number);
}

static _Noreturn void trace(void)
{
	for (;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0 && errno != EINTR)
			_exit(0);
		if (thread > 0 && WIFSTOPPED(status))
			on_stop(thread, status);
		else if (thread > 0)
			forget(thread);
	}
}

static void map_board(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(struct board)) < 0)
		fail(path);
	board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		fail(path);
	close(fd);
}

/* Stops at each of the calls, for the tracer. */
static void install_filter(void)
{
	struct sock_filter code[CALL_COUNT + 3];
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALL_COUNT; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(uint32_t)calls[i].number, (uint8_t)(CALL_COUNT - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	struct sock_fprog filter = {(unsigned short)n, code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		fail("seccomp");
}

static _Noreturn void run_tracer(int traced)
{
	char ready;

	setsid();
	if (read(traced, &ready, 1) != 1 || ptrace(PTRACE_SEIZE, program, 0, OPTIONS) < 0)
		fail("ptrace");
	role_of(program);
	close(traced);
	trace();
}

/* True when this process is being traced. */
static bool is_traced(void)
{
	return status_number(getpid(), "TracerPid:") != 0;
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc < 3) {
		fprintf(stderr, "usage: cut BOARD PROGRAM [ARGUMENT...]\n");
		return 125;
	}
	map_board(argv[1]);
	program = getpid();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair");
	pid_t tracer = fork();
	if (tracer < 0)
		fail("fork");
	if (tracer == 0) {
		close(ends[1]);
		run_tracer(ends[0]);
	}
	close(ends[0]);
	prctl(PR_SET_PTRACER, tracer, 0, 0, 0);
	char end = 0;
	/* Its end of the pair closes when it traces, or when it has failed. */
	if (write(ends[1], &end, 1) != 1 || read(ends[1], &end, 1) != 0 || !is_traced())
		fail("tracer");
	close(ends[1]);
	install_filter();
	execvp(argv[2], argv + 2);
	fail(argv[2]);
}
