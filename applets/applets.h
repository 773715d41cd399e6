/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The roles of the one executable; virtx.c picks one. Each gets argv with its own name first and
 * returns the exit status. */
#ifndef APPLETS_APPLETS_H
#define APPLETS_APPLETS_H

int virtx_main(int argc, char **argv);
int virtxd_main(int argc, char **argv);
int check_lvb_main(int argc, char **argv);
int lease_run_main(int argc, char **argv);

#endif
