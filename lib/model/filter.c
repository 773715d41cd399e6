/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters, driven by one table per list: the same rows read the JSON form and
 * the query form and free what they hold.
 */
#include "model/filter.h"

#include "base/str.h"
#include "model/json.h"

#include <strings.h>

enum field_kind { FIELD_TEXT, FIELD_I16, FIELD_I32, FIELD_I64, FIELD_STATE };

struct field {
	const char *path; /* the API name: "name" or "custom.name" */
	enum field_kind kind;
	size_t offset;
	const struct enum_names *names; /* of a state, which is an int16_t */
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define VM(member) offsetof(struct vm_filter, member)
static const struct field vm_fields[] = {
	{"name", FIELD_TEXT, VM(name), NULL},
	{"host", FIELD_TEXT, VM(host_uuid), NULL},
	{"runstate", FIELD_STATE, VM(runstate), &runstate_names},
	{"vlanid", FIELD_I16, VM(vlanid), NULL},
	{"custom.name", FIELD_TEXT, VM(custom_name), NULL},
	{"custom.value", FIELD_TEXT, VM(custom_value), NULL},
	{"ts", FIELD_I64, VM(ts_ms), NULL},
};
#undef VM

#define HOST(member) offsetof(struct host_filter, member)
static const struct field host_fields[] = {
	{"name", FIELD_TEXT, HOST(name), NULL},
	{"cpuarch.arch", FIELD_TEXT, HOST(arch), NULL},
	{"cpuarch.vendor", FIELD_TEXT, HOST(vendor), NULL},
	{"cpudef.model", FIELD_TEXT, HOST(cpu_model), NULL},
	{"cpudef.nodes", FIELD_I16, HOST(nodes), NULL},
	{"cpudef.sockets", FIELD_I16, HOST(sockets), NULL},
	{"cpudef.cores", FIELD_I16, HOST(cores), NULL},
	{"cpudef.threads", FIELD_I16, HOST(threads), NULL},
	{"cstate", FIELD_STATE, HOST(cstate), &cstate_names},
	{"memoryavailable", FIELD_I32, HOST(memory_available), NULL},
	{"hpavailable", FIELD_I32, HOST(hugepages_available), NULL},
	{"osid", FIELD_TEXT, HOST(os_id), NULL},
	{"osv", FIELD_TEXT, HOST(os_version), NULL},
	{"ts", FIELD_I64, HOST(ts_ms), NULL},
};
#undef HOST

static void *field_in(void *filter, const struct field *field)
{
	return (char *)filter + field->offset;
}

static int read_field(
	struct json_object *json, const struct field *field, void *filter, struct error *err)
{
	char group[16] = "", path[32] = "filter";
	const char *dot = strchr(field->path, '.'), *name = dot ? dot + 1 : field->path;
	void *value = field_in(filter, field);
	int state, status;

	if (dot) {
		snprintf(group, sizeof(group), "%.*s", (int)(dot - field->path), field->path);
		if (json_get_object(json, group, path, &json, err) < 0)
			return -1;
		snprintf(path, sizeof(path), "filter.%s", group);
	}
	switch (field->kind) {
	case FIELD_TEXT:
		return json_get_string(json, name, path, value, err);
	case FIELD_I16:
		return json_get_i16(json, name, path, value, err);
	case FIELD_I32:
		return json_get_i32(json, name, path, value, err);
	case FIELD_I64:
		return json_get_i64(json, name, path, value, err);
	case FIELD_STATE:
		break;
	}
	status = json_get_enum(json, name, path, field->names, &state, err);
	*(int16_t *)value = (int16_t)state;
	return status;
}

static void free_fields(const struct field *fields, size_t count, void *filter)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].kind != FIELD_TEXT)
			continue;
		char **text = field_in(filter, &fields[i]);
		free(*text);
		*text = NULL;
	}
}

static int read_fields(const struct field *fields, size_t count, struct json_object *json,
	void *filter, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (read_field(json, &fields[i], filter, err) < 0)
			return -1;
	return 0;
}

static int set_number(const struct field *field, void *value, const char *text, struct error *err)
{
	int64_t max = field->kind == FIELD_I16   ? INT16_MAX
		      : field->kind == FIELD_I32 ? INT32_MAX
						 : INT64_MAX;
	int64_t number;

	if (!str_parse_int(text, -max - 1, max, &number))
		return error_set(err, ERR_INVALID,
			"%s: \"%s\" is not a whole number between %lld and %lld", field->path, text,
			(long long)(-max - 1), (long long)max);
	if (field->kind == FIELD_I16)
		*(int16_t *)value = (int16_t)number;
	else if (field->kind == FIELD_I32)
		*(int32_t *)value = (int32_t)number;
	else
		*(int64_t *)value = number;
	return 0;
}

static int set_text(const struct field *field, char **value, const char *text, struct error *err)
{
	if (!str_is_utf8(text))
		return error_set(err, ERR_INVALID, "%s: not UTF-8", field->path);
	free(*value);
	*value = xstrdup(text);
	return 0;
}

static int set_state(const struct field *field, int16_t *value, const char *text, struct error *err)
{
	if (enum_parse(field->names, text, value))
		return 0;
	error_set(
		err, ERR_INVALID, "%s: \"%s\" is not a %s", field->path, text, field->names->what);
	return enum_hint(field->names, err);
}

static bool is_given(const struct field *field, const void *value)
{
	switch (field->kind) {
	case FIELD_TEXT:
		return *(char *const *)value && **(char *const *)value;
	case FIELD_I16:
	case FIELD_STATE:
		return *(const int16_t *)value != 0;
	case FIELD_I32:
		return *(const int32_t *)value != 0;
	case FIELD_I64:
		break;
	}
	return *(const int64_t *)value != 0;
}

static int set_field(const struct field *fields, size_t count, void *filter, const char *name,
	const char *text, struct error *err)
{
	const struct field *field = NULL;

	for (size_t i = 0; i < count && !field; i++)
		if (str_equal(fields[i].path, name))
			field = &fields[i];
	if (!field)
		return 0;
	/* Nothing given does not filter, as with texts. */
	if (!*text && field->kind != FIELD_TEXT)
		text = "0";
	void *value = field_in(filter, field);
	/* All that is given holds, so one of two would have to be ignored. */
	if (is_given(field, value))
		return error_set(err, ERR_INVALID, "%s: given twice", field->path);
	int status = field->kind == FIELD_TEXT    ? set_text(field, value, text, err)
		     : field->kind == FIELD_STATE ? set_state(field, value, text, err)
						  : set_number(field, value, text, err);
	return status < 0 ? -1 : 1;
}

static bool is_any_given(const struct field *fields, size_t count, const void *filter)
{
	for (size_t i = 0; i < count; i++)
		if (is_given(&fields[i], (const char *)filter + fields[i].offset))
			return true;
	return false;
}

int vm_filter_from_json(struct json_object *json, struct vm_filter *filter, struct error *err)
{
	*filter = (struct vm_filter){0};
	if (read_fields(vm_fields, COUNT(vm_fields), json, filter, err) == 0)
		return 0;
	vm_filter_free(filter);
	return -1;
}

int host_filter_from_json(struct json_object *json, struct host_filter *filter, struct error *err)
{
	*filter = (struct host_filter){0};
	if (read_fields(host_fields, COUNT(host_fields), json, filter, err) == 0)
		return 0;
	host_filter_free(filter);
	return -1;
}

int vm_filter_set(struct vm_filter *filter, const char *name, const char *value, struct error *err)
{
	return set_field(vm_fields, COUNT(vm_fields), filter, name, value, err);
}

int host_filter_set(
	struct host_filter *filter, const char *name, const char *value, struct error *err)
{
	return set_field(host_fields, COUNT(host_fields), filter, name, value, err);
}

bool vm_filter_is_empty(const struct vm_filter *filter)
{
	return !is_any_given(vm_fields, COUNT(vm_fields), filter);
}

bool host_filter_is_empty(const struct host_filter *filter)
{
	return !is_any_given(host_fields, COUNT(host_fields), filter);
}

void vm_filter_free(struct vm_filter *filter)
{
	free_fields(vm_fields, COUNT(vm_fields), filter);
	*filter = (struct vm_filter){0};
}

void host_filter_free(struct host_filter *filter)
{
	free_fields(host_fields, COUNT(host_fields), filter);
	*filter = (struct host_filter){0};
}

static bool contains(const char *text, const char *wanted)
{
	return str_is_empty(wanted) || (text && strstr(text, wanted));
}

static bool is_exactly(const char *text, const char *wanted)
{
	return str_is_empty(wanted) || (text && str_equal(text, wanted));
}

static bool is_state(int state, int16_t wanted)
{
	return wanted == 0 || state == wanted;
}

static bool is_at_least(int64_t number, int64_t wanted)
{
	return wanted == 0 || number >= wanted;
}

static bool is_not_newer(int64_t ts_ms, int64_t wanted)
{
	return wanted == 0 || ts_ms <= wanted;
}

static bool has_custom(const struct vm_row *row, const char *name, const char *value)
{
	if (str_is_empty(name))
		return true;
	for (size_t i = 0; i < row->n_custom; i++)
		if (str_equal(row->custom[i].name, name) &&
			str_equal(row->custom[i].value, value ? value : ""))
			return true;
	return false;
}

/* One that two hosts have is on both. */
static bool is_on_host(const struct vm_row *row, const char *host)
{
	if (str_is_empty(host) || strcasecmp(row->host_uuid, host) == 0)
		return true;
	return row->conflict &&
	       (strcasecmp(row->conflict[0], host) == 0 || strcasecmp(row->conflict[1], host) == 0);
}

bool vm_filter_match(const struct vm_filter *filter, const struct vm_row *row)
{
	return contains(row->name, filter->name) && is_on_host(row, filter->host_uuid) &&
	       is_state((int)row->runstate, filter->runstate) &&
	       is_state(row->vlanid, filter->vlanid) &&
	       has_custom(row, filter->custom_name, filter->custom_value) &&
	       is_not_newer(row->ts_ms, filter->ts_ms);
}

bool host_filter_match(const struct host_filter *filter, const struct host *host)
{
	return contains(host->name, filter->name) && is_exactly(host->arch, filter->arch) &&
	       is_exactly(host->vendor, filter->vendor) &&
	       is_exactly(host->cpu.model, filter->cpu_model) &&
	       is_exactly(host->os_id, filter->os_id) &&
	       is_exactly(host->os_version, filter->os_version) &&
	       is_at_least(host->cpu.nodes, filter->nodes) &&
	       is_at_least(host->cpu.sockets, filter->sockets) &&
	       is_at_least(host->cpu.cores, filter->cores) &&
	       is_at_least(host->cpu.threads, filter->threads) &&
	       is_at_least(host->memory.available_vms, filter->memory_available) &&
	       is_at_least(host->hugepages.available_vms, filter->hugepages_available) &&
	       is_state((int)host->cstate, filter->cstate) &&
	       is_not_newer(host->ts_ms, filter->ts_ms);
}
