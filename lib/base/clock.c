/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time, as the rest of virtx counts it. */
#include "base/clock.h"

#include <sys/random.h>

int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_jitter_ms(int64_t limit_ms)
{
	uint32_t random;

	/* Before the kernel has randomness any time will do. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)clock_us();
	return random % limit_ms;
}

int clock_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
	struct timespec until = {
		.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};

	return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &until);
}
