/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager, where there is one: readiness, status and watchdog (sd_notify). */
#ifndef VIRTXD_SYSTEMD_H
#define VIRTXD_SYSTEMD_H

/* state: "READY=1", "STOPPING=1", "WATCHDOG=1" ... Nothing happens without a service manager. */
void systemd_notify(const char *state);

/* "RELOADING=1" with the time that Type=notify-reload wants; READY=1 ends it. */
void systemd_notify_reloading(void);

/* How often "WATCHDOG=1" is to come, in ms: half of what the service manager tolerates. 0: it does
 * not watch. */
unsigned systemd_watchdog_ms(void);

#endif
