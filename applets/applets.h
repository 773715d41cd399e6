/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The roles of the one executable; each returns the process's exit status. */
#ifndef APPLETS_APPLETS_H
#define APPLETS_APPLETS_H

/* The client. */
int virtx_main(int argc, char **argv);
/* The daemon. */
int virtxd_main(int argc, char **argv);
/* virtx-check-lvb RESOURCE_PATH VM_UUID: 0 when the lease is that VM's, 1 otherwise. */
int check_lvb_main(int argc, char **argv);
/* Internal: takes leases, checks their owner, works on a disk. */
int lease_run_main(int argc, char **argv);

#endif
