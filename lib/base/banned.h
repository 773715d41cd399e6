/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that do not compile here: each has silently truncated, overflowed or
 * raced in programs of this kind. The Makefile includes this file everywhere.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* What the headers below define themselves must be seen before it is poisoned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Fortified headers make macros of these, which clang warns about when they are poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets
#pragma GCC poison strtok mktemp tmpnam atoi atol atoll
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison system popen

#endif
