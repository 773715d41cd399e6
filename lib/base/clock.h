/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time. Deadlines and durations go by the monotonic clock, which no administrator
 * sets; what people and peers are told goes by the wall clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* The monotonic clock in ms and in us. Never negative, never goes back. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* Milliseconds since the Unix epoch, UTC. */
int64_t clock_wall_ms(void);

/* A random time below limit_ms (more than 0), so that many hosts do not do the same at the same
 * moment. */
int64_t clock_jitter_ms(int64_t limit_ms);

/*
 * Waits for a condition until clock_ms() reaches deadline_ms: 0, or ETIMEDOUT as
 * pthread_cond_timedwait() says it. The mutex is the caller's.
 */
int clock_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms);

#endif
