/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules about images, seeds and modes. */
#include "base/mem.h"
#include "base/str.h"
#include "rules.h"
#include "storage/beneath.h"

#include <errno.h>
#include <fcntl.h>

enum image_state { IMAGE_THERE, IMAGE_MISSING, IMAGE_BAD, IMAGE_UNKNOWN };

/*
 * What lies at a disk's path. Below the datastore through no link; elsewhere (LUNs, .iso files)
 * only what this host can see of its own VMs.
 */
static enum image_state look_at(const struct facts *facts, const struct fact_claim *claim)
{
	const char *vms_dir = store_vms_dir(facts->store);
	size_t len = strlen(vms_dir);
	const char *path = claim->disk->path;
	struct stat info;

	if (!str_starts_with(path, vms_dir) || path[len] != '/') {
		if (!str_equal(claim->vm->host, facts->host))
			return IMAGE_UNKNOWN;
		return stat(path, &info) == 0 || errno != ENOENT ? IMAGE_THERE : IMAGE_MISSING;
	}
	cleanup_close int fd = beneath_open_raw(store_root(facts->store), path + len + 1, O_PATH);
	if (fd < 0)
		return errno == ENOENT                                        ? IMAGE_MISSING
		       : errno == ELOOP || errno == ENOTDIR || errno == EXDEV ? IMAGE_BAD
									      : IMAGE_UNKNOWN;
	return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? IMAGE_THERE : IMAGE_BAD;
}

static void check_images(const struct facts *facts, struct findings *findings, bool managed,
	enum image_state state, const char *text)
{
	for (size_t i = 0; i < facts->claims.n; i++) {
		const struct fact_claim *claim = &facts->claims.list[i];
		bool again = i > 0 && str_equal(claim[-1].vm->uuid, claim->vm->uuid) &&
			     str_equal(claim[-1].disk->path, claim->disk->path);

		if (again || claim->vm->foreign ||
			(claim->disk->managed != managed && state != IMAGE_BAD) ||
			look_at(facts, claim) != state)
			continue;
		cleanup_free char *name = facts_name_vm(facts, claim->vm->uuid);
		finding_add(
			findings, claim->disk->path, claim->vm->uuid, "disk of %s: %s", name, text);
	}
}

void check_missing_image(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, true, IMAGE_MISSING, "there is no such image");
}

void check_missing_unmanaged(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, false, IMAGE_MISSING, "there is no such file");
}

void check_bad_image(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, true, IMAGE_BAD, "it is no plain file, or behind a link");
}

void check_image_temporary(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind == FACT_IMAGE_TEMPORARY)
			finding_add(findings, item->path, item->vm, "it is left of VM %s", item->vm)
				->changed = item->changed;
	}
}

void check_orphan_seed(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind == FACT_SEED && !facts_has_vm(facts, item->vm))
			finding_add(findings, item->path, item->vm,
				"it is that of VM %s, which does not exist", item->vm);
	}
}

static void check_modes(const struct facts *facts, struct findings *findings, enum fact_kind kind)
{
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind == kind)
			finding_add(findings, item->path, NULL,
				"its mode is %04o and should be %04o%s", item->mode, item->wanted,
				item->group ? ", its group sanlock" : "");
	}
}

void check_mode(const struct facts *facts, struct findings *findings)
{
	check_modes(facts, findings, FACT_MODE);
}

void check_seed_readable(const struct facts *facts, struct findings *findings)
{
	check_modes(facts, findings, FACT_SECRET_MODE);
}

void check_seed_defined(const struct facts *facts, struct findings *findings)
{
	for (size_t i = 0; i < facts->domains.n; i++) {
		const struct fact_vm *domain = &facts->domains.list[i];

		if (!domain->has_seed)
			continue;
		cleanup_free char *name = facts_name_vm(facts, domain->uuid);
		finding_add(findings, name, domain->uuid,
			"its stored definition has its seed attached");
	}
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void check_unreferenced(const struct facts *facts, struct findings *findings)
{
	size_t n = facts->claims.n;
	cleanup_free const char **paths = xcalloc(n ? n : 1, sizeof(*paths));

	for (size_t i = 0; i < n; i++)
		paths[i] = facts->claims.list[i].disk->path;
	qsort(paths, n, sizeof(*paths), compare_paths);
	for (size_t i = 0; i < facts->items.n; i++) {
		const struct fact_item *item = &facts->items.list[i];

		if (item->kind != FACT_IMAGE)
			continue;
		cleanup_free char *path =
			xasprintf("%s/%s", store_vms_dir(facts->store), item->path);
		if (!bsearch(&path, paths, n, sizeof(*paths), compare_paths))
			finding_add(findings, item->path, NULL, "no VM has it");
	}
}
