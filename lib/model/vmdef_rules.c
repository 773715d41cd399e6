/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a definition must be (spec: rest-api.md, Definition rules), member by member. */
#include "base/str.h"
#include "base/uuid.h"
#include "model/disk_rules.h"

#include <ctype.h>

#define MAX_VLANID 4094
#define MAC_LEN    17

/* Also U+0080 to U+009F, which terminals obey too. */
static bool has_control(const char *text)
{
	if (str_has_control(text))
		return true;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (c[0] == 0xc2 && c[1] < 0xa0)
			return true;
	return false;
}

int vmdef_check_text(
	const char *path, const char *name, const char *text, size_t max, struct error *err)
{
	const char *dot = *path ? "." : "";

	if (strlen(text) > max)
		return error_set(err, ERR_INVALID, "%s%s%s: %zu bytes are too long, at most %zu",
			path, dot, name, strlen(text), max);
	if (!str_is_utf8(text))
		return error_set(err, ERR_INVALID, "%s%s%s: not UTF-8", path, dot, name);
	if (has_control(text))
		return error_set(err, ERR_INVALID, "%s%s%s: must not contain control characters",
			path, dot, name);
	return 0;
}

static int check_required(
	const char *path, const char *name, const char *text, size_t max, struct error *err)
{
	if (str_is_empty(text))
		return error_set(err, ERR_INVALID, "%s%s%s: required, 1 to %zu bytes", path,
			*path ? "." : "", name, max);
	return vmdef_check_text(path, name, text, max, err);
}

static int check_name(const char *name, struct error *err)
{
	if (check_required("", "name", name, VMDEF_MAX_NAME, err) < 0)
		return -1;
	if (strchr(name, '/') || str_equal(name, ".") || str_equal(name, ".."))
		return error_set(err, ERR_INVALID,
			"name: %s cannot stand in a URL in place of the UUID (no \"/\", not \".\" "
			"or \"..\")",
			name);
	return 0;
}

static int check_at_least(const char *member, int64_t value, int64_t min, struct error *err)
{
	if (value < min)
		return error_set(err, ERR_INVALID, "%s: must be at least %lld, not %lld", member,
			(long long)min, (long long)value);
	return 0;
}

static int check_cpu(const struct cpudef *cpu, struct error *err)
{
	if (check_required("cpudef", "model", cpu->model, VMDEF_MAX_TEXT, err) < 0 ||
		check_at_least("cpudef.nodes", cpu->nodes, 0, err) < 0 ||
		check_at_least("cpudef.sockets", cpu->sockets, 1, err) < 0 ||
		check_at_least("cpudef.cores", cpu->cores, 1, err) < 0 ||
		check_at_least("cpudef.threads", cpu->threads, 1, err) < 0)
		return -1;
	if (cpu->threads > 1)
		return error_set(err, ERR_INVALID,
			"cpudef.threads: %d threads per core are not supported, only 1",
			cpu->threads);
	int64_t vcpus = (int64_t)cpu->sockets * cpu->cores;
	if (vcpus > VMDEF_MAX_VCPUS)
		return error_set(err, ERR_INVALID,
			"cpudef: %d sockets of %d cores are %lld vcpus, at most %d", cpu->sockets,
			cpu->cores, (long long)vcpus, VMDEF_MAX_VCPUS);
	return 0;
}

static int check_genid(const char *genid, struct error *err)
{
	if (str_is_empty(genid) || str_equal(genid, "auto") || uuid_is_valid(genid))
		return 0;
	return error_set(err, ERR_INVALID, "genid: must be \"\", \"auto\" or a UUID");
}

/* Six pairs of hex digits with colons between. */
static bool is_mac(const char *mac)
{
	if (strlen(mac) != MAC_LEN)
		return false;
	for (size_t i = 0; i < MAC_LEN; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return false;
	return true;
}

static int check_mac(const char *path, const char *mac, struct error *err)
{
	if (str_is_empty(mac))
		return 0;
	if (!is_mac(mac))
		return error_set(err, ERR_INVALID,
			"%s.mac: must be \"\" or six pairs of hex digits, as 52:54:00:12:34:56",
			path);
	if (strspn(mac, "0:") == MAC_LEN)
		return error_set(err, ERR_INVALID, "%s.mac: %s is no address", path, mac);
	/* The lowest bit of the first byte, whose second digit is odd then. */
	if (strchr("13579bBdDfF", mac[1]))
		return error_set(err, ERR_INVALID,
			"%s.mac: %s is a multicast address, which no interface can have", path,
			mac);
	return 0;
}

static int check_nets(const struct vmdef *def, struct error *err)
{
	char path[JSON_PATH_SIZE];

	if (def->n_nets > VMDEF_MAX_NETS)
		return error_set(
			err, ERR_INVALID, "nets: at most %d, not %zu", VMDEF_MAX_NETS, def->n_nets);
	for (size_t i = 0; i < def->n_nets; i++) {
		json_element_path(path, "", "nets", i);
		if (check_required(path, "name", def->nets[i].name, VMDEF_MAX_TEXT, err) < 0 ||
			check_mac(path, def->nets[i].mac, err) < 0)
			return -1;
	}
	return 0;
}

static int check_custom_text(
	const char *path, const char *name, const char *text, struct error *err)
{
	if (str_is_empty(text))
		return 0;
	if (vmdef_check_text(path, name, text, VMDEF_MAX_TEXT, err) < 0)
		return -1;
	for (const char *c = text; *c; c++)
		if (*c != '_' && !(isascii((unsigned char)*c) && isalnum((unsigned char)*c)))
			return error_set(err, ERR_INVALID,
				"%s.%s: only A-Z a-z 0-9 and _ are allowed", path, name);
	return 0;
}

static int check_custom(const struct vmdef *def, struct error *err)
{
	if (def->n_custom > VMDEF_MAX_CUSTOM)
		return error_set(err, ERR_INVALID, "custom: at most %d, not %zu", VMDEF_MAX_CUSTOM,
			def->n_custom);
	for (size_t i = 0; i < def->n_custom; i++) {
		const struct custom *custom = &def->custom[i];
		char path[JSON_PATH_SIZE];

		json_element_path(path, "", "custom", i);
		if (!str_is_empty(custom->name) &&
			(check_custom_text(path, "name", custom->name, err) < 0 ||
				check_custom_text(path, "value", custom->value, err) < 0))
			return -1;
	}
	return 0;
}

static int check_rules(const struct vmdef *def, const struct vmdef_rules *rules, struct error *err)
{
	if (check_name(def->name, err) < 0 || check_cpu(&def->cpu, err) < 0 ||
		check_at_least("memory.total", def->memory_mib, 1, err) < 0 ||
		check_genid(def->genid, err) < 0 || disk_rules_check(def, rules, err) < 0 ||
		check_nets(def, err) < 0)
		return -1;
	if (def->vlanid < 0 || def->vlanid > MAX_VLANID)
		return error_set(err, ERR_INVALID, "vlanid: %d is not between 0 and %d",
			def->vlanid, MAX_VLANID);
	return check_custom(def, err);
}

static void lower_case(char *text)
{
	for (; text && *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static void drop_unnamed_custom(struct vmdef *def)
{
	size_t kept = 0;

	for (size_t i = 0; i < def->n_custom; i++) {
		struct custom custom = def->custom[i];

		if (str_is_empty(custom.name)) {
			free(custom.name);
			free(custom.value);
		} else {
			def->custom[kept++] = custom;
		}
	}
	def->n_custom = kept;
}

int vmdef_validate(struct vmdef *def, const struct vmdef_rules *rules, struct error *err)
{
	disk_rules_make_absolute(def, rules->vms_dir);
	if (check_rules(def, rules, err) < 0)
		return -1;
	/* What is left is canonical in form; messages above name the members as they were given. */
	for (size_t i = 0; i < def->n_nets; i++)
		lower_case(def->nets[i].mac);
	lower_case(def->genid);
	drop_unnamed_custom(def);
	return 0;
}
