/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main: which role this process plays, from its name or its first argument. Nothing else. */
#include "applets/applets.h"
#include "base/process.h"
#include "base/str.h"

static const struct {
	const char *program; /* name of the file it is called by */
	const char *word;    /* first argument to virtx */
	int (*run)(int argc, char **argv);
} roles[] = {
	{"virtxd", "virtxd", virtxd_main},
	{"virtx-check-lvb", "check-lvb", check_lvb_main},
	{NULL, "lease-run", lease_run_main},
};

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *program = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	process_open_standard();
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (roles[i].program && str_equal(program, roles[i].program))
			return roles[i].run(argc, argv);
		if (argc > 1 && str_equal(argv[1], roles[i].word))
			return roles[i].run(argc - 1, argv + 1);
	}
	return virtx_main(argc, argv);
}
