/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one error object: what went wrong, for people and for programs.
 *
 * The caller owns it (usually on its stack, `struct error err = {0}`); the
 * function that fails fills it and returns -1; callers on the way up may put
 * words in front. It is printed, logged or sent exactly once, at the top.
 * lib/http/problem.c maps codes to HTTP, applets/virtx maps them to exit codes.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* What kind of failure. Each has a stable word (error_code_word) that clients match on. */
enum error_code {
	ERR_NONE,
	ERR_INVALID,         /* the request or a member of it is wrong */
	ERR_FORBIDDEN,       /* foreign Host or Origin, or not permitted */
	ERR_NOT_FOUND,       /* no such VM, host, operation, file or route */
	ERR_METHOD,          /* the path is known, the method is not */
	ERR_BUSY,            /* another operation holds the VM */
	ERR_AMBIGUOUS,       /* a name or prefix that more than one thing has */
	ERR_EXISTS,          /* an image that would be made is there already */
	ERR_CHANGED,         /* If-Match does not match */
	ERR_TOO_LARGE,       /* body over the limit */
	ERR_MEDIA_TYPE,      /* a change whose body is not JSON */
	ERR_STATE,           /* the VM is in the wrong state for this */
	ERR_CAPACITY,        /* more memory than the host has available */
	ERR_UNSUPPORTED,     /* this host cannot do it (network, firmware, driver) */
	ERR_HYPERVISOR,      /* libvirt refused */
	ERR_REGISTER,        /* the register entry could not be read or written */
	ERR_SEED,            /* the cloud-init seed could not be made */
	ERR_MIGRATION,       /* no migration record, or it has ended */
	ERR_STORED_DATA,     /* stored data of the VM cannot be understood */
	ERR_INTERNAL,        /* a defect of ours */
	ERR_NOT_IMPLEMENTED, /* the contract has it, this version does not */
	ERR_FORWARD,         /* the other host did not answer */
	ERR_UNAVAILABLE,     /* libvirt, the storage or the host is away; try again */
	ERR_DRAINED,         /* the host is drained: it takes no VMs */
	ERR_CANCELLED,       /* the operation was cancelled */
	ERR_TIMEOUT,         /* a deadline passed */
	ERR_STORAGE,         /* storage could not be created, read or removed */
	ERR_LEASE,           /* a disk's lease belongs to another VM or cannot be had */
	ERR_LOOP,            /* forwarded once already */
	ERR_CONNECT,         /* client only: the server cannot be reached */
	ERR_USAGE,           /* client only: wrong command line */
	ERR_CODE_COUNT
};

struct error {
	enum error_code code;
	char message[1024]; /* the true cause, no trailing period or newline */
	char hint[384];     /* what to do about it, or "" */
};

/*
 * Sets code and message. An error that is set already is kept: the first cause
 * is the true one. Over-long messages are cut at a UTF-8 boundary. Always returns -1, so that
 * `return error_set(err, ...)` reads well. err is never NULL.
 */
int error_set(struct error *err, enum error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of errno_value behind the message. */
int error_set_errno(struct error *err, enum error_code code, int errno_value, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* Puts "TEXT: " in front of the message of an error that is set. Returns -1. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what to do about it; the first hint stays. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True when it holds an error. */
static inline bool error_is_set(const struct error *err)
{
	return err->code != ERR_NONE;
}

/* Makes it empty again. */
static inline void error_clear(struct error *err)
{
	err->code = ERR_NONE;
	err->message[0] = '\0';
	err->hint[0] = '\0';
}

/* The stable word of a code ("not-found"); never NULL. */
const char *error_code_word(enum error_code code);
/* The code of a word, ERR_INTERNAL for one that is unknown. */
enum error_code error_code_parse(const char *word);
/* A short human title ("Not found"); never NULL. */
const char *error_code_title(enum error_code code);

#endif
