/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A definition as a value: copy, compare, free, and small questions about it. */
#include "model/vmdef.h"

#include "base/str.h"
#include "base/uuid.h"

int vmdef_vcpus(const struct vmdef *def)
{
	int64_t vcpus = (int64_t)def->cpu.sockets * def->cpu.cores * def->cpu.threads;

	return vcpus < 0 ? 0 : vcpus > VMDEF_MAX_VCPUS ? VMDEF_MAX_VCPUS : (int)vcpus;
}

const struct disk *vmdef_find_disk(const struct vmdef *def, const char *path)
{
	for (size_t i = 0; i < def->n_disks; i++)
		if (def->disks[i].path && str_equal(def->disks[i].path, path))
			return &def->disks[i];
	return NULL;
}

void vmdef_choose_macs(struct vmdef *def)
{
	for (size_t i = 0; i < def->n_nets; i++) {
		char random[UUID_TEXT_SIZE];

		if (!str_is_empty(def->nets[i].mac))
			continue;
		/* The first six digits of a random UUID are random; 52:54:00 is QEMU's own range.
		 */
		uuid_make(random);
		free(def->nets[i].mac);
		def->nets[i].mac =
			xasprintf("52:54:00:%.2s:%.2s:%.2s", random, random + 2, random + 4);
	}
}

static bool text_equal(const char *a, const char *b)
{
	return str_equal(a ? a : "", b ? b : "");
}

static bool cpu_equal(const struct cpudef *a, const struct cpudef *b)
{
	return text_equal(a->model, b->model) && a->nodes == b->nodes && a->sockets == b->sockets &&
	       a->cores == b->cores && a->threads == b->threads;
}

static bool disk_equal(const struct disk *a, const struct disk *b)
{
	return text_equal(a->path, b->path) && a->device == b->device && a->bus == b->bus &&
	       a->man == b->man && a->prov == b->prov && a->size_mib == b->size_mib;
}

static bool net_equal(const struct net *a, const struct net *b)
{
	return text_equal(a->name, b->name) && a->type == b->type && a->model == b->model &&
	       text_equal(a->mac, b->mac);
}

bool vmdef_equal(const struct vmdef *a, const struct vmdef *b)
{
	if (!text_equal(a->name, b->name) || !cpu_equal(&a->cpu, &b->cpu) ||
		a->memory_mib != b->memory_mib || a->hugepages != b->hugepages ||
		a->numa_placement != b->numa_placement || a->vlanid != b->vlanid ||
		a->firmware != b->firmware || !text_equal(a->genid, b->genid) ||
		a->n_disks != b->n_disks || a->n_nets != b->n_nets || a->n_custom != b->n_custom)
		return false;
	for (size_t i = 0; i < a->n_disks; i++)
		if (!disk_equal(&a->disks[i], &b->disks[i]))
			return false;
	for (size_t i = 0; i < a->n_nets; i++)
		if (!net_equal(&a->nets[i], &b->nets[i]))
			return false;
	for (size_t i = 0; i < a->n_custom; i++)
		if (!text_equal(a->custom[i].name, b->custom[i].name) ||
			!text_equal(a->custom[i].value, b->custom[i].value))
			return false;
	return true;
}

struct custom *custom_list_copy(const struct custom *list, size_t count)
{
	struct custom *copy = xcalloc(count, sizeof(*copy));

	for (size_t i = 0; i < count; i++) {
		copy[i].name = xstrdup_or_null(list[i].name);
		copy[i].value = xstrdup_or_null(list[i].value);
	}
	return copy;
}

void vmdef_copy(struct vmdef *to, const struct vmdef *from)
{
	*to = *from;
	to->name = xstrdup_or_null(from->name);
	to->cpu.model = xstrdup_or_null(from->cpu.model);
	to->genid = xstrdup_or_null(from->genid);
	to->disks = xmemdup(from->disks, from->n_disks * sizeof(*from->disks));
	for (size_t i = 0; i < to->n_disks; i++)
		to->disks[i].path = xstrdup_or_null(from->disks[i].path);
	to->nets = xmemdup(from->nets, from->n_nets * sizeof(*from->nets));
	for (size_t i = 0; i < to->n_nets; i++) {
		to->nets[i].name = xstrdup_or_null(from->nets[i].name);
		to->nets[i].mac = xstrdup_or_null(from->nets[i].mac);
	}
	to->custom = custom_list_copy(from->custom, from->n_custom);
}

void disk_free(struct disk *disk)
{
	free(disk->path);
	*disk = (struct disk){0};
}

void custom_list_free(struct custom *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].name);
		free(list[i].value);
	}
	free(list);
}

void vmdef_free(struct vmdef *def)
{
	free(def->name);
	free(def->cpu.model);
	free(def->genid);
	for (size_t i = 0; i < def->n_disks; i++)
		disk_free(&def->disks[i]);
	free(def->disks);
	for (size_t i = 0; i < def->n_nets; i++) {
		free(def->nets[i].name);
		free(def->nets[i].mac);
	}
	free(def->nets);
	custom_list_free(def->custom, def->n_custom);
	*def = (struct vmdef){0};
}
