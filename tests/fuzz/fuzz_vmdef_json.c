/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as the JSON of a definition. Whatever is accepted must
 * survive being written and read again, and be canonical once it is valid;
 * whatever is refused must say why.
 */
#include "base/str.h"
#include "model/json.h"
#include "model/vm.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void must_be_refused(int status, const struct error *err)
{
	must(status == -1 && err->code == ERR_INVALID && err->message[0]);
	must(str_is_utf8(err->message) && str_is_utf8(err->hint));
}

static void must_survive(const struct vmdef *def)
{
	cleanup_json struct json_object *json = vmdef_to_json(def), *parsed = NULL;
	cleanup_free char *text = json_text(json);
	cleanup_vmdef struct vmdef back = {0};
	struct error err = {0};

	must(json_parse(text, strlen(text), &parsed, &err) == 0);
	must(vmdef_from_json(parsed, &back, &err) == 0);
	must(vmdef_equal(def, &back));
}

static void check_valid(struct vmdef *def, const struct vmdef_rules *rules)
{
	cleanup_vmdef struct vmdef again = {0};
	struct error err = {0};
	char name[256], etag[17];

	must(vmdef_vcpus(def) >= 1 && vmdef_vcpus(def) <= VMDEF_MAX_VCPUS);
	must(def->n_disks >= 1 && def->disks[0].path[0] == '/');
	for (size_t i = 0; i < def->n_disks; i++) {
		disk_lease_name(&def->disks[i], rules->vms_dir, name);
		must(name[0] && !strchr(name, '/'));
	}
	vmdef_copy(&again, def);
	must(vmdef_validate(&again, rules, &err) == 0 && vmdef_equal(def, &again));
	vmdef_choose_macs(def);
	must(vmdef_validate(def, rules, &err) == 0);
	vmdef_etag(def, etag);
	must(strlen(etag) == 16);
	must_survive(def);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vmdef_rules rules = {.vms_dir = "/vms"};
	cleanup_json struct json_object *json = NULL;
	cleanup_vmdef struct vmdef def = {0};
	struct error err = {0};
	int status = json_parse((const char *)data, size, &json, &err);

	if (status == 0)
		status = vmdef_from_json(json, &def, &err);
	if (status == 0) {
		must_survive(&def);
		status = vmdef_validate(&def, &rules, &err);
	}
	if (status == 0)
		check_valid(&def, &rules);
	else
		must_be_refused(status, &err);
	return 0;
}
