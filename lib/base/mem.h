/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is there or the process ends, and scope cleanup.
 *
 * The x functions never return NULL: when memory is exhausted they print one
 * line and abort (the one permitted exit in lib/). Lengths that a peer, a file
 * or a guest supplies are bounded by the caller before they come here.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Each returns memory that the caller frees with free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
/* Room for count elements of size bytes; aborts when the product overflows. */
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
/* As xstrdup, and NULL gives NULL. */
char *xstrdup_or_null(const char *text);
char *xstrndup(const char *text, size_t len);
void *xmemdup(const void *data, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* What another library allocated, passed on; as above when it is NULL. */
void *mem_check(void *pointer);

/* Free or close what a variable holds when it goes out of scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))
#define cleanup_free      CLEANUP(mem_cleanup_free)
#define cleanup_close     CLEANUP(mem_cleanup_close)
#define cleanup_fclose    CLEANUP(mem_cleanup_fclose)

static inline void mem_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void mem_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void mem_cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* Hand a cleaned-up variable over: its value, and the variable is emptied. */
#define steal(pointer) ((__typeof__(*(pointer)))mem_steal(pointer))

static inline void *mem_steal(void *variable)
{
	void **pointer = variable;
	void *value = *pointer;

	*pointer = NULL;
	return value;
}

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#endif
