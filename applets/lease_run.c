/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtx lease-run: internal. Takes the leases of a disk, checks whose they are, does the work and
 * tells virtxd about it on standard output (storage/work.h).
 */
#include "applets/applets.h"
#include "base/mem.h"
#include "storage/work.h"

#include <signal.h>

/* sanlock asks with SIGTERM, and kills later: that of a host which lost the lockspace. */
static atomic_bool ended;

static void on_term(int number)
{
	(void)number;
	atomic_store(&ended, true);
}

static void say(void *context, const char *line)
{
	(void)context;
	printf("%s\n", line);
	fflush(stdout);
}

int lease_run_main(int argc, char **argv)
{
	const struct work_report report = {.say = say};
	struct error err = {0};
	struct work work;

	/* Whoever listened is gone: the work is not worth finishing, but printf must not decide
	 * that. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_term);
	if (work_parse(argc - 1, argv + 1, &work, &err) < 0) {
		fprintf(stderr, "virtx lease-run: %s\n", err.message);
		return 2;
	}
	work.ended = &ended;
	if (work_perform(&work, &report, &err) < 0) {
		cleanup_free char *line = work_error_line(&err);
		say(NULL, line);
		return 1;
	}
	return 0;
}
