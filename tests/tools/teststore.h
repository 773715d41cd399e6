/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the test store share. */
#ifndef TESTS_TESTSTORE_H
#define TESTS_TESTSTORE_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <stdbool.h>

extern const struct fuse_lowlevel_ops teststore_ops;
/* fallocate() is not supported. */
extern bool teststore_no_fallocate;

#endif
