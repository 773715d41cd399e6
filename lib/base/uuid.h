/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UUIDs as lower-case text of 36 characters: the form in which everything here exchanges them. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>

#define UUID_TEXT_SIZE 37 /* with its NUL */

/* A new random one. */
void uuid_make(char text[static UUID_TEXT_SIZE]);

/* True for the canonical form, 8-4-4-4-12 hex digits in either case. */
bool uuid_is_valid(const char *text);

/* Copies it in lower case; false, and out is "", when it is not one. */
bool uuid_canonical(const char *text, char out[static UUID_TEXT_SIZE]);

#endif
