/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this host uses a block device: mounts, swap, and devices built on it. See lun.h. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "storage/beneath.h"
#include "storage/lun.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/sysmacros.h>

#define LIST_MAX (4 << 20)

/* One device that is looked for, and what was found. */
struct search {
	dev_t device;
	char *found;
};

static bool leads_to(const char *path, dev_t device)
{
	struct stat info;

	return str_starts_with(path, "/dev/") && stat(path, &info) == 0 && S_ISBLK(info.st_mode) &&
	       info.st_rdev == device;
}

/* Cuts the next word off a line; "" at its end. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");

	*line = word + strcspn(word, " \t");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

/* Undoes \040 and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS ... - TYPE SOURCE ... (proc(5)). File systems over
 * several devices show one of them as source alone. */
static void look_at_mount(struct search *search, char *line)
{
	char *words[5], number[32];

	for (size_t i = 0; i < 5; i++)
		words[i] = next_word(&line);
	while (*line && !str_equal(next_word(&line), "-"))
		;
	next_word(&line);
	char *source = next_word(&line);
	unescape(source);
	snprintf(number, sizeof(number), "%u:%u", major(search->device), minor(search->device));
	if (!str_equal(words[2], number) && !leads_to(source, search->device))
		return;
	unescape(words[4]);
	search->found = xasprintf("is mounted at %s", words[4]);
}

/* FILE TYPE SIZE ... */
static void look_at_swap(struct search *search, char *line)
{
	char *file = next_word(&line);

	unescape(file);
	if (leads_to(file, search->device))
		search->found = xstrdup("is used as swap");
}

static void look_at_lines(
	struct search *search, const char *path, void (*look)(struct search *search, char *line))
{
	struct error ignored = {0};
	cleanup_free char *text = file_read(path, LIST_MAX, NULL, &ignored);
	char *rest = text, *line;

	while (rest && !search->found && (line = strsep(&rest, "\n")))
		look(search, line);
}

/* dm-0 says little: its name, where it has one. */
static int look_at_holder(void *context, int dir, const char *name)
{
	struct search *search = context;
	struct error ignored = {0};
	cleanup_free char *path = xasprintf("/sys/class/block/%s/dm/name", name);
	cleanup_free char *full = file_read(path, NAME_MAX, NULL, &ignored);

	(void)dir;
	if (full)
		full[strcspn(full, "\n")] = '\0';
	search->found = full ? xasprintf("is part of %s (%s)", name, full)
			     : xasprintf("is part of %s", name);
	return 1;
}

static void look_at(struct search *search, int folder)
{
	struct error ignored = {0};
	cleanup_close int holders = openat(folder, "holders", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	look_at_lines(search, "/proc/self/mountinfo", look_at_mount);
	if (!search->found)
		look_at_lines(search, "/proc/swaps", look_at_swap);
	if (!search->found && holders >= 0)
		beneath_each(holders, look_at_holder, search, &ignored);
}

/* A name in the folder of a whole device: one of its partitions, or nothing of interest. */
static int look_at_partition(void *context, int dir, const char *name)
{
	struct search *search = context;
	struct search part = {0};
	struct stat info;
	cleanup_free char *path = xasprintf("/dev/%s", name);
	cleanup_free char *mark = xasprintf("%s/partition", name);

	if (faccessat(dir, mark, F_OK, 0) < 0 || stat(path, &info) < 0)
		return 0;
	cleanup_close int folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	part.device = info.st_rdev;
	look_at(&part, folder);
	if (!part.found)
		return 0;
	search->found = xasprintf("has a partition %s that %s", name, part.found);
	free(part.found);
	return 1;
}

char *lun_find_user(dev_t device)
{
	struct search search = {.device = device};
	struct error ignored = {0};
	cleanup_free char *path = xasprintf("/sys/dev/block/%u:%u", major(device), minor(device));
	cleanup_close int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	look_at(&search, folder);
	if (!search.found && folder >= 0)
		beneath_each(folder, look_at_partition, &search, &ignored);
	return search.found;
}
