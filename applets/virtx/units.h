/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and times as people type them. */
#ifndef VIRTX_UNITS_H
#define VIRTX_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "512", "512M", "16G", "1T" in MiB, from 0 to max; false otherwise. */
bool units_parse_mib(const char *text, int64_t max, int64_t *mib);
/* "90", "90s", "5m", "2h" in seconds, up to a day; false otherwise. */
bool units_parse_seconds(const char *text, int64_t *seconds);

#endif
