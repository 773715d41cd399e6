/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers with a unit behind them. */
#include "units.h"

#include "base/mem.h"
#include "base/str.h"

struct unit {
	char letter;
	int64_t factor;
};

/* A number with one of the units (ended by factor 0) or none behind it. */
static bool parse(const char *text, const struct unit *units, int64_t max, int64_t *value)
{
	size_t len = strlen(text);
	cleanup_free char *digits = xstrdup(text);
	int64_t factor = 1;

	for (; len && units->factor; units++) {
		if (text[len - 1] == units->letter) {
			factor = units->factor;
			digits[len - 1] = '\0';
			break;
		}
	}
	if (!str_parse_int(digits, 0, max / factor, value))
		return false;
	*value *= factor;
	return true;
}

bool units_parse_mib(const char *text, int64_t max, int64_t *mib)
{
	static const struct unit units[] = {{'M', 1}, {'G', 1024}, {'T', 1024 * 1024}, {0, 0}};

	return parse(text, units, max, mib);
}

bool units_parse_seconds(const char *text, int64_t *seconds)
{
	static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {0, 0}};

	return parse(text, units, 86400, seconds);
}
