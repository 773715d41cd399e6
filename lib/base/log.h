/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line per event on standard error, "message key=value ...".
 *
 * Values are always data, never formats; those with blanks, quotes, control
 * characters or bytes that are not UTF-8 are quoted and escaped, so that one event is one line
 * whatever a peer sent. Under systemd (JOURNAL_STREAM) each line starts with
 * its priority, "<6>". Safe to call from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warning", "info" or "debug"; false when it is none of them. */
bool log_level_parse(const char *text, enum log_level *level);

/*
 * What every line of the calling thread carries from now on: the request's id
 * and the client's address ("" for none). Copied.
 */
void log_set_context(const char *request_id, const char *client);
void log_clear_context(void);

/* Writes one event; pairs of key and value strings, then NULL. A NULL value is skipped with its
 * key. */
void log_write(enum log_level level, const char *message, ...) __attribute__((sentinel));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__, NULL)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__, NULL)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__, NULL)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__, NULL)

/* A number as a value: log_info("ready", "port", LOG_NUM(8080)). */
#define LOG_NUM(number) log_number((char[24]){0}, (int64_t)(number))
char *log_number(char buffer[static 24], int64_t number);

#endif
