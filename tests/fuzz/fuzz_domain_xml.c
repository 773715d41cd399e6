/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzer: any bytes as domain XML. What is refused must say why. What can be read is whole, and
 * when the definition in it is valid, it survives being written, and put into the very XML it came
 * from.
 */
#include "base/str.h"
#include "model/domain_xml.h"

#include <stdint.h>

#define VMS_DIR "/vms"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void must_be_whole(const struct domain_reading *reading)
{
	const struct vmdef *def = &reading->def;

	must(uuid_is_valid(reading->uuid) && reading->vnc && reading->console_log);
	must(def->name && def->cpu.model && def->genid);
	must(def->n_disks >= 1 && def->memory_mib >= 0);
	for (size_t i = 0; i < def->n_disks; i++)
		must(def->disks[i].path && def->disks[i].size_mib >= 0);
	for (size_t i = 0; i < def->n_nets; i++)
		must(def->nets[i].name && def->nets[i].mac);
	for (size_t i = 0; i < def->n_custom; i++)
		must(def->custom[i].name && def->custom[i].value);
}

/* Reads XML of ours, which must give def but for what was left open in it. */
static void must_read_as(const char *xml, const struct vmdef *def)
{
	cleanup_reading struct domain_reading reading = {0};
	cleanup_vmdef struct vmdef wanted = {0};
	struct error err = {0};

	must(domain_xml_read(xml, strlen(xml), VMS_DIR, &reading, &err) == 0);
	must(!reading.foreign && reading.def_is_stored);
	vmdef_copy(&wanted, def);
	for (size_t i = 0; i < wanted.n_nets && i < reading.def.n_nets; i++)
		if (!*wanted.nets[i].mac) {
			free(wanted.nets[i].mac);
			wanted.nets[i].mac = xstrdup(reading.def.nets[i].mac);
		}
	if (str_equal(wanted.genid, "auto")) {
		free(wanted.genid);
		wanted.genid = xstrdup(reading.def.genid);
	}
	must(vmdef_equal(&wanted, &reading.def));
}

static void must_survive(const char *xml, size_t len, const struct domain_reading *reading)
{
	cleanup_free char *written = NULL, *updated = NULL;
	struct domain_xml_options options;
	struct error err = {0};

	domain_xml_options_init(&options, reading->uuid);
	options.store_definition = true;
	options.vm_lease = len % 2;
	options.virt_type = len % 3 ? VIRT_TYPE_KVM : VIRT_TYPE_QEMU;
	options.oplog = reading->oplog;
	written = domain_xml_write(&reading->def, &options, &err);
	must(written);
	must_read_as(written, &reading->def);
	updated = domain_xml_update(xml, len, &reading->def, &options, &err);
	must(updated);
	/* Replacing adds text of ours, so only what was far from the limit is surely below it. */
	if (strlen(updated) <= DOMAIN_XML_MAX)
		must_read_as(updated, &reading->def);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vmdef_rules rules = {.vms_dir = VMS_DIR};
	cleanup_reading struct domain_reading reading = {0};
	struct error err = {0};
	const char *xml = (const char *)data;

	if (domain_xml_read(xml, size, VMS_DIR, &reading, &err) < 0) {
		must(err.code == ERR_STORED_DATA && err.message[0] && str_is_utf8(err.message));
		return 0;
	}
	must_be_whole(&reading);
	if (vmdef_validate(&reading.def, &rules, &err) == 0)
		must_survive(xml, size, &reading);
	return 0;
}
