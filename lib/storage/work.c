/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work under a lease, the daemon's side: starts lease-run and follows what it says. See work.h. */
#include "storage/work.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "storage/lock_manager.h"
#include "storage/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#define LOST_WAIT_MS  1000
#define LOST_PAUSE_MS 50

static const char *const kind_names[] = {
	[WORK_MAKE] = "make", [WORK_REMOVE] = "remove", [WORK_WIPE] = "wipe", [WORK_DROP] = "drop"};

/* The order of the command line, for both sides. */
enum {
	ARG_KIND,
	ARG_MANAGER,
	ARG_ROOT,
	ARG_GO,
	ARG_DEVICE,
	ARG_VM,
	ARG_LEASE,
	ARG_PATH,
	ARG_PROV,
	ARG_SIZE,
	ARG_INODE,
	ARG_COUNT
};

/* What has come from lease-run. */
struct follow {
	const struct disk_work *disk_work;
	char *path; /* of the image, absolute */
	int go;     /* write end */
	char line[2048];
	size_t len;
	uint64_t inode;
	struct error err;
};

static void follow_made(struct follow *follow, const char *number)
{
	const struct disk_work *work = follow->disk_work;
	int64_t inode;
	int noted = -1;

	if (str_parse_int(number, INT64_MIN, INT64_MAX, &inode)) {
		follow->inode = (uint64_t)inode;
		noted = work && work->on_made ? work->on_made(work->context, follow->path,
							follow->inode, &follow->err)
					      : 0;
	}
	/* Without its byte lease-run finds the pipe closed and gives up. */
	if (noted == 0 && write(follow->go, "g", 1) != 1)
		error_set_errno(&follow->err, ERR_INTERNAL, errno, "go pipe");
	close(steal_fd(&follow->go));
}

static void follow_line(struct follow *follow, char *line)
{
	const struct disk_work *work = follow->disk_work;
	int64_t percent;

	if (str_starts_with(line, "progress ")) {
		if (work && work->on_progress &&
			str_parse_int(line + strlen("progress "), 0, 100, &percent))
			work->on_progress(work->context, (unsigned)percent);
	} else if (str_starts_with(line, "made ") && follow->go >= 0) {
		follow_made(follow, line + strlen("made "));
	} else if (str_starts_with(line, "error ")) {
		char *word = line + strlen("error ");
		char *message = strchr(word, ' ');
		if (!message)
			return;
		*message++ = '\0';
		error_set(&follow->err, error_code_parse(word), "%s", message);
	} else if (str_starts_with(line, "hint ")) {
		error_hint(&follow->err, "%s", line + strlen("hint "));
	}
}

static void follow_output(void *context, const char *text, size_t len)
{
	struct follow *follow = context;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			follow->line[follow->len] = '\0';
			follow->len = 0;
			follow_line(follow, follow->line);
		} else if (follow->len + 1 < sizeof(follow->line)) {
			follow->line[follow->len++] = text[i];
		}
	}
}

static int run_helper(const struct store *store, const struct work *work, int go,
	struct follow *follow, struct error *err)
{
	char root_text[24], go_text[24], device[24], size[24], inode[24];
	const char *argv[ARG_COUNT + 3] = {"virtx", "lease-run"};
	const char **args = argv + 2;

	log_number(root_text, store->root);
	log_number(go_text, go);
	log_number(device, work->device);
	log_number(size, work->size_mib);
	log_number(inode, (int64_t)work->inode);
	args[ARG_KIND] = kind_names[work->kind];
	args[ARG_MANAGER] = lock_manager_name(store->lock_manager);
	args[ARG_ROOT] = root_text;
	args[ARG_GO] = go_text;
	args[ARG_DEVICE] = device;
	args[ARG_VM] = work->vm;
	args[ARG_LEASE] = work->lease;
	args[ARG_PATH] = work->path;
	args[ARG_PROV] = enum_name(&disk_prov_names, (int)work->prov);
	args[ARG_SIZE] = size;
	args[ARG_INODE] = inode;
	const int fds[] = {store->root, go, work->device};
	const struct process process = {
		.argv = argv,
		.program = store->helper ? store->helper : "/proc/self/exe",
		.fds = fds,
		.fd_count = work->device < 0 ? 2 : 3,
		.cancel = follow->disk_work ? follow->disk_work->cancel : NULL,
		.on_output = follow_output,
		.context = follow,
	};
	return process_run(&process, NULL, err);
}

/* Whether the host lost the lockspace; sanlock says so a moment after it killed who held leases. */
static bool has_lost_lockspace(const struct store *store, struct error *why)
{
	unsigned id;

	for (unsigned waited = 0; waited < LOST_WAIT_MS; waited += LOST_PAUSE_MS) {
		if (store->lock_manager != LOCK_MANAGER_SANLOCK)
			return false;
		if (lockspace_check(store, &id, why) < 0)
			return true;
		poll(NULL, 0, LOST_PAUSE_MS);
	}
	return false;
}

/* Its own words say more than its exit status; a cancellation is ours. When sanlock killed it, it
 * had no time for words. */
static void explain(const struct store *store, const struct follow *follow, struct error *err)
{
	struct error lost = {0};

	if (err->code != ERR_STORAGE)
		return;
	if (error_is_set(&follow->err)) {
		*err = follow->err;
	} else if (has_lost_lockspace(store, &lost)) {
		*err = lost;
		error_prefix(err, "the lockspace was lost during the work");
	}
}

int work_run(const struct store *store, const struct work *work, const struct disk_work *disk_work,
	uint64_t *inode, struct error *err)
{
	cleanup_free struct follow *follow = xcalloc(1, sizeof(*follow));
	int pipe_ends[2];

	if (pipe2(pipe_ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_STORAGE, errno, "cannot open a pipe");
	follow->disk_work = disk_work;
	follow->path = xasprintf("%s/" STORE_DATASTORE "/%s", store->vms_dir, work->path);
	follow->go = pipe_ends[1];
	int result = run_helper(store, work, pipe_ends[0], follow, err);
	close(pipe_ends[0]);
	mem_cleanup_close(&follow->go);
	free(follow->path);
	if (inode)
		*inode = follow->inode;
	if (result < 0)
		explain(store, follow, err);
	return result;
}

char *work_error_line(const struct error *err)
{
	char *line = xasprintf("error %s %s%s%s", error_code_word(err->code), err->message,
		err->hint[0] ? "\nhint " : "", err->hint);

	/* A line must stay one, whatever name was in the message. */
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < ' ' && !str_starts_with(c, "\nhint "))
			*c = ' ';
	}
	return line;
}

char *work_temporary_prefix(const char *vm)
{
	return xasprintf(".virtx-%s-", vm);
}

static bool parse_kind(const char *name, enum work_kind *kind)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (str_equal(name, kind_names[i])) {
			*kind = (enum work_kind)i;
			return true;
		}
	}
	return false;
}

int work_parse(int argc, char **argv, struct work *work, struct error *err)
{
	int64_t root, go, device, size, inode;
	int16_t prov;

	memset(work, 0, sizeof(*work));
	if (argc != ARG_COUNT)
		return error_set(err, ERR_USAGE, "lease-run is for virtxd's own use");
	if (!parse_kind(argv[ARG_KIND], &work->kind))
		return error_set(err, ERR_USAGE, "lease-run does not know %s", argv[ARG_KIND]);
	if (!lock_manager_parse(argv[ARG_MANAGER], &work->manager) ||
		!str_parse_int(argv[ARG_ROOT], 3, INT32_MAX, &root) ||
		!str_parse_int(argv[ARG_GO], 3, INT32_MAX, &go) ||
		!str_parse_int(argv[ARG_DEVICE], -1, INT32_MAX, &device) ||
		!uuid_is_valid(argv[ARG_VM]) ||
		!enum_parse(&disk_prov_names, argv[ARG_PROV], &prov) ||
		!str_parse_int(argv[ARG_SIZE], 0, INT32_MAX, &size) ||
		!str_parse_int(argv[ARG_INODE], INT64_MIN, INT64_MAX, &inode))
		return error_set(err, ERR_USAGE, "lease-run was called with a wrong argument");
	work->root = (int)root;
	work->go = (int)go;
	work->device = (int)device;
	work->vm = argv[ARG_VM];
	work->lease = argv[ARG_LEASE];
	work->path = argv[ARG_PATH];
	work->prov = (enum disk_prov)prov;
	work->size_mib = (int32_t)size;
	work->inode = (uint64_t)inode;
	return 0;
}
