/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtx-check-lvb RESOURCE_PATH VM_UUID: is the lease that VM's? Exit status 0 if and only if it
 * is; anything else, wrong usage too, is 1. Scripts of other implementations call it: see the spec,
 * storage-and-locks.md, Resources.
 */
#include "applets/applets.h"
#include "base/str.h"
#include "storage/lease.h"

int check_lvb_main(int argc, char **argv)
{
	struct error err = {0};
	char wanted[UUID_TEXT_SIZE];
	char owner[UUID_TEXT_SIZE];

	if (argc != 3) {
		fputs("usage: virtx-check-lvb RESOURCE_PATH VM_UUID\n", stderr);
		return 1;
	}
	if (!uuid_canonical(argv[2], wanted)) {
		fprintf(stderr, "virtx-check-lvb: %s is not a UUID\n", argv[2]);
		return 1;
	}
	if (lease_owner_of_file(argv[1], owner, &err) < 0) {
		fprintf(stderr, "virtx-check-lvb: %s\n", err.message);
		return 1;
	}
	if (!str_equal(owner, wanted)) {
		fprintf(stderr, "virtx-check-lvb: %s belongs to VM %s\n", argv[1], owner);
		return 1;
	}
	return 0;
}
