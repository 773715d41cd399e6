/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same work on many things, several at a time. */
#ifndef BASE_PARALLEL_H
#define BASE_PARALLEL_H

#include <stddef.h>

/*
 * Calls work(context, index) once for each index below count, in at most `threads` threads, of
 * which the caller's is one, and returns when all have returned. Where threads cannot be had it
 * takes longer, no more.
 */
void parallel_each(
	size_t count, size_t threads, void (*work)(void *context, size_t index), void *context);

#endif
