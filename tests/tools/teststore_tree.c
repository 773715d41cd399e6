/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the test store: see teststore_tree.h. */
#include "tests/tools/teststore_tree.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct node **nodes; /* by id */
static uint64_t next_id = TREE_ROOT;
static uint64_t next_cookie = 1;

static struct node *node_new(mode_t mode, uid_t uid, gid_t gid)
{
	struct node *node = xcalloc(1, sizeof(*node));

	node->id = next_id++;
	node->now = (struct node_state){.mode = mode, .uid = uid, .gid = gid, .data = -1};
	clock_gettime(CLOCK_REALTIME, &node->now.mtime);
	node->saved = node->now;
	node->changed = true;
	if (S_ISREG(mode))
		node->now.data = memfd_create("teststore", MFD_CLOEXEC);
	nodes = xreallocarray(nodes, next_id, sizeof(struct node *));
	nodes[node->id] = node;
	return node;
}

void tree_init(void)
{
	struct node *root = node_new(S_IFDIR | 0755, geteuid(), getegid());

	root->links = 1;
	root->lookups = 1;
}

struct node *tree_find(uint64_t id)
{
	return id > 0 && id < next_id ? nodes[id] : NULL;
}

static struct entry *find_entry(const struct node *dir, const char *name)
{
	for (size_t i = 0; i < dir->now.count; i++)
		if (str_equal(dir->now.entries[i].name, name))
			return &dir->now.entries[i];
	return NULL;
}

struct node *tree_lookup(const struct node *dir, const char *name)
{
	const struct entry *entry = find_entry(dir, name);

	return entry ? tree_find(entry->id) : NULL;
}

static void note_change(struct node *node)
{
	node->changed = true;
	clock_gettime(CLOCK_REALTIME, &node->now.mtime);
}

static void add_entry(struct node *dir, const char *name, struct node *node)
{
	struct node_state *now = &dir->now;

	now->entries = xreallocarray(now->entries, now->count + 1, sizeof(*now->entries));
	now->entries[now->count++] =
		(struct entry){.name = xstrdup(name), .id = node->id, .cookie = next_cookie++};
	node->links++;
	note_change(dir);
}

static void drop_entry(struct node *dir, struct entry *entry)
{
	struct node *node = tree_find(entry->id);
	size_t behind = dir->now.count - (size_t)(entry - dir->now.entries) - 1;

	free(entry->name);
	memmove(entry, entry + 1, behind * sizeof(*entry));
	dir->now.count--;
	node->links--;
	note_change(dir);
}

int tree_make(struct node *dir, const char *name, mode_t mode, uid_t uid, gid_t gid,
	const char *target, struct node **made)
{
	if (find_entry(dir, name))
		return EEXIST;
	if (dir->now.mode & S_ISGID) {
		gid = dir->now.gid;
		mode |= S_ISDIR(mode) ? S_ISGID : 0;
	}
	*made = node_new(mode, uid, gid);
	(*made)->target = xstrdup_or_null(target);
	add_entry(dir, name, *made);
	return 0;
}

int tree_link(struct node *dir, const char *name, struct node *node)
{
	if (find_entry(dir, name))
		return EEXIST;
	add_entry(dir, name, node);
	return 0;
}

static int check_removable(const struct node *node, bool is_dir)
{
	if (S_ISDIR(node->now.mode) != is_dir)
		return is_dir ? ENOTDIR : EISDIR;
	return is_dir && node->now.count > 0 ? ENOTEMPTY : 0;
}

int tree_remove(struct node *dir, const char *name, bool is_dir)
{
	struct entry *entry = find_entry(dir, name);
	int refused = entry ? check_removable(tree_find(entry->id), is_dir) : ENOENT;

	if (refused == 0)
		drop_entry(dir, entry);
	return refused;
}

int tree_rename(
	struct node *from, const char *name, struct node *to, const char *new_name, unsigned flags)
{
	struct node *node = tree_lookup(from, name), *there = tree_lookup(to, new_name);

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return EINVAL;
	if (!node)
		return ENOENT;
	if (there && flags & RENAME_NOREPLACE)
		return EEXIST;
	if (there == node)
		return 0;
	int refused = there ? check_removable(there, S_ISDIR(node->now.mode)) : 0;
	if (refused)
		return refused;
	if (there)
		drop_entry(to, find_entry(to, new_name));
	add_entry(to, new_name, node);
	drop_entry(from, find_entry(from, name));
	return 0;
}

void tree_attributes(const struct node *node, struct stat *attributes)
{
	struct stat data = {0};

	if (node->now.data >= 0)
		fstat(node->now.data, &data);
	*attributes = (struct stat){
		.st_ino = node->id,
		.st_mode = node->now.mode,
		.st_nlink = S_ISDIR(node->now.mode) ? 2 : node->links,
		.st_uid = node->now.uid,
		.st_gid = node->now.gid,
		.st_size = node->target ? (off_t)strlen(node->target) : data.st_size,
		.st_blocks = data.st_blocks,
		.st_blksize = 4096,
		.st_atim = node->now.mtime,
		.st_mtim = node->now.mtime,
		.st_ctim = node->now.mtime,
	};
}

/* Makes `to` what `from` is, holes included; a file without holes gets none. */
static void copy_data(int from, int to)
{
	static char block[64 * 1024];
	struct stat info;
	off_t at = 0;

	if (ftruncate(to, 0) < 0 || fstat(from, &info) < 0 || ftruncate(to, info.st_size) < 0)
		abort();
	bool sparse = info.st_blocks * 512 < info.st_size;
	while (at < info.st_size) {
		if (sparse && (at = lseek(from, at, SEEK_DATA)) < 0)
			return;
		ssize_t got = pread(from, block, sizeof(block), at);
		if (got <= 0 || pwrite(to, block, (size_t)got, at) != got)
			abort();
		at += got;
	}
}

static void free_entries(struct node_state *state)
{
	for (size_t i = 0; i < state->count; i++)
		free(state->entries[i].name);
	free(state->entries);
	state->entries = NULL;
	state->count = 0;
}

/* All but the data, which stays `to`'s own. */
static void copy_state(const struct node_state *from, struct node_state *to)
{
	int data = to->data;

	free_entries(to);
	*to = *from;
	to->data = data;
	to->entries = xcalloc(from->count + 1, sizeof(*to->entries));
	for (size_t i = 0; i < from->count; i++) {
		to->entries[i] = from->entries[i];
		to->entries[i].name = xstrdup(from->entries[i].name);
	}
}

void tree_sync(struct node *node)
{
	if (!node->changed)
		return;
	copy_state(&node->now, &node->saved);
	if (node->now.data >= 0) {
		if (node->saved.data < 0)
			node->saved.data = memfd_create("teststore", MFD_CLOEXEC);
		copy_data(node->now.data, node->saved.data);
	}
	node->changed = false;
}

static void cut_node(struct node *node)
{
	if (!node->changed)
		return;
	copy_state(&node->saved, &node->now);
	if (node->saved.data >= 0)
		copy_data(node->saved.data, node->now.data);
	else if (node->now.data >= 0 && ftruncate(node->now.data, 0) < 0)
		abort();
}

void tree_cut(void)
{
	for (uint64_t id = TREE_ROOT; id < next_id; id++)
		if (nodes[id])
			cut_node(nodes[id]);
	tree_sweep();
}

static void node_free(struct node *node)
{
	free_entries(&node->now);
	free_entries(&node->saved);
	if (node->now.data >= 0)
		close(node->now.data);
	if (node->saved.data >= 0)
		close(node->saved.data);
	free(node->target);
	nodes[node->id] = NULL;
	free(node);
}

/* Marks what a directory leads to; as it is now, or as it would be. */
static void mark(const struct node_state *state, bool *reached, bool is_now)
{
	for (size_t i = 0; i < state->count; i++) {
		struct node *node = tree_find(state->entries[i].id);

		node->links += is_now;
		if (reached[node->id])
			continue;
		reached[node->id] = true;
		mark(&node->saved, reached, false);
		mark(&node->now, reached, true);
	}
}

void tree_sweep(void)
{
	cleanup_free bool *reached = xcalloc(next_id, sizeof(*reached));
	struct node *root = tree_find(TREE_ROOT);

	for (uint64_t id = TREE_ROOT; id < next_id; id++)
		if (nodes[id])
			nodes[id]->links = 0;
	root->links = 1;
	reached[TREE_ROOT] = true;
	mark(&root->saved, reached, false);
	mark(&root->now, reached, true);
	for (uint64_t id = TREE_ROOT; id < next_id; id++)
		if (nodes[id] && !reached[id] && nodes[id]->lookups == 0)
			node_free(nodes[id]);
}
