/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thin over libsystemd. */
#include "systemd.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void systemd_notify(const char *state)
{
	sd_notify(0, state);
}

void systemd_notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, clock_us());
}

unsigned systemd_watchdog_ms(void)
{
	uint64_t limit_us = 0;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	return limit_us / 2000 > 60000 ? 60000 : (unsigned)(limit_us / 2000);
}
