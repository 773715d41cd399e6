/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions for tests: one that is valid, changes of it by JSON pointer, random ones. */
#ifndef TESTS_VMDEF_FIXTURE_H
#define TESTS_VMDEF_FIXTURE_H

#include "model/json.h"
#include "model/vmdef.h"

#include <json-c/json_pointer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char fixture_text[] =
	"{\"name\": \"web\","
	" \"cpudef\": {\"model\": \"host-model\", \"nodes\": 1, \"sockets\": 2, \"cores\": 2,"
	"  \"threads\": 1},"
	" \"memory\": {\"total\": 1024, \"hp\": false}, \"numa\": {\"placement\": false},"
	" \"osdisk\": {\"path\": \"/vms/ds/web/os.qcow2\", \"device\": 0, \"bus\": 0, \"man\": 1,"
	"  \"prov\": 1, \"size\": 1024},"
	" \"disks\": [{\"path\": \"/vms/ds/web/data.raw\", \"device\": 0, \"bus\": 1, \"man\": 1,"
	"  \"prov\": 2, \"size\": 64}],"
	" \"nets\": [{\"name\": \"default\", \"nettype\": 0, \"model\": 0,"
	"  \"mac\": \"52:54:00:12:34:56\"}],"
	" \"vlanid\": 0, \"firmware\": 0, \"genid\": \"\","
	" \"custom\": [{\"name\": \"tier\", \"value\": \"gold\"}]}";

static inline struct json_object *fixture_parse(const char *text)
{
	struct error err = {0};
	struct json_object *json = NULL;

	if (json_parse(text, strlen(text), &json, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return json;
}

/* The valid definition with the value at a JSON pointer put in place of what is there. */
static inline struct json_object *fixture_json(const char *pointer, const char *value)
{
	struct json_object *json = fixture_parse(fixture_text);

	if (pointer && json_pointer_set(&json, pointer, fixture_parse(value)) != 0)
		fail_msg("no %s in the fixture", pointer);
	return json;
}

static inline void fixture_def(struct vmdef *def)
{
	cleanup_json struct json_object *json = fixture_json(NULL, NULL);
	struct error err = {0};

	assert_int_equal(vmdef_from_json(json, def, &err), 0);
}

/* A small generator with a seed that a failing test can name. */
struct fixture_random {
	uint64_t state;
};

static inline int fixture_number(struct fixture_random *random, int min, int max)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return min + (int)((random->state >> 33) % (uint64_t)(max - min + 1));
}

static inline char *fixture_word(struct fixture_random *random, const char *letters, int max)
{
	int len = fixture_number(random, 1, max);
	char *word = xcalloc((size_t)len + 1, 1);

	for (int i = 0; i < len; i++)
		word[i] = letters[fixture_number(random, 0, (int)strlen(letters) - 1)];
	return word;
}

#define FIXTURE_WORD "abcXYZ019_"

static inline void fixture_random_disk(
	struct fixture_random *random, size_t index, struct disk *disk)
{
	static const char *const extensions[] = {"qcow2", "raw", "iso"};
	cleanup_free char *word = fixture_word(random, FIXTURE_WORD " .&<\"'-", 20);

	disk->device = (enum disk_device)fixture_number(random, 0, 2);
	disk->man = (enum disk_man)fixture_number(random, 0, 1);
	disk->size_mib = fixture_number(random, 1, 1 << 20);
	disk->prov = (enum disk_prov)fixture_number(random, 0, 2);
	if (disk->device == DISK_DEVICE_LUN) {
		disk->bus = DISK_BUS_VIRTIO_SCSI;
		disk->path = xasprintf("/dev/disk/by-id/wwn-0x6001405d%08zx", index);
		return;
	}
	bool cdrom = disk->device == DISK_DEVICE_CDROM;
	disk->bus = (enum disk_bus)fixture_number(random, cdrom ? 1 : 0, 3);
	disk->path = xasprintf("/vms/ds/%s-%zu.%s", word, index,
		extensions[cdrom ? 2 : fixture_number(random, 0, 1)]);
}

/* A definition that keeps every rule, in canonical form. */
static inline void fixture_random_def(struct fixture_random *random, struct vmdef *def)
{
	static const char *const genids[] = {"", "auto", "43dc0cf8-809b-4adb-9bea-a9abb5f3d90e"};
	static const char *const models[] = {"host-passthrough", "host-model", "maximum", "EPYC"};

	*def = (struct vmdef){0};
	def->name = fixture_word(random, FIXTURE_WORD " -.&<>\"'", 32);
	def->name[0] = 'n';
	def->cpu.model = xstrdup(models[fixture_number(random, 0, 3)]);
	def->cpu.nodes = (int16_t)fixture_number(random, 0, 4);
	def->cpu.sockets = (int16_t)fixture_number(random, 1, 181);
	def->cpu.cores = (int16_t)fixture_number(random, 1, 181);
	def->cpu.threads = 1;
	def->memory_mib = fixture_number(random, 1, 1 << 20);
	def->hugepages = fixture_number(random, 0, 1);
	def->numa_placement = fixture_number(random, 0, 1);
	def->n_disks = (size_t)fixture_number(random, 1, VMDEF_MAX_DISKS + 1);
	def->disks = xcalloc(def->n_disks, sizeof(*def->disks));
	for (size_t i = 0; i < def->n_disks; i++)
		fixture_random_disk(random, i, &def->disks[i]);
	def->n_nets = (size_t)fixture_number(random, 0, VMDEF_MAX_NETS);
	def->nets = xcalloc(def->n_nets, sizeof(*def->nets));
	for (size_t i = 0; i < def->n_nets; i++) {
		def->nets[i].name = fixture_word(random, FIXTURE_WORD "-.&<\"'", 15);
		def->nets[i].type = (enum nettype)fixture_number(random, 0, 1);
		def->nets[i].model = (enum netmodel)fixture_number(random, 0, 2);
		def->nets[i].mac = xasprintf(
			"52:54:00:00:%02x:%02zx", (unsigned)fixture_number(random, 0, 255), i);
	}
	def->vlanid = (int16_t)fixture_number(random, 0, 4094);
	def->firmware = (enum firmware)fixture_number(random, 0, 1);
	def->genid = xstrdup(genids[fixture_number(random, 0, 2)]);
	def->n_custom = (size_t)fixture_number(random, 0, 5);
	def->custom = xcalloc(def->n_custom, sizeof(*def->custom));
	for (size_t i = 0; i < def->n_custom; i++) {
		def->custom[i].name = fixture_word(random, FIXTURE_WORD, 12);
		def->custom[i].value = fixture_word(random, FIXTURE_WORD, 12);
	}
}

#endif
