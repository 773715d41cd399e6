/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of the test store, in memory: as they are now, and as they would be after the power
 * went. Content and attributes of a file count as of its last sync, the entries of a directory as
 * of the directory's. Inode numbers are never used twice and outlive a cut.
 */
#ifndef TESTS_TESTSTORE_TREE_H
#define TESTS_TESTSTORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define TREE_ROOT 1

/* A name in a directory. Cookies grow, so that a reader of the directory finds its place again. */
struct entry {
	char *name;
	uint64_t id;
	uint64_t cookie;
};

struct node_state {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	int data; /* regular files: a memory file; -1 in `saved`: empty */
	struct entry *entries;
	size_t count;
};

struct node {
	uint64_t id;
	uint64_t lookups; /* how often the kernel knows it */
	unsigned links;   /* names in directories as they are now */
	char *target;     /* of a symbolic link */
	bool changed;     /* since the last sync */
	struct node_state now, saved;
};

/* Makes the empty root. Functions that return int answer 0 or an errno. */
void tree_init(void);
/* NULL when there is none (any more). */
struct node *tree_find(uint64_t id);
/* The node that a directory has under a name, or NULL. */
struct node *tree_lookup(const struct node *dir, const char *name);
int tree_make(struct node *dir, const char *name, mode_t mode, uid_t uid, gid_t gid,
	const char *target, struct node **made);
int tree_link(struct node *dir, const char *name, struct node *node);
int tree_remove(struct node *dir, const char *name, bool is_dir);
/* flags as renameat2(2): 0 or RENAME_NOREPLACE. */
int tree_rename(
	struct node *from, const char *name, struct node *to, const char *new_name, unsigned flags);
void tree_attributes(const struct node *node, struct stat *attributes);
/* Now it is durable. */
void tree_sync(struct node *node);
/* Throws away everything that is not. */
void tree_cut(void);
/* Frees what nothing leads to any more, now or after a cut. */
void tree_sweep(void);

#endif
