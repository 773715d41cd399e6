/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running outside programs (qemu-img, xorrisofs, ...).
 *
 * The program is its own process group, gets SIGKILL when the thread that
 * started it or this whole process dies (PR_SET_PDEATHSIG), has only descriptors
 * 0 to 2 and those named open, LC_ALL=C, and never a shell in between.
 *
 * "When the thread dies" is the kernel's rule: process_run waits for the program, so the
 * thread lives at least as long unless the whole process goes.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/error.h"

#include <stdatomic.h>
#include <stddef.h>

struct process {
	const char *const *argv; /* argv[0] is looked up in PATH; NULL-terminated */
	const char *program;     /* the file to execute in its place; NULL: argv[0] */
	const char *input;       /* what it reads on standard input, or NULL for /dev/null */
	size_t max_output;       /* bytes of standard output to keep; 0: discard */
	unsigned timeout_s;      /* 0: none; afterwards the group is killed: ERR_TIMEOUT */
	const atomic_bool
		*cancel; /* when it becomes true the group is killed: ERR_CANCELLED; may be NULL */
	const int *fds;  /* descriptors (3 and above) that it gets under the same numbers */
	size_t fd_count;
	/* Called for every piece of standard output as it comes (progress); may be NULL. */
	void (*on_output)(void *context, const char *text, size_t len);
	/* Called about every 200 ms while it runs; may be NULL. */
	void (*on_tick)(void *context);
	void *context;
};

/*
 * Runs it to its end. 0 when it exits with 0. Otherwise -1: ERR_STORAGE with the
 * program's name, exit status or signal, and the last 400 bytes of its standard error; a program
 * that is not installed says so, with a hint.
 * *output (may be NULL): NUL-terminated, the caller frees it; output over max_output is an error.
 * What it left running in its process group is killed when it ends.
 */
int process_run(const struct process *process, char **output, struct error *err);

/*
 * For the start of a program: opens /dev/null as those of descriptors 0 to 2 that it was started
 * without, so that no file or socket of ours gets such a number and is then taken for one of them.
 */
void process_open_standard(void);

#endif
