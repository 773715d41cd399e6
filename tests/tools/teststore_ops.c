/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel asks of the test store, answered from its tree. Nothing is cached: the kernel
 * asks again each time, since a cut may change everything.
 */
#include "tests/tools/teststore.h"
#include "tests/tools/teststore_tree.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIRECTORY_BYTES (64 * 1024)

bool teststore_no_fallocate;

/* The node, or the request has been answered. */
static struct node *find(fuse_req_t req, fuse_ino_t id)
{
	struct node *node = tree_find(id);

	if (!node)
		fuse_reply_err(req, ESTALE);
	return node;
}

static struct fuse_entry_param know(struct node *node)
{
	struct fuse_entry_param entry = {.ino = node->id};

	node->lookups++;
	tree_attributes(node, &entry.attr);
	return entry;
}

static void reply_node(fuse_req_t req, struct node *node)
{
	struct fuse_entry_param entry = know(node);

	fuse_reply_entry(req, &entry);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = find(req, parent);
	struct node *node = dir ? tree_lookup(dir, name) : NULL;

	if (node)
		reply_node(req, node);
	else if (dir)
		fuse_reply_err(req, ENOENT);
}

static void forget(uint64_t id, uint64_t count)
{
	struct node *node = tree_find(id);

	if (node)
		node->lookups -= count < node->lookups ? count : node->lookups;
}

static void on_forget(fuse_req_t req, fuse_ino_t id, uint64_t count)
{
	forget(id, count);
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attributes(fuse_req_t req, const struct node *node)
{
	struct stat attributes;

	tree_attributes(node, &attributes);
	fuse_reply_attr(req, &attributes, 0);
}

static void on_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *file)
{
	struct node *node = find(req, id);

	(void)file;
	if (node)
		reply_attributes(req, node);
}

static void on_setattr(
	fuse_req_t req, fuse_ino_t id, struct stat *wanted, int which, struct fuse_file_info *file)
{
	struct node *node = find(req, id);

	(void)file;
	if (!node)
		return;
	if (which & FUSE_SET_ATTR_SIZE && ftruncate(node->now.data, wanted->st_size) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	if (which & FUSE_SET_ATTR_MODE)
		node->now.mode = (node->now.mode & S_IFMT) | (wanted->st_mode & 07777);
	if (which & FUSE_SET_ATTR_UID)
		node->now.uid = wanted->st_uid;
	if (which & FUSE_SET_ATTR_GID)
		node->now.gid = wanted->st_gid;
	if (which & FUSE_SET_ATTR_MTIME)
		node->now.mtime = wanted->st_mtim;
	node->changed = true;
	reply_attributes(req, node);
}

/* A new node of any kind; NULL: the request has been answered. */
static struct node *make(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, const char *target)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct node *dir = find(req, parent), *node = NULL;

	if (!dir)
		return NULL;
	int refused = tree_make(dir, name, mode, caller->uid, caller->gid, target, &node);
	if (refused)
		fuse_reply_err(req, refused);
	return refused ? NULL : node;
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct node *node = make(req, parent, name, S_IFDIR | (mode & 07777), NULL);

	if (node)
		reply_node(req, node);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct node *node = make(req, parent, name, mode, NULL);

	(void)device;
	if (node)
		reply_node(req, node);
}

static void on_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct node *node = make(req, parent, name, S_IFLNK | 0777, target);

	if (node)
		reply_node(req, node);
}

static void on_readlink(fuse_req_t req, fuse_ino_t id)
{
	struct node *node = find(req, id);

	if (node)
		fuse_reply_readlink(req, node->target ? node->target : "");
}

/* O_DIRECT or not, the page cache of the kernel stays out of it. */
static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *file)
{
	struct node *node = make(req, parent, name, S_IFREG | (mode & 07777), NULL);

	if (!node)
		return;
	struct fuse_entry_param entry = know(node);
	file->direct_io = 1;
	fuse_reply_create(req, &entry, file);
}

static void on_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *file)
{
	if (!find(req, id))
		return;
	file->direct_io = 1;
	fuse_reply_open(req, file);
}

static void on_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name)
{
	struct node *node = find(req, id);
	struct node *dir = node ? find(req, parent) : NULL;
	int refused = dir ? tree_link(dir, name, node) : 0;

	if (refused)
		fuse_reply_err(req, refused);
	else if (dir)
		reply_node(req, node);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = find(req, parent);

	if (dir)
		fuse_reply_err(req, tree_remove(dir, name, false));
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = find(req, parent);

	if (dir)
		fuse_reply_err(req, tree_remove(dir, name, true));
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	const char *new_name, unsigned flags)
{
	struct node *from = find(req, parent);
	struct node *to = from ? find(req, new_parent) : NULL;

	if (to)
		fuse_reply_err(req, tree_rename(from, name, to, new_name, flags));
}

static void on_read(
	fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *file)
{
	struct node *node = find(req, id);
	cleanup_free char *bytes = xmalloc(size + 1);
	ssize_t got = node ? pread(node->now.data, bytes, size, offset) : 0;

	(void)file;
	if (got < 0)
		fuse_reply_err(req, errno);
	else if (node)
		fuse_reply_buf(req, bytes, (size_t)got);
}

static void on_write(fuse_req_t req, fuse_ino_t id, const char *bytes, size_t size, off_t offset,
	struct fuse_file_info *file)
{
	struct node *node = find(req, id);

	if (!node)
		return;
	ssize_t done = pwrite(node->now.data, bytes, size, offset);
	if (done < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	node->changed = true;
	clock_gettime(CLOCK_REALTIME, &node->now.mtime);
	if (file->flags & (O_SYNC | O_DSYNC))
		tree_sync(node);
	fuse_reply_write(req, (size_t)done);
}

static void on_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t length,
	struct fuse_file_info *file)
{
	struct node *node = find(req, id);

	(void)file;
	if (!node)
		return;
	node->changed = true;
	if (teststore_no_fallocate)
		fuse_reply_err(req, EOPNOTSUPP);
	else
		fuse_reply_err(
			req, fallocate(node->now.data, mode, offset, length) < 0 ? errno : 0);
}

static void on_lseek(
	fuse_req_t req, fuse_ino_t id, off_t offset, int whence, struct fuse_file_info *file)
{
	struct node *node = find(req, id);
	off_t at = node ? lseek(node->now.data, offset, whence) : 0;

	(void)file;
	if (at < 0)
		fuse_reply_err(req, errno);
	else if (node)
		fuse_reply_lseek(req, at);
}

/* Of files and directories. */
static void on_fsync(fuse_req_t req, fuse_ino_t id, int only_data, struct fuse_file_info *file)
{
	struct node *node = find(req, id);

	(void)only_data;
	(void)file;
	if (!node)
		return;
	tree_sync(node);
	fuse_reply_err(req, 0);
}

static void on_readdir(
	fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *file)
{
	struct node *dir = find(req, id);
	static char bytes[DIRECTORY_BYTES];
	size_t used = 0, room = size < sizeof(bytes) ? size : sizeof(bytes);

	(void)file;
	if (!dir)
		return;
	for (size_t i = 0; i < dir->now.count; i++) {
		const struct entry *entry = &dir->now.entries[i];
		struct node *node = tree_find(entry->id);
		struct stat attributes;

		if (entry->cookie <= (uint64_t)offset)
			continue;
		tree_attributes(node, &attributes);
		size_t more = fuse_add_direntry(req, bytes + used, room - used, entry->name,
			&attributes, (off_t)entry->cookie);
		if (more > room - used)
			break;
		used += more;
	}
	fuse_reply_buf(req, bytes, used);
}

static void on_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct statvfs info = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = 1 << 24,
		.f_bfree = 1 << 24,
		.f_bavail = 1 << 24,
		.f_files = 1 << 20,
		.f_ffree = 1 << 20,
		.f_namemax = 255,
	};

	(void)id;
	fuse_reply_statfs(req, &info);
}

static void on_init(void *context, struct fuse_conn_info *connection)
{
	(void)context;
	/* O_TRUNC comes as a change of size. */
	connection->want &= ~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS);
}

const struct fuse_lowlevel_ops teststore_ops = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.mkdir = on_mkdir,
	.mknod = on_mknod,
	.symlink = on_symlink,
	.readlink = on_readlink,
	.create = on_create,
	.open = on_open,
	.link = on_link,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.rename = on_rename,
	.read = on_read,
	.write = on_write,
	.fallocate = on_fallocate,
	.lseek = on_lseek,
	.fsync = on_fsync,
	.fsyncdir = on_fsync,
	.readdir = on_readdir,
	.statfs = on_statfs,
};
