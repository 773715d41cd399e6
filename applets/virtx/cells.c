/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How single values look in tables. Units are those of the API (spec: rest-api.md, statistics.md).
 */
#include "model/enums.h"
#include "output.h"

#include <inttypes.h>
#include <time.h>

/* A number with at most one decimal in the first unit in which it is below step. */
static void scaled(struct printbuf *out, int64_t number, int64_t step, const char *const *units)
{
	double value = (double)number;

	while (value >= (double)step && units[1]) {
		value /= (double)step;
		units++;
	}
	int64_t tenths = (int64_t)(value * 10 + 0.5);

	if (tenths % 10 == 0)
		buf_format(out, "%" PRId64 "%s", tenths / 10, *units);
	else
		buf_format(out, "%" PRId64 ".%d%s", tenths / 10, (int)(tenths % 10), *units);
}

static int64_t number_of(struct json_object *value)
{
	int64_t number = json_object_get_int64(value);

	return number < 0 ? 0 : number;
}

void cell_text(const struct cell *cell, struct printbuf *out)
{
	if (json_object_is_type(cell->value, json_type_string))
		buf_text(out, json_object_get_string(cell->value));
}

void cell_number(const struct cell *cell, struct printbuf *out)
{
	if (cell->value)
		buf_format(out, "%" PRId64, json_object_get_int64(cell->value));
}

void cell_mib(const struct cell *cell, struct printbuf *out)
{
	static const char *const units[] = {"M", "G", "T", "P", NULL};

	if (cell->value)
		scaled(out, number_of(cell->value), 1024, units);
}

void cell_bytes(const struct cell *cell, struct printbuf *out)
{
	static const char *const units[] = {"B", "K", "M", "G", "T", "P", NULL};

	if (cell->value)
		scaled(out, number_of(cell->value), 1024, units);
}

void cell_kib_s(const struct cell *cell, struct printbuf *out)
{
	static const char *const units[] = {"K/s", "M/s", "G/s", NULL};

	if (cell->value)
		scaled(out, number_of(cell->value), 1024, units);
}

void cell_mhz(const struct cell *cell, struct printbuf *out)
{
	static const char *const units[] = {"MHz", "GHz", "THz", NULL};

	if (cell->value)
		scaled(out, number_of(cell->value), 1000, units);
}

void cell_hz(const struct cell *cell, struct printbuf *out)
{
	static const char *const units[] = {"Hz", "kHz", "MHz", "GHz", NULL};

	if (number_of(cell->value))
		scaled(out, number_of(cell->value), 1000, units);
}

void cell_percent(const struct cell *cell, struct printbuf *out)
{
	if (cell->value)
		buf_format(out, "%" PRId64 "%%", number_of(cell->value));
}

void cell_age(const struct cell *cell, struct printbuf *out)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	struct timespec now;
	int64_t age;
	size_t i = 0;

	if (!number_of(cell->value))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	age = now.tv_sec - number_of(cell->value) / 1000;
	/* Clocks of two machines differ a little. */
	if (age < 0)
		age = 0;
	while (units[i].seconds > 1 && age < units[i].seconds)
		i++;
	buf_format(out, "%" PRId64 "%c", age / units[i].seconds, units[i].unit);
}

void cell_time(const struct cell *cell, struct printbuf *out)
{
	time_t seconds = (time_t)(number_of(cell->value) / 1000);
	char text[32];
	struct tm when;

	if (seconds && localtime_r(&seconds, &when) &&
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when))
		buf_text(out, text);
}

void cell_enum(const struct cell *cell, struct printbuf *out)
{
	if (cell->value)
		buf_text(out, enum_name(cell->column->names, json_object_get_int(cell->value)));
}

void cell_host(const struct cell *cell, struct printbuf *out)
{
	if (json_object_is_type(cell->value, json_type_string))
		buf_text(out, client_host_name(cell->client, json_object_get_string(cell->value)));
}

void cell_vlan(const struct cell *cell, struct printbuf *out)
{
	/* 0 is no VLAN. */
	if (number_of(cell->value))
		cell_number(cell, out);
}

/* One custom field, or the first of a list of them. */
void cell_custom(const struct cell *cell, struct printbuf *out)
{
	struct json_object *field = cell->value;

	if (json_object_is_type(field, json_type_array))
		field = json_object_array_get_idx(field, 0);
	const char *name = json_text_at(field, "name");

	if (*name)
		buf_format(out, "%s=%s", name, json_text_at(field, "value"));
}

/* Of a host: "active", "active,drained". */
void cell_cstate(const struct cell *cell, struct printbuf *out)
{
	struct json_object *cstate = json_at(cell->value, "cstate");

	if (cstate)
		buf_text(out, enum_name(&cstate_names, json_object_get_int(cstate)));
	if (json_object_get_boolean(json_at(cell->value, "drained")))
		buf_text(out, ",drained");
}

/* Of a cpudef: all the threads that it has; none when a number is no int16. */
void cell_threads(const struct cell *cell, struct printbuf *out)
{
	static const char *const parts[] = {"nodes", "sockets", "cores", "threads"};
	int64_t threads = 1;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int64_t part = json_int_at(cell->value, parts[i]);

		threads *= part < 0 || part > INT16_MAX ? 0 : part;
	}
	buf_format(out, "%" PRId64, threads);
}
