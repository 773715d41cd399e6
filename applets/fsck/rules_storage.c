/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules about images, seeds and modes. */
#include "base/mem.h"
#include "base/str.h"
#include "rules.h"

static bool is_same_disk(const struct fact_claim *one, const struct fact_claim *other)
{
	return str_equal(one->vm->uuid, other->vm->uuid) &&
	       str_equal(one->disk->path, other->disk->path);
}

/* Foreign domains are nobody's business here. */
static void check_images(const struct facts *facts, struct findings *findings, bool managed,
	enum fact_image image, const char *text)
{
	for (size_t i = 0; i < facts->claims.n; i++) {
		const struct fact_claim *claim = &facts->claims.list[i];

		if (claim->image != image || claim->vm->foreign ||
			(claim->disk->managed != managed && image == FACT_GONE) ||
			(i > 0 && is_same_disk(claim - 1, claim)))
			continue;
		cleanup_free char *name = facts_name_vm(facts, claim->vm->uuid);
		finding_add(
			findings, claim->disk->path, claim->vm->uuid, "disk of %s: %s", name, text);
	}
}

void check_missing_image(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, true, FACT_GONE, "there is no such image");
}

void check_missing_unmanaged(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, false, FACT_GONE, "there is no such file");
}

void check_bad_image(const struct facts *facts, struct findings *findings)
{
	check_images(facts, findings, true, FACT_NO_FILE, "it is no plain file, or behind a link");
}

static int compare_places(const void *a, const void *b)
{
	const struct fact_claim *left = *(const struct fact_claim *const *)a;
	const struct fact_claim *right = *(const struct fact_claim *const *)b;

	if (left->device != right->device)
		return left->device < right->device ? -1 : 1;
	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return strcmp(left->disk->lease, right->disk->lease);
}

/* Managed disks that are one file or device and have several leases. */
void check_same_storage(const struct facts *facts, struct findings *findings)
{
	cleanup_free const struct fact_claim **sorted =
		xcalloc(facts->claims.n + 1, sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < facts->claims.n; i++)
		if (facts->claims.list[i].image == FACT_THERE &&
			facts->claims.list[i].disk->managed)
			sorted[n++] = &facts->claims.list[i];
	qsort(sorted, n, sizeof(*sorted), compare_places);
	for (size_t i = 1; i < n; i++) {
		const struct fact_claim *one = sorted[i - 1], *other = sorted[i];

		if (one->device != other->device || one->inode != other->inode ||
			str_equal(one->disk->lease, other->disk->lease))
			continue;
		cleanup_free char *name = facts_name_vm(facts, one->vm->uuid);
		finding_add(findings, other->disk->path, other->vm->uuid,
			"it is the same storage as %s of %s, with another lease", one->disk->path,
			name);
	}
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
