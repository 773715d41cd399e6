/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of an operation: see vm_disks.h. */
#include "vm_disks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/disk.h"

/* What has to be done for a disk of the new definition. */
enum disk_need {
	NEED_NOTHING,
	NEED_MAKE,  /* it is new to the VM */
	NEED_CLAIM, /* it is there, and is managed from now on */
};

static enum disk_need disk_need(const struct intent *intent, const struct disk *disk)
{
	const struct disk *old =
		intent->op == INTENT_UPDATE ? vmdef_find_disk(&intent->old, disk->path) : NULL;

	if (!old)
		return NEED_MAKE;
	return disk->man == DISK_MANAGED && old->man == DISK_UNMANAGED ? NEED_CLAIM : NEED_NOTHING;
}

/* A disk that is there already is never made again: prov none claims it as it is. Borrows the path.
 */
static struct disk disk_as_needed(const struct disk *disk, enum disk_need need)
{
	struct disk copy = *disk;

	if (need == NEED_CLAIM)
		copy.prov = DISK_PROV_NONE;
	return copy;
}

/* Another kind of device may have another lease: that one would have been claimed by nobody. */
static int check_same_lease(
	const char *vms_dir, const struct disk *kept, const struct disk *disk, struct error *err)
{
	char before[256], after[256];

	disk_lease_name(kept, vms_dir, before);
	disk_lease_name(disk, vms_dir, after);
	if (kept->man != DISK_MANAGED || disk->man != DISK_MANAGED || str_equal(before, after))
		return 0;
	error_set(err, ERR_STATE,
		"device of %s: it is managed as a %s, an update cannot make it a %s", disk->path,
		enum_name(&disk_device_names, (int)kept->device),
		enum_name(&disk_device_names, (int)disk->device));
	return error_hint(err, "give it up with man 0 first");
}

int vm_disks_keep(
	const char *vms_dir, const struct vmdef *old, struct vmdef *def, struct error *err)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		struct disk *disk = &def->disks[i];
		const struct disk *kept = vmdef_find_disk(old, disk->path);

		if (!kept)
			continue;
		if (check_same_lease(vms_dir, kept, disk, err) < 0)
			return -1;
		if (disk->size_mib != 0 && kept->size_mib != 0 &&
			disk->size_mib != kept->size_mib) {
			error_set(err, ERR_STATE,
				"size of %s: it has %d MiB, an update cannot make it %d",
				disk->path, kept->size_mib, disk->size_mib);
			return error_hint(err, "leave size at 0 to keep it");
		}
		if (disk->prov != DISK_PROV_NONE && kept->prov != DISK_PROV_NONE &&
			disk->prov != kept->prov) {
			error_set(err, ERR_STATE,
				"prov of %s: it is %s, an update cannot make it %s", disk->path,
				enum_name(&disk_prov_names, (int)kept->prov),
				enum_name(&disk_prov_names, (int)disk->prov));
			return error_hint(err, "leave prov at 0 to keep it");
		}
		disk->size_mib = kept->size_mib;
		disk->prov = kept->prov;
	}
	return 0;
}

/* Several names of one LUN have one lease: the VM would take it from itself. */
static int check_one_lease(const struct store *store, const struct vmdef *def,
	const struct disk *disk, struct error *err)
{
	char name[256], other[256];

	disk_lease_name(disk, store_vms_dir(store), name);
	for (size_t i = 0; i < def->n_disks; i++) {
		if (str_equal(def->disks[i].path, disk->path))
			continue;
		disk_lease_name(&def->disks[i], store_vms_dir(store), other);
		if (str_equal(name, other))
			return error_set(err, ERR_INVALID, "%s and %s are the same storage",
				disk->path, def->disks[i].path);
	}
	return 0;
}

/* Whether a disk of the definition in force goes, and its image with it. */
static bool disk_goes(const struct intent *intent, const struct disk *disk, bool *remove)
{
	const struct disk *kept = NULL;

	if (disk->man != DISK_MANAGED)
		return false;
	if (intent->op == INTENT_UPDATE)
		kept = vmdef_find_disk(&intent->def, disk->path);
	*remove = intent->remove && !kept;
	return !kept || kept->man == DISK_UNMANAGED;
}

/* The disks that there are before the operation. */
static const struct vmdef *def_in_force(const struct intent *intent)
{
	return intent->op == INTENT_UPDATE ? &intent->old : &intent->def;
}

int vm_disks_check_release(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	const struct vmdef *def = def_in_force(intent);
	bool remove;

	for (size_t i = 0; intent->op != INTENT_CREATE && i < def->n_disks; i++) {
		if (!disk_goes(intent, &def->disks[i], &remove) || !remove ||
			disk_check_release(daemon->store, &def->disks[i], err) == 0)
			continue;
		return error_hint(err, "with deletestorage false it stays as it is");
	}
	return 0;
}

int vm_disks_check(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	for (size_t i = 0; i < intent->def.n_disks; i++) {
		const struct disk *disk = &intent->def.disks[i];
		enum disk_need need = disk_need(intent, disk);
		struct disk work = disk_as_needed(disk, need);

		if (need == NEED_NOTHING)
			continue;
		if (check_one_lease(daemon->store, &intent->def, disk, err) ||
			check_one_lease(daemon->store, &intent->old, disk, err) ||
			disk_check(daemon->store, intent->vm, &work, err))
			return -1;
	}
	return vm_disks_check_release(daemon, intent, err);
}

/* One disk being worked on. */
struct run {
	struct daemon *daemon;
	struct operation *operation;
	struct intent *intent;
	const char *phase;
	unsigned done, all; /* disks */
};

static void run_progress(void *context, unsigned percent)
{
	struct run *run = context;

	operation_progress(run->operation, run->phase, (run->done * 100 + percent) / run->all);
}

static int run_made(void *context, const char *path, uint64_t inode, struct error *err)
{
	struct run *run = context;

	intent_add_made(run->intent, path, inode);
	return intent_write(run->daemon->store, run->intent, err);
}

/* "qemu-img was cancelled" is true, but not what somebody asked for. */
static int own_words(const struct operation *operation, struct error *err)
{
	if (err->code != ERR_CANCELLED)
		return -1;
	error_clear(err);
	return operation_check_cancel(operation, err);
}

int vm_disks_make(struct daemon *daemon, struct operation *operation, struct intent *intent,
	struct error *err)
{
	struct run run = {.daemon = daemon,
		.operation = operation,
		.intent = intent,
		.all = (unsigned)intent->def.n_disks};

	for (size_t i = 0; i < intent->def.n_disks; i++, run.done++) {
		struct disk *disk = &intent->def.disks[i];
		enum disk_need need = disk_need(intent, disk);
		struct disk work = disk_as_needed(disk, need);
		cleanup_free char *phase = xasprintf("provision %s", disk->path);
		struct disk_work follow = {.on_progress = run_progress,
			.on_made = run_made,
			.context = &run,
			.cancel = operation_cancel_flag(operation)};

		if (need == NEED_NOTHING)
			continue;
		run.phase = phase;
		run_progress(&run, 0);
		if (operation_check_cancel(operation, err) ||
			disk_provision(daemon->store, intent->vm, &work, &follow, err))
			return own_words(operation, err);
		*disk = work;
	}
	return operation_check_cancel(operation, err);
}

int vm_disks_unmake(struct daemon *daemon, const struct intent *intent, struct error *err)
{
	for (size_t i = intent->def.n_disks; i > 0; i--) {
		const struct disk *disk = &intent->def.disks[i - 1];
		enum disk_need need = disk_need(intent, disk);
		struct disk work = disk_as_needed(disk, need);

		struct error cause = {0};

		if (need == NEED_NOTHING ||
			disk_rollback(daemon->store, intent->vm, &work,
				intent_made_inode(intent, disk->path), &cause) == 0)
			continue;
		log_warning("disk cannot be taken back", "vm", intent->vm, "path", disk->path,
			"error", cause.message);
		error_set(err, cause.code, "%s", cause.message);
	}
	return error_is_set(err) ? -1 : 0;
}

bool vm_disks_clears_lun(const struct intent *intent)
{
	const struct vmdef *def = def_in_force(intent);
	bool remove;

	for (size_t i = 0; i < def->n_disks; i++)
		if (disk_goes(intent, &def->disks[i], &remove) && remove &&
			def->disks[i].device == DISK_DEVICE_LUN)
			return true;
	return false;
}

unsigned vm_disks_release(struct daemon *daemon, struct operation *operation,
	const struct intent *intent, bool *retry)
{
	const struct vmdef *def = def_in_force(intent);
	struct run run = {.operation = operation, .all = (unsigned)def->n_disks};
	struct disk_work follow = {.on_progress = run_progress, .context = &run};
	unsigned left = 0;

	*retry = false;
	for (size_t i = 0; i < def->n_disks; i++, run.done++) {
		const struct disk *disk = &def->disks[i];
		struct error err = {0};
		bool remove;
		cleanup_free char *phase = xasprintf("release %s", disk->path);

		run.phase = phase;
		if (!disk_goes(intent, disk, &remove) ||
			disk_release(daemon->store, intent->vm, disk, remove,
				operation ? &follow : NULL, &err) == 0)
			continue;
		log_warning("disk cannot be released", "vm", intent->vm, "path", disk->path,
			"error", err.message);
		left++;
		/* Another VM's lease is no business of this one, now or later. */
		*retry = *retry || err.code != ERR_LEASE;
	}
	return left;
}
