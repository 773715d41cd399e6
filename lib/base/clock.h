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

/* A condition whose pthread_cond_timedwait() goes by the monotonic clock, */
void clock_cond_init(pthread_cond_t *condition);
/* and the time that lies so many ms ahead, for it. */
struct timespec clock_after(int64_t ms);

#endif
